package cti

import (
	"context"
	"fmt"
)

// conference lets who was asked talk with the outside party and everybody there.
func (v *conversation) conference(_ context.Context, m *member, _ args) (any, error) {
	p := m.partner
	if p != nil && p.errand != "" {
		return nil, fmt.Errorf("nobody picked up yet: %w", ErrWrongState)
	}
	if err := v.step(m, CmdConferenceCall); err != nil {
		return nil, err
	}
	m.partner, p.partner = nil, nil
	v.adopt(p)
	v.tell(Event{Type: EventConferenced, ConnectionID: p.leg.ID(), UserData: map[string]any{"by": m.agent.ID}}, v.agents()...)
	return nil, nil
}

// adopt makes who was asked one who talks with the outside party.
func (v *conversation) adopt(p *member) {
	v.stand(p, talking)
	if p.kind == consultLeg {
		p.kind = agentLeg
		v.call.rename(p.leg, agentLeg)
	}
}

// clear ends the own part, or the connection that is named: of who was asked,
// or of another in the conference. That of the outside party ends the call.
func (v *conversation) clear(_ context.Context, m *member, a args) (any, error) {
	switch a.ConnectionID {
	case "", m.leg.ID():
		v.leave(m)
		return nil, nil
	case v.outside.leg.ID():
		v.hangUpOutside()
		return nil, nil
	}
	p := v.byLeg(a.ConnectionID)
	switch {
	case p == nil || p.kind == supervisorLeg:
		return nil, fmt.Errorf("connection %s: %w", a.ConnectionID, ErrNotFound)
	case p.partner != nil && p.partner != m:
		return nil, fmt.Errorf("connection %s is in a consultation of its own: %w", a.ConnectionID, ErrWrongState)
	}
	v.leave(p)
	return nil, nil
}

// hangUpOutside ends the talk for all.
func (v *conversation) hangUpOutside() {
	v.end = Outcome{Side: AgentSide, Cause: CauseNormal}
	for len(v.members) > 0 {
		v.drop(v.members[0], v.end)
	}
}

// byLeg is the party with this connection, nil where there is none.
func (v *conversation) byLeg(id string) *member {
	if v.outside.leg.ID() == id {
		return v.outside
	}
	for _, m := range v.members {
		if m.leg.ID() == id {
			return m
		}
	}
	return nil
}
