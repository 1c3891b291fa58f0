package dsp

import (
	"math"
	"testing"
	"time"
)

func faxIn(sound []int16) (heard string) {
	f := NewFax()
	for len(sound) > 0 {
		n := min(160, len(sound))
		heard += f.Detect(sound[:n])
		sound = sound[n:]
	}
	return heard
}

// calling is CNG: 0.5 s in 3.5 s, off by so many Hz and per cent of time.
func calling(hz, level, pace float64) []int16 {
	c := Cadence{Hz: []float64{1100 + hz}, Pattern: every(int(500+5*pace), int(3000+30*pace))}
	sound := make([]int16, 9*Rate)
	NewSource(c, level).Fill(sound)
	return sound
}

// answering is CED of 3 s whose phase turns every 450 ms, as an echo canceller
// is told to keep off (V.25, V.8 ANSam with its 15 Hz).
func answering(hz, level float64, turning, modulated bool) []int16 {
	sound := make([]int16, Rate/2)
	s := oscillator(2100+hz, Amplitude(level))
	for i := range 3 * Rate {
		v := s.next()
		if turning && i/3600%2 == 1 {
			v = -v
		}
		if modulated {
			v *= 1 + 0.2*math.Sin(2*math.Pi*15*float64(i)/Rate)
		}
		sound = append(sound, fit(v))
	}
	return AppendSilence(sound, time.Second)
}

func TestFax(t *testing.T) {
	for name, tt := range map[string]struct {
		sound []int16
		want  string
	}{
		"CNG":                  {calling(0, -15, 0), "cng"},
		"CNG 38 Hz high, slow": {calling(38, -15, 15), "cng"},
		"CNG 38 Hz low, fast":  {calling(-38, -15, -15), "cng"},
		"quiet CNG":            {calling(0, -38, 0), "cng"},
		"CNG of 1000 Hz":       {calling(-100, -15, 0), ""},
		"CNG too long":         {calling(0, -15, 60), ""},
		"CED":                  {answering(0, -15, false, false), "ced"},
		"CED 15 Hz high":       {answering(15, -15, false, false), "ced"},
		"quiet CED":            {answering(-15, -38, false, false), "ced"},
		"ANS":                  {answering(0, -15, true, false), "ced"},
		"ANSam":                {answering(0, -15, true, true), "ced"},
		"another answer tone":  {answering(125, -15, false, false), ""},
		"digits":               {AppendDTMF(nil, pad+pad+pad, Keying{-9, 2, 500 * ms, 500 * ms}), ""},
		"noise":                {noise(-10, 20*time.Second), ""},
		"busy":                 {exchange{level: -10}.send(mustFind("busy"), 10*time.Second), ""},
		"melody":               {melody(50), ""},
	} {
		if got := faxIn(tt.sound); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		NewNoise(1, Level(tt.sound)-12).Add(tt.sound)
		overALaw(tt.sound)
		if got := faxIn(tt.sound); got != tt.want {
			t.Errorf("%s, in noise: %q, want %q", name, got, tt.want)
		}
	}
}

func TestNoFaxInSpeech(t *testing.T) {
	for s := range muchSpeech(t) {
		if got := faxIn(s.sound); got != "" {
			t.Errorf("%s: %q", s.name, got)
		}
	}
}

// TestNoFaxInSweep: a tone that slides through their frequencies is neither.
func TestNoFaxInSweep(t *testing.T) {
	for _, d := range []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second} {
		if got := faxIn(sweep(300, 3400, d)); got != "" {
			t.Errorf("sweep of %v: %q", d, got)
		}
	}
}

// sweep slides from one frequency to another.
func sweep(from, to float64, d time.Duration) []int16 {
	sound := make([]int16, samples(d))
	phase, a := 0.0, Amplitude(-10)
	for i := range sound {
		phase += 2 * math.Pi / Rate * from * math.Pow(to/from, float64(i)/float64(len(sound)))
		sound[i] = fit(a * math.Sin(phase))
	}
	return sound
}
