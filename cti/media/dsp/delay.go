package dsp

import "math"

// The delay finder's measures, in samples.
const (
	hop   = 256     // samples between two looks
	spans = 18      // hops of delay it looks over: 18·256 = 4608, 576 ms
	reach = spans * hop
)

// finder finds where in the past the echo comes from: it averages the
// cross-spectrum of what was sent (in spans pieces, each one hop older) and
// what came back, whitens it and looks for its peak in time (generalised cross
// correlation, Knapp and Carter 1976).
type finder struct {
	fft       *fft
	far, near [hop]float32
	last      [hop]float32 // the far hop before
	fill      int

	past  [spans][hop + 1]complex64 // spectra of far, a ring
	power [spans]float32            // their mean squares
	at    int
	cross [spans][hop + 1]complex64
	sent  [hop + 1]float32 // power spectra
	came  [hop + 1]float32

	frame [2 * hop]float32
	bins  [hop + 1]complex64
	white [hop + 1]float32
	lags  [reach]float32
}

func newFinder() *finder { return &finder{fft: newFFT(2 * hop)} }

func (f *finder) reset() {
	t := f.fft
	*f = finder{fft: t}
}

// forget makes the finder look anew without losing what was sent.
func (f *finder) forget() {
	clear(f.cross[:])
	clear(f.sent[:])
	clear(f.came[:])
}

// add takes one sample of each and says whether a look is due.
func (f *finder) add(far, near float32) bool {
	f.far[f.fill], f.near[f.fill] = far, near
	f.fill++
	return f.fill == hop
}

// look takes the hop that add completed and says which lag stands out, and how
// far (its square over the mean square of all).
func (f *finder) look() (lag int, quality float32) {
	f.fill = 0
	f.at = (f.at + spans - 1) % spans
	copy(f.frame[:hop], f.last[:])
	copy(f.frame[hop:], f.far[:])
	f.last = f.far
	f.fft.forward(f.past[f.at][:], f.frame[:])
	f.power[f.at] = meanSquare(f.far[:])
	active := false
	for _, p := range f.power {
		active = active || p > 100
	}
	if !active {
		return -1, 0
	}
	clear(f.frame[:hop])
	copy(f.frame[hop:], f.near[:])
	f.fft.forward(f.bins[:], f.frame[:])
	f.average()
	f.transform()
	return f.peak()
}

const keep = 0.93 // per hop: 32 ms / (1-keep) ≈ 0.45 s

func (f *finder) average() {
	x := &f.past[f.at]
	for k, e := range f.bins {
		f.sent[k] = keep*f.sent[k] + norm(x[k])
		f.came[k] = keep*f.came[k] + norm(e)
	}
	for p := range f.cross {
		c, x := &f.cross[p], &f.past[(f.at+p)%spans]
		for k, e := range f.bins {
			v := x[k]
			c[k] = complex(
				keep*real(c[k])+real(e)*real(v)+imag(e)*imag(v),
				keep*imag(c[k])+imag(e)*real(v)-real(e)*imag(v))
		}
	}
}

func (f *finder) transform() {
	var sent, came float32
	for k := range f.sent {
		sent += f.sent[k]
		came += f.came[k]
	}
	sent, came = 0.01*sent/(hop+1), 0.01*came/(hop+1)
	for k := range f.white {
		f.white[k] = 0
		if k >= 5 { // below 80 Hz no line carries anything
			f.white[k] = 1 / float32(math.Sqrt(float64((f.sent[k]+sent)*(f.came[k]+came)))+1)
		}
	}
	for p := range f.cross {
		for k, c := range &f.cross[p] {
			f.bins[k] = c * complex(f.white[k], 0)
		}
		f.fft.inverse(f.frame[:], f.bins[:])
		copy(f.lags[p*hop:], f.frame[:hop])
	}
}

func (f *finder) peak() (lag int, quality float32) {
	var sum, most float32
	for i, v := range &f.lags {
		v *= v
		sum += v
		if v > most {
			lag, most = i, v
		}
	}
	return lag, most * reach / (sum + 1e-20)
}

func norm(v complex64) float32 { return real(v)*real(v) + imag(v)*imag(v) }

func meanSquare(x []float32) float32 {
	var sum float32
	for _, v := range x {
		sum += v * v
	}
	return sum / float32(len(x))
}
