package dsp

import "math"

const filterFFT = 1024 // of the path that is heard

// Canceller takes our own voice out of what a two-wire line gives back.
//
// It has two echo paths, as Ochiai, Araseki and Ogihara proposed (IEEE Trans.
// Comm. 25, 1977): one makes what is heard and only ever changes to one that has
// proved better on sound that neither had learnt from; the other, the solver's,
// learns without care. What is left of the echo is then lowered to the
// background's level while nobody speaks.
type Canceller struct {
	far, near past
	lastFar   int64 // when something was sent
	fft       *fft
	spectrum  [filterFFT/2 + 1]complex64
	time      [filterFFT]float32

	echo     echoPath
	muted    bool // the path does harm now: what came is given as it is
	suppress suppressor

	heard [chunk]float32 // what the path heard left of the last chunk
	fill  int
	learner
}

// echoPath is one that is heard.
type echoPath struct {
	delay int
	peak  int // where the finder sees it
	taps  [solveTaps]float32
	bins  [filterFFT/2 + 1]complex64
}

// NewCanceller makes one for an echo of at most tail samples (≥ 512, 64 ms) behind a bulk delay that it finds by itself (0 to 500 ms).
// The path that is learnt has 768 taps, 28 ms of them before the echo's peak.
func NewCanceller(tail int) *Canceller {
	c := &Canceller{fft: newFFT(filterFFT)}
	c.look.fft, c.solve.fft = newFFT(2*lookHop), newFFT(solveFFT)
	c.solve.decay = float32(max(512, min(tail, solveTaps))) / 3.2
	c.Reset()
	return c
}

// Reset forgets the line (another call).
func (c *Canceller) Reset() {
	*c = Canceller{
		fft:      c.fft,
		suppress: suppressor{off: c.suppress.off, leak: 1, gain: 1},
		learner: learner{
			look:  finder{fft: c.look.fft},
			solve: solver{fft: c.solve.fft, decay: c.solve.decay},
			lag:   -1,
		},
		lastFar: -pastSize,
	}
}

// Process writes to out what near holds beside the echo of far. All three have the same length, at most 160; out and near may be the same.
// far is what was sent while near was received. Nothing is delayed; frames of 160 samples cost least.
func (c *Canceller) Process(out, near, far []int16) {
	n := min(len(out), len(near), len(far))
	for at := 0; at < n; at += chunk {
		to := min(n, at+chunk)
		c.process(out[at:to], near[at:to], far[at:to])
	}
}

func (c *Canceller) process(out, near, far []int16) {
	n := len(near)
	for i := range n {
		c.near.add(float32(near[i]))
		c.far.add(float32(far[i]))
	}
	if meanSquare(c.far.upto(c.far.end, n)) > audible {
		c.lastFar = c.far.end
	}
	echo := c.explain(n)
	var left [chunk]float32
	for i, v := range c.near.upto(c.near.end, n) {
		left[i] = v - echo[i]
	}
	if c.muted {
		clear(echo)
	}
	c.suppress.process(out, near, echo, left[:n])
	c.collect(left[:n])
}

// explain gives the echo in the last n samples.
func (c *Canceller) explain(n int) []float32 {
	to := c.time[filterFFT-n:]
	if c.stage == blank || c.far.end-c.lastFar > int64(c.echo.delay+solveTaps+chunk) {
		clear(to)
		return to
	}
	c.fft.forward(c.spectrum[:], c.far.upto(c.far.end-int64(c.echo.delay), filterFFT))
	for k, h := range &c.echo.bins {
		c.spectrum[k] *= h
	}
	c.fft.inverse(c.time[:], c.spectrum[:])
	return to
}

// collect gathers the error until a chunk is full and then learns.
func (c *Canceller) collect(left []float32) {
	for len(left) > 0 {
		n := copy(c.heard[c.fill:], left)
		left = left[n:]
		if c.fill += n; c.fill == chunk {
			c.fill = 0
			c.now += chunk
			c.learn()
		}
	}
}

// EchoReport is how the canceller does: ERLE in dB, Delay in samples (-1 unknown), DoubleTalk now.
type EchoReport struct {
	ERLE       float64
	Delay      int
	DoubleTalk bool
}

// Report tells how it does.
func (c *Canceller) Report() EchoReport {
	if c.stage == blank {
		return EchoReport{Delay: -1}
	}
	peak := 0
	for i, v := range &c.echo.taps {
		if math.Abs(float64(v)) > math.Abs(float64(c.echo.taps[peak])) {
			peak = i
		}
	}
	return EchoReport{
		ERLE:       -10 * math.Log10(float64(c.suppress.leak)),
		Delay:      c.echo.delay + peak,
		DoubleTalk: c.suppress.near && c.now-c.lastFar < int64(c.echo.delay+solveTaps),
	}
}
