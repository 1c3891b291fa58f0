package sms

import (
	"fmt"
	"sync"
	"time"
)

// OverLimit says that the key that a request came with has sent as much as it
// may for now; nothing of the request was stored.
type OverLimit struct {
	Limit string        // in words
	Wait  time.Duration // when to come again
}

func (o *OverLimit) Error() string { return "over the key's limit of " + o.Limit }

// meter holds keys to their messages a second. A key may save up one second's
// worth. A job of more is taken when that is full, and those behind it wait
// until it is made up for.
type meter struct {
	mu   sync.Mutex
	keys map[string]*bucket
}

type bucket struct {
	level float64 // messages; below 0 after a large job
	at    time.Time
}

// take takes n messages at rate a second out of a key's bucket; above 0 it
// took none, and it is how long to wait.
func (m *meter) take(key string, n, rate int, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[string]*bucket{}
	}
	full := float64(rate)
	b := m.keys[key]
	if b == nil {
		b = &bucket{level: full, at: now}
		m.keys[key] = b
	}
	b.level, b.at = min(full, b.level+full*now.Sub(b.at).Seconds()), now
	if short := min(float64(n), full) - b.level; short > 0 {
		return max(time.Duration(short/full*float64(time.Second)), time.Millisecond)
	}
	b.level -= float64(n)
	return 0
}

// putBack undoes a take.
func (m *meter) putBack(key string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.keys[key]; b != nil {
		b.level += float64(n)
	}
}

// reserve takes the plan's messages out of its key's second. undo gives them
// back.
func (g *Gateway) reserve(p *plan) (undo func()) {
	limit, n := p.limits.PerSecond, len(p.Records)
	if limit <= 0 {
		return func() {}
	}
	if wait := g.meter.take(p.signer, n, limit, time.Now()); wait > 0 {
		p.over = &OverLimit{Limit: fmt.Sprintf("%d messages a second", limit), Wait: wait}
		return func() {}
	}
	return func() { g.meter.putBack(p.signer, n) }
}

// spend counts the plan's messages to its key's day in the box's time zone.
func (w *work) spend(p *plan) error {
	limit, n := p.limits.PerDay, len(p.Records)
	if limit <= 0 {
		return nil
	}
	if n > limit {
		var faults Invalid
		faults.add(p.fields[limit], "%d messages are more than the key's limit of %d a day", n, limit)
		return faults
	}
	now := w.g.local(w.at)
	ok, err := w.Spend(p.signer, now.Format(time.DateOnly), n, limit)
	if err != nil || ok {
		return err
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, now.Location())
	return &OverLimit{Limit: fmt.Sprintf("%d messages a day", limit), Wait: midnight.Sub(now)}
}
