package api

import (
	"sync"
	"time"
)

// Tries that cost nothing, and how the delay grows behind them.
const (
	freeTries   = 5
	firstDelay  = time.Second
	longest     = 15 * time.Minute
	forgetAfter = time.Hour
	manyTries   = 10_000 // entries kept
)

// limiter slows down who guesses passwords, an account and address each. The
// zero value is ready.
type limiter struct {
	mu    sync.Mutex
	tries map[string]*tries
}

type tries struct {
	count int
	until time.Time
	last  time.Time
	told  bool // that there is a delay
}

// try counts a try of key before it is judged, so that tries at the same time
// count too. A wait above zero refuses it.
func (l *limiter) try(key string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.entry(key, now)
	if wait = t.until.Sub(now); wait > 0 {
		return wait
	}
	t.count++
	t.last = now
	if t.count >= freeTries {
		t.until = now.Add(delay(t.count))
	}
	return 0
}

// begins says of a try that was in vain that the next one has to wait for the
// first time.
func (l *limiter) begins(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tries[key]
	if t == nil || t.told || t.count < freeTries {
		return false
	}
	t.told = true
	return true
}

// delay is how long to wait behind the count-th try: 1 s, 2 s, 4 s …
func delay(count int) time.Duration {
	return min(firstDelay<<min(count-freeTries, 20), longest)
}

func (l *limiter) entry(key string, now time.Time) *tries {
	if l.tries == nil {
		l.tries = map[string]*tries{}
	}
	t, ok := l.tries[key]
	if ok && now.Sub(t.last) < forgetAfter {
		return t
	}
	if len(l.tries) >= manyTries {
		l.forget(now)
	}
	t = &tries{last: now}
	l.tries[key] = t
	return t
}

// forget drops what is old, and one entry at least.
func (l *limiter) forget(now time.Time) {
	oldest, when := "", now
	for key, t := range l.tries {
		if now.Sub(t.last) >= forgetAfter {
			delete(l.tries, key)
		} else if !t.last.After(when) {
			oldest, when = key, t.last
		}
	}
	if len(l.tries) >= manyTries {
		delete(l.tries, oldest)
	}
}

// good forgets key's failures.
func (l *limiter) good(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, key)
}
