package sms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"callbox/internal/guard"
	"callbox/internal/number"
	"callbox/internal/stamp"
)

const (
	maxClaim  = 256 // messages in one transaction
	storeWait = time.Second
	linkWait  = 5 * time.Second
)

// lane is one account's way out. One goroutine, run, claims; each claimed
// message has one of its own until its outcome is stored.
type lane struct {
	g       *Gateway
	account Account
	carrier Carrier
	log     *slog.Logger
	work    chan struct{} // something was queued; room for one
	freed   chan struct{} // a submit ended; room for one
	busy    atomic.Int64  // submits under way
	pause   backoff
	claims  pacing      // how long a claim takes
	submits pacing      // how long a carrier takes to answer
	plain   atomic.Bool // the carrier refuses digits behind the access number
}

func newLane(g *Gateway, a Account, c Carrier) *lane {
	return &lane{
		g: g, account: a, carrier: c, log: g.log.With("account", a.Name),
		work: make(chan struct{}, 1), freed: make(chan struct{}, 1),
	}
}

func (l *lane) name() string { return l.account.Name }

func (l *lane) wakeUp() { poke(l.work) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepLink runs the carrier until ctx ends; one that gives up is started again.
func (l *lane) keepLink(ctx context.Context) {
	for {
		var err error
		if fell := guard.Call(func() { err = l.carrier.Run(ctx, l.g) }); fell != nil {
			err = fell
		}
		if ctx.Err() != nil {
			return
		}
		l.log.Error("carrier ended, starting it again", "err", err)
		if !sleep(ctx, linkWait) {
			return
		}
	}
}

// run claims and submits until ctx ends, and returns when what is on the wire
// was answered or link ended.
func (l *lane) run(ctx, link context.Context) {
	submits := guard.Group{Log: l.log}
	defer submits.Wait()
	for l.ready(ctx) {
		room := min(l.carrier.Capacity()+l.ahead()-int(l.busy.Load()), maxClaim)
		if room <= 0 {
			wait(ctx, l.freed)
			continue
		}
		claimed, err := l.claim(ctx, room)
		if err != nil {
			l.log.Error("cannot claim messages", "err", err)
			sleep(ctx, storeWait)
			continue
		}
		l.busy.Add(int64(len(claimed)))
		for _, r := range claimed {
			submits.Go("sms submit", func() { l.submit(link, r) })
		}
		if len(claimed) < room {
			wait(ctx, l.work)
		}
	}
}

// ready waits until the carrier takes submits and no pause is on; false when
// ctx ended.
func (l *lane) ready(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-l.carrier.Ready():
	}
	return sleep(ctx, l.pause.left(time.Now())) && ctx.Err() == nil
}

func wait(ctx context.Context, c <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-c:
	}
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// ahead is how many messages are claimed beyond what the carrier has room for:
// as many as it answers while the next claim is being written down, so that it
// need not wait, and at most a quarter of the room, since what is claimed at a
// crash is unknown after it.
func (l *lane) ahead() int {
	room, claim, submit := l.carrier.Capacity(), l.claims.mean(), l.submits.mean()
	n := 1
	if submit > 0 {
		n = max(n, int(2*float64(room)*float64(claim)/float64(submit)))
	}
	return min(n, max(room/4, 1), room-1)
}

func (l *lane) claim(ctx context.Context, n int) (claimed []Record, err error) {
	defer l.claims.time(time.Now())
	err = l.g.store.Update(ctx, "claim messages", func(tx Tx) error {
		claimed, err = tx.Claim(l.name(), n, stamp.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// submit brings one claimed message to the carrier and stores what came of it.
func (l *lane) submit(link context.Context, r Record) {
	receipt, err := l.deliver(link, r)
	l.busy.Add(-1)
	poke(l.freed)
	l.feel(err)
	o := l.outcome(r, receipt, err)
	if err := l.store(link, r, o); err != nil {
		l.log.Error("outcome not stored: unknown after the next start", "message", r.ID, "outcome", o.event, "err", err)
	}
	if o.event == giveBack || o.event == lose {
		l.wakeUp()
	}
}

func (l *lane) deliver(ctx context.Context, r Record) (receipt Receipt, err error) {
	alphabet, parts := l.account.Style.Cut(r.Text, r.Reserve)
	s := Submission{
		ID: r.ID, To: number.National(r.To), Parts: parts, Alphabet: alphabet,
		Extension: r.Extension, Reference: r.Reference,
	}
	if l.plain.Load() {
		s.Extension = ""
	}
	began := time.Now()
	defer l.submits.time(began)
	if fell := guard.Call(func() { receipt, err = l.carrier.Submit(ctx, s) }); fell != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrUncertain, fell)
	}
	if err == nil && l.g.cfg.Submitted != nil {
		l.g.cfg.Submitted(l.name(), time.Since(began))
	}
	return receipt, err
}

// feel pauses the lane where the carrier asks for it or takes nothing.
func (l *lane) feel(err error) {
	now := time.Now()
	switch {
	case errors.Is(err, ErrThrottled):
		l.pause.fail(now, time.Second, 30*time.Second)
	case errors.Is(err, ErrNotSent):
		l.pause.fail(now, 50*time.Millisecond, 5*time.Second)
	default:
		l.pause.succeed(now)
	}
}

// store keeps trying to write an outcome until it is on disk, or, once link
// ended, for some seconds.
func (l *lane) store(link context.Context, r Record, o outcome) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(link))
	defer cancel()
	defer context.AfterFunc(link, func() { time.AfterFunc(storeGrace, cancel) })()
	for try := time.Duration(1); ; try++ {
		err := l.g.settle(ctx, r, o)
		if err == nil || errors.Is(err, ErrMoved) || ctx.Err() != nil {
			return err
		}
		l.log.Error("cannot store outcome, trying again", "message", r.ID, "err", err)
		if !sleep(ctx, min(try*storeWait, 30*time.Second)) {
			return err
		}
	}
}
