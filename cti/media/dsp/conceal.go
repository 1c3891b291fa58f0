package dsp

import "math"

// The measure of the concealment, after the description in ITU-T G.711
// appendix I: the pitch is looked for between 66 and 200 Hz in 20 ms, up to
// three periods are repeated, from 10 ms on ever more quietly, to 60 ms.
const (
	concealLeast = 40  // samples of the shortest period
	concealMost  = 120 // and of the longest
	concealSpan  = 160 // that are compared
	concealPast  = 3*concealMost + concealMost/4
	concealStage = 80 // samples, 10 ms
	concealEnd   = 6 * concealStage
	concealFade  = 5 * concealStage
)

// Concealer makes up sound where some is missing, by repeating what was heard
// last. It adds no delay: where the appendix mixes the seam into sound that
// waits 3.75 ms, here the step at the seam dies away over a quarter of a period.
type Concealer struct {
	past   [concealPast]int16 // what was heard last, the newest behind
	origin [concealPast]int16 // past when the gap began
	period int
	cycle  int     // samples that are repeated: one to three periods
	at     int     // place in them
	before int     // periods until the last stage, for the seam between two
	made   int     // samples since the gap began
	step   float32 // at the seam
	over   int     // samples in which a gap goes over into sound
	rest   int     // and how many of them are left
}

// Made says whether the last sound made up was more than silence.
func (c *Concealer) Made() bool { return c.made > 0 && c.made < concealEnd }

// Good takes sound that is there, and mends its begin behind a gap.
func (c *Concealer) Good(sound []int16) {
	if c.made > 0 && c.rest == 0 {
		c.over = min(c.period/4+32*(c.made/concealStage), concealStage)
		c.rest = c.over
	}
	for i := 0; i < len(sound) && c.rest > 0; i++ {
		made := float32(c.rest) / float32(c.over+1)
		sound[i] = clip(made*c.next() + (1-made)*float32(sound[i]))
		if c.rest--; c.rest == 0 {
			c.made = 0
		}
	}
	c.keep(sound)
}

// Make makes up sound that is missing; 60 ms behind the begin of the gap it is
// silence.
func (c *Concealer) Make(to []int16) {
	if c.made == 0 {
		c.begin()
	}
	c.rest = 0
	for i := range to {
		to[i] = clip(c.next())
	}
	c.keep(to)
}

func (c *Concealer) keep(sound []int16) {
	if n := len(sound) - len(c.past); n > 0 {
		sound = sound[n:]
	}
	copy(c.past[:], c.past[len(sound):])
	copy(c.past[len(c.past)-len(sound):], sound)
}

// begin looks for the period and sets out to repeat it.
func (c *Concealer) begin() {
	c.origin = c.past
	c.period = period(&c.past)
	if c.past[concealPast-1] == 0 && square(c.past[:]) == 0 {
		c.made = concealEnd // nothing to repeat
	}
	c.cycle, c.before, c.at = c.period, c.period, 0
	end := concealPast - 1
	c.step = float32(c.past[end]) - float32(c.past[end-c.period])
}

// next is the next sample made up.
func (c *Concealer) next() float32 {
	if c.made >= concealEnd {
		return 0
	}
	seam := c.period / 4
	v := c.repeat(c.cycle, c.at)
	switch stage := c.made % concealStage; {
	case c.made < seam:
		v += c.step * (1 - float32(c.made)/float32(seam))
	case stage < seam && c.before != c.cycle:
		old := c.repeat(c.before, c.at%c.before)
		part := float32(stage) / float32(seam)
		v = part*v + (1-part)*old
	}
	v *= 1 - float32(max(c.made-concealStage, 0))/concealFade
	c.advance()
	return v
}

// advance moves on by a sample and, after 10 and 20 ms, to one period more.
func (c *Concealer) advance() {
	c.made++
	if c.at++; c.at == c.cycle {
		c.at = 0
	}
	if c.made%concealStage == 0 {
		c.before = c.cycle
		c.cycle = min(c.cycle+c.period, 3*c.period)
	}
}

// repeat is sample at of the last cycle samples of the origin, whose end goes
// over into what came before their begin.
func (c *Concealer) repeat(cycle, at int) float32 {
	from := concealPast - cycle
	v := float32(c.origin[from+at])
	seam := c.period / 4
	if in := at - (cycle - seam); in > 0 {
		part := float32(in) / float32(seam)
		v += part * (float32(c.origin[from+at-cycle]) - v)
	}
	return v
}

// period is the shift at which the end of the past is most like itself.
func period(past *[concealPast]int16) int {
	best, most := concealMost, float32(0)
	for lag := concealLeast; lag <= concealMost; lag += 2 {
		if like := likeness(past, lag, 2); like > most {
			best, most = lag, like
		}
	}
	most = likeness(past, best, 1)
	for _, lag := range [2]int{best - 1, best + 1} {
		if lag < concealLeast || lag > concealMost {
			continue
		}
		if like := likeness(past, lag, 1); like > most {
			best, most = lag, like
		}
	}
	return best
}

// likeness correlates the end of the past with what lies lag before it.
func likeness(past *[concealPast]int16, lag, step int) float32 {
	return alike(past[concealPast-concealSpan:], past[concealPast-concealSpan-lag:], step)
}

// alike correlates two pieces of concealSpan samples, every step-th of them; it
// is at most the root of the first one's energy.
func alike(a, b []int16, step int) float32 {
	var both, own float32
	for i := 0; i < concealSpan; i += step {
		x, y := float32(a[i]), float32(b[i])
		both += x * y
		own += y * y
	}
	if own == 0 {
		return 0
	}
	return both / float32(math.Sqrt(float64(own)))
}

// Shorten fills to, 20 ms, with the begin of sound, 40 ms, going over into what
// comes up to 20 ms later, and gives how many samples that leaves out: from 5 to
// 20 ms, the number at which the two fit best.
func Shorten(to, sound []int16) int {
	best, most := concealSpan, float32(0)
	for lag := concealSpan; lag >= concealLeast; lag-- {
		if like := alike(sound, sound[lag:], 1); like > most {
			best, most = lag, like
		}
	}
	Fade(to, sound[:concealSpan], sound[best:])
	return best
}
