package sms

import (
	"sync"
	"time"
)

// backoff is a pause that doubles while things go wrong one pause after
// another; failures within one pause count once.
type backoff struct {
	mu    sync.Mutex
	step  time.Duration
	until time.Time
}

// fail begins a pause unless one is on: first, or twice the last one up to
// limit.
func (b *backoff) fail(now time.Time, first, limit time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return
	}
	b.step = min(max(2*b.step, first), limit)
	b.until = now.Add(b.step)
}

// succeed ends the doubling, not the pause that is on.
func (b *backoff) succeed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.Before(b.until) {
		b.step = 0
	}
}

// left is how much of the pause is left.
func (b *backoff) left(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until.Sub(now)
}
