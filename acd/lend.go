package acd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/cti"
)

var _ cti.Desks = (*Floor)(nil)

// Find says what a word names: an agent by extension, else by id, else a queue
// by id; false for none of them. Part of [cti.Desks].
func (f *Floor) Find(word string) (cti.Target, bool) {
	t, err := ask(context.Background(), f, func(b *board, _ time.Time) (cti.Target, error) {
		return b.find(word), nil
	})
	return t, err == nil && t != cti.Target{}
}

// Lend takes a desk for a part in a call that runs: of the agent whom t names,
// or of one who is ready in the queue that it names, as the queue's strategy
// has it; a desk that this call had of the queue and that did not pick up comes
// last. Wrap-up follows a talk as after a call of that queue, or of the agent's
// first one. Part of [cti.Desks].
func (f *Floor) Lend(ctx context.Context, t cti.Target, call string) (cti.Desk, error) {
	d, err := f.lend(ctx, t, call)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (f *Floor) lend(ctx context.Context, t cti.Target, call string) (*lent, error) {
	k := &ticket{id: call}
	o, err := ask(ctx, f, func(b *board, now time.Time) (offer, error) {
		switch {
		case t.Agent != "":
			return b.borrow(k, b.desks[t.Agent], now)
		case t.Queue != "":
			return b.draw(k, b.lines[t.Queue], now)
		}
		return offer{}, cti.ErrNotFound
	})
	if err == nil {
		return &lent{floor: f, ticket: k, offer: o}, nil
	}
	if ctx.Err() != nil { // nobody waits for the answer: what was lent comes back
		f.post(func(b *board, now time.Time) { b.abort(k, now) })
	}
	if t.Queue != "" {
		return nil, fmt.Errorf("queue %s: %w", t.Queue, err)
	}
	return nil, fmt.Errorf("agent %s: %w", t.Agent, err)
}

// Seat is where a user who is to listen in is rung. Part of [cti.Desks].
func (f *Floor) Seat(ctx context.Context, user string) (cti.Ref, cti.Device, error) {
	d, err := ask(ctx, f, func(b *board, _ time.Time) (offer, error) {
		d, page := b.desks[user], b.pageOf(user)
		switch {
		case d != nil && !d.removed && d.phone != "":
			return offer{agent: d.ref(), device: d.phone}, nil
		case page != "": // who has no desk may have a page
			return offer{agent: cti.Ref{ID: user, Name: user}, device: page}, nil
		case d == nil || d.removed:
			return offer{}, cti.ErrNotFound
		}
		return offer{}, errNoPhone
	})
	if err != nil {
		return cti.Ref{}, "", fmt.Errorf("user %s: %w", user, err)
	}
	return d.agent, d.device, nil
}

// lent is a desk in the hands of a call: [cti.Desk].
type lent struct {
	floor  *Floor
	ticket *ticket
	offer  offer
	once   sync.Once
}

// Agent is whose desk it is.
func (l *lent) Agent() cti.Ref { return l.offer.agent }

// Device is what is to be rung.
func (l *lent) Device() cti.Device { return l.offer.device }

// Ring is how long it may ring.
func (l *lent) Ring() time.Duration { return l.offer.ring }

// Picked says that the agent picked up; false where the lease was lost.
func (l *lent) Picked(ctx context.Context) bool { return l.floor.picked(ctx, l.ticket) }

// Free gives the desk back, once: to wrap-up after a talk. It does not wait.
func (l *lent) Free(talked bool) {
	l.once.Do(func() {
		l.floor.post(func(b *board, now time.Time) { b.giveBack(l.ticket, talked, now) })
	})
}

// picked says to the floor that an agent picked up; false where the lease was
// lost or the call was over before. A call that ends while the floor answers
// does not undo the answer: record and desk must tell the same.
func (f *Floor) picked(ctx context.Context, t *ticket) bool {
	if ctx.Err() != nil {
		return false
	}
	ok, err := ask(context.WithoutCancel(ctx), f, func(b *board, now time.Time) (bool, error) {
		return b.picked(t, now), nil
	})
	return ok && err == nil
}

// Why a desk cannot be lent.
var (
	errLoggedOff = fmt.Errorf("%w: logged off", ErrRefused)
	errInCall    = fmt.Errorf("%w: in another call: %w", ErrRefused, cti.ErrBusy)
	errInThis    = fmt.Errorf("%w: in this call already: %w", ErrRefused, cti.ErrBusy)
	errNoPhone   = fmt.Errorf("no phone: %w", cti.ErrUnreachable)
	errNoneFree  = fmt.Errorf("nobody is free: %w", cti.ErrBusy)
	errLost      = errors.New("the desk was taken back")
	errOutside   = errors.New("the outside party cannot be answered")
)

// find is [Floor.Find]; the zero target for nothing.
func (b *board) find(word string) cti.Target {
	for _, d := range b.order {
		if word != "" && d.agent.Extension == word {
			return cti.Target{Agent: d.agent.ID}
		}
	}
	if d := b.desks[word]; d != nil && !d.removed {
		return cti.Target{Agent: word}
	}
	if b.lines[word] != nil {
		return cti.Target{Queue: word}
	}
	return cti.Target{}
}

// draw lends the desk that comes next in a queue.
func (b *board) draw(t *ticket, l *line, now time.Time) (offer, error) {
	if l == nil {
		return offer{}, cti.ErrNotFound
	}
	t.line, t.since, t.missed = l, now, b.triedBy(t.id, now)
	pick := l.decide(t.call(), now)
	if pick.Desk < 0 {
		return offer{}, errNoneFree
	}
	l.last = pick.Desk
	return b.lease(t, l.desks[pick.Desk], pick.Why, now), nil
}

// triedBy is whom a call had of queues and nobody picked up there. It is
// forgotten after a while: the floor does not learn of a call's end.
func (b *board) triedBy(call string, now time.Time) map[string]int {
	if b.tried[call] == nil {
		b.tried[call] = map[string]int{}
		b.alarms.set(now.Add(triedFor), func(time.Time) { delete(b.tried, call) })
	}
	return b.tried[call]
}

// giveBack takes a desk out of a call: after a talk to wrap-up, else it is as it
// was before.
func (b *board) giveBack(t *ticket, talked bool, now time.Time) {
	d := t.desk
	if !talked || d == nil { // the record has no wrap-up to wait for
		b.worked(t.id, now)
	}
	switch {
	case d == nil:
	case talked:
		b.leave(t, true, now)
	case t.line != nil && !d.talking:
		b.vain(t, now)
	default:
		b.abort(t, now)
	}
}

// vain gives a desk back that was drawn from a queue and that nobody picked up.
// It missed the call if it rang for its whole time, and comes last for this call
// in any case.
func (b *board) vain(t *ticket, now time.Time) {
	if now.Sub(t.since) >= t.line.ring() {
		b.missed(t, now)
		return
	}
	t.missed[t.desk.agent.ID]++
	b.abort(t, now)
}
