package cti

import "context"

// How a [Witness] says that the agent's own telephone was put down.
const evidenceSet = "set"

// Pop shows the call to an agent whose own telephone rings, or was lifted to
// call out: the box has no leg there. It waits for a look-up that is under way.
func (c *Call) Pop(ctx context.Context, agent Ref) {
	c.Customer(ctx)
	c.popUp(agent, c.leg.ID())
}

// Attend is the talk at an agent's own telephone once that was lifted (Answer):
// the box listens until it is over. Who put down first is known where the line
// tells it.
func (c *Call) Attend(ctx context.Context, agent Ref) (Outcome, error) {
	c.mu.Lock()
	c.pending, c.record.Agent = &agent, &agent
	c.record.Times.AgentAnswer = c.record.Times.Answer
	c.mu.Unlock()
	c.note(Event{Type: EventEstablished, AgentID: agent.ID, ConnectionID: c.leg.ID()})
	<-ctx.Done()
	end := Outcome{Kind: Talked, Agent: agent.ID, Side: CallerSide, Cause: CauseNormal}
	if w, ok := c.leg.(Witness); ok {
		if _, how := w.Evidence(); how == evidenceSet {
			end.Side = AgentSide
		}
	}
	c.note(Event{
		Type: EventConnectionCleared, AgentID: agent.ID, ConnectionID: c.leg.ID(), Cause: end.Cause,
		UserData: map[string]any{"side": end.Side},
	})
	return end, context.Cause(ctx)
}

// Assign says whose call this is from its beginning: one that the agent makes.
func (c *Call) Assign(agent Ref) { c.update(func(r *CDR) { r.Agent = &agent }) }
