package dsp

import "math"

// ComfortNoise makes background noise like that which it heard: its level and
// its colour (by linear prediction) are those of the quietest pieces of 20 ms in
// the last two seconds (minimum statistics, after Martin 2001).
type ComfortNoise struct {
	level  float32    // mean square
	least  [5]float32 // of each half second; the last is being filled
	count  int        // pieces in it
	pieces int        // in all
	auto   [comfortOrder + 1]float64
	shape  [comfortOrder]float32 // prediction coefficients
	gain   float32               // of the white noise that excites it, at mean square 1
	past   [comfortOrder]float32
	random uint32
	quiet  int // pieces that shaped it
}

const (
	comfortOrder = 8
	comfortHalf  = 25  // pieces of 20 ms in half a second
	comfortMost  = 3e4 // mean square, -40 dBm0: louder is no background
)

// Learn takes 20 ms or so of what is heard, whatever it is.
func (c *ComfortNoise) Learn(in []int16) {
	var x [chunk]float32
	for len(in) > 0 {
		n := min(len(in), chunk)
		for i, v := range in[:n] {
			x[i] = float32(v)
		}
		c.learn(x[:n], 1)
		in = in[n:]
	}
}

// Fill writes noise to out; before anything was learnt, silence.
func (c *ComfortNoise) Fill(out []int16) {
	for i := range out {
		out[i] = clip(c.next())
	}
}

// Level is the background's level in dBm0; -100: none heard yet.
func (c *ComfortNoise) Level() float64 {
	if c.level <= 0 {
		return -100
	}
	return 10*math.Log10(float64(c.level)*2/(32768*32768)) + Full
}

// learn takes a piece of which some part, as power, is background.
func (c *ComfortNoise) learn(x []float32, part float32) {
	p := part * meanSquare(x)
	last := len(c.least) - 1
	if c.count == 0 || p < c.least[last] {
		c.least[last] = p
	}
	c.count++
	c.pieces++
	low := c.minimum()
	if p < 2*low+1 {
		c.colour(x, part)
	}
	c.level = min(comfortMost, 2*low, max(low, float32(c.auto[0])))
	if c.count >= comfortHalf {
		copy(c.least[:], c.least[1:])
		c.count = 0
	}
}

// minimum is over the halves that there were.
func (c *ComfortNoise) minimum() float32 {
	last := len(c.least) - 1
	low := c.least[last]
	for i := 1; i <= min(last, (c.pieces-1)/comfortHalf); i++ {
		low = min(low, c.least[last-i])
	}
	return low
}

// colour learns power and spectrum from a quiet piece.
func (c *ComfortNoise) colour(x []float32, part float32) {
	c.quiet++
	weight := max(0.05, 1/float64(c.quiet))
	for k := range c.auto {
		var sum float32
		for i := k; i < len(x); i++ {
			sum += x[i] * x[i-k]
		}
		c.auto[k] += weight * (float64(part*sum)/float64(len(x)) - c.auto[k])
	}
	if c.quiet%8 == 1 {
		c.predict()
	}
}

// predict solves for the coefficients (Levinson and Durbin).
func (c *ComfortNoise) predict() {
	var a, b [comfortOrder]float64
	left := c.auto[0]*1.001 + 1e-3
	energy := left
	for i := range a {
		r := c.auto[i+1]
		for j := range i {
			r -= a[j] * c.auto[i-j]
		}
		k := r / left
		b = a
		a[i] = k
		for j := range i {
			a[j] = b[j] - k*b[i-1-j]
		}
		left *= 1 - k*k
	}
	for i, v := range a {
		c.shape[i] = float32(v)
	}
	c.gain = float32(math.Sqrt(max(0, left/energy) * 3))
}

// next is one sample.
func (c *ComfortNoise) next() float32 {
	c.random = c.random*1664525 + 1013904223
	v := c.gain * float32(int32(c.random)) / (1 << 31) // ±1: mean square 1/3
	for i, a := range c.shape {
		v += a * c.past[i]
	}
	copy(c.past[1:], c.past[:])
	c.past[0] = v
	return v * float32(math.Sqrt(float64(c.level)))
}

// suppressor lowers what is left of the echo to the background's level while
// nobody speaks. It looks at pieces of 5 ms, so the beginning of a word passes.
type suppressor struct {
	noise ComfortNoise
	leak  float32 // what is left of the echo, as power
	peak  float32 // the echo's power of late
	gain  float32
	hang  int // pieces until it may lower again
	near  bool
	piece [chunk]float32
	off   bool // for tests: what the path alone does
	fill  int
}

const (
	pieceLen   = 40
	hangover   = 30   // pieces: 150 ms
	surely     = 8    // times the power that echo and background may have is somebody's
	lowest     = 0.05 // gain
	leakUseful = 0.25 // more than this left, and it cannot be told from a voice
)

// process writes near less the echo, lowered where only echo is left. left is the
// same without direct current, for measuring.
func (s *suppressor) process(out, near []int16, echo, left []float32) {
	for at := 0; at < len(out); at += pieceLen {
		to := min(len(out), at+pieceLen)
		goal := s.judge(meanSquare(left[at:to]), meanSquare(echo[at:to]))
		for i := at; i < to; i++ {
			out[i] = clip(s.pass(float32(near[i])-echo[i], goal))
		}
	}
	for len(left) > 0 {
		n := copy(s.piece[s.fill:], left)
		s.fill += n
		left = left[n:]
		if s.fill == chunk {
			s.fill = 0
			part := float32(1)
			if s.leak*s.peak > s.noise.level/30 {
				part = 0.7 // some echo is in it
			}
			s.noise.learn(s.piece[:], part)
		}
	}
}

// judge hears whether somebody speaks and gives the gain for it.
func (s *suppressor) judge(left, echo float32) float32 {
	s.peak = max(echo, 0.85*s.peak)
	floor := s.noise.level + 1
	s.near = left > surely*(s.leak*s.peak+floor)
	if s.near {
		s.hang = hangover
	} else if s.hang > 0 {
		s.hang--
	}
	s.measure(left, floor)
	ratio := s.leak * s.peak / floor
	if s.off || s.hang > 0 || s.leak > leakUseful || ratio < 0.1 {
		return 1
	}
	return max(lowest, 1/(1+10*ratio))
}

// measure follows the leak.
func (s *suppressor) measure(left, floor float32) {
	switch ratio := max(0, left-floor) / (s.peak + 1); {
	case s.peak < 4*floor:
	case ratio < s.leak:
		s.leak += 0.05 * (ratio - s.leak)
	case s.hang > 0:
		s.leak = min(1, s.leak*1.0005) // 0.4 dB a second, should the path have grown worse for good
	default:
		s.leak += 0.02 * (ratio - s.leak)
	}
	s.leak = max(1e-5, min(1, s.leak))
}

// pass moves the gain towards its goal, 2 ms up and 10 ms down, and fills with noise
// what it takes away.
func (s *suppressor) pass(v, goal float32) float32 {
	if goal > s.gain {
		s.gain += (goal - s.gain) / 16
	} else {
		s.gain += (goal - s.gain) / 80
	}
	if s.gain > 0.99 {
		return v
	}
	return s.gain*v + float32(math.Sqrt(float64(1-s.gain*s.gain)))*s.noise.next()
}

func clip(v float32) int16 {
	if !(v > -32768) {
		return -32768
	}
	return int16(math.Round(float64(min(32767, v))))
}
