package api

import (
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/storage"
)

// activity is what an agent does, as far as occupancy asks.
type activity int

const (
	elsewhere activity = iota // notReady, logged off, or the box was off
	idle
	talking
	wrapping
)

var activities = map[string]activity{
	cti.EventAgentReady: idle, cti.EventAgentBusy: talking, cti.EventAgentWorkingAfterCall: wrapping,
}

// lookBack is how long before midnight a state may have begun that lasts beyond.
const lookBack = acd.LogOffAfter + time.Hour

// attendance is how long each agent did what since a day began, from the
// journal. The zero value knows of no day.
type attendance struct {
	since  time.Time
	last   storage.AgentChange
	shifts map[string]*shift
}

// shift is one agent's.
type shift struct {
	doing activity
	from  time.Time
	spent [wrapping + 1]time.Duration
}

// begin forgets what was before a day; false where it knows that day already.
func (t *attendance) begin(day time.Time) bool {
	if t.since.Equal(day) {
		return false
	}
	*t = attendance{since: day, shifts: map[string]*shift{}}
	return true
}

// asks is from when and behind which event the journal is to be read on.
func (t *attendance) asks() (since time.Time, seq int64) {
	if t.last.Seq == 0 {
		return t.since.Add(-lookBack), 0
	}
	return t.last.Time.Add(-time.Minute), t.last.Seq // clocks are set
}

// take adds changes, in order. When the box is started anew nobody did anything
// since its last sign of life.
func (t *attendance) take(changes []storage.AgentChange) {
	for _, c := range changes {
		if t.last.Seq != 0 && c.NewRun(t.last) {
			for _, s := range t.shifts {
				s.turn(elsewhere, t.last.Time, t.since)
			}
		}
		s := t.shifts[c.Agent]
		if s == nil {
			s = &shift{}
			t.shifts[c.Agent] = s
		}
		s.turn(activities[c.Type], c.Time, t.since)
		t.last = c
	}
}

// turn ends what the agent did and begins something else.
func (s *shift) turn(to activity, at, day time.Time) {
	s.spent[s.doing] += lasted(s.from, at, day)
	s.doing, s.from = to, at
}

// lasted is how long something took since the day began.
func lasted(from, to, day time.Time) time.Duration {
	if from.Before(day) {
		from = day
	}
	return max(0, to.Sub(from))
}

// occupied is how long an agent worked on calls until now, and how long he was
// ready besides.
func (t *attendance) occupied(agent string, now time.Time) (worked, waited time.Duration) {
	s := t.shifts[agent]
	if s == nil {
		return 0, 0
	}
	spent := s.spent
	spent[s.doing] += lasted(s.from, now, t.since)
	return spent[talking] + spent[wrapping], spent[idle]
}
