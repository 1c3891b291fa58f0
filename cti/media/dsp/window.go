package dsp

import "math"

// Every detector looks at the line through the same Hann window of 20 ms,
// moved on by a hop. Through it two tones 100 Hz apart are apart, and bins
// 50 Hz apart hold all power between them.
const (
	span = 160
	half = span / 2
	bin  = float64(Rate) / span
)

// binShare corrects a sum of bins 50 Hz apart: a tone's power is seen in the
// next bins too (Hann: (Σw)²/NΣw²).
const binShare = 2.0 / 3

// hann is the right half of the window, scaled so that a sine's power is that
// of its bin.
var hann = func() (w [half]float64) {
	for i := range w {
		w[i] = 0.5 + 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/span)
	}
	return w
}()

// hann2 weighs power through the same window; its sum over both halves is 1.
var hann2 = func() (w [half]float32) {
	var sum float64
	for _, v := range hann {
		sum += 2 * v * v
	}
	for i, v := range hann {
		w[i] = float32(v * v / sum)
	}
	return w
}()

// The four functions that are marked norace run for each sample and touch only
// their detector's memory: watched, they take ten times as long, which tests of
// many lines feel. Two goroutines with one detector are still caught, at what
// it concludes.

// slide holds the last 160 samples and tells when a hop is full. Direct
// current is taken out on the way (below 40 Hz).
type slide struct {
	buf   [span]float32
	n     int
	in, y float32
	seen  int64
}

// reset makes the window empty; the first hop is seen behind silence.
func (s *slide) reset(hop int) { *s = slide{n: span - hop} }

// push takes a sample and says whether the window has moved on by a hop; next
// then makes room.
//
//go:norace
func (s *slide) push(x float32) bool {
	s.y = x - s.in + 0.97*s.y
	s.in = x
	s.buf[s.n] = s.y
	s.n++
	s.seen++
	return s.n == span
}

// next forgets a hop's samples.
//
//go:norace
func (s *slide) next(hop int) {
	copy(s.buf[:], s.buf[hop:])
	s.n = span - hop
}

// view is a window folded about its middle, so that a bin costs half.
type view struct {
	even, odd [half]float32
	power     float32 // mean square through the window
}

// fold makes the view of what the window holds.
//
//go:norace
func (v *view) fold(s *slide) {
	v.power = 0
	for i := range half {
		r, l := s.buf[half+i], s.buf[half-1-i]
		v.even[i], v.odd[i] = r+l, r-l
		v.power += hann2[i] * (r*r + l*l)
	}
}

// probe finds one frequency in a view.
type probe struct{ cos, sin [half]float32 }

func newProbe(hz float64) probe {
	var p probe
	scale := math.Sqrt2 / half // Σw is 80
	for i, w := range hann {
		at := 2 * math.Pi * hz / Rate * (float64(i) + 0.5)
		p.cos[i] = float32(scale * w * math.Cos(at))
		p.sin[i] = float32(scale * w * math.Sin(at))
	}
	return p
}

// look gives amplitude and phase at the window's middle: the sum of the
// squares is the power of a sine at the probe's frequency.
//
//go:norace
func (p *probe) look(v *view) (re, im float32) {
	for i := range half {
		re += v.even[i] * p.cos[i]
		im -= v.odd[i] * p.sin[i]
	}
	return re, im
}

func (p *probe) power(v *view) float32 {
	re, im := p.look(v)
	return re*re + im*im
}
