package dsp

import "math"

// The solver's measures, in samples.
const (
	solveFFT   = 2048
	solveTaps  = 768                  // its filter: 96 ms
	solveBlock = solveFFT - solveTaps // what one transform filters: 160 ms
	solveSpan  = 4                    // blocks looked back over, the last one being filled: 0.48 to 0.64 s
	chunk      = 160                  // what shares one weight: 20 ms
	chunks     = solveBlock / chunk   // in a block
	quietest   = 200                  // mean square below which an error is not trusted more
	solveBins  = solveFFT/2 + 1
	solvePast  = solveSpan * solveBlock
)

// solver finds the echo path that explains best what came back in the last half
// second: weighted least squares over that window, with what is believed
// already as prior, by preconditioned conjugate gradients. Each chunk weighs
// the inverse of the power of its error, so those in which somebody speaks
// hardly count (Huber's M-estimate). All products with the matrix are done by
// Fourier transform over the samples themselves (overlap-save), so the matrix is
// exact; the preconditioner is the circulant one of T. Chan (1988).
//
// It has no memory beyond the window, so it cannot diverge, and a window begun
// anew or shifted in time costs nothing but its iterations.
type solver struct {
	fft   *fft
	delay int     // the path's first tap
	decay float32 // samples in which an echo loses 4.3 dB
	since int64   // what came before counts for nothing
	now   int64   // end of what was taken

	far    [solveSpan][solveBins]complex64
	err    [solveSpan][solveBlock]float32 // what the path does not explain
	moved  [solveSpan][solveBlock]float32 // what the last direction explains
	weight [solveSpan][chunks]float32

	taps, prior  [solveTaps]float32
	trust        [solveTaps]float32 // in the prior, the inverse of its variance
	trustMean    float32
	blame        float32            // the part of an error that is not the path's
	slope, steep [solveTaps]float32 // gradient now and before
	way          [solveTaps]float32 // direction
	fall         float32            // slope · preconditioned slope, of the step before; 0: begin anew

	time  [solveFFT]float32
	bins  [solveBins]complex64
	path  [solveBins]complex64
	power [solveBins]float32
}

// idle says whether it never began.
func (s *solver) idle() bool { return s.now == 0 }

// begin starts anew at a delay with what is believed of the path.
func (s *solver) begin(now int64, delay int, since int64, belief *[solveTaps]float32, far, near *past) {
	s.now, s.delay, s.since = now, delay, since
	s.taps, s.prior = *belief, *belief
	s.fall = 0
	last := (now - 1) / solveBlock
	for b := max(0, last-solveSpan+1); b <= last; b++ {
		s.filter(b, far, near)
	}
}

// try says what a path would have left of what came, up to now in the last block's
// length, since some time.
func (s *solver) try(delay int, taps *[solveTaps]float32, since, now int64, far, near *past) (left, came float32) {
	s.transform(taps)
	s.fft.forward(s.bins[:], far.upto(now-int64(delay), solveFFT))
	for k, h := range s.path {
		s.bins[k] *= h
	}
	s.fft.inverse(s.time[:], s.bins[:])
	n := int(min(solveBlock, now-since))
	echo := s.time[solveFFT-n:]
	for i, v := range near.upto(now, n) {
		came += v * v
		left += (v - echo[i]) * (v - echo[i])
	}
	return left, came
}

// take looks at what came until now and writes the error of the last chunk, as
// the path had it before it was learnt from, to errs.
func (s *solver) take(now int64, far, near *past, errs []float32) {
	b := (now - 1) / solveBlock
	first := max(0, b-solveSpan+1, s.now/solveBlock)
	s.now = now
	for ; first <= b; first++ {
		s.filter(first, far, near)
	}
	end := int(now - b*solveBlock)
	copy(errs, s.err[b%solveSpan][end-len(errs):end])
}

// filter works out the error of block b.
func (s *solver) filter(b int64, far, near *past) {
	at := b % solveSpan
	begin := b * solveBlock
	s.fft.forward(s.far[at][:], far.upto(begin+solveBlock-int64(s.delay), solveFFT))
	s.transform(&s.taps)
	echo := s.explain(at)
	n := int(min(solveBlock, s.now-begin))
	came := near.upto(begin+int64(n), n)
	err := s.err[at][:n]
	for i, v := range came {
		err[i] = v - echo[i]
	}
}

// transform makes the spectrum of a path.
func (s *solver) transform(taps *[solveTaps]float32) {
	copy(s.time[:], taps[:])
	clear(s.time[solveTaps:])
	s.fft.forward(s.path[:], s.time[:])
}

// explain gives what the transformed path makes of a block of far.
func (s *solver) explain(at int64) []float32 {
	far := &s.far[at]
	for k, h := range s.path {
		s.bins[k] = h * far[k]
	}
	s.fft.inverse(s.time[:], s.bins[:])
	return s.time[solveTaps:]
}

// weigh gives each chunk its weight.
func (s *solver) weigh() {
	last := (s.now - 1) / solveBlock
	s.weight = [solveSpan][chunks]float32{}
	for b := max(0, last-solveSpan+1); b <= last; b++ {
		at := b % solveSpan
		for c := range chunks {
			begin := b*solveBlock + int64(c*chunk)
			if begin >= s.since && begin+chunk <= s.now {
				s.weight[at][c] = 1 / (s.blame*meanSquare(s.err[at][c*chunk:(c+1)*chunk]) + quietest)
			}
		}
	}
}

// step goes one step down and says how much of the weighted error it took away,
// 0 to 1.
func (s *solver) step() float32 {
	s.weigh()
	s.gradient()
	s.direct()
	return s.walk()
}

// gradient works out slope and the power spectrum of far.
func (s *solver) gradient() {
	var sum [solveBins]complex64
	clear(s.power[:])
	for b := range s.err {
		mean := s.weighted(b)
		if mean == 0 {
			continue
		}
		s.fft.forward(s.bins[:], s.time[:])
		far := &s.far[b]
		for k, e := range s.bins {
			x := far[k]
			sum[k] += complex(real(e)*real(x)+imag(e)*imag(x), imag(e)*real(x)-real(e)*imag(x))
			s.power[k] += mean * norm(x)
		}
	}
	s.fft.inverse(s.time[:], sum[:])
	s.steep = s.slope
	for i := range s.slope {
		s.slope[i] = s.time[i] + s.trust[i]*(s.prior[i]-s.taps[i])
	}
}

// weighted writes the weighted error of a block to time and gives the mean weight
// for a sample of its transform.
func (s *solver) weighted(b int) float32 {
	clear(s.time[:solveTaps])
	to, err := s.time[solveTaps:], &s.err[b]
	var sum float32
	for c, w := range s.weight[b] {
		sum += w
		for i := c * chunk; i < (c+1)*chunk; i++ {
			to[i] = w * err[i]
		}
	}
	return sum * chunk / solveFFT
}

// direct chooses the way: the preconditioned slope, conjugate to the way before
// (Polak and Ribière).
func (s *solver) direct() {
	copy(s.time[:], s.slope[:])
	clear(s.time[solveTaps:])
	s.fft.forward(s.bins[:], s.time[:])
	for k, p := range s.power {
		s.bins[k] *= complex(1/(p+s.trustMean), 0)
	}
	s.fft.inverse(s.time[:], s.bins[:])
	var fall, before float32
	for i, v := range s.slope {
		fall += v * s.time[i]
		before += s.steep[i] * s.time[i]
	}
	var keep float32
	if s.fall > 0 {
		keep = min(1, max(0, (fall-before)/s.fall))
	}
	for i := range s.way {
		s.way[i] = s.time[i] + keep*s.way[i]
	}
	s.fall = fall
}

// walk goes the way as far as it leads down.
func (s *solver) walk() float32 {
	s.transform(&s.way)
	var along, curve, left float32
	for i, v := range s.way {
		along += s.slope[i] * v
		curve += s.trust[i] * v * v
	}
	for b := range s.err {
		if !s.counts(b) {
			continue
		}
		copy(s.moved[b][:], s.explain(int64(b)))
		for c, w := range s.weight[b] {
			if w > 0 {
				curve += w * chunk * meanSquare(s.moved[b][c*chunk:(c+1)*chunk])
				left += w * chunk * meanSquare(s.err[b][c*chunk:(c+1)*chunk])
			}
		}
	}
	if !(curve > 1e-12) || !(along > 0) {
		s.fall = 0
		return 0
	}
	far := along / curve
	for i, v := range s.way {
		s.taps[i] += far * v
	}
	for b := range s.err {
		if s.counts(b) {
			for i, v := range &s.moved[b] {
				s.err[b][i] -= far * v
			}
		}
	}
	return far * along / (left + 1)
}

func (s *solver) counts(b int) bool {
	for _, w := range s.weight[b] {
		if w > 0 {
			return true
		}
	}
	return false
}

// believe sets how sure the prior is: the energy by which the path may differ from
// it, most of it about the tap at peak.
func (s *solver) believe(energy, blame float32, peak int) {
	s.blame = blame
	s.trustMean = solveTaps / energy
	var sum float32
	for i := range s.trust {
		s.trust[i] = 0.1 + spread(i-peak, s.decay)
		sum += s.trust[i]
	}
	for i, v := range s.trust {
		s.trust[i] = sum / v / energy
	}
}

// spread is how the energy of an echo path lies about its peak: it decays five
// times as fast before as after.
func spread(i int, decay float32) float32 {
	if i < 0 {
		i *= -5
	}
	return float32(math.Exp(-float64(i) / float64(decay)))
}

func norm(v complex64) float32 { return real(v)*real(v) + imag(v)*imag(v) }

func meanSquare(x []float32) float32 {
	var sum float32
	for _, v := range x {
		sum += v * v
	}
	return sum / float32(len(x))
}
