package cti

import (
	"context"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

// request is a command on its way to the call's goroutine.
type request struct {
	cmd   Command
	reply chan answer
}

// answer is what became of a command.
type answer struct {
	result any
	err    error
}

// do hands a command to the goroutine that runs the call.
func (c *Call) do(ctx context.Context, cmd Command) (any, error) {
	if c.Origin().Attend != "" {
		return nil, fmt.Errorf("%s: the telephone is the agent's own, the box only listens: %w", cmd.Name, ErrWrongState)
	}
	if cmd.Name == CmdAnswerCall {
		return nil, c.lift(ctx, cmd.By)
	}
	if cmd.Name == CmdClearConnection && (c.reject(cmd.By) || c.withdraw()) {
		return nil, nil
	}
	over := c.talkEnds()
	if over == nil && cmd.Name == CmdClearConnection && c.isNobodys() && !c.knows(cmd.By) {
		c.cancel(ErrCanceled)
		return nil, nil
	}
	if over == nil {
		return nil, fmt.Errorf("%s: nobody talks on this call: %w", cmd.Name, ErrWrongState)
	}
	req := request{cmd: cmd, reply: make(chan answer, 1)}
	select {
	case c.mail <- req:
		return c.answered(req)
	case <-over:
		return nil, fmt.Errorf("%s: the talk is over: %w", cmd.Name, ErrWrongState)
	case <-c.ctx.Done():
		return nil, ErrNotFound
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answered waits for what becomes of a command that was taken; a call that fell
// over it never says.
func (c *Call) answered(req request) (any, error) {
	select {
	case a := <-req.reply:
		return a.result, a.err
	case <-c.ctx.Done():
	}
	select {
	case a := <-req.reply:
		return a.result, a.err
	default:
		return nil, ErrNotFound
	}
}

// withdraw ends a call that an agent wants to make while that agent's own phone
// is still rung; false where no such call is, or the phone was picked up.
func (c *Call) withdraw() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.origin.Agent == "" || !c.record.Times.AgentAnswer.IsZero() || c.ctx.Err() != nil {
		return false
	}
	c.cancel(errAgentGone)
	return true
}

// talkEnds is closed when the talk that runs is over; nil where there is none.
func (c *Call) talkEnds() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.talks
}

// setTalking says whether commands are served. Callers hold mu.
func (c *Call) setTalking(on bool) {
	switch {
	case on && c.talks == nil:
		c.talks = make(chan struct{})
	case !on && c.talks != nil:
		close(c.talks)
		c.talks = nil
	}
}

// Bridge lets the outside party and an answered leg talk, and serves what the
// parties ask for meanwhile, until that leg's part is over: its hang-up, a
// transfer, the outside party's end. Without an agent the leg is one more party
// outside. The Outcome says who ended the talk; MovedOn, that the outside party
// goes on without this agent (and [Server] follows). The leg is over when Bridge
// returns.
func (c *Call) Bridge(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	c.join(agent, leg)
	return c.talk(ctx, agent, leg)
}

// talk begins the conversation with a leg that joined the call.
func (c *Call) talk(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	c.endConversation()
	v := newConversation(c)
	c.conversation = v
	v.holder = v.seat(&member{
		kind: kindOf(agent), agent: agent, leg: leg, standing: talking, talked: true, offer: noOffer,
	})
	v.stand(v.holder, talking)
	v.tell(Event{Type: EventEstablished, ConnectionID: leg.ID()}, agent)
	return v.run(ctx), context.Cause(ctx)
}

// endConversation ends what a handler left running.
func (c *Call) endConversation() {
	if c.conversation != nil {
		c.conversation.close(Outcome{Side: BoxSide, Cause: CauseNormal})
	}
}

// kindOf is the kind of a leg in the record.
func kindOf(agent Ref) string {
	if agent.ID == "" {
		return numberLeg
	}
	return agentLeg
}

// join makes an answered leg the agent's part of the call.
func (c *Call) join(agent Ref, leg Leg) {
	c.mu.Lock()
	c.setTalking(true)
	if agent.ID != "" { // else the other party is outside too
		c.pending, c.record.Agent = &agent, &agent
	}
	if c.record.Times.AgentAnswer.IsZero() {
		c.record.Times.AgentAnswer = stamp.Now()
	}
	c.mu.Unlock()
	c.enter(leg, kindOf(agent), agent, "")
}

// part ends the agent's part of the call, as end says.
func (c *Call) part(agent Ref, leg Leg, end Outcome) {
	leg.Hangup(CauseNormal)
	c.mu.Lock()
	c.setTalking(false)
	c.where = WhereIVR
	c.mu.Unlock()
	c.leaves(leg)
	c.note(Event{
		Type: EventConnectionCleared, AgentID: agent.ID, ConnectionID: leg.ID(), Cause: end.Cause,
		UserData: map[string]any{"side": end.Side},
	})
}

// converse lets an agent hear on until that agent or the outside party hangs
// up; nothing else can be asked for.
func (c *Call) converse(ctx context.Context, leg Leg) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-leg.Done():
			return
		case req := <-c.mail:
			over, err := command(req.cmd)
			req.reply <- answer{err: err}
			if over {
				return
			}
		}
	}
}

// command serves one command of an agent who does not talk to anybody yet; over
// says that the agent has enough.
func command(cmd Command) (over bool, err error) {
	if cmd.Name != CmdClearConnection {
		return false, fmt.Errorf("%s: nobody answered yet: %w", cmd.Name, ErrWrongState)
	}
	return true, nil
}

// closeLeg writes a leg's end and what was counted on it.
func (r *CDR) closeLeg(leg Leg) {
	for i := range r.Legs {
		if r.Legs[i].ID == leg.ID() && r.Legs[i].End.IsZero() {
			r.Legs[i].close(leg)
		}
	}
}

func (l *LegRecord) close(leg Leg) {
	l.End = stamp.Now()
	l.Standing, l.StandingSince = "", Time{}
	if w, ok := leg.(Witness); ok {
		l.AnswerConfidence, l.HangupDetect = w.Evidence()
	}
	port := leg.Media()
	if port == nil {
		return
	}
	s := port.Stats()
	if all := s.Received + s.Lost; all > 0 {
		l.Loss = 100 * float64(s.Lost) / float64(all)
	}
	l.JitterMS = float64(s.Jitter) / float64(time.Millisecond)
	l.MOS, l.Secure = mos(s), s.Secure
	if s.Far.RoundTrip > 0 {
		ms := float64(s.Far.RoundTrip) / float64(time.Millisecond)
		l.RTTMS = &ms
	}
}
