package dsp

import "math"

// biquad is a filter of second order (transposed direct form II).
type biquad struct{ b0, b1, b2, a1, a2, z1, z2 float32 }

// newNotch takes out hz; width is where 3 dB are lost.
func newNotch(hz, width float64) biquad {
	w := 2 * math.Pi * hz / Rate
	alpha := math.Tan(math.Pi * width / Rate)
	n := 1 / (1 + alpha)
	c := -2 * math.Cos(w) * n
	return biquad{b0: float32(n), b1: float32(c), b2: float32(n), a1: float32(c), a2: float32((1 - alpha) * n)}
}

// next filters a sample.
//
//go:norace
func (f *biquad) next(x float32) float32 {
	y := f.b0*x + f.z1
	f.z1 = f.b1*x - f.a1*y + f.z2
	f.z2 = f.b2*x - f.a2*y
	return y
}
