package acd

import (
	"context"
	"errors"

	"callbox/cti"
)

// Queue serves calls that are to wait in a queue, a transfer say.
func (f *Floor) Queue(id string) cti.Handler { return toQueue{f, id} }

type toQueue struct {
	floor *Floor
	queue string
}

// Handle implements [cti.Handler].
func (q toQueue) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	return q.floor.Enqueue(ctx, call, cti.Wanted{Queue: q.queue})
}

// Agent serves calls that are to go to one agent: a transfer, a call from
// another phone. The agent's phone rings once, for the ring_timeout of the
// agent's first queue, also while the agent is notReady or works after another
// call. A call that was answered before hears music meanwhile, another one is
// answered when the agent picks up. Where nobody does, the outcome is Failed
// with the cause busy (in a call, refused), noAnswer (not there) or notFound,
// and the call is as it was: it may go elsewhere.
func (f *Floor) Agent(id string) cti.Handler { return toAgent{f, id} }

type toAgent struct {
	floor *Floor
	agent string
}

// Handle implements [cti.Handler].
func (a toAgent) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	desk, err := a.floor.lend(ctx, cti.Target{Agent: a.agent}, call.ID())
	if err != nil {
		return a.untaken(ctx, err), nil
	}
	desk.offer.why = "asked for by name"
	v := &visit{floor: a.floor, call: call, ticket: desk.ticket, music: func() {}}
	defer v.leave()
	if !call.Record().Times.Answer.IsZero() {
		v.play(ctx, Queue{})
	}
	defer v.music()
	leg, err := v.ring(ctx, desk.offer)
	if err != nil {
		return a.untaken(ctx, err), nil
	}
	return v.talk(ctx, desk.offer, leg)
}

// untaken is the outcome of a call that the agent did not take, or whose other
// party is gone.
func (a toAgent) untaken(ctx context.Context, err error) cti.Outcome {
	switch {
	case ctx.Err() != nil:
		return gone(context.Cause(ctx))
	case errors.Is(err, errOutside) && hungUp(err):
		return gone(err)
	}
	out := cti.Outcome{Kind: cti.Failed, Agent: a.agent, Side: cti.AgentSide, Cause: cti.CauseNoAnswer}
	for _, why := range refusals {
		if errors.Is(err, why.err) {
			out.Side, out.Cause = why.side, why.cause
			break
		}
	}
	return out
}

// refusals are why an agent does not take a call, in the words of the record;
// who is not there, or whose phone is not, does not answer.
var refusals = []struct {
	err         error
	side, cause string
}{
	{errOutside, cti.BoxSide, cti.CauseError},
	{cti.ErrBusy, cti.AgentSide, cti.CauseBusy},
	{cti.ErrRejected, cti.AgentSide, cti.CauseBusy},
	{cti.ErrRemoteHangup, cti.AgentSide, cti.CauseBusy},
	{cti.ErrNotFound, cti.BoxSide, cti.CauseNotFound},
	{cti.ErrShutdown, cti.BoxSide, cti.CauseError},
}
