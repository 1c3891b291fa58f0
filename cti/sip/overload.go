package sip

import (
	"cmp"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

const (
	usualRate  = 300
	usualCalls = 4000
)

// overload keeps the box from taking more calls than it can serve: it is asked
// before anything is made for an INVITE.
type overload struct {
	rate, calls int

	mu    sync.Mutex // guards what follows
	spare float64    // calls that may come at once
	at    time.Time
}

func newOverload(l Limits) *overload {
	o := &overload{rate: cmp.Or(l.CallsPerSecond, usualRate), calls: cmp.Or(l.Calls, usualCalls)}
	o.spare = float64(o.rate)
	return o
}

// overloaded refuses a new INVITE that is one too many; a repeated one is not
// counted again.
func (s *Server) overloaded(req *wire.Request, now time.Time) *fault {
	if s.invites.knows(req) || s.overload.takes(s.legs.count(), now) {
		return nil
	}
	return congested("Overloaded")
}

// isFull says whether legs are as many as there may be.
func (o *overload) isFull(legs int) bool { return legs >= o.calls }

// takes counts one new call, with legs there already; false where it is too
// much. A second's worth of calls may come at once.
func (o *overload) takes(legs int, now time.Time) bool {
	if o.isFull(legs) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.at.IsZero() {
		gained := now.Sub(o.at).Seconds() * float64(o.rate)
		o.spare = min(float64(o.rate), o.spare+max(0, gained))
	}
	o.at = now
	if o.spare < 1 {
		return false
	}
	o.spare--
	return true
}
