package cti

import (
	"context"
	"errors"
	"slices"
	"time"
)

// aloneLimit is how long two parties outside may talk with no agent.
const aloneLimit = 4 * time.Hour

// conversation is a talk: the outside party and everybody who takes part, is
// rung for it, or listens in. It belongs to the goroutine that runs the call's
// handler. Its way on is a table (see standing); who hears whom follows from
// where everybody stands (see scene). It outlives the handler whose agent
// leaves it to others: then it is the next handler itself.
type conversation struct {
	call    *Call
	outside *member
	members []*member // beside the outside party, as they came
	holder  *member   // whose part the running handler waits for; nil: nobody's
	news    chan news
	closed  chan struct{}
	sound   sound
	end     Outcome // how the last part ended
	next    Target  // where the outside party goes; the zero target: nowhere
	pause   pause
	alone   <-chan time.Time // until no agent has taken part for too long
	expired bool
}

func newConversation(c *Call) *conversation {
	v := &conversation{
		call: c, news: make(chan news), closed: make(chan struct{}),
		outside: &member{kind: outsideLeg, leg: c.leg, standing: talking, offer: noOffer, over: make(chan struct{})},
		sound:   sound{call: c, engine: c.server.deps.Engine},
	}
	if v.outside.agent = c.colleague(); v.outside.agent.ID != "" {
		c.update(func(r *CDR) { r.Legs[0].Agent = v.outside.agent.ID })
	}
	v.follow(v.outside)
	return v
}

// colleague is the agent whom a call within the house goes to.
func (c *Call) colleague() Ref {
	k, ok := c.leg.(*seeker)
	if !ok {
		return Ref{}
	}
	leg, _ := k.now()
	if d, ok := leg.(*deskLeg); ok {
		return d.desk.Agent()
	}
	return Ref{}
}

// Handle implements [Handler]: the conversation goes on without the agent whose
// handler began it.
func (v *conversation) Handle(ctx context.Context, _ *Call) (Outcome, error) {
	return v.run(ctx), context.Cause(ctx)
}

// run serves the conversation until it is over, or until the agent for whom the
// handler runs has left it.
func (v *conversation) run(ctx context.Context) Outcome {
	for {
		if out, over := v.settle(); over {
			return out
		}
		select {
		case <-ctx.Done():
			return v.close(gone(ctx))
		case n := <-v.news:
			v.hear(ctx, n)
		case req := <-v.call.mail:
			req.reply <- v.obey(ctx, req.cmd)
		case c := <-v.call.cessions:
			h := v.cede(c)
			c.reply <- h
			if h.err == nil {
				v.call.cancel(errCeded) // after the reply: who waits for it sees the call's end, too
			}
		case <-v.pause.over:
			v.resume()
		case <-v.alone:
			v.expired = true
		}
	}
}

// gone is the end of a talk whose outside party left.
func gone(ctx context.Context) Outcome {
	if errors.Is(context.Cause(ctx), ErrLineLost) {
		return Outcome{Side: LineSide, Cause: CauseLineLost}
	}
	return Outcome{Side: CallerSide, Cause: CauseNormal}
}

// settle acts on what just happened: the end, what everybody hears, or that the
// handler's own agent is no more part of it.
func (v *conversation) settle() (Outcome, bool) {
	if v.expired {
		v.end = Outcome{Side: BoxSide, Cause: CauseTimeout}
	}
	if v.expired || v.next != (Target{}) || !v.alive() {
		return v.close(v.end), true
	}
	v.sound.set(v.scene())
	v.watchAlone()
	if v.holder == nil || !v.holder.gone {
		return Outcome{}, false
	}
	out := Outcome{Kind: MovedOn, Agent: v.holder.agent.ID, Side: AgentSide, Cause: CauseNormal, Next: v.heir()}
	v.holder = nil
	return out, true
}

// alive says that somebody is there, or still rung, for the outside party.
func (v *conversation) alive() bool {
	return slices.ContainsFunc(v.members, func(m *member) bool { return m.kind != supervisorLeg })
}

// heir is who has the outside party from now on.
func (v *conversation) heir() Target {
	for _, m := range v.members {
		if m.agent.ID != "" && m.kind != supervisorLeg {
			return Target{Agent: m.agent.ID}
		}
	}
	return Target{Number: v.call.Origin().party().E164}
}

func (v *conversation) watchAlone() {
	switch {
	case len(v.agents()) > 0:
		v.alone = nil
	case v.alone == nil:
		v.alone = time.After(aloneLimit)
	}
}

// close ends all parts, and the conversation.
func (v *conversation) close(end Outcome) Outcome {
	c := v.call
	v.sound.close()
	v.resume()
	out := end
	out.Kind, out.Agent, out.Next = Talked, c.agentID(), v.next
	if v.next != (Target{}) {
		out.Kind = MovedOn
	}
	for len(v.members) > 0 {
		v.drop(v.members[0], end)
	}
	if c.conversation == v {
		close(v.outside.over)
		close(v.closed)
		c.conversation = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setTalking(false)
	c.where = WhereIVR
	return out
}

// agents are those who talk in the conversation, or are asked.
func (v *conversation) agents() []Ref {
	var all []Ref
	for _, m := range v.members {
		if m.agent.ID != "" && !m.hidden() {
			all = append(all, m.agent)
		}
	}
	return all
}

// others are who else is with the outside party, or will be.
func (v *conversation) others(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(v.members), func(o *member) bool {
		return o == m || o == m.partner || o.kind == supervisorLeg
	})
}

// tell notes e once for each of these agents; for nobody, where there is none.
func (v *conversation) tell(e Event, agents ...Ref) {
	told := map[string]bool{"": true}
	for _, a := range agents {
		if !told[a.ID] {
			told[a.ID] = true
			e.AgentID = a.ID
			v.call.note(e)
		}
	}
	if len(told) == 1 {
		v.call.note(e)
	}
}
