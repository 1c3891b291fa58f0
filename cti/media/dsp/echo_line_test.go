package dsp

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// A two-wire line as the canceller sees it: what is sent comes back through the
// hybrid behind a bulk delay, with noise, perhaps quantised by A-law both ways.

const frame = 160

// twoWire is one call over such a line.
type twoWire struct {
	far    []float64 // what is sent
	voice  []float64 // what the caller says; may be shorter
	hybrid []float64
	delay  int
	noise  float64 // dBm0; 0: none
	aLaw   bool
	change func(n int, l *twoWire) // called before each frame
	seed   uint64
}

// call is what went over the line: all the same length.
type call struct{ far, near, echo, clean, out []float64 }

func rmsOf(dbm0 float64) float64 { return 32768 / math.Sqrt2 * math.Pow(10, (dbm0-3.14)/20) }

func power(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return sum / float64(max(1, len(x)))
}

// at gives x a mean level.
func at(level float64, x []float64) []float64 {
	k := rmsOf(level) / math.Sqrt(power(x))
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v * k
	}
	return y
}

func clip16(v float64) int16 { return int16(max(-32768, min(32767, math.Round(v)))) }

// run takes the call through c.
func (l twoWire) run(c *Canceller) call {
	r := rand.New(rand.NewPCG(l.seed, 7))
	n := len(l.far) / frame * frame
	k := call{far: make([]float64, n), near: make([]float64, n), echo: make([]float64, n), clean: make([]float64, n), out: make([]float64, n)}
	var far, near, out [frame]int16
	sent := make([]float64, n)
	for at := 0; at < n; at += frame {
		if l.change != nil {
			l.change(at, &l)
		}
		for i := range far {
			far[i] = clip16(l.far[at+i])
			k.far[at+i] = float64(far[i])
			sent[at+i] = k.far[at+i]
			if l.aLaw {
				sent[at+i] = aLawed(sent[at+i])
			}
		}
		for i := range near {
			m := at + i
			if p := m - l.delay; p >= 0 {
				was := sent[max(0, p-len(l.hybrid)+1) : p+1]
				var sum float64
				for j, v := range was {
					sum += v * l.hybrid[len(was)-1-j]
				}
				k.echo[m] = sum
			}
			if m < len(l.voice) {
				k.clean[m] = l.voice[m]
			}
			if l.noise != 0 {
				k.clean[m] += rmsOf(l.noise) * r.NormFloat64()
			}
			v := k.echo[m] + k.clean[m]
			if l.aLaw {
				v = aLawed(v)
			}
			near[i] = clip16(v)
			k.near[m] = float64(near[i])
		}
		c.Process(out[:], near[:], far[:])
		for i, v := range out {
			k.out[at+i] = float64(v)
		}
	}
	return k
}

// aLawed is v after A-law (ITU-T G.711, by its formula: 13 segments, 16 steps each).
func aLawed(v float64) float64 {
	a := math.Min(math.Abs(v), 32767)
	step := 16.0
	for lim := 512.0; a >= lim && lim < 32768; lim *= 2 {
		step = lim / 16
	}
	q := (math.Floor(a/step) + 0.5) * step
	return math.Copysign(q, v)
}

// Echo paths: resonances that decay, of the shapes ITU-T G.168 Annex D shows
// (short and strong, slow and ringing, two reflections, spread over 64 ms).
type ring struct{ begin, hz, decay, amp float64 } // ms, Hz, ms, relative

var hybrids = map[string][]ring{
	"short":   {{0.5, 1100, 0.6, 1}, {0.8, 2300, 0.4, -0.6}, {1, 500, 1.2, 0.4}},
	"medium":  {{1, 600, 2.5, 1}, {1.5, 1700, 1.5, -0.8}, {2, 2800, 1, 0.5}, {3, 350, 4, 0.4}},
	"ringing": {{1, 400, 9, 0.6}, {1, 2900, 5, 0.5}, {2, 1500, 3, -0.8}},
	"double":  {{1, 900, 1.2, 1}, {1.5, 2100, 1, -0.6}, {38, 800, 2, 0.5}, {38.5, 1900, 1.5, 0.3}},
	"spread":  {{1, 500, 14, 0.4}, {6, 1200, 10, 0.5}, {12, 2000, 6, -0.4}, {22, 900, 10, 0.3}},
	"late":    {{14, 700, 3, 1}, {15, 1900, 2, -0.7}, {2, 1200, 4, 0.1}},
}

// hybridOf gives a path's response with an echo return loss of erl dB (for white noise).
func hybridOf(name string, erl float64) []float64 {
	h := make([]float64, 512)
	for _, r := range hybrids[name] {
		for i := range h {
			t := float64(i)/8 - r.begin
			if t < 0 {
				continue
			}
			rise := 1 - math.Exp(-t/0.15)
			h[i] += r.amp * rise * math.Exp(-t/r.decay) * math.Sin(2*math.Pi*r.hz/1000*t+0.3)
		}
	}
	var sum float64
	for i := range h { // fades out at the end
		h[i] *= math.Min(1, float64(len(h)-i)/60)
		sum += h[i] * h[i]
	}
	k := math.Sqrt(math.Pow(10, -erl/10) / sum)
	end := 0
	for i := range h {
		h[i] *= k
		if math.Abs(h[i]) > 1e-5 {
			end = i + 1
		}
	}
	return h[:end]
}

func white(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// music is chords of plucked notes, a new one each 0.35 s, as announcements begin with.
func music(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 2))
	scale := []float64{262, 294, 330, 392, 440, 523, 587, 659, 784}
	x := make([]float64, n)
	for begin := 0; begin < n; begin += 2800 {
		for i := begin; i < min(n, begin+400); i++ { // the stroke
			x[i] += 0.3 * math.Exp(-float64(i-begin)/80) * r.NormFloat64()
		}
		for range 3 {
			f := scale[r.IntN(len(scale))]
			for h := 1.0; h*f < 3400 && h < 8; h++ {
				ph := r.Float64() * 6.28
				for i := begin; i < min(n, begin+6000); i++ {
					t := float64(i-begin) / 8000
					x[i] += math.Min(1, t/0.004) * math.Exp(-t*(3+h)) / h * math.Sin(2*math.Pi*f*h*t+ph)
				}
			}
		}
	}
	return x
}

// composite is like the composite source signal of ITU-T P.501: a voiced sound
// (48.62 ms), noise (200 ms), a pause (101.38 ms), over and over.
func composite(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, n)
	var lp float64
	for i := range x {
		switch at := i % 2800; {
		case at < 389:
			for h := 1.0; h < 14; h++ {
				x[i] += math.Cos(2*math.Pi*250*h*float64(at)/8000+h*h*0.7) / math.Sqrt(h) * 0.5
			}
		case at < 389+1600:
			lp = 0.4*lp + r.NormFloat64()
			x[i] = lp
		}
	}
	return x
}

var spoken sync.Map

// speech is what espeak-ng says, at 8 kHz, without its leading silence.
func speech(t testing.TB, voice, text string) []float64 {
	key := voice + "|" + text
	if x, ok := spoken.Load(key); ok {
		return x.([]float64)
	}
	wav, err := exec.Command(tool(t, "espeak-ng"), "-v", voice, "--stdout", text).Output()
	if err != nil {
		t.Fatalf("espeak-ng: %v", err)
	}
	at := bytes.Index(wav, []byte("data"))
	rate := float64(binary.LittleEndian.Uint32(wav[24:]))
	raw := wav[at+8:]
	pcm := make([]float64, len(raw)/2)
	for i := range pcm {
		pcm[i] = float64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
	}
	x := resample(pcm, rate)
	for len(x) > 0 && math.Abs(x[0]) < 100 {
		x = x[1:]
	}
	spoken.Store(key, x)
	return x
}

// resample takes x from rate to 8 kHz by windowed sinc, band 200 to 3500 Hz.
func resample(x []float64, rate float64) []float64 {
	n := int(float64(len(x)) * 8000 / rate)
	y := make([]float64, n)
	const half = 12.0 // ms/8: width in 8 kHz samples
	k := rate / 8000
	for i := range y {
		mid := float64(i) * k
		for j := max(0, int(mid-half*k)); j < min(len(x), int(mid+half*k)); j++ {
			d := (float64(j) - mid) / k
			w := 0.5 + 0.5*math.Cos(math.Pi*d/half)
			s := 0.875
			if d != 0 {
				s = math.Sin(math.Pi*0.875*d) / (math.Pi * d)
			}
			y[i] += x[j] * w * s / k
		}
	}
	var lp float64 // out with what lies below 100 Hz
	for i, v := range y {
		lp += 0.08 * (v - lp)
		y[i] = v - lp
	}
	return y
}

// loop repeats x until it has n samples.
func loop(x []float64, n int) []float64 {
	y := make([]float64, n)
	for i := range y {
		y[i] = x[i%len(x)]
	}
	return y
}

const (
	saysEnglish = "Thank you for calling. All our agents are busy at the moment. Please hold the line, your call is important to us, or press one to leave a message."
	saysChinese = "您好，欢迎致电客户服务中心。普通话请按一，查询订单请按二，人工服务请按零。座席忙，请稍候。"
	saysCaller  = "Hello? Yes, I would like to ask about my order from last week, it has not arrived yet and nobody tells me why."
)

// sounds are what is sent, each n samples at -16 dBm0 (speech: mean with pauses).
func sounds(t testing.TB, n int) map[string][]float64 {
	return map[string][]float64{
		"english":   at(-16, loop(speech(t, "en", saysEnglish), n)),
		"chinese":   at(-16, loop(speech(t, "cmn", saysChinese), n)),
		"music":     at(-16, music(n, 5)),
		"white":     at(-16, white(n, 6)),
		"composite": at(-16, composite(n, 7)),
	}
}

// measured says in which frames of [from, to) ms the echo is there: within 25 dB of
// its mean and above -50 dBm0.
func (k call) measured(from, to int) (frames []int) {
	lo, hi := from*8, min(to*8, len(k.out))
	floor := max(power(k.echo[lo:hi])/300, rmsOf(-50)*rmsOf(-50))
	for at := lo; at+frame <= hi; at += frame {
		if power(k.echo[at:at+frame]) >= floor {
			frames = append(frames, at)
		}
	}
	return frames
}

// erle is echo over what is left of it, in dB, where the echo is there; what the
// line had beside it is known and does not count.
func (k call) erle(from, to int) float64 {
	var echo, left float64
	for _, at := range k.measured(from, to) {
		for i := at; i < at+frame; i++ {
			d := k.out[i] - k.clean[i]
			left += d * d
			echo += k.echo[i] * k.echo[i]
		}
	}
	if echo == 0 {
		return math.NaN()
	}
	return 10 * math.Log10(echo/(left+1e-9))
}

// loud is the level of x in dBm0 where the echo is there.
func (k call) loud(x []float64, from, to int) float64 {
	var sum float64
	frames := k.measured(from, to)
	for _, at := range frames {
		sum += power(x[at:at+frame]) / float64(len(frames))
	}
	return 10*math.Log10(sum/(32768*32768/2)+1e-12) + Full
}

// damage is what the canceller did to the caller's voice in [from, to) ms: its
// attenuation, and the rms difference of 16 bands' levels (220 to 3700 Hz), both in dB,
// where there is a voice.
func (k call) damage(from, to int) (attenuation, distortion float64) {
	f := newFFT(256)
	lo, hi := from*8, to*8
	mean := power(k.clean[lo:hi])
	var dot, own, sum, n float64
	for at := lo; at+256 <= hi; at += 128 {
		clean, out := k.clean[at:at+256], k.out[at:at+256]
		if power(clean) < mean/30 {
			continue
		}
		for i := range clean {
			dot += clean[i] * out[i]
			own += clean[i] * clean[i]
		}
		was, is := bands(f, clean), bands(f, out)
		for j, v := range was {
			if v > slices.Max(was[:])/300 {
				d := 10 * math.Log10((is[j]+1)/(v+1))
				sum += d * d
				n++
			}
		}
	}
	return -20 * math.Log10(math.Abs(dot/own)), math.Sqrt(sum / n)
}

func bands(f *fft, x []float64) (b [16]float64) {
	in, bins := make([]float32, 256), make([]complex64, 129)
	for i, v := range x {
		in[i] = float32(v * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/256)))
	}
	f.forward(bins, in)
	for j := range b {
		for _, v := range bins[7+7*j : 14+7*j] {
			b[j] += float64(norm(v))
		}
	}
	return b
}
