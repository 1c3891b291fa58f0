package dsp

const (
	audible  = 100.0 // mean square of sound, -65 dBm0
	lead     = 224   // taps before the peak of the echo: 28 ms
	loose    = 0.08  // energy of a path not known yet: 11 dB loss
	tight    = 0.01  // times the path's energy: what a known one may differ by
	utmost   = 0.6   // energy of any path: no line gives back more than it got
	young    = 30    // chunks: a path that has heard less may fit one vowel or chord only
	nobody   = 1e-4  // of an error is taken for somebody's voice while the path is not known,
	perhaps  = 0.02  // in turns with this after 0.8 s of that,
	somebody = 1     // and when it is known
)

// learner is what the canceller knows of its paths.
type learner struct {
	stage stage
	now   int64 // end of the last chunk

	look   finder
	lag    int // its peak
	steady int // and how often it saw it in a row
	looks  int

	solve  solver
	peak   int            // the finder's peak for its path
	age    int            // chunks since it began anew
	rest   int            // chunks until it works again
	learnt [chunk]float32 // what its path left of the last chunk
	duel   duel

	odd, calm  int   // chunks in a row with more error than there should be, and without
	since      int64 // when the doubt began
	turn       int   // of the jumps tried
	came, left float32
}

// stage is how far the path that is heard can be relied on.
type stage uint8

const (
	blank    stage = iota // there is none
	fresh                 // it was just learnt
	sure                  // it was good for a while: so much error means something
	doubting              // two are speaking, or the path has changed
)

// event is what may change the stage.
type event uint8

const (
	adopted event = iota // another path proved better
	proved               // the path heard leaves little
	strange              // it leaves much more than it did
	calmed               // and does no longer
)

var stages = [...][4]stage{
	//         adopted, proved, strange, calmed
	blank:    {fresh, blank, blank, blank},
	fresh:    {fresh, sure, fresh, fresh},
	sure:     {sure, sure, doubting, sure},
	doubting: {fresh, doubting, doubting, sure},
}

func (s stage) after(e event) stage { return stages[s][e] }

// learn takes the chunk that is complete.
func (c *Canceller) learn() {
	if c.now%lookHop < chunk {
		c.search(c.now - c.now%lookHop)
	}
	if c.solve.idle() || c.now-c.lastFar > int64(c.solve.delay+solveTaps) {
		return
	}
	c.watch()
	c.age++
	if c.rest > 0 {
		c.rest--
		return
	}
	came := c.near.upto(c.now, chunk)
	if c.solve.now == c.now || c.stage == blank && meanSquare(came) < 3*c.suppress.noise.level {
		return // begun anew on this very chunk, or nothing came
	}
	c.solve.take(c.now, &c.far, &c.near, c.learnt[:])
	c.duel.add(c.heard[:], c.learnt[:], came)
	if c.better() {
		c.adopt()
	}
	c.work()
	if c.stage == doubting {
		c.jumps()
	}
}

// search lets the finder look and follows what it found.
func (c *Canceller) search(end int64) {
	c.looks++
	search := c.stage != sure || c.poor() || c.looks%8 == 0
	lag, quality := c.look.look(&c.far, &c.near, end, search)
	c.steady++
	if !closeTo(lag, c.lag, 32) {
		c.steady = 0
	}
	c.lag = lag
	if lag < 0 || c.look.looks < 3 || quality < 30 || c.steady == 0 {
		return
	}
	switch c.stage {
	case sure:
		c.check(lag, quality > 40)
	case doubting:
		if quality > 60 && !closeTo(lag, c.peak, 8) && !c.jump(lag-c.echo.peak) && c.age >= 15 && !c.duel.promising() {
			c.propose(lag)
		}
	default:
		c.seek(lag)
	}
}

// seek follows the finder while no path is sure: unless the one that is heard takes
// away most of the echo (10 dB; 6 dB, if the finder insists).
func (c *Canceller) seek(lag int) {
	outside := lag < c.solve.delay || lag >= c.solve.delay+2*lead
	explained := c.left < 0.1*c.came || c.left < 0.25*c.came && c.steady < 8
	switch {
	case c.solve.idle() || c.age >= 3 && outside && !explained:
		c.propose(lag)
	case c.stage == fresh && c.solve.delay != c.echo.delay && c.age > 12 && !c.duel.promising():
		c.begin(c.echo.delay, c.echo.peak, &c.echo.taps)
	}
}

// poor says whether the path heard leaves more than it should, 20 dB.
func (c *Canceller) poor() bool { return c.suppress.leak > 0.01 }

// check compares the finder's peak with that of the path heard. Where the path is
// poor, another is tried for half a second.
func (c *Canceller) check(lag int, clear bool) {
	elsewhere := c.solve.delay != c.echo.delay
	switch {
	case closeTo(lag, c.echo.peak, 32):
		c.echo.peak = lag
	case !elsewhere && clear && c.poor() && c.age > 15:
		c.propose(lag)
		return
	}
	if elsewhere && c.age > 25 {
		c.resume()
	}
}

func closeTo(a, b, by int) bool { return a-b <= by && b-a <= by }

// propose lets the solver begin at another delay, knowing nothing.
func (c *Canceller) propose(lag int) {
	c.begin(max(0, lag-lead), lag, &[solveTaps]float32{})
	c.work()
}

// jump tries whether the path is as it was, but later by some samples; if so, the
// solver begins there.
func (c *Canceller) jump(by int) bool {
	delay := c.echo.delay + by
	if by == 0 || delay < 0 || delay > lookLags {
		return false
	}
	left, came := c.solve.try(delay, &c.echo.taps, c.since, c.now, &c.far, &c.near)
	if left > 0.2*came {
		return false
	}
	c.begin(delay, c.echo.peak+by, &c.echo.taps)
	return true
}

// jumps tries the jumps that a lost or doubled frame makes (20 to 120 ms either
// way), one at a time.
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

// begin lets the solver work anew with what is believed of a path.
func (c *Canceller) begin(delay, peak int, belief *[solveTaps]float32) {
	c.peak, c.age, c.rest, c.duel = peak, 0, 0, duel{}
	c.solve.believe(loose, nobody, peak-delay)
	c.solve.begin(c.now, delay, c.since, belief, &c.far, &c.near)
}

// resume lets the solver go on from the path heard.
func (c *Canceller) resume() {
	c.begin(c.echo.delay, c.echo.peak, &c.echo.taps)
	c.settle()
}

// settle lets the solver only follow small changes of the path heard from now on.
func (c *Canceller) settle() {
	differs, blame := max(tight, min(1, 4*c.suppress.leak)), float32(somebody)
	if c.suppress.leak > 0.003 {
		blame = perhaps
	}
	c.solve.prior = c.echo.taps
	c.solve.believe(differs*max(1e-3, energy(&c.echo.taps)), blame, c.echo.peak-c.echo.delay)
}

// watch hears whether the path leaves what it left so far.
func (c *Canceller) watch() {
	if c.stage == blank {
		return
	}
	s := &c.suppress
	left := c.balance()
	if c.stage == fresh {
		c.prove()
		return
	}
	if left < max(s.peak/16, surely*(s.leak*s.peak+s.noise.level+1)) {
		c.odd = 0
		if c.calm++; c.calm == 5 && c.stage == doubting {
			c.stage = c.stage.after(calmed)
			c.resume()
		}
		return
	}
	c.calm = 0
	if c.odd++; c.odd == 4 && c.stage == sure {
		c.stage, c.since = c.stage.after(strange), c.now-4*chunk
		c.look.forget()
		c.begin(c.echo.delay, c.echo.peak, &c.echo.taps)
	}
}

// prove makes a path sure that took 20 dB away for a quarter of a second, longer
// than a chord or vowel stays as it is (15 dB after two seconds: not all lines are so
// good).
func (c *Canceller) prove() {
	noise := 5 * c.suppress.noise.level // came and left are sums over five chunks
	limit := float32(0.01)
	if c.age > 100 {
		limit = 0.03
	}
	switch {
	case c.came < 4*noise:
	case c.left-noise > limit*c.came:
		c.calm = 0
	default:
		c.calm++
	}
	if c.age > young && c.calm >= 12 {
		c.suppress.leak = min(c.suppress.leak, 0.1)
		c.stage = c.stage.after(proved)
		c.settle()
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

// better says whether the solver's path has proved better. Where a good one is heard
// already, it must hold for longer than a vowel keeps its pitch, and explain most
// of what comes: by chance it may follow the voice of somebody else for a while.
func (c *Canceller) better() bool {
	d := &c.duel
	if c.age < 2 || energy(&c.solve.taps) > utmost {
		return false
	}
	switch c.stage {
	case doubting:
		return c.age >= 7 && d.left[1] < 0.25*d.left[0] && d.left[1] < 0.2*d.came && d.won(3)
	case sure:
		return d.won(3)
	default:
		return d.won(2)
	}
}

// adopt makes the solver's path the one that is heard.
func (c *Canceller) adopt() {
	if c.stage == doubting {
		c.suppress.leak = max(c.suppress.leak, 0.1)
		c.age = 0
	}
	if c.stage != sure {
		c.came, c.left, c.calm = 0, 0, 0
	}
	c.stage = c.stage.after(adopted)
	c.echo.delay, c.echo.peak, c.echo.taps = c.solve.delay, c.peak, c.solve.taps
	copy(c.time[:], c.echo.taps[:])
	clear(c.time[solveTaps:])
	c.fft.forward(c.echo.bins[:], c.time[:])
	c.muted, c.duel = false, duel{}
	if c.stage == sure {
		c.settle()
	}
}

// work lets the solver go on while it pays.
func (c *Canceller) work() {
	most, enough := 6, float32(0.003)
	switch {
	case c.stage == sure && c.suppress.leak < 0.002:
		most, c.rest = 1, 3
	case c.stage == sure:
		most, c.rest = 2, 1
	case c.stage == doubting && c.age > 15:
		most, enough = 2, 0.01
	case c.age > 300:
		most, c.rest = 2, 3
		fallthrough
	case c.age > 40:
		c.solve.blame = [2]float32{nobody, perhaps}[c.age/40%2]
		enough = 0.01
	}
	for range most {
		if c.solve.step() >= enough {
			continue
		}
		if c.stage == sure {
			c.rest = 6
		}
		return
	}
}

func energy(taps *[solveTaps]float32) float32 { return meanSquare(taps[:]) * solveTaps }

// duel compares what two paths left of the same sound, over the last 0.1 s.
type duel struct {
	gain, doubt float32    // of the second, in units of what it left, and its variance
	left        [2]float32 // energy
	came        float32
}

func (d *duel) add(heard, learnt, came []float32) {
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
	d.doubt = 0.64*d.doubt + 4*square*k*k // neighbours are alike: a quarter of them counts
	d.left[0] = 0.8*d.left[0] + gain + left
	d.left[1] = 0.8*d.left[1] + left
	d.came = 0.8*d.came + chunk*meanSquare(came)
}

// promising says whether the second is on the way.
func (d *duel) promising() bool { return d.left[1] < 0.5*d.left[0] }

// won says whether the second is better by some standard deviations.
func (d *duel) won(sigmas float32) bool {
	return d.gain > 0 && d.gain*d.gain > sigmas*sigmas*d.doubt
}
