package sms

import (
	"context"
	"fmt"
	"sync"
	"time"

	"callbox/internal/stamp"
)

// maxSleep bounds how late a change of the box's clock is noticed while
// something waits for its time.
const maxSleep = time.Minute

// alarm is when time next changes something. The zero value is not set.
type alarm struct {
	mu    sync.Mutex
	at    time.Time     // zero: not set
	moved chan struct{} // room for one: at is earlier than it was
}

func newAlarm() *alarm { return &alarm{moved: make(chan struct{}, 1)} }

// by makes the alarm ring at t at the latest; a zero t changes nothing.
func (a *alarm) by(t time.Time) {
	if t.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() || t.Before(a.at) {
		a.at = t
		poke(a.moved)
	}
}

// of makes the alarm ring when time changes r.
func (a *alarm) of(r Record) {
	if r.Status == Scheduled {
		a.by(r.Due.Time)
	}
	if r.Status == Scheduled || r.Status == Queued {
		a.by(r.Until.Time)
	}
}

// off unsets the alarm: what was to be done is looked for now.
func (a *alarm) off() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Time{}
}

// left is how long until it rings, and false where it is not set.
func (a *alarm) left() (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Until(a.at), !a.at.IsZero()
}

// sleep waits until the alarm rings; false when ctx ended.
func (a *alarm) sleep(ctx context.Context) bool {
	for {
		left, set := a.left()
		if set && left <= 0 {
			return ctx.Err() == nil
		}
		ring := make(<-chan time.Time)
		if set {
			timer := time.NewTimer(min(left, maxSleep))
			defer timer.Stop()
			ring = timer.C
		}
		select {
		case <-ctx.Done():
			return false
		case <-a.moved:
		case <-ring:
			if left > maxSleep {
				return true // the clock may have been set
			}
		}
	}
}

// local is at in the box's time zone.
func (g *Gateway) local(at stamp.Time) time.Time {
	if g.cfg.Location == nil {
		return at.UTC()
	}
	return at.In(g.cfg.Location)
}

// place says when each of a new job's messages leaves: now, later, or when
// something else says so.
func (w *work) place(p *plan) {
	start := w.start(p.Class, p.SendAt)
	for i := range p.Records {
		r := &p.Records[i]
		switch {
		case r.Status == Canceled:
		case p.Awaiting || r.Tier > 0:
			r.postpone(stamp.Time{}, p.Created)
		case start.After(w.at.Time):
			r.postpone(start, p.Created)
		}
	}
}

// start is the first time at or after at, and not before now, that texts of a
// class may leave.
func (w *work) start(class string, at stamp.Time) stamp.Time {
	if at.Before(w.at.Time) {
		at = w.at
	}
	if class == ClassMarketing {
		if end, quiet := w.g.rulesNow().quiet.over(w.g.local(at)); quiet {
			return stamp.At(end)
		}
	}
	return at
}

// postpone makes a new message wait until due; zero: for something else.
func (r *Record) postpone(due, created stamp.Time) {
	r.Status, r.Times, r.Due = Scheduled, map[Status]stamp.Time{Scheduled: created}, due
}

// letGo makes a scheduled message leave at at, or as soon behind it as its
// class may.
func (w *work) letGo(r Record, at stamp.Time) error {
	if r.Due = w.start(r.Class, at); r.Due.After(w.at.Time) {
		w.g.alarm.of(r)
		return w.save(r, r.Status)
	}
	if err := w.divert(&r); err != nil {
		return err
	}
	w.news.wake(r.Account)
	return w.move(r, release)
}

// abide holds marketing back that would be queued in quiet hours, such as what
// a carrier gave back, and sets the alarm for what waits.
func (w *work) abide(r *Record, was Status) {
	if r.Status == Queued && was != Queued && r.Class == ClassMarketing {
		if start := w.start(r.Class, w.at); start.After(w.at.Time) {
			r.arrive(Scheduled, w.at)
			r.Due = start
		}
	}
	w.g.alarm.of(*r)
}

// keepTime does what time asks for until ctx ends.
func (g *Gateway) keepTime(ctx context.Context) {
	for g.alarm.sleep(ctx) {
		if err := g.tend(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("texts that wait for their time were not looked after, trying again", "err", err)
			g.alarm.by(time.Now().Add(storeWait))
		}
	}
}

// tend lets go what is due, ends what is over, holds marketing back in quiet
// hours, and sets the alarm for the next of these.
func (g *Gateway) tend(ctx context.Context) error {
	g.alarm.off()
	if err := g.batches(ctx, "texts not sent in time", (*work).endOver); err != nil {
		return err
	}
	if err := g.batches(ctx, "texts that are due", (*work).letDue); err != nil {
		return err
	}
	if err := g.keepQuiet(ctx); err != nil {
		return err
	}
	return g.store.Update(ctx, "next text that is due", func(tx Tx) error {
		next, err := tx.Next()
		g.alarm.by(next.Time)
		return err
	})
}

// batches runs f, which says how many messages it found, until there are no
// more, some in each transaction.
func (g *Gateway) batches(ctx context.Context, what string, f func(*work) (int, error)) error {
	for n := sweepBatch; n >= sweepBatch; {
		err := g.update(ctx, what, func(w *work) (err error) {
			n, err = f(w)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (w *work) endOver() (int, error) {
	over, err := w.Records(Query{Over: w.at, Limit: sweepBatch})
	for _, r := range over {
		r.Error = &Error{Text: "not sent by valid_until"}
		if err := w.move(r, lapse); err != nil {
			return 0, err
		}
	}
	return len(over), err
}

func (w *work) letDue() (int, error) {
	due, err := w.Records(Query{Due: w.at, Limit: sweepBatch})
	for _, r := range due {
		if err := w.letGo(r, w.at); err != nil {
			return 0, err
		}
	}
	return len(due), err
}

// keepQuiet puts queued marketing back to scheduled where quiet hours have
// begun, once for each of them, and sets the alarm for the next ones.
func (g *Gateway) keepQuiet(ctx context.Context) error {
	quiet, now := g.rulesNow().quiet, g.local(stamp.Now())
	g.alarm.by(quiet.next(now))
	end, in := quiet.over(now)
	if !in || end.UnixMilli() == g.held.Load() {
		return nil
	}
	err := g.batches(ctx, "marketing in quiet hours", func(w *work) (int, error) {
		queued, err := w.Records(Query{Class: ClassMarketing, Statuses: []Status{Queued}, Limit: sweepBatch})
		for _, r := range queued {
			was := r.Status
			r.arrive(Scheduled, w.at)
			r.Due = stamp.At(end)
			if err := w.save(r, was); err != nil {
				return 0, err
			}
		}
		return len(queued), err
	})
	if err == nil {
		g.held.Store(end.UnixMilli())
	}
	return err
}
