package cti

import (
	"context"
	"fmt"
	"maps"
)

// Kinds of legs beside outside and agent.
const (
	consultLeg    = "consult"
	numberLeg     = "number"
	supervisorLeg = "supervisor"
)

// consult asks an agent, somebody of a queue or a number while the outside
// party waits with music.
func (v *conversation) consult(ctx context.Context, m *member, a args) (any, error) {
	if _, err := m.standing.next(CmdConsultationCall); err != nil {
		return nil, err
	}
	p, err := v.invite(ctx, m, a.To, toConsult)
	if err != nil {
		return nil, err
	}
	waited := m.standing == holding
	if err := v.step(m, CmdConsultationCall); err != nil {
		return nil, err
	}
	m.partner, p.partner = p, m
	if !waited {
		v.held(m)
	}
	return connection{p.leg.ID()}, nil
}

// consulted is the answer of who was asked.
func (v *conversation) consulted(p *member) {
	m := p.partner
	v.stand(p, asked)
	if to, err := m.standing.next(stepAnswered); err == nil {
		v.stand(m, to)
	}
	v.tell(Event{Type: EventEstablished, ConnectionID: p.leg.ID()}, p.agent, m.agent)
}

// alternate talks with the outside party in turn with who was asked.
func (v *conversation) alternate(_ context.Context, m *member, _ args) (any, error) {
	if err := v.step(m, CmdAlternateCall); err != nil {
		return nil, err
	}
	if m.standing == alternated {
		v.tell(Event{Type: EventHeld, ConnectionID: m.partner.leg.ID()}, m.agent, m.partner.agent)
		v.retrieved(m)
		return nil, nil
	}
	v.held(m)
	v.tell(Event{Type: EventRetrieved, ConnectionID: m.partner.leg.ID()}, m.agent, m.partner.agent)
	return nil, nil
}

// reconnect lets go who was asked and goes back to the outside party.
func (v *conversation) reconnect(_ context.Context, m *member, _ args) (any, error) {
	waited := m.standing.aside()
	if err := v.step(m, CmdReconnectCall); err != nil {
		return nil, err
	}
	v.drop(m.partner, Outcome{Side: AgentSide, Cause: CauseNormal})
	if waited {
		v.retrieved(m)
	}
	return nil, nil
}

// invite has whom a word names rung for an errand of by's: an agent, somebody
// of a queue, or a number outside. Errors: those of [Desks], of a call that is
// made, and ErrBadArgs.
func (v *conversation) invite(ctx context.Context, by *member, word, errand string) (*member, error) {
	if by.errand != "" {
		return nil, fmt.Errorf("lift the phone: %w", ErrWrongState)
	}
	if word == "" {
		return nil, fmt.Errorf("%w: to is missing", ErrBadArgs)
	}
	if desks := v.call.server.floor(); desks != nil {
		if t, ok := desks.Find(word); ok {
			return v.inviteDesk(ctx, by, t, errand)
		}
	}
	return v.inviteNumber(ctx, by, word, errand)
}

// inviteDesk borrows a desk and rings its phone.
func (v *conversation) inviteDesk(ctx context.Context, by *member, t Target, errand string) (*member, error) {
	limit, cancel := context.WithTimeout(ctx, deskLimit)
	defer cancel()
	desk, err := v.call.server.floor().Lend(limit, t, v.call.id)
	if err != nil {
		return nil, fmt.Errorf("desk of %s: %w", t.Agent+t.Queue, err)
	}
	leg, err := v.call.Ring(ctx, desk.Device())
	if err != nil {
		desk.Free(false)
		return nil, err
	}
	agent := desk.Agent()
	return v.seat(&member{
		kind: consultLeg, agent: agent, leg: leg, desk: desk, standing: asked, by: by, errand: errand,
		limit: desk.Ring(), offer: v.call.offered(agent, errand+" by "+by.name()),
	}), nil
}

// inviteNumber dials a number outside; it counts for the agent's limits.
func (v *conversation) inviteNumber(ctx context.Context, by *member, word, errand string) (*member, error) {
	p, err := v.call.server.reachable(ctx, "user:"+by.agent.ID, word)
	if err != nil {
		return nil, err
	}
	leg, err := v.call.seek(p)
	if err != nil {
		return nil, err
	}
	return v.seat(&member{
		kind: numberLeg, leg: leg, standing: asked, by: by, errand: errand, limit: answerLimit, offer: noOffer,
	}), nil
}

// floor lends desks to parts in calls, also while no new calls are let in; nil
// where there is none.
func (s *Server) floor() Desks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.desks
}

// popUp shows the call to an agent whose phone rings for a part in it, with who
// had it rung, and why.
func (v *conversation) popUp(m *member) {
	if m.agent.ID == "" {
		return
	}
	v.call.rings(m.agent.ID, m.leg)
	if m.kind == supervisorLeg {
		v.secret(Event{Type: EventDelivered, ConnectionID: m.leg.ID(), UserData: map[string]any{"mode": m.mode}}, m)
		return
	}
	more := map[string]any{}
	switch m.errand {
	case toConsult:
		more["consulted_by"] = m.by.agent.ID
	case toTransfer:
		more["transferred_by"] = m.by.agent.ID
	case toRecall, toRetrieve:
		more["recalled"] = true
	}
	v.call.lookup.tell(m.agent.ID, func(customer *Customer) {
		data := v.call.pop(m.agent.ID, customer)
		maps.Copy(data, more)
		v.call.note(Event{Type: EventDelivered, AgentID: m.agent.ID, ConnectionID: m.leg.ID(), UserData: data})
	})
}
