package speech

import (
	"math"
	"slices"
	"sync"
	"time"

	"callbox/cti/media"
)

// fullScale is a sine's level at the laws' limit (ITU-T G.711 table 5).
const fullScale = 3.14 // dBm0

// amplitude of a sine at a level.
func amplitude(dBm0 float64) float64 { return math.MaxInt16 * math.Pow(10, (dBm0-fullScale)/20) }

// Tone is a sine of hz at a level (dBm0), on and off in turn as beats say.
func Tone(name string, hz, dBm0 float64, beats ...time.Duration) media.Prompt {
	var sound []int16
	for i, d := range beats {
		n := int(d * media.SampleRate / time.Second)
		if i%2 == 1 {
			sound = append(sound, make([]int16, n)...)
			continue
		}
		sound = append(sound, sine(hz, amplitude(dBm0), n)...)
	}
	return media.NewPrompt(name, sound)
}

const ramp = 40 // samples in which a tone comes and goes, so that it does not click

func sine(hz, amplitude float64, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		edge := min(1, float64(min(i, n-1-i))/ramp)
		s[i] = int16(amplitude * edge * math.Sin(2*math.Pi*hz*float64(i)/media.SampleRate))
	}
	return s
}

// Music is for callers on hold and in the queue: soft broken chords, 12.8 s
// round and round without a seam.
var Music = sync.OnceValue(func() media.Prompt {
	const beat = 0.4 // seconds
	chords := [][]int{{60, 64, 67, 72}, {55, 62, 67, 71}, {57, 64, 69, 72}, {53, 60, 65, 69}}
	figure := []int{0, 2, 3, 1, 2, 3, 2, 1}
	b := newBand(time.Duration(float64(len(chords)*len(figure)) * beat * float64(time.Second)))
	for bar, chord := range chords {
		start := float64(bar*len(figure)) * beat
		b.hold(chord[0]-12, start, float64(len(figure))*beat)
		for i, note := range figure {
			b.pluck(chord[note], start+float64(i)*beat, 0.7)
		}
	}
	p := media.NewPrompt("music", b.mix(-16))
	p.Loop = true
	return p
})

// band mixes notes into a loop: what sounds on behind the end is heard at the
// beginning.
type band struct{ sound []float64 }

func newBand(d time.Duration) *band {
	return &band{make([]float64, d*media.SampleRate/time.Second)}
}

// pitch is a MIDI note's frequency in Hz.
func pitch(note int) float64 { return 440 * math.Pow(2, float64(note-69)/12) }

// pluck lets a note ring out with a time constant in seconds.
func (b *band) pluck(note int, at, decay float64) {
	b.note(note, at, 4*decay, func(t float64) float64 {
		return min(1, t/0.008) * math.Exp(-t/decay) * (1 - t/(4*decay))
	}, 1, 0.35, 0.12)
}

// hold lets a note swell and go.
func (b *band) hold(note int, at, length float64) {
	b.note(note, at, length, func(t float64) float64 {
		return 0.5 * math.Pow(math.Sin(math.Pi*t/length), 2)
	}, 1, 0.5, 0.25)
}

func (b *band) note(note int, at, length float64, shape func(float64) float64, partials ...float64) {
	from := int(at * media.SampleRate)
	for i := range int(length * media.SampleRate) {
		t := float64(i) / media.SampleRate
		v := 0.0
		for n, strength := range partials {
			v += strength * math.Sin(2*math.Pi*float64(n+1)*pitch(note)*t)
		}
		b.sound[(from+i)%len(b.sound)] += shape(t) * v
	}
}

// mix brings the sound to about a level (dBm0): its loudest moment lies 6 dB
// above.
func (b *band) mix(dBm0 float64) []int16 {
	most := max(slices.Max(b.sound), -slices.Min(b.sound))
	out := make([]int16, len(b.sound))
	for i, v := range b.sound {
		out[i] = int16(v / most * amplitude(dBm0+6))
	}
	return out
}
