package sip

import (
	"log/slog"
	"sync"

	"callbox/internal/guard"
)

// crew are goroutines that may go on starting others while somebody waits for
// the last of them to end.
type crew struct {
	log *slog.Logger

	mu   sync.Mutex
	n    int
	idle chan struct{} // made by who waits, closed by the last one
}

// Go runs f in a guarded goroutine of the crew.
func (c *crew) Go(name string, f func()) {
	c.enter()
	guard.Go(name, c.log, func() {
		defer c.leave()
		f()
	})
}

// enter counts a goroutine that somebody else started.
func (c *crew) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// quiet is closed when nobody is at work.
func (c *crew) quiet() <-chan struct{} {
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
