package exchange

import (
	"math"
	"math/rand/v2"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// Source is somebody's voice: it fills to and says how many samples it had;
// fewer than asked for are its end. The line's goroutine calls it and it must
// not wait.
type Source interface {
	Fill(to []int16) int
}

// Sink is somebody's ear. The line's goroutine calls it with 20 ms at a time;
// it must not wait and not keep the samples.
type Sink interface {
	Take(samples []int16)
}

type samples struct{ rest []int16 }

// Sound is a source of these samples.
func Sound(s []int16) Source { return &samples{s} }

func (s *samples) Fill(to []int16) int {
	n := copy(to, s.rest)
	s.rest = s.rest[n:]
	return n
}

type looped struct {
	all []int16
	at  int
}

// Loop is a source of these samples without end.
func Loop(s []int16) Source { return &looped{all: s} }

func (l *looped) Fill(to []int16) int {
	if len(l.all) == 0 {
		return 0
	}
	for i := range to {
		to[i] = l.all[l.at]
		l.at = (l.at + 1) % len(l.all)
	}
	return len(to)
}

// mouth is where a voice comes from; it is silent behind the voice's end.
type mouth struct{ voice Source }

func (m *mouth) speaks() bool { return m.voice != nil }

func (m *mouth) fill(to []int16) {
	n := 0
	if m.voice != nil {
		n = m.voice.Fill(to)
	}
	if n < len(to) {
		m.voice = nil
		clear(to[n:])
	}
}

// tone is what the exchange itself makes heard.
type tone struct {
	name   string
	source *dsp.Source
}

func newTone(c dsp.Cadence, level float64) *tone { return &tone{c.Name, dsp.NewSource(c, level)} }

// fill is silence without a tone.
func (t *tone) fill(to []int16) {
	if t == nil {
		clear(to)
		return
	}
	t.source.Fill(to)
}

// noise is white, of a level in dBm0.
type noise struct {
	sigma float64
	rand  *rand.Rand
}

func newNoise(level float64) *noise {
	if level == 0 {
		return nil
	}
	return &noise{dsp.Amplitude(level) / math.Sqrt2, rand.New(rand.NewPCG(1, 2))}
}

func (n *noise) add(to []int32) {
	if n == nil {
		return
	}
	for i := range to {
		to[i] += int32(math.Round(n.sigma * n.rand.NormFloat64()))
	}
}

// taps is the length of a hybrid's impulse response: 12 ms.
const taps = 96

// hybrid gives the box's own sound back, as the fork between two wires and four
// does: delayed by some samples and spread over some milliseconds.
type hybrid struct {
	response [taps]float64
	past     [taps + analog.Samples]float64 // oldest first, the last frame behind
}

func newHybrid(loss float64) *hybrid {
	if loss == 0 {
		return nil
	}
	h := &hybrid{}
	power := 0.0
	for i := range h.response {
		t := float64(i)
		rise := 1 - math.Exp(-t/3)
		h.response[i] = rise * (math.Exp(-t/9)*math.Cos(0.55*t) - 0.5*math.Exp(-t/22)*math.Cos(1.3*t+0.8))
		power += h.response[i] * h.response[i]
	}
	scale := math.Pow(10, -loss/20) / math.Sqrt(power)
	for i := range h.response {
		h.response[i] *= scale
	}
	return h
}

// hear takes what the box sent.
func (h *hybrid) hear(sound []int16) {
	if h == nil {
		return
	}
	copy(h.past[:], h.past[analog.Samples:])
	for i, s := range sound {
		h.past[taps+i] = float64(s)
	}
}

// add puts its echo to what the box gets.
func (h *hybrid) add(to []int32) {
	if h == nil {
		return
	}
	for i := range to {
		sum := 0.0
		for k, g := range h.response {
			sum += g * h.past[taps+i-k]
		}
		to[i] += int32(math.Round(sum))
	}
}

func addTo(sum []int32, sound []int16) {
	for i, s := range sound {
		sum[i] += int32(s)
	}
}

func clip(to []int16, sum []int32) {
	for i, v := range sum {
		to[i] = int16(max(math.MinInt16, min(math.MaxInt16, v)))
	}
}
