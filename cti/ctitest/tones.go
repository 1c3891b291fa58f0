package ctitest

import (
	"math"
	"strconv"
	"sync"

	"callbox/cti/media"
)

const toneLevel = 8000 // peak of 32767: about -9 dBm0

// loops keeps the sounds that phones of this process have played, by name.
var loops sync.Map

func looped(name string, samples func() []int16) media.Prompt {
	if p, ok := loops.Load(name); ok {
		return p.(media.Prompt)
	}
	p := media.NewPrompt(name, samples())
	p.Loop = true
	loops.Store(name, p)
	return p
}

// tone is a sine of hz, rounded to whole ones so that a second of it joins
// with itself.
func tone(hz float64) media.Prompt {
	hz = math.Round(hz)
	return looped(strconv.Itoa(int(hz))+" Hz", func() []int16 { return Sine(hz, media.SampleRate) })
}

// Sine is n samples at 8 kHz of a tone of hz.
func Sine(hz float64, n int) []int16 {
	samples := make([]int16, n)
	for i := range samples {
		samples[i] = int16(toneLevel * math.Sin(2*math.Pi*hz*float64(i)/media.SampleRate))
	}
	return samples
}

// vowels are the two formants of a few vowels, in Hz.
var vowels = [][2]float64{{730, 1090}, {270, 2290}, {570, 840}, {440, 1020}, {530, 1840}, {300, 870}}

// Speech is n samples at 8 kHz of what sounds like somebody talking behind a
// door: vowels of a voice of pitch Hz in syllables of 200 ms, with pauses. The
// same pitch gives the same samples.
func Speech(pitch float64, n int) []int16 {
	const syllable = media.SampleRate / 5
	samples := make([]int16, n)
	var phase float64
	for i := range samples {
		turn := i/syllable + int(pitch)
		vowel := vowels[(turn*7+turn/5)%len(vowels)]
		if turn%9 > 6 { // a breath
			continue
		}
		at := float64(i%syllable) / syllable
		phase += 2 * math.Pi * pitch * (1 + 0.1*math.Sin(float64(turn))) / media.SampleRate
		var v float64
		for k := 1.0; k*pitch < 3400; k++ {
			v += math.Sin(k*phase) * (formant(k*pitch, vowel[0]) + 0.5*formant(k*pitch, vowel[1]))
		}
		samples[i] = int16(toneLevel / 3 * math.Sin(math.Pi*at) * v)
	}
	return samples
}

// formant is a resonance's gain at hz.
func formant(hz, centre float64) float64 {
	d := (hz - centre) / 120
	return 1 / (1 + d*d)
}

// Share is how much of the energy of samples at 8 kHz lies at hz, 0 to 1
// (Goertzel); 0 where there is next to no sound.
func Share(samples []int16, hz float64) float64 {
	coefficient := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	var s1, s2, energy float64
	for _, x := range samples {
		v := float64(x)
		s1, s2 = v+coefficient*s1-s2, s1
		energy += v * v
	}
	if energy < 100*float64(len(samples)) || energy == 0 {
		return 0
	}
	power := s1*s1 + s2*s2 - coefficient*s1*s2
	return min(1, 2*power/(energy*float64(len(samples))))
}
