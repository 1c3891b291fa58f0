package acd

import (
	"slices"
	"time"

	"callbox/acd/strategy"
	"callbox/cti"
)

// line is a queue on the floor: who serves it, as the decision sees them, and
// how many wait. Only the floor's goroutine touches it.
type line struct {
	Queue
	desks    []*desk
	view     []strategy.Desk // of desks, kept in step by board.touch
	free     int             // of desks
	loggedOn int             // of desks
	last     int             // index of the desk that was offered last, -1 for none
	picks    uint64
	removed  bool // no longer configured
	shown    QueueStatus
	rests    bool // its screens were told a moment ago and wait for the next news
}

func (l *line) ref() cti.Ref { return cti.Ref{ID: l.ID, Name: l.Name} }

// ring is how long a phone of this queue rings.
func (l *line) ring() time.Duration {
	if l.RingTimeout > 0 {
		return l.RingTimeout
	}
	return ringByItself
}

func (l *line) decide(c strategy.Call, now time.Time) strategy.Decision {
	q := strategy.Queue{Strategy: l.Strategy, Last: l.last, Seed: l.picks << 20}
	l.picks++
	return strategy.Decide(q, l.view, c, now)
}

// staffed says whether anybody who could serve w is logged on.
func (l *line) staffed(w cti.Wanted) bool {
	if w.Agent == "" {
		return l.loggedOn > 0
	}
	return slices.ContainsFunc(l.desks, func(d *desk) bool { return d.agent.ID == w.Agent && d.loggedOn() })
}

// ticket is a caller's place on the floor, from joining to leaving. Its
// goroutine is the call's and reads offers and id only; all else is the floor's.
type ticket struct {
	id     string
	wanted cti.Wanted
	offers chan offer // holds the one answer that is under way

	line    *line
	since   time.Time
	expires time.Time // zero: never
	number  uint64    // in order of joining
	missed  map[string]int
	desk    *desk
	waits   bool // in board.waiting
	offered bool // an offer is out and its end was not yet told
}

// offer is what the floor answers a waiting call: a desk, or the way out.
type offer struct {
	agent  cti.Ref
	device cti.Device
	ring   time.Duration
	why    string
	own    bool   // the agent asked for the call
	out    string // an outcome's kind; "" for a desk
}

func (t *ticket) call() strategy.Call {
	return strategy.Call{Skill: t.wanted.Skill, MinLevel: t.wanted.MinLevel, Agent: t.wanted.Agent, Missed: t.missed}
}

func (t *ticket) expired(now time.Time) bool {
	return !t.expires.IsZero() && !now.Before(t.expires)
}

// before is the order of waiting: priority, then time.
func (t *ticket) before(o *ticket) int {
	if t.wanted.Priority != o.wanted.Priority {
		return o.wanted.Priority - t.wanted.Priority
	}
	if t.number < o.number {
		return -1
	}
	if t.number > o.number {
		return 1
	}
	return 0
}
