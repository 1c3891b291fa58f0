package speech

import (
	"math"

	"callbox/cti/media"
)

// resampler brings sound to 8 kHz through a low-pass that leaves nothing above
// 4 kHz to fold back: a sinc under a Kaiser-like (Blackman) window, computed
// once for each place that an output sample can have between two inputs.
type resampler struct {
	in, out  int // the ratio, cancelled down
	half     int // input samples on each side of an output sample
	taps     [][]float32
	history  []float32 // input from sample first on
	first, n int       // n counts outputs
}

const (
	lobes     = 14   // of the sinc on each side
	passband  = 0.92 // of the narrower rate's half
	maxPhases = 512
)

func newResampler(rate int) *resampler {
	d := gcd(rate, media.SampleRate)
	r := &resampler{in: rate / d, out: media.SampleRate / d}
	if r.in == r.out {
		return r
	}
	cut := passband * min(1, float64(media.SampleRate)/float64(rate))
	r.half = int(math.Ceil(lobes / cut))
	phases := min(r.out, maxPhases)
	for p := range phases {
		r.taps = append(r.taps, r.kernel(cut, float64(p)/float64(phases)))
	}
	r.first = -r.half
	r.history = make([]float32, r.half)
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

// kernel is the weights of 2·half inputs for an output that lies frac behind
// the input in their middle.
func (r *resampler) kernel(cut, frac float64) []float32 {
	k := make([]float64, 2*r.half)
	sum := 0.0
	for i := range k {
		x := float64(i-r.half+1) - frac
		k[i] = sinc(cut*x) * blackman(x/float64(r.half))
		sum += k[i]
	}
	taps := make([]float32, len(k))
	for i := range k {
		taps[i] = float32(k[i] / sum)
	}
	return taps
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// blackman is 1 in the middle and 0 at ±1 and beyond.
func blackman(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return 0.42 + 0.5*math.Cos(math.Pi*x) + 0.08*math.Cos(2*math.Pi*x)
}

// push takes in samples and appends to out what they complete.
func (r *resampler) push(out []int16, samples []float32) []int16 {
	if r.in == r.out {
		for _, v := range samples {
			out = append(out, linear(v))
		}
		return out
	}
	r.history = append(r.history, samples...)
	for {
		middle := r.n * r.in / r.out
		from := middle - r.half + 1 - r.first
		if from+2*r.half > len(r.history) {
			r.drop(from)
			return out
		}
		phase := r.n * r.in % r.out * len(r.taps) / r.out
		out = append(out, linear(dot(r.taps[phase], r.history[from:])))
		r.n++
	}
}

// drop forgets inputs that no later output needs.
func (r *resampler) drop(before int) {
	if before > 0 {
		before = min(before, len(r.history))
		r.history = r.history[:copy(r.history, r.history[before:])]
		r.first += before
	}
}

// flush appends what is still in the filter.
func (r *resampler) flush(out []int16) []int16 {
	if r.in == r.out || len(r.history) <= r.half {
		return out
	}
	return r.push(out, make([]float32, r.half))
}

func dot(taps, x []float32) float32 {
	x = x[:len(taps)]
	var sum float32
	for i, t := range taps {
		sum += t * x[i]
	}
	return sum
}

func linear(v float32) int16 {
	return int16(min(max(math.Round(float64(v)*(1<<15)), math.MinInt16), math.MaxInt16))
}
