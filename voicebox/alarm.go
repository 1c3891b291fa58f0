package voicebox

import "time"

// alarm is something that is due at a time.
type alarm uint8

const (
	stateLimit alarm = iota // the state has lasted too long
	ringSilence
	numberWait  // the caller's number cannot come any more
	dialToneDue // or there is none
	digitsPause // the agent has dialled the last digit
	hookDue     // off hook for long enough to go on hook
	restOver
	keepAlive
	starved // the line's sound does not come
	alarms
)

// clock keeps a session's alarms over one timer. A moved alarm costs nothing
// unless it is earlier than all: the timer may wake for nothing.
type clock struct {
	due   [alarms]time.Time // zero: not set
	timer *time.Timer
	wakes time.Time
}

func newClock() *clock {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &clock{timer: t}
}

func (c *clock) set(a alarm, in time.Duration) {
	at := time.Now().Add(in)
	c.due[a] = at
	if c.wakes.IsZero() || at.Before(c.wakes) {
		c.wakes = at
		c.timer.Reset(in)
	}
}

func (c *clock) stop(those ...alarm) {
	for _, a := range those {
		c.due[a] = time.Time{}
	}
}

// next gives an alarm that is due, and unsets it; false when none is, and then
// the timer is set for the next.
func (c *clock) next() (alarm, bool) {
	now := time.Now()
	c.wakes = time.Time{}
	for a, at := range c.due {
		if at.IsZero() {
			continue
		}
		if !at.After(now) {
			c.due[a] = time.Time{}
			return alarm(a), true
		}
		if c.wakes.IsZero() || at.Before(c.wakes) {
			c.wakes = at
		}
	}
	if !c.wakes.IsZero() {
		c.timer.Reset(c.wakes.Sub(now))
	}
	return 0, false
}
