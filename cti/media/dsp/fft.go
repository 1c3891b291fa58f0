package dsp

import "math"

// fft is the Fourier transform of n real samples, n a power of two ≥ 8. It is
// done as a complex one of half the size (radix 4, Stockham's order, so nothing
// is bit-reversed) whose halves are then taken apart by symmetry.
type fft struct {
	n     int
	turn  []complex64    // exp(-2πik/n), k < n/2: for the split, and every second one for the stages
	first [][3]complex64 // exp(-2πikp/(n/2)) for k of 1, 2, 3
	a, b  []complex64    // the two sides of the Stockham passes
	scale float32        // 1/(n/2): what the inverse divides by
}

func newFFT(n int) *fft {
	f := &fft{n: n, turn: make([]complex64, n/2), a: make([]complex64, n/2), b: make([]complex64, n/2), scale: 2 / float32(n)}
	for k := range f.turn {
		sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		f.turn[k] = complex(float32(cos), float32(sin))
	}
	f.first = make([][3]complex64, n/8)
	for p := range f.first {
		f.first[p] = [3]complex64{f.turn[2*p], f.turn[4*p], f.turn[2*p] * f.turn[4*p]}
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
	f.one(y, x)
	x, y = y, x
	n, s := f.n/8, 4
	for ; n > 4; n, s = n/4, s*4 {
		f.four(y, x, n, s)
		x, y = y, x
	}
	if n == 4 {
		last(y, x, s)
		x = y
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

// one is the first pass of radix 4: the transform is not interleaved yet.
func (f *fft) one(y, x []complex64) {
	m := len(x) / 4
	xa, xb, xc, xd := x[:m], x[m:][:m], x[2*m:][:m], x[3*m:][:m]
	w := f.first[:m]
	for p := range w {
		a, b, c, d := xa[p], xb[p], xc[p], xd[p]
		to := (*[4]complex64)(y[4*p:])
		t := &w[p]
		acr, aci := real(a)+real(c), imag(a)+imag(c)
		bdr, bdi := real(b)+real(d), imag(b)+imag(d)
		amr, ami := real(a)-real(c), imag(a)-imag(c)
		bmr, bmi := imag(d)-imag(b), real(b)-real(d)
		to[0] = complex(acr+bdr, aci+bdi)
		to[1] = turned(t[0], amr-bmr, ami-bmi)
		to[2] = turned(t[1], acr-bdr, aci-bdi)
		to[3] = turned(t[2], amr+bmr, ami+bmi)
	}
}

func turned(w complex64, re, im float32) complex64 {
	return complex(real(w)*re-imag(w)*im, real(w)*im+imag(w)*re)
}

// four is one pass of radix 4 over s interleaved transforms of size n.
func (f *fft) four(y, x []complex64, n, s int) {
	m := n / 4
	step := f.n / n / 2
	for p := range m {
		w := &f.first[p*step]
		xa, xb := x[s*p:][:s], x[s*(p+m):][:s]
		xc, xd := x[s*(p+2*m):][:s], x[s*(p+3*m):][:s]
		ya, yb := y[4*s*p:][:s], y[4*s*p+s:][:s]
		yc, yd := y[4*s*p+2*s:][:s], y[4*s*p+3*s:][:s]
		w1, w2, w3 := w[0], w[1], w[2]
		for q := range xa {
			a, b, c, d := xa[q], xb[q], xc[q], xd[q]
			acr, aci := real(a)+real(c), imag(a)+imag(c)
			bdr, bdi := real(b)+real(d), imag(b)+imag(d)
			amr, ami := real(a)-real(c), imag(a)-imag(c)
			bmr, bmi := imag(d)-imag(b), real(b)-real(d)
			ya[q] = complex(acr+bdr, aci+bdi)
			yb[q] = turned(w1, amr-bmr, ami-bmi)
			yc[q] = turned(w2, acr-bdr, aci-bdi)
			yd[q] = turned(w3, amr+bmr, ami+bmi)
		}
	}
}

// last is the pass of radix 4 in which nothing is left to turn.
func last(y, x []complex64, s int) {
	xa, xb, xc, xd := x[:s], x[s:][:s], x[2*s:][:s], x[3*s:][:s]
	ya, yb, yc, yd := y[:s], y[s:][:s], y[2*s:][:s], y[3*s:][:s]
	for q := range xa {
		a, b, c, d := xa[q], xb[q], xc[q], xd[q]
		ac, bd, am, bm := a+c, b+d, a-c, b-d
		bm = complex(-imag(bm), real(bm))
		ya[q], yb[q], yc[q], yd[q] = ac+bd, am-bm, ac-bd, am+bm
	}
}
