package guard

import (
	"log/slog"
	"sync"
)

// Crew is a set of guarded goroutines that may grow while somebody waits for
// the last of them, which a [Group] may not. The zero value is ready to use;
// Log is where panics go (slog.Default when nil).
type Crew struct {
	Log *slog.Logger

	mu   sync.Mutex
	n    int
	idle chan struct{} // made by who waits, closed by the last one
}

// Go runs f in a guarded goroutine of the crew.
func (c *Crew) Go(name string, f func()) {
	c.Enter()
	Go(name, c.Log, func() {
		defer c.Leave()
		f()
	})
}

// Enter counts a goroutine that somebody else started; it calls Leave at its
// end.
func (c *Crew) Enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

// Leave is the end of a goroutine that Enter counted.
func (c *Crew) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Quiet is closed when nobody is at work.
func (c *Crew) Quiet() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	return c.idle
}
