package acd

import (
	"context"
	"errors"
	"time"

	"callbox/cti"
)

// Reserve lends an agent's desk to a call that the agent wants to make, so that
// no queue's call comes between: [cti.Desks]. The handler rings the agent's
// phone, then has the number dialled; wrap-up follows a talk as after a call of
// the agent's first queue, an attempt that came to nothing has none. An agent
// who was notReady is so again afterwards. Errors: [cti.ErrNotFound],
// [ErrRefused] (logged off, in a call), [cti.ErrUnreachable] (no phone).
func (f *Floor) Reserve(ctx context.Context, agent, call string) (cti.Ref, cti.Handler, error) {
	d, err := f.lend(ctx, cti.Target{Agent: agent}, call)
	if err != nil {
		return cti.Ref{}, nil, err
	}
	d.offer.own = true
	return d.offer.agent, outgoing{f, d.ticket, d.offer}, nil
}

// outgoing serves one call that an agent makes.
type outgoing struct {
	floor  *Floor
	ticket *ticket
	offer  offer
}

// Handle implements [cti.Handler].
func (o outgoing) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	v := &visit{floor: o.floor, call: call, ticket: o.ticket}
	talked := false
	defer func() { v.back(talked) }()
	leg, err := v.pickedUp(ctx, o.offer)
	if err == nil && !o.floor.picked(ctx, o.ticket) {
		err = errLost
	}
	if err != nil {
		if leg != nil {
			leg.Hangup(cause(ctx, err))
		}
		call.Log().Info("the agent's phone was not picked up", "agent", o.offer.agent.ID, "err", err)
		return notPicked(err), nil
	}
	out, err := call.Connect(ctx, o.offer.agent, leg)
	talked = out.Kind == cti.Talked || out.Kind == cti.MovedOn
	v.movedOn(ctx, out)
	return out, err
}

// notPicked is what becomes of a call whose own agent does not take part in it.
func notPicked(err error) cti.Outcome {
	out := cti.Outcome{Kind: cti.Failed, Side: cti.AgentSide, Cause: cti.CauseCanceled}
	switch {
	case errors.Is(err, cti.ErrNoAnswer):
		out.Cause = cti.CauseNoAnswer
	case errors.Is(err, cti.ErrBusy):
		out.Cause = cti.CauseBusy
	case errors.Is(err, cti.ErrUnreachable), errors.Is(err, errLost):
		out.Side, out.Cause = cti.BoxSide, cti.CauseError
	}
	return out
}

// back gives the desk back, after a talk to wrap-up.
func (v *visit) back(talked bool) {
	v.floor.post(func(b *board, now time.Time) { b.giveBack(v.ticket, talked, now) })
}
