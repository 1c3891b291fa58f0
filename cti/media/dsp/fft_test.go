package dsp

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestFFTAgainstDefinition(t *testing.T) {
	for _, n := range []int{8, 16, 32, 64, 128, 512, 1024} {
		f := newFFT(n)
		r := rand.New(rand.NewPCG(1, uint64(n)))
		x, back := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		bins := make([]complex64, n/2+1)
		f.forward(bins, x)
		for k := range bins {
			var want complex128
			for i, v := range x {
				want += complex(float64(v), 0) * cmplx.Rect(1, -2*math.Pi*float64(k*i%n)/float64(n))
			}
			if cmplx.Abs(want-complex128(bins[k])) > 1e-5*math.Sqrt(float64(n))*4 {
				t.Fatalf("n=%d bin %d = %v, want %v", n, k, bins[k], want)
			}
		}
		f.inverse(back, bins)
		for i := range x {
			if math.Abs(float64(x[i]-back[i])) > 1e-5 {
				t.Fatalf("n=%d sample %d came back as %v, want %v", n, i, back[i], x[i])
			}
		}
	}
}

func BenchmarkFFT1024(b *testing.B) {
	f := newFFT(1024)
	x, bins := make([]float32, 1024), make([]complex64, 513)
	x[3] = 1
	for b.Loop() {
		f.forward(bins, x)
		f.inverse(x, bins)
	}
}

func BenchmarkFFT2048(b *testing.B) {
	f := newFFT(2048)
	x, bins := make([]float32, 2048), make([]complex64, 1025)
	x[3] = 1
	for b.Loop() {
		f.forward(bins, x)
		f.inverse(x, bins)
	}
}
