package acd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
)

// Enqueue lets a call wait in a queue, offers it to one desk after the other,
// and returns when the talk is over or there will be none: the outcome is
// Talked, Gone, NoAgents, TimedOut or Full. Its goroutine is the call's.
func (f *Floor) Enqueue(ctx context.Context, call *cti.Call, wanted cti.Wanted) (cti.Outcome, error) {
	t := &ticket{id: call.ID(), wanted: wanted, offers: make(chan offer, 1)}
	v := &visit{floor: f, call: call, ticket: t}
	defer v.leave()
	queue, out, err := v.join(ctx)
	switch {
	case ctx.Err() != nil:
		return gone(context.Cause(ctx)), nil
	case err != nil:
		return cti.Outcome{Kind: cti.Failed, Cause: cti.CauseError}, fmt.Errorf("queue %s: %w", wanted.Queue, err)
	}
	call.Queued(cti.Ref{ID: queue.ID, Name: queue.Name})
	if out != "" {
		return v.without(ctx, out, nil)
	}
	return v.serve(ctx, queue)
}

// visit is one call's time on the floor, in that call's goroutine.
type visit struct {
	floor  *Floor
	call   *cti.Call
	ticket *ticket
	music  func() // ends it
	over   <-chan time.Time
}

func (v *visit) join(ctx context.Context) (q Queue, out string, err error) {
	type answer struct {
		queue Queue
		out   string
	}
	a, err := ask(ctx, v.floor, func(b *board, now time.Time) (answer, error) {
		out, err := b.join(v.ticket, now)
		if v.ticket.line == nil {
			return answer{out: out}, err
		}
		return answer{v.ticket.line.Queue, out}, err
	})
	return a.queue, a.out, err
}

// leave frees whatever this call still holds on the floor.
func (v *visit) leave() {
	v.floor.post(func(b *board, now time.Time) { b.leave(v.ticket, true, now) })
}

// movedOn says that the call goes on elsewhere, where it does, until it is over
// and ctx with it: another agent may have it next, and wrap it up.
func (v *visit) movedOn(ctx context.Context, out cti.Outcome) {
	if out.Kind != cti.MovedOn {
		return
	}
	f, id := v.floor, v.ticket.id
	f.post(func(b *board, _ time.Time) { b.moving[id] = true })
	context.AfterFunc(ctx, func() {
		f.post(func(b *board, _ time.Time) {
			delete(b.moving, id)
			b.left = append(b.left, id)
		})
	})
}

// serve waits for desks and rings them until one picks up.
func (v *visit) serve(ctx context.Context, queue Queue) (cti.Outcome, error) {
	if queue.MaxWait > 0 {
		timer := time.NewTimer(queue.MaxWait)
		defer timer.Stop()
		v.over = timer.C
	}
	if err := v.call.Answer(ctx); err != nil {
		return v.without(ctx, "", fmt.Errorf("queue %s: %w", queue.ID, err))
	}
	v.play(ctx, queue)
	defer v.music()
	for {
		o, err := v.next(ctx)
		if err != nil || o.out != "" {
			return v.without(ctx, o.out, err)
		}
		if leg, err := v.ring(ctx, o); err == nil {
			return v.talk(ctx, o, leg)
		}
	}
}

// without is the end of a wait that led to no talk. A caller who is gone keeps
// the place in the record where that happened.
func (v *visit) without(ctx context.Context, out string, err error) (cti.Outcome, error) {
	switch {
	case ctx.Err() != nil:
		return gone(context.Cause(ctx)), nil
	case hungUp(err):
		return gone(err), nil
	case err != nil:
		return cti.Outcome{Kind: cti.Failed, Cause: cti.CauseError}, err
	}
	v.call.Dequeued(out)
	return cti.Outcome{Kind: out}, nil
}

// next waits for the floor's next answer. An offer that comes with the caller's
// last instant of waiting still counts.
func (v *visit) next(ctx context.Context) (offer, error) {
	for {
		select {
		case o := <-v.ticket.offers:
			return o, nil
		case <-ctx.Done():
			return offer{}, context.Cause(ctx)
		case <-v.floor.done:
			return offer{}, cti.ErrShutdown
		case <-v.over:
			v.over = nil
			if v.giveUp(ctx) {
				return offer{out: cti.TimedOut}, nil
			}
		}
	}
}

// giveUp leaves unless a desk was found in the meantime.
func (v *visit) giveUp(ctx context.Context) bool {
	left, err := ask(ctx, v.floor, func(b *board, now time.Time) (bool, error) {
		return b.leave(v.ticket, false, now), nil
	})
	return left && err == nil
}

// ring offers the call to one desk and gives the leg that was picked up there.
func (v *visit) ring(ctx context.Context, o offer) (cti.Leg, error) {
	v.call.Offer(o.agent, o.why)
	leg, err := v.pickedUp(ctx, o)
	if err == nil {
		err = v.meet(ctx)
	}
	if err == nil {
		return leg, nil
	}
	if leg != nil {
		leg.Hangup(cause(ctx, err))
	}
	v.call.EndOffer(ended(ctx, err))
	v.call.Log().Info("offer ended", "agent", o.agent.ID, "err", err)
	if ctx.Err() == nil {
		v.floor.post(func(b *board, now time.Time) { b.missed(v.ticket, now) })
	}
	return nil, err
}

// pickedUp rings the phone and waits for the agent, at most ring_timeout.
func (v *visit) pickedUp(ctx context.Context, o offer) (cti.Leg, error) {
	dial := v.call.Ring
	if o.own {
		dial = v.call.RingOwn
	}
	leg, err := dial(ctx, o.device)
	if err != nil {
		return nil, err
	}
	ring, cancel := context.WithTimeoutCause(ctx, o.ring, cti.ErrNoAnswer)
	defer cancel()
	answered := make(chan error, 1)
	guard.Go("agent's phone", v.call.Log(), func() { answered <- leg.Answer(ring) })
	alerting := leg.Alerting()
	for {
		select {
		case <-alerting:
			alerting = nil
			v.call.Delivered(o.agent, leg)
		case err := <-answered:
			if err == nil && alerting != nil {
				v.call.Delivered(o.agent, leg)
			}
			return leg, err
		}
	}
}

// meet says to the floor that the agent picked up, and answers the caller where
// that was left to the agent.
func (v *visit) meet(ctx context.Context) error {
	if !v.floor.picked(ctx, v.ticket) {
		return errLost
	}
	if err := v.call.Answer(ctx); err != nil {
		v.floor.post(func(b *board, now time.Time) { b.abort(v.ticket, now) })
		return fmt.Errorf("%w: %w", errOutside, err)
	}
	return nil
}

// talk joins caller and agent until one of them has enough.
func (v *visit) talk(ctx context.Context, o offer, leg cti.Leg) (cti.Outcome, error) {
	v.music()
	v.call.EndOffer(cti.OfferAnswered)
	if v.ticket.wanted.Queue != "" {
		v.call.Dequeued("")
	}
	out, err := v.call.Bridge(ctx, o.agent, leg)
	v.movedOn(ctx, out)
	v.leave()
	return out, err
}

// musicEnd is how long the voice may wait for music that does not stop, and how
// long music that stops by itself waits to see whether the caller is gone.
const musicEnd = 200 * time.Millisecond

// play starts the music; v.music ends it and waits for that.
func (v *visit) play(ctx context.Context, queue Queue) {
	v.music = func() {}
	if v.floor.deps.Announcer == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	guard.Go("queue music", v.call.Log(), func() {
		defer close(ended)
		err := v.floor.deps.Announcer.Wait(ctx, v.call, queue)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done(): // a caller who hangs up takes the sound away first
		case <-time.After(musicEnd):
			v.call.Log().Warn("caller waits in silence", "queue", queue.ID, "err", err)
		}
	})
	v.music = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(musicEnd):
			v.call.Log().Error("queue music does not end", "queue", queue.ID)
		}
	})
}

// outcomes are the words of the record for why nobody picked up.
var outcomes = []struct {
	err            error
	outcome, cause string
}{
	{errOutside, cti.OfferCanceled, cti.CauseCanceled},
	{cti.ErrNoAnswer, cti.OfferMissed, cti.CauseNoAnswer},
	{cti.ErrBusy, cti.OfferBusy, cti.CauseBusy},
	{cti.ErrRejected, cti.OfferRejected, cti.CauseNormal},
	{cti.ErrRemoteHangup, cti.OfferRejected, cti.CauseNormal},
}

func ended(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return cti.OfferCanceled
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.outcome
		}
	}
	return cti.OfferFailed
}

func cause(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return cti.CauseCanceled
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.cause
		}
	}
	return cti.CauseError
}

// hungUp says that the outside leg is over, which may show in an error before
// it shows in the call's context.
func hungUp(err error) bool {
	return errors.Is(err, cti.ErrRemoteHangup) || errors.Is(err, cti.ErrLineLost) || errors.Is(err, cti.ErrCanceled)
}

// gone is the outcome for a call that is over, for this reason.
func gone(why error) cti.Outcome {
	out := cti.Outcome{Kind: cti.Gone, Side: cti.BoxSide, Cause: cti.CauseNormal}
	switch {
	case errors.Is(why, cti.ErrRemoteHangup), errors.Is(why, cti.ErrCanceled):
		out.Side = cti.CallerSide
	case errors.Is(why, cti.ErrLineLost):
		out.Side, out.Cause = cti.LineSide, cti.CauseLineLost
	case errors.Is(why, cti.ErrNoAudio):
		out.Cause = cti.CauseTimeout
	}
	return out
}
