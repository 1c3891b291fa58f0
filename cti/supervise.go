package cti

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// How a supervisor takes part.
const (
	ModeListen   = "listen"
	ModeWhisper  = "whisper"  // the agents hear the supervisor, too
	ModeBarge    = "barge"    // so does everybody
	ModeTakeover = "takeover" // the supervisor becomes the agent
	ModeStop     = "stop"
)

var modes = []string{ModeListen, ModeWhisper, ModeBarge, ModeTakeover}

// seatTime is how long a supervisor's phone rings.
const seatTime = 30 * time.Second

// supervise lets by take part in a mode: the phone rings once, from then on the
// mode is changed. Agents are not told of one who listens or whispers.
func (v *conversation) supervise(ctx context.Context, by string, a args) (any, error) {
	m := v.supervisor(by)
	switch {
	case a.Mode == ModeStop && m == nil:
		return nil, fmt.Errorf("%q does not listen: %w", by, ErrWrongState)
	case a.Mode == ModeStop:
		v.leave(m)
		return nil, nil
	case !slices.Contains(modes, a.Mode):
		return nil, fmt.Errorf("%w: mode is one of listen, whisper, barge, takeover, stop", ErrBadArgs)
	case m == nil && slices.ContainsFunc(v.members, func(o *member) bool { return by != "" && o.agent.ID == by }):
		return nil, fmt.Errorf("%q takes part already: %w", by, ErrWrongState)
	case m == nil:
		return v.listenIn(ctx, by, a.Mode)
	}
	m.mode = a.Mode
	if m.errand == "" {
		v.supervises(m)
	}
	return connection{m.leg.ID()}, nil
}

func (v *conversation) supervisor(by string) *member {
	for _, m := range v.members {
		if m.kind == supervisorLeg && m.agent.ID == by {
			return m
		}
	}
	return nil
}

// listenIn rings a supervisor's phone.
func (v *conversation) listenIn(ctx context.Context, by, mode string) (any, error) {
	desks := v.call.server.floor()
	if desks == nil {
		return nil, ErrNotServed
	}
	limit, cancel := context.WithTimeout(ctx, deskLimit)
	defer cancel()
	who, device, err := desks.Seat(limit, by)
	if err != nil {
		return nil, fmt.Errorf("phone of %s: %w", by, err)
	}
	leg, err := v.call.RingOwn(ctx, device)
	if err != nil {
		return nil, err
	}
	m := v.seat(&member{
		kind: supervisorLeg, agent: who, leg: leg, standing: listening, mode: mode,
		errand: toSupervise, limit: seatTime, offer: noOffer,
	})
	return connection{m.leg.ID()}, nil
}

// supervises begins or changes a supervisor's part as its mode says.
func (v *conversation) supervises(m *member) {
	v.call.update(func(r *CDR) { r.setMode(m.leg.ID(), m.mode) })
	v.stand(m, listening)
	joined := Event{ConnectionID: m.leg.ID(), UserData: map[string]any{"by": m.agent.ID, "mode": m.mode}}
	switch m.mode {
	case ModeTakeover:
		v.takeOver(m)
	case ModeBarge:
		joined.Type = EventConferenced
		v.tell(joined, v.agents()...)
	default:
		joined.Type = EventEstablished
		v.secret(joined, m)
	}
}

// takeOver makes the supervisor the agent; the agents who were there are out of
// the call, numbers stay.
func (v *conversation) takeOver(m *member) {
	if m.desk = v.call.ownDesk(m.agent.ID); m.desk == nil {
		v.call.log.Info("taken over without a desk", "by", m.agent.ID)
	}
	m.kind = agentLeg
	v.stand(m, talking)
	v.moved(m, m.agent.ID, m.leg.ID())
	for _, o := range v.others(m) {
		if o.agent.ID != "" || o.errand != "" || o.partner != nil {
			v.drop(o, Outcome{Side: AgentSide, Cause: CauseNormal})
		}
	}
	v.end = Outcome{Side: AgentSide, Cause: CauseNormal}
	v.call.nowWith(m.agent)
	v.tell(Event{Type: EventEstablished, ConnectionID: m.leg.ID()}, m.agent)
}

// ownDesk borrows the desk of somebody who talks already, so that nothing else is
// offered there; nil where there is none that is free.
func (c *Call) ownDesk(id string) Desk {
	limit, cancel := context.WithTimeout(c.ctx, deskLimit)
	defer cancel()
	desk, err := c.server.floor().Lend(limit, Target{Agent: id}, c.id)
	if err != nil {
		return nil
	}
	if !desk.Picked(limit) {
		desk.Free(false)
		return nil
	}
	return desk
}

// secret notes what only this supervisor, and those who see everything, may
// know.
func (v *conversation) secret(e Event, m *member) {
	e.AgentID, e.Private = m.agent.ID, true
	v.call.note(e)
}

func (r *CDR) setMode(leg, mode string) {
	for i := range r.Legs {
		if r.Legs[i].ID == leg {
			r.Legs[i].Mode = mode
		}
	}
}
