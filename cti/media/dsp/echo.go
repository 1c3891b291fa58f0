package dsp

import "math"

const history = 8192 // samples of far that are kept, a power of two > 500 ms + tail

// Canceller takes our own voice out of what a two-wire line gives back.
type Canceller struct {
	tail   int
	finder *finder
	weight []float32
	past   [2 * history]float32 // far twice, so that any window is one slice
	at     int
	delay  int // where the window of the filter begins; -1: unknown
	seen   int
	heard  [2]float32 // smoothed power: echo and what is left
	double int
}

// NewCanceller makes one for an echo of at most tail samples (≥ 512, 64 ms) behind a bulk delay that it finds by itself (0 to 500 ms).
func NewCanceller(tail int) *Canceller {
	return &Canceller{tail: tail, finder: newFinder(), weight: make([]float32, tail+128), delay: -1}
}

// Reset forgets the line (another call).
func (c *Canceller) Reset() {
	f, w := c.finder, c.weight
	f.reset()
	clear(w)
	*c = Canceller{tail: c.tail, finder: f, weight: w, delay: -1}
}

// Process writes to out what near holds beside the echo of far. All three have the same length, at most 160; out and near may be the same.
// far is what was sent while near was received.
func (c *Canceller) Process(out, near, far []int16) {
	for i, n := range near {
		out[i] = c.sample(float32(n), float32(far[i]))
	}
}

func (c *Canceller) sample(near, far float32) int16 {
	c.at = (c.at + history - 1) % history
	c.past[c.at], c.past[c.at+history] = far, far
	if c.finder.add(far, near) {
		lag, q := c.finder.look()
		c.move(lag, q)
	}
	if c.delay < 0 {
		return round(near)
	}
	x := c.past[c.at+c.delay:][:len(c.weight)]
	var y, p float32
	for i, w := range c.weight {
		y += w * x[i]
		p += x[i] * x[i]
	}
	e := near - y
	c.heard[0] += (near*near - c.heard[0]) / 512
	c.heard[1] += (e*e - c.heard[1]) / 512
	if p > 100*float32(len(x)) && e*e < p/4 {
		step := 0.5 * e / (p + 1)
		for i, v := range x {
			c.weight[i] += step * v
		}
	}
	return round(e)
}

func (c *Canceller) move(lag int, quality float32) {
	if lag < 0 || quality < 60 {
		return
	}
	if at := lag - c.delay; c.delay >= 0 && at >= 0 && at < len(c.weight)/2 {
		c.seen = 0
		return
	}
	if c.seen++; c.seen < 3 && c.delay >= 0 {
		return
	}
	c.delay = max(0, lag-64)
	clear(c.weight)
}

func round(v float32) int16 {
	return int16(max(-32768, min(32767, math.Round(float64(v)))))
}

// EchoReport is how the canceller does: ERLE in dB, Delay in samples (-1 unknown), DoubleTalk now.
type EchoReport struct {
	ERLE       float64
	Delay      int
	DoubleTalk bool
}

// Report tells how it does.
func (c *Canceller) Report() EchoReport {
	return EchoReport{Delay: c.delay, ERLE: 10 * math.Log10(float64((c.heard[0]+1)/(c.heard[1]+1)))}
}
