package dsp

import (
	"math"
	"slices"
	"time"
)

// sine is an oscillator whose phase goes on and on.
type sine struct{ phase, step, amplitude float64 }

func oscillator(hz, amplitude float64) sine {
	return sine{step: 2 * math.Pi * hz / Rate, amplitude: amplitude}
}

func (s *sine) next() float64 {
	v := s.amplitude * math.Sin(s.phase)
	s.phase += s.step
	if s.phase > 2*math.Pi {
		s.phase -= 2 * math.Pi
	}
	return v
}

// AppendTone makes d of one sine at a level in dBm0.
func AppendTone(to []int16, hz, level float64, d time.Duration) []int16 {
	s := oscillator(hz, Amplitude(level))
	for range samples(d) {
		to = append(to, fit(s.next()))
	}
	return to
}

// AppendSilence makes d of nothing.
func AppendSilence(to []int16, d time.Duration) []int16 {
	return append(to, make([]int16, samples(d))...)
}

// Source makes a tone with its cadence, on and on.
type Source struct {
	sines   []sine
	pattern []int // samples
	at      int   // place in pattern
	left    int   // samples left of it
}

// NewSource begins c at a level in dBm0, which is that of each of its tones.
func NewSource(c Cadence, level float64) *Source {
	s := &Source{}
	for _, hz := range c.Hz {
		s.sines = append(s.sines, oscillator(hz, Amplitude(level)))
	}
	if p := c.samples(); slices.ContainsFunc(p, func(n int) bool { return n > 0 }) {
		s.pattern, s.left = p, p[0]
	}
	return s
}

// Fill writes the next samples.
func (s *Source) Fill(to []int16) {
	for i := range to {
		to[i] = 0
		sum := 0.0
		for k := range s.sines {
			sum += s.sines[k].next()
		}
		if s.sounds() {
			to[i] = fit(sum)
		}
	}
}

// sounds moves on by a sample and says whether the tone is on.
func (s *Source) sounds() bool {
	if len(s.pattern) == 0 {
		return true
	}
	for s.left == 0 {
		s.at = (s.at + 1) % len(s.pattern)
		s.left = s.pattern[s.at]
	}
	s.left--
	return s.at%2 == 0
}
