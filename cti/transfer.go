package cti

import (
	"context"
	"fmt"
	"time"
)

// recallTime is how long the phone of an agent rings who hung up with a caller
// on hold.
const recallTime = 20 * time.Second

// transferTo leaves the outside party to who was asked, also while that phone
// still rings.
func (v *conversation) transferTo(_ context.Context, m *member, _ args) (any, error) {
	if _, err := m.standing.next(CmdTransferCall); err != nil {
		return nil, err
	}
	v.leave(m)
	return nil, nil
}

// transfer is the end of m's part while it consults: who was asked goes on.
func (v *conversation) transfer(m *member, end Outcome) {
	p := m.partner
	m.partner, p.partner = nil, nil
	m.standing = departed
	if p.errand != "" {
		p.errand, p.by = toTransfer, m
	} else {
		v.adopt(p)
	}
	v.moved(m, p.name(), p.leg.ID())
	v.drop(m, end)
	v.end = end
	if p.errand == "" {
		v.call.nowWith(p.agent)
	}
}

// moved tells the screens of a transfer by m.
func (v *conversation) moved(m *member, to, connection string) {
	v.tell(Event{
		Type: EventTransferred, ConnectionID: connection,
		UserData: map[string]any{"by": m.agent.ID, "to": to},
	}, v.agents()...)
}

// sendOn gives the outside party away without asking: to an agent's phone, to a
// queue or to a number. The agent is free at once.
func (v *conversation) sendOn(ctx context.Context, m *member, a args) (any, error) {
	if _, err := m.standing.next(CmdSingleStepTransfer); err != nil {
		return nil, err
	}
	if desks := v.call.server.floor(); desks != nil {
		if t, ok := desks.Find(a.To); ok && t.Queue != "" {
			return nil, v.toQueue(m, t)
		}
	}
	p, err := v.invite(ctx, m, a.To, toTransfer)
	if err != nil {
		return nil, err
	}
	m.standing = departed
	v.moved(m, p.name(), p.leg.ID())
	v.leave(m)
	return nil, nil
}

// toQueue lets the outside party wait in a queue. Who else is in a conference
// with it would be cut off.
func (v *conversation) toQueue(m *member, t Target) error {
	switch {
	case m.errand != "":
		return fmt.Errorf("lift the phone: %w", ErrWrongState)
	case len(v.others(m)) > 0:
		return fmt.Errorf("others are in the conference: %w", ErrWrongState)
	}
	m.standing = departed
	v.moved(m, t.Queue, v.outside.leg.ID())
	v.leave(m)
	v.next = t
	return nil
}

// recall offers a call whose transfer came to nothing to who transferred it.
func (v *conversation) recall(ctx context.Context, by *member) {
	if by.agent.ID == "" || v.call.server.floor() == nil {
		v.giveUp()
		return
	}
	if _, err := v.inviteDesk(ctx, by, Target{Agent: by.agent.ID}, toRecall); err != nil {
		v.call.log.Info("no recall", "agent", by.agent.ID, "err", err)
		v.giveUp()
	}
}

// ringBack rings the phone of an agent who hung up with the outside party on
// hold. The agent's part goes on with a leg of its own.
func (v *conversation) ringBack(ctx context.Context, m *member) {
	leg, err := v.call.Ring(ctx, m.leg.Device())
	back := &member{
		kind: m.kind, agent: m.agent, desk: m.desk, leg: leg, standing: holding, by: m, errand: toRetrieve,
		limit: recallTime, offer: noOffer, talked: true,
	}
	if err != nil {
		v.call.log.Info("no ring back", "agent", m.agent.ID, "err", err)
		v.leave(m)
		v.giveUp()
		return
	}
	v.seat(back)
	if v.holder == m {
		v.holder = back
	}
	m.desk = nil
	v.drop(m, Outcome{Side: AgentSide, Cause: CauseNormal})
}

// giveUp sends an outside party for whom nobody picks up back to its queue, or
// ends the call.
func (v *conversation) giveUp() {
	v.end = Outcome{Side: BoxSide, Cause: CauseNoAnswer}
	if q := v.call.Record().Queue; q != nil {
		v.next = Target{Queue: q.ID}
	}
}
