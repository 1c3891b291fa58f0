package sms

import (
	"context"
	"fmt"
	"time"
)

// QuietHours are when no marketing goes out, in the box's time zone: from and
// to as 15:04, across midnight where from is the later one. Both empty: never.
type QuietHours struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Validate gives every fault, as [Invalid].
func (q QuietHours) Validate() error {
	var faults Invalid
	if q == (QuietHours{}) {
		return nil
	}
	for _, f := range []struct{ name, value string }{{"from", q.From}, {"to", q.To}} {
		if _, err := time.Parse("15:04", f.value); err != nil || len(f.value) != 5 {
			faults.add(f.name, "%q is no time of day such as 21:00", f.value)
		}
	}
	if len(faults) == 0 && q.From == q.To {
		faults.add("to", "is the same as from: that would be never, or always")
	}
	return faults.orNil()
}

// on is a time of day on the day of t moved by days.
func on(t time.Time, days int, clock string) time.Time {
	c, err := time.Parse("15:04", clock)
	if err != nil {
		return time.Time{} // Validate saw to that
	}
	return time.Date(t.Year(), t.Month(), t.Day()+days, c.Hour(), c.Minute(), 0, 0, t.Location())
}

// over is when the quiet hours that t lies in end; false: it lies in none.
func (q QuietHours) over(t time.Time) (time.Time, bool) {
	if q == (QuietHours{}) {
		return time.Time{}, false
	}
	for _, day := range []int{-1, 0} {
		from, to := on(t, day, q.From), on(t, day, q.To)
		if q.To < q.From {
			to = on(t, day+1, q.To)
		}
		if !t.Before(from) && t.Before(to) {
			return to, true
		}
	}
	return time.Time{}, false
}

// next is when the first quiet hours behind t begin; zero: there are none.
func (q QuietHours) next(t time.Time) time.Time {
	if q == (QuietHours{}) {
		return time.Time{}
	}
	for day := 0; ; day++ {
		if from := on(t, day, q.From); from.After(t) {
			return from
		}
	}
}

// QuietHours are those in force.
func (g *Gateway) QuietHours(ctx context.Context) (QuietHours, error) {
	if err := g.readRules(ctx); err != nil {
		return QuietHours{}, err
	}
	return g.rulesNow().quiet, nil
}

// SetQuietHours sets them from now on, also for what already waits. Error:
// [Invalid], nothing changed.
func (g *Gateway) SetQuietHours(ctx context.Context, q QuietHours) error {
	if err := q.Validate(); err != nil {
		return err
	}
	if err := g.setRule(ctx, settingQuiet, q, func(r *rules) { r.quiet = q }); err != nil {
		return err
	}
	err := g.update(ctx, "new quiet hours", func(w *work) error { return w.Restart(ClassMarketing, w.at) })
	if err != nil {
		return fmt.Errorf("texts that wait for the old quiet hours' end: %w", err)
	}
	g.held.Store(0)
	g.alarm.by(time.Now())
	return nil
}
