package dsp

import "math"

const (
	audible   = 100.0 // mean square of sound, -65 dBm0
	filterFFT = 1024  // of the filter that makes what is heard
	lead      = 224   // samples before the peak of the echo that the path has room for: 28 ms
)

// Canceller takes our own voice out of what a two-wire line gives back.
//
// It has two echo paths, as Ochiai, Araseki and Ogihara proposed (IEEE Trans.
// Comm. 25, 1977): one makes what is heard and only ever changes to one that has
// proved better on sound that neither had learnt from; the other, the solver's,
// learns without care. What is left of the echo is then lowered to the
// background's level while nobody speaks.
type Canceller struct {
	far, near past
	now       int64 // end of the last chunk
	lastFar   int64 // when something was sent
	fft       *fft
	spectrum  [filterFFT/2 + 1]complex64
	time      [filterFFT]float32

	echo     echoPath
	known    bool // there is a path
	good     bool // it was a good one once, so much error means something
	muted    bool // it does harm now: what came is given as it is
	suppress suppressor

	look  finder
	lag   int // the finder's peak
	looks int
	lags  [2]int // its peak for the path heard, and for the solver's

	solve   solver
	solving bool
	age     int // chunks since the solver began anew
	rest    int // chunks until it works again
	duel    duel
	heard   [chunk]float32 // error of the path heard
	learnt  [chunk]float32 // and of the solver's
	fill    int

	turn    int   // of the jumps tried
	odd     int   // chunks of more error than there should be, in a row
	calm    int   // and of none
	doubt   bool  // the path may have changed, or two are speaking
	doubted int64 // since when
	came    float32
	left    float32
}

// echoPath is one that is heard.
type echoPath struct {
	delay int
	taps  [solveTaps]float32
	bins  [filterFFT/2 + 1]complex64
}

// NewCanceller makes one for an echo of at most tail samples (≥ 512, 64 ms) behind a bulk delay that it finds by itself (0 to 500 ms).
func NewCanceller(tail int) *Canceller {
	c := &Canceller{fft: newFFT(filterFFT)}
	c.look.fft, c.solve.fft = newFFT(2*lookHop), newFFT(solveFFT)
	c.Reset()
	return c
}

// Reset forgets the line (another call).
func (c *Canceller) Reset() {
	mine, look, solve := c.fft, c.look.fft, c.solve.fft
	*c = Canceller{fft: mine, lastFar: -pastSize, lag: -1}
	c.look.fft, c.solve.fft = look, solve
	c.suppress.begin()
}

// Process writes to out what near holds beside the echo of far. All three have the same length, at most 160; out and near may be the same.
// far is what was sent while near was received. Nothing is delayed; frames of 160 samples cost least.
func (c *Canceller) Process(out, near, far []int16) {
	n := min(len(out), len(near), len(far), chunk)
	if n == 0 {
		return
	}
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
	c.suppress.process(out[:n], near[:n], echo, left[:n])
	c.collect(left[:n])
}

// explain gives the echo in the last n samples.
func (c *Canceller) explain(n int) []float32 {
	to := c.time[filterFFT-n:]
	if !c.known || c.far.end-c.lastFar > int64(c.echo.delay+solveTaps+chunk) {
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

// learn takes the chunk that is complete.
func (c *Canceller) learn() {
	if c.now%lookHop < chunk {
		c.search(c.now - c.now%lookHop)
	}
	if !c.solving || c.now-c.lastFar > int64(c.solve.delay+solveTaps) {
		return
	}
	c.watch()
	c.age++
	if c.rest > 0 {
		c.rest--
		return
	}
	if c.solve.now == c.now { // begun anew on this very chunk
		return
	}
	c.solve.take(c.now, &c.far, &c.near, c.learnt[:])
	c.compare()
	c.work()
	if c.doubt {
		c.jumps()
	}
}

// search lets the finder look and follows what it found.
func (c *Canceller) search(end int64) {
	c.looks++
	lag, quality := c.look.look(&c.far, &c.near, end, !c.good || c.doubt || c.suppress.leak > 0.01 || c.looks%8 == 0)
	known := near(lag, c.lag, 32)
	c.lag = lag
	if lag < 0 || c.look.looks < 3 || quality < 30 || !known {
		return
	}
	switch {
	case c.good && !c.doubt:
		c.doubtLag(lag, quality)
	case c.good:
		if quality > 60 && !near(lag, c.lags[1], 8) && !c.jump(lag-c.lags[0]) && c.age >= 15 && !c.duel.promising() {
			c.propose(lag)
		}
	case !c.solving || c.age >= 3 && (lag < c.solve.delay || lag >= c.solve.delay+2*lead):
		c.propose(lag)
	}
}

// doubtLag compares the finder's peak with that of the path heard: where that is
// none too good, another is tried for half a second.
func (c *Canceller) doubtLag(lag int, quality float32) {
	elsewhere := c.solve.delay != c.echo.delay
	switch {
	case near(lag, c.lags[0], 32):
		c.lags[0] = lag
	case !elsewhere && quality > 60 && c.suppress.leak > 0.01 && c.age > 15:
		c.propose(lag)
		return
	}
	if elsewhere && c.age > 25 {
		c.begin(c.echo.delay, &c.echo.taps)
		c.settle()
	}
}

func near(a, b, by int) bool { return a-b <= by && b-a <= by }

// propose lets the solver begin at another delay, knowing nothing.
func (c *Canceller) propose(lag int) {
	c.lags[1] = lag
	c.begin(max(0, lag-lead), &[solveTaps]float32{})
}

// jump tries whether the path is as it was, but later by some samples; if so, the
// solver begins there.
func (c *Canceller) jump(by int) bool {
	delay := c.echo.delay + by
	if by == 0 || delay < 0 || delay > lookLags {
		return false
	}
	left, came := c.solve.try(delay, &c.echo.taps, c.doubted, c.now, &c.far, &c.near)
	if left > 0.2*came {
		return false
	}
	c.lags[1] = c.lags[0] + by
	c.begin(delay, &c.echo.taps)
	return true
}

// jumps tries the jumps that a lost or doubled frame makes, one at a time.
func (c *Canceller) jumps() {
	if c.solve.delay != c.echo.delay || c.odd < 6 {
		return
	}
	c.turn = (c.turn + 1) % 12
	by := (c.turn/2 + 1) * chunk
	if c.turn%2 == 1 {
		by = -by
	}
	c.jump(by)
}

// begin lets the solver work anew with a prior.
func (c *Canceller) begin(delay int, belief *[solveTaps]float32) {
	since := int64(0)
	if c.doubt {
		since = c.doubted
	}
	c.solve.now = c.now
	c.solve.believe(loose, blame, c.lags[1]-delay)
	c.solve.begin(delay, since, belief, &c.far, &c.near)
	c.solving, c.age, c.rest, c.duel = true, 0, 0, duel{}
	for range 6 {
		c.solve.step()
	}
}

const (
	loose = 0.08 // energy of a path not known yet: 11 dB loss
	tight = 0.03 // times the path's energy: what a known one may differ by
	blame = 1e-4 // of an error is taken for somebody's while the path is not known
)

// watch hears whether more is left than the path has left so far: somebody
// speaks, or the path changed.
func (c *Canceller) watch() {
	if !c.known {
		return
	}
	s := &c.suppress
	left := c.balance()
	if !c.good {
		if c.good = c.left < 0.03*c.came && c.came > 20*s.noise.level; c.good {
			s.leak = min(s.leak, 0.1)
			c.settle()
		}
		return
	}
	if left < max(s.peak/16, surely*(s.leak*s.peak+s.noise.level+1)) {
		c.odd = 0
		if c.calm++; c.calm == 5 && c.doubt {
			c.doubt = false
			c.begin(c.echo.delay, &c.echo.taps)
			c.settle()
		}
		return
	}
	c.calm = 0
	if c.odd++; c.odd == 4 && !c.doubt {
		c.doubt, c.doubted = true, c.now-4*chunk
		c.look.forget()
		c.lags[1] = c.lags[0]
		c.begin(c.echo.delay, &c.echo.taps)
	}
}

// settle lets the solver only follow small changes from now on.
func (c *Canceller) settle() {
	if c.solve.delay == c.echo.delay {
		c.solve.prior = c.echo.taps
		c.solve.believe(max(tight, min(1, 4*c.suppress.leak))*energy(&c.echo.taps), 1, c.lags[0]-c.echo.delay)
	}
}

// balance follows what the path takes away, mutes one that adds, and gives what was
// left in the chunk.
func (c *Canceller) balance() float32 {
	left := meanSquare(c.heard[:])
	c.came = 0.8*c.came + meanSquare(c.near.upto(c.now, chunk))
	c.left = 0.8*c.left + left
	c.muted = c.left > 1.5*c.came || c.muted && c.left > 0.8*c.came
	return left
}

// compare lets the solver's path be heard when it is surely better.
func (c *Canceller) compare() {
	c.duel.add(c.heard[:], c.learnt[:], meanSquare(c.near.upto(c.now, chunk)))
	if !c.better() || energy(&c.solve.taps) > 4 {
		return
	}
	if c.doubt {
		c.suppress.leak = max(c.suppress.leak, 0.1)
	}
	c.echo.delay, c.echo.taps = c.solve.delay, c.solve.taps
	copy(c.time[:], c.echo.taps[:])
	clear(c.time[solveTaps:])
	c.fft.forward(c.echo.bins[:], c.time[:])
	c.lags[0] = c.lags[1]
	c.known, c.muted = true, false
	c.duel = duel{}
	if c.good && !c.doubt {
		c.settle()
	}
	if c.doubt {
		c.good, c.doubt = false, false
	}
}

// better says whether the solver's path has proved better. Where a good one is heard
// already, it must hold for longer than a vowel keeps its pitch, and explain most
// of what comes: by chance it may follow the voice of somebody else for a while.
func (c *Canceller) better() bool {
	switch d := &c.duel; {
	case c.doubt:
		return c.age >= 7 && d.left[1] < 0.25*d.left[0] && d.left[1] < 0.2*d.came && d.won(3)
	case c.good:
		return c.age >= 2 && d.won(3)
	default:
		return c.age >= 2 && d.won(1)
	}
}

// work lets the solver go on while it pays, less and less.
func (c *Canceller) work() {
	most := 6
	switch {
	case c.good && !c.doubt && c.suppress.leak < 0.002:
		most, c.rest = 1, 3
	case c.good && !c.doubt:
		most, c.rest = 2, 1
	case c.age > 150:
		most, c.rest = 1, 3
	case c.age > 40:
		most = 1
	}
	for range most {
		if c.solve.step() < 0.003 {
			c.rest = 6
			return
		}
	}
}

func energy(taps *[solveTaps]float32) float32 { return meanSquare(taps[:]) * solveTaps }

// duel compares two errors of the same sound.
type duel struct {
	gain, doubt float32
	left        [2]float32
	came        float32
}

func (d *duel) add(heard, learnt []float32, came float32) {
	var gain, square, left float32
	for i, h := range heard {
		l := learnt[i]
		g := h*h - l*l
		gain += g
		square += g * g
		left += l * l
	}
	k := 1 / (left + chunk*quietest)
	d.gain = 0.8*d.gain + gain*k
	d.doubt = 0.64*d.doubt + 4*square*k*k
	d.left[0] = 0.8*d.left[0] + gain + left
	d.left[1] = 0.8*d.left[1] + left
	d.came = 0.8*d.came + chunk*came
}

// promising says whether the second is on the way.
func (d *duel) promising() bool { return d.left[1] < 0.5*d.left[0] }

// won says whether the second is better by some standard deviations.
func (d *duel) won(sigmas float32) bool {
	return d.gain > 0 && d.gain*d.gain > sigmas*sigmas*d.doubt
}

// EchoReport is how the canceller does: ERLE in dB, Delay in samples (-1 unknown), DoubleTalk now.
type EchoReport struct {
	ERLE       float64
	Delay      int
	DoubleTalk bool
}

// Report tells how it does.
func (c *Canceller) Report() EchoReport {
	if !c.known {
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
