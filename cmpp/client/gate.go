package client

import (
	"sync"
	"time"
)

// gate tells the account's other side whether submits can be taken: ready
// while a connection is up and no pause runs, down while none is up.
type gate struct {
	mu     sync.Mutex
	up     int
	paused bool
	ready  latch
	down   latch
	since  time.Time // of the last change between up and down
	why    string
}

// latch is a channel that is closed while set.
type latch struct {
	ch  chan struct{}
	set bool
}

func (l *latch) turn(set bool) {
	if set == l.set {
		return
	}
	l.set = set
	if set {
		close(l.ch)
	} else {
		l.ch = make(chan struct{})
	}
}

func newGate() *gate {
	g := &gate{
		ready: latch{ch: make(chan struct{})}, down: latch{ch: make(chan struct{})},
		since: time.Now(), why: "not connected yet",
	}
	g.down.turn(true)
	return g
}

// rise counts one connection more.
func (g *gate) rise() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up++; g.up == 1 {
		g.since = time.Now()
	}
	g.turn()
}

// fall counts one connection less, with the reason.
func (g *gate) fall(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up--; g.up == 0 {
		g.since = time.Now()
	}
	g.why = why
	g.turn()
}

// fail notes why no connection came up.
func (g *gate) fail(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.why = why
}

// pause notes whether the gateway throttles.
func (g *gate) pause(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = paused
	g.turn()
}

func (g *gate) turn() {
	g.ready.turn(g.up > 0 && !g.paused)
	g.down.turn(g.up == 0)
}

func (g *gate) readiness() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ready.ch
}

func (g *gate) outage() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.down.ch
}

func (g *gate) state() (up bool, since time.Time, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up > 0 {
		return true, g.since, ""
	}
	return false, g.since, g.why
}
