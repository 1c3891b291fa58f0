package exchange

import "time"

// clock says when a frame is due.
type clock struct {
	pace  Pace
	due   <-chan time.Time
	timer *time.Timer // nil where time does not count
	at    time.Time
	step  time.Duration
}

// late is how far the line may lag behind before what is lost stays lost.
const late = 10

func newClock(pace Pace) *clock {
	c := &clock{pace: pace}
	if pace < RealTime {
		always := make(chan time.Time)
		close(always)
		c.due = always
		return c
	}
	c.step = tick
	if pace > RealTime {
		c.step = time.Duration(float64(tick) / float64(pace))
	}
	c.at, c.timer = time.Now(), time.NewTimer(0)
	c.due = c.timer.C
	return c
}

// next sets the time of the frame behind the one that was sent. A line that is
// late catches up, but not for more than ten frames.
func (c *clock) next() {
	if c.timer == nil {
		return
	}
	c.at = c.at.Add(c.step)
	now := time.Now()
	if now.Sub(c.at) > late*c.step {
		c.at = now
	}
	c.timer.Reset(c.at.Sub(now))
}

func (c *clock) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}
