// Package strategy decides who rings next, and why not the others: pure
// functions over a snapshot of one queue's desks. It starts no goroutine and
// knows no calls, phones or clocks; the floor gives it what it needs to see.
package strategy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The strategies by their names in site.yaml.
const (
	LongestIdle = "longest_idle" // the default: ready for the longest time
	RoundRobin  = "round_robin"  // the next after the one who was offered last
	FewestCalls = "fewest_calls" // fewest calls since log-on
	LeastTalk   = "least_talk"   // least talk time since log-on
	Linear      = "linear"       // the first in configured order
	Random      = "random"       // any, by the queue's seed
	RingAll     = "ring_all"     // declared, not yet served
)

// Names are the strategies that are served.
var Names = []string{LongestIdle, RoundRobin, FewestCalls, LeastTalk, Linear, Random}

// Why [Validate] refuses a name.
var (
	ErrUnknown      = errors.New("unknown strategy")
	ErrNotSupported = errors.New("not yet supported")
)

// Validate says whether name can be used; the empty name is the default's.
func Validate(name string) error {
	switch {
	case name == "" || slices.Contains(Names, name):
		return nil
	case name == RingAll:
		return fmt.Errorf("strategy %s: %w", name, ErrNotSupported)
	}
	return fmt.Errorf("%w %q (one of %s)", ErrUnknown, name, strings.Join(Names, " "))
}

// Ready is the only state in which a desk is offered calls.
const Ready = "ready"

// Desk is one agent's place as the decision sees it. The order of desks in a
// snapshot is the configured one.
type Desk struct {
	ID        string
	State     string // as ECMA-269 clause 22 has it: ready, notReady …
	Busy      bool   // on a call
	Ringing   bool   // offered another call
	Phone     bool   // has a phone that can be rung
	Away      bool   // no live screen
	Skills    map[string]int
	IdleSince int64 // Unix time in nanoseconds
	Calls     int
	Talk      time.Duration
}

// Queue is what the decision needs of a queue.
type Queue struct {
	Strategy string // LongestIdle when empty
	Last     int    // index of the desk that was offered last, -1 for none
	Seed     uint64 // for Random; another one for each decision
}

// Call is who is to be served.
type Call struct {
	Skill    string // needed skill, if any
	MinLevel int    // of that skill; at least 1
	Agent    string // this agent only, if set
	// Missed counts how often a desk let this call ring: a desk is passed over
	// until every other free one was tried as often.
	Missed map[string]int
}

func (c *Call) missed(d *Desk) int {
	if len(c.Missed) == 0 {
		return 0
	}
	return c.Missed[d.ID]
}

// Reason is why a desk does not get a call.
type Reason uint8

// The reasons, the strongest first.
const (
	None     Reason = iota // nothing speaks against it
	NotReady               // its state is another one than ready
	Busy                   // on a call
	Ringing                // another call rings there
	NoPhone
	Away
	NotAsked // the call wants one certain agent
	Unskilled
	Tried  // let this call ring before
	Behind // free, but another one comes first
)

var reasons = [...]string{"", "not ready", "busy", "ringing", "no_phone", "away", "not asked for", "skill", "tried before", "comes later"}

func (r Reason) String() string { return reasons[r] }

// Bar is what keeps d from taking c, None if nothing does.
func Bar(d *Desk, c *Call) Reason {
	switch {
	case d.State != Ready:
		return NotReady
	case d.Busy:
		return Busy
	case d.Ringing:
		return Ringing
	case !d.Phone:
		return NoPhone
	case d.Away:
		return Away
	}
	return c.bar(d)
}

// bar is the part of [Bar] that depends on the call.
func (c *Call) bar(d *Desk) Reason {
	switch {
	case c.Agent != "" && c.Agent != d.ID:
		return NotAsked
	case c.Skill != "" && d.Skills[c.Skill] < max(1, c.MinLevel):
		return Unskilled
	}
	return None
}

// open says that nothing in the desk itself speaks against it: the short way
// through [Bar] for floors of thousands.
func (d *Desk) open() bool {
	return d.Phone && !d.Busy && !d.Ringing && !d.Away && d.State == Ready
}

// Pick gives the index of the desk that rings next for c, or -1 if none can.
func Pick(q Queue, desks []Desk, c Call) int {
	rank := ranks[q.name()]
	best, bestMissed, bestRank := -1, 0, int64(0)
	for i := range desks {
		d := &desks[i]
		if !d.open() || c.bar(d) != None {
			continue
		}
		missed, r := c.missed(d), rank(&q, i, len(desks), d)
		if best < 0 || missed < bestMissed || missed == bestMissed && r < bestRank {
			best, bestMissed, bestRank = i, missed, r
		}
	}
	return best
}

func (q Queue) name() string {
	if _, ok := ranks[q.Strategy]; ok {
		return q.Strategy
	}
	return LongestIdle
}

// ranks give each desk a place; the lowest rings first, equal ones in order.
var ranks = map[string]func(q *Queue, i, n int, d *Desk) int64{
	LongestIdle: func(_ *Queue, _, _ int, d *Desk) int64 { return d.IdleSince },
	RoundRobin:  func(q *Queue, i, n int, _ *Desk) int64 { return int64((i - q.Last - 1 + n) % n) },
	FewestCalls: func(_ *Queue, _, _ int, d *Desk) int64 { return int64(d.Calls) },
	LeastTalk:   func(_ *Queue, _, _ int, d *Desk) int64 { return int64(d.Talk) },
	Linear:      func(_ *Queue, i, _ int, _ *Desk) int64 { return int64(i) },
	Random:      func(q *Queue, i, _ int, _ *Desk) int64 { return int64(mix(q.Seed+uint64(i)) >> 1) },
}

// mix is the finaliser of splitmix64: near seeds give far numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
