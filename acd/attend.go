package acd

import (
	"context"
	"errors"
	"time"

	"callbox/cti"
)

// Attend serves the calls of a line on which an agent's own telephone hangs:
// the box listens, the agent lifts and puts down. From the first ring the desk
// is offered nothing else; while the set is up it is busy, and wrap-up follows
// as after a call of the agent's first queue. A desk that is logged off or has
// another call keeps what it has: then there are the pop, the record and the
// recording. A call that the agent makes there makes the desk busy at once.
func (f *Floor) Attend(agent string) cti.Handler { return attended{f, agent} }

type attended struct {
	floor *Floor
	agent string
}

// Handle implements [cti.Handler].
func (a attended) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	v := &visit{floor: a.floor, call: call, ticket: &ticket{id: call.ID()}}
	agent := a.sit(ctx, v.ticket)
	defer v.rise()
	lift := a.ringing
	if call.Origin().Direction == cti.Out {
		lift = a.dialling
	}
	if err := lift(ctx, v, agent); err != nil {
		return gone(err), nil
	}
	return call.Attend(ctx, agent)
}

// ringing waits until the agent lifts the ringing telephone.
func (a attended) ringing(ctx context.Context, v *visit, agent cti.Ref) error {
	v.call.Offer(agent, "the agent's own telephone rings")
	v.call.Pop(ctx, agent)
	if err := v.call.Answer(ctx); err != nil {
		missed := cti.OfferMissed
		if errors.Is(context.Cause(ctx), cti.ErrShutdown) {
			missed = cti.OfferCanceled
		}
		v.call.EndOffer(missed)
		return err
	}
	v.up()
	v.call.EndOffer(cti.OfferAnswered)
	return nil
}

// dialling takes up a call that the agent makes by lifting the telephone.
func (a attended) dialling(ctx context.Context, v *visit, agent cti.Ref) error {
	if err := v.call.Answer(ctx); err != nil {
		return err
	}
	v.up()
	v.call.Assign(agent)
	v.call.Pop(ctx, agent)
	return nil
}

// sit takes the agent's desk where it can; whose it is, is known in any case.
func (a attended) sit(ctx context.Context, t *ticket) cti.Ref {
	agent, err := ask(context.WithoutCancel(ctx), a.floor, func(b *board, _ time.Time) (cti.Ref, error) {
		d := b.desks[a.agent]
		if d == nil {
			return cti.Ref{ID: a.agent}, nil
		}
		b.attend(t, d)
		return d.ref(), nil
	})
	if err != nil { // the floor has ended: the record is left
		return cti.Ref{ID: a.agent}
	}
	return agent
}

// up says that the set was lifted: the desk is busy.
func (v *visit) up() {
	v.floor.post(func(b *board, now time.Time) { b.picked(v.ticket, now) })
}

// rise frees the desk. Of a talk without one, no wrap-up is to be waited for.
func (v *visit) rise() {
	talked := v.call.Record().Agent != nil
	v.floor.post(func(b *board, now time.Time) {
		if talked && v.ticket.desk == nil {
			b.worked(v.ticket.id, now)
		}
		b.leave(v.ticket, true, now)
	})
}
