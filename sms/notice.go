package sms

import (
	"fmt"
	"math"
	"slices"
	"time"

	"callbox/internal/stamp"
)

// What keeps the next level of a notice from being told.
const (
	UnlessAcked     = "acked"
	UnlessDelivered = "delivered"
)

// Limits of a notice.
const (
	maxTiers   = 10
	maxAfter   = 7 * 24 * 3600 // seconds
	minEvery   = 1             // seconds
	maxTimes   = 100
	maxRepeats = 10_000 // messages
	maxSteps   = 100    // kept in the job; the journal has them all
)

// Tier is one level of a notice that climbs: To gets its text After seconds
// behind the level before, unless the job was acknowledged by then. Where
// Unless says delivered it is enough that one text of the level before was
// delivered.
type Tier struct {
	To     []string `json:"to"`
	After  float64  `json:"after,omitempty"`  // seconds; the first level's is 0
	Unless string   `json:"unless,omitempty"` // acked when empty, or delivered
}

// Repeat sends the current level's text again until the notice is
// acknowledged.
type Repeat struct {
	Every float64 `json:"every"` // seconds
	Times int     `json:"times"`
}

// Notice is what a job does when nobody answers, and how far it is.
type Notice struct {
	Tiers    []Tier     `json:"tiers,omitempty"`
	Repeat   *Repeat    `json:"repeat,omitempty"`
	Tier     int        `json:"tier"`     // the current one
	Repeated int        `json:"repeated"` // times, at the current one
	Told     stamp.Time `json:"told"`     // when the current one's time came
	Last     stamp.Time `json:"last"`     // when its text was last due: told, or repeated
	Next     stamp.Time `json:"next"`     // when the next step is; null: none is to come
	Steps    []Step     `json:"steps,omitempty"`
}

// Step is one thing that a notice did.
type Step struct {
	What     string     `json:"what"`
	Tier     int        `json:"tier"`
	Messages int        `json:"messages"`
	Time     stamp.Time `json:"time"`
}

// What a step did.
const (
	StepReleased = "released" // a level behind the first was told
	StepRepeated = "repeated" // the current level got its text again
	StepCanceled = "canceled" // what was still to come will not
)

// deed is what a notice is to do next.
type deed int

const (
	rest deed = iota
	climb
	again
)

// due is what a notice is to do at a time. A level whose time has come goes
// before a repeat of the one before it.
func (n *Notice) due(at stamp.Time) deed {
	switch up := n.climbs(); {
	case n.Next.IsZero() || at.Before(n.Next.Time):
		return rest
	case !up.IsZero() && !at.Before(up.Time):
		return climb
	}
	return again
}

// climbs is when the next level is due; zero: there is none.
func (n *Notice) climbs() stamp.Time {
	if n.Tier+1 >= len(n.Tiers) {
		return stamp.Time{}
	}
	return later(n.Told, n.Tiers[n.Tier+1].After)
}

// repeats is when the current level's text is due again; zero: never.
func (n *Notice) repeats() stamp.Time {
	if n.Repeat == nil || n.Repeated >= n.Repeat.Times {
		return stamp.Time{}
	}
	return later(n.Last, n.Repeat.Every)
}

func later(from stamp.Time, seconds float64) stamp.Time {
	return stamp.At(from.Add(time.Duration(seconds * float64(time.Second))))
}

// begin starts the schedule: the current level is told at from.
func (n *Notice) begin(from stamp.Time) {
	n.Told, n.Last, n.Repeated = from, from, 0
	n.schedule()
}

// schedule finds the next step.
func (n *Notice) schedule() {
	n.Next = n.climbs()
	if r := n.repeats(); !r.IsZero() && (n.Next.IsZero() || r.Before(n.Next.Time)) {
		n.Next = r
	}
}

// end leaves nothing to come.
func (n *Notice) end() { n.Next = stamp.Time{} }

// did keeps a step.
func (n *Notice) did(s Step) {
	n.Steps = append(n.Steps, s)
	n.Steps = n.Steps[max(0, len(n.Steps)-maxSteps):]
}

// notice is what a request says about tiers and repeats; nil for a plain job.
func (r Request) notice(class string, faults *Invalid) *Notice {
	if len(r.Tiers) == 0 && r.Repeat == nil {
		return nil
	}
	before := len(*faults)
	r.checkTiers(faults)
	r.checkRepeat(faults)
	if class == ClassMarketing {
		faults.add("class", "marketing neither climbs nor repeats")
	}
	if len(*faults) > before {
		return nil
	}
	return &Notice{Tiers: r.Tiers, Repeat: r.Repeat}
}

func (r Request) checkTiers(faults *Invalid) {
	if len(r.Tiers) > maxTiers {
		faults.add("tiers", "%d levels, the limit is %d", len(r.Tiers), maxTiers)
		return
	}
	numbers := 0
	for i, t := range r.Tiers {
		numbers += len(t.To)
		switch {
		case math.IsNaN(t.After) || t.After < 0 || t.After > maxAfter:
			faults.add(tierField(i, "after"), "is not 0 to %d seconds", maxAfter)
		case i == 0 && t.After > 0:
			faults.add(tierField(i, "after"), "there is no level before the first; send_at tells it later")
		}
		switch {
		case !slices.Contains([]string{"", UnlessAcked, UnlessDelivered}, t.Unless):
			faults.add(tierField(i, "unless"), "%q is neither acked nor delivered", t.Unless)
		case i == 0 && t.Unless == UnlessDelivered:
			faults.add(tierField(i, "unless"), "there is no level before the first")
		}
	}
	if numbers > maxTo {
		faults.add("tiers", "%d numbers, the limit is %d", numbers, maxTo)
	}
}

func tierField(i int, name string) string { return fmt.Sprintf("tiers[%d].%s", i, name) }

func (r Request) checkRepeat(faults *Invalid) {
	if r.Repeat == nil {
		return
	}
	numbers := len(r.To)
	for _, t := range r.Tiers {
		numbers += len(t.To)
	}
	switch every, times := r.Repeat.Every, r.Repeat.Times; {
	case math.IsNaN(every) || every < minEvery || every > maxAfter:
		faults.add("repeat.every", "is not %d to %d seconds", minEvery, maxAfter)
	case times < 1 || times > maxTimes:
		faults.add("repeat.times", "is not 1 to %d", maxTimes)
	case numbers*times > maxRepeats:
		faults.add("repeat.times", "%d times to %d numbers is more than %d texts", times, numbers, maxRepeats)
	}
}
