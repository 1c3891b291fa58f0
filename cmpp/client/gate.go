package client

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

// gate tells the account's other side whether submits can be taken: ready
// while a connection is up, no pause runs and the account is good, down while
// no connection is up or the account is barred.
type gate struct {
	mu       sync.Mutex
	up       int
	paused   bool
	standing standing
	ready    latch
	down     latch
	since    time.Time // of the last change between up and down
	why      string
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
	if g.up++; g.up == 1 && g.standing.trust == good {
		g.since = time.Now()
	}
	g.turn()
}

// fall counts one connection less, with the reason.
func (g *gate) fall(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up--; g.up == 0 && g.standing.trust == good {
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

// tick notes whether the gateway throttles, lets a probe of a barred account
// through when it is time, and tells whether the account is still barred.
func (g *gate) tick(now time.Time, paused bool) (barred error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = paused
	g.standing.look(now)
	g.turn()
	return g.bar()
}

// bar gives the reason why nothing may be sent for the account, nil for none.
func (g *gate) bar() error {
	if g.standing.trust != barred {
		return nil
	}
	return errors.New(g.standing.why)
}

// probe gives the time at which one is due, zero for none.
func (g *gate) probe() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.standing.trust != barred {
		return time.Time{}
	}
	return g.standing.probe
}

// blame takes in a result that blames the account: given is true where its
// message is to be given back. again is when the account is tried next, given
// where it was barred by this very result; alarm, where it was good before.
func (g *gate) blame(now time.Time, r cmpp.Result) (given, alarm bool, again time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wasGood := g.standing.trust == good
	if news := g.standing.blame(now, r); news {
		again = g.standing.wait
	}
	if alarm = wasGood && g.standing.trust != good; alarm {
		g.since = now
	}
	g.turn()
	return g.standing.trust != good, alarm, again
}

// serve takes in an accepted message; news tells whether the account is good
// again by that.
func (g *gate) serve(now time.Time) (news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if news = g.standing.serve(); news {
		g.since = now
		g.turn()
	}
	return news
}

// enter lets a message in, or says why not. down is closed when there is no
// way to send it any more. A probe must leave.
func (g *gate) enter() (down <-chan struct{}, probe bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.up == 0:
		return nil, false, fmt.Errorf("%w: no connection", sms.ErrNotSent)
	case g.standing.trust == barred || g.standing.trust == proving:
		return nil, false, fmt.Errorf("%w: %s", sms.ErrNotSent, g.standing.why)
	case g.standing.trust == trying:
		g.standing.trust, probe = trying.next(taken), true
		g.turn()
	}
	return g.down.ch, probe, nil
}

// leave ends a probe.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.standing.trust = g.standing.trust.next(undecided)
	g.turn()
}

func (g *gate) turn() {
	t := g.standing.trust
	g.ready.turn(g.up > 0 && !g.paused && (t == good || t == trying))
	g.down.turn(g.up == 0 || t == barred)
}

func (g *gate) readiness() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ready.ch
}

// good tells whether the account is served as far as is known.
func (g *gate) good() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.standing.trust == good
}

// trouble tells why there is no way.
func (g *gate) trouble() string {
	if up, _, why := g.state(); !up {
		return why
	}
	return "connection lost"
}

// state tells whether the account is up. One that is to be tried again is: who
// sends by accounts that are up would else never try it.
func (g *gate) state() (up bool, since time.Time, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch t := g.standing.trust; {
	case g.up == 0:
		return false, g.since, g.why
	case t == barred || t == proving:
		return false, g.since, g.standing.why
	}
	return true, g.since, ""
}
