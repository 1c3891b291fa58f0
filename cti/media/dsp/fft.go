package dsp

import "math"

// fft is the Fourier transform of n real samples, n a power of two ≥ 8. It is
// done as a complex one of half the size (radix 4, Stockham's order, so nothing
// is bit-reversed) whose halves are then taken apart by symmetry.
type fft struct {
	n     int
	turn  []complex64 // exp(-2πik/n), k < n/2: for the split, and every second one for the stages
	a, b  []complex64 // the two sides of the Stockham passes
	scale float32     // 1/(n/2): what the inverse divides by
}

func newFFT(n int) *fft {
	f := &fft{n: n, turn: make([]complex64, n/2), a: make([]complex64, n/2), b: make([]complex64, n/2), scale: 2 / float32(n)}
	for k := range f.turn {
		sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		f.turn[k] = complex(float32(cos), float32(sin))
	}
	return f
}

// forward writes the n/2+1 bins of x (n samples) to bins.
func (f *fft) forward(bins []complex64, x []float32) {
	h := f.n / 2
	a := f.a
	for i := range a {
		a[i] = complex(x[2*i], x[2*i+1])
	}
	z := f.passes()
	bins[0] = complex(real(z[0])+imag(z[0]), 0)
	bins[h] = complex(real(z[0])-imag(z[0]), 0)
	for k := 1; k <= h/2; k++ {
		p, q := z[k], z[h-k]
		even := complex(real(p)+real(q), imag(p)-imag(q)) * 0.5
		odd := complex(imag(p)+imag(q), real(q)-real(p)) * 0.5
		odd *= f.turn[k]
		bins[k] = even + odd
		bins[h-k] = complex(real(even)-real(odd), imag(odd)-imag(even))
	}
}

// inverse writes the n samples whose bins are given to x.
func (f *fft) inverse(x []float32, bins []complex64) {
	h := f.n / 2
	a := f.a
	// With real and imaginary part exchanged before and after, the forward
	// passes do the inverse.
	first, last := real(bins[0]), real(bins[h])
	a[0] = complex(0.5*(first-last), 0.5*(first+last))
	for k := 1; k <= h/2; k++ {
		p, q := bins[k], bins[h-k]
		even := complex(real(p)+real(q), imag(p)-imag(q)) * 0.5
		odd := complex(real(p)-real(q), imag(p)+imag(q)) * 0.5
		w := f.turn[k]
		odd *= complex(real(w), -imag(w))
		a[k] = complex(imag(even)+real(odd), real(even)-imag(odd))
		a[h-k] = complex(real(odd)-imag(even), real(even)+imag(odd))
	}
	z := f.passes()
	for i, v := range z {
		x[2*i] = imag(v) * f.scale
		x[2*i+1] = real(v) * f.scale
	}
}

// passes transforms f.a; the result is in the slice it returns.
func (f *fft) passes() []complex64 {
	x, y := f.a, f.b
	n, s := f.n/2, 1
	for ; n >= 4; n, s = n/4, s*4 {
		f.four(y, x, n, s)
		x, y = y, x
	}
	if n == 2 {
		lo, hi := x[:s], x[s:2*s]
		for q, a := range lo {
			b := hi[q]
			y[q], y[q+s] = a+b, a-b
		}
		x = y
	}
	return x
}

// four is one pass of radix 4 over s interleaved transforms of size n.
func (f *fft) four(y, x []complex64, n, s int) {
	m := n / 4
	step := f.n / n
	for p := range m {
		w1, w2 := f.turn[p*step], f.turn[2*p*step]
		w3 := w1 * w2
		xa, xb := x[s*p:s*p+s], x[s*(p+m):s*(p+m)+s]
		xc, xd := x[s*(p+2*m):s*(p+2*m)+s], x[s*(p+3*m):s*(p+3*m)+s]
		to := y[4*s*p : 4*s*p+4*s]
		ya, yb, yc, yd := to[:s], to[s:2*s], to[2*s:3*s], to[3*s:4*s]
		for q := range xa {
			a, b, c, d := xa[q], xb[q], xc[q], xd[q]
			ac, bd := a+c, b+d
			am, bm := a-c, b-d
			bm = complex(-imag(bm), real(bm))
			ya[q] = ac + bd
			yb[q] = w1 * (am - bm)
			yc[q] = w2 * (ac - bd)
			yd[q] = w3 * (am + bm)
		}
	}
}
