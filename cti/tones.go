package cti

import (
	"math"
	"time"

	"callbox/cti/media"
)

// The tones that Chinese exchanges send (GF 002-9002: 450 Hz, their cadences),
// for an agent who hears nothing of the network itself.
var (
	ringbackTone   = tone("ringback", 1000, 4000)
	busyTone       = tone("busy", 350, 350)
	congestionTone = tone("congestion", 700, 700)
	vacantTone     = tone("vacant", 100, 100, 100, 100, 100, 100, 400, 400)
)

const (
	toneHz    = 450
	toneLevel = 4600 // peak, -14 dBm0: not as loud as a voice
	toneEdge  = 40   // samples in which a beat comes and goes, so that it does not click
)

// tone is heard and not heard in turn, so many milliseconds each, over and over.
func tone(name string, beats ...int) media.Prompt {
	var sound []int16
	for i, ms := range beats {
		beat := make([]int16, time.Duration(ms)*time.Millisecond*media.SampleRate/time.Second)
		for at := range beat {
			if i%2 == 0 {
				edge := min(1, float64(min(at, len(beat)-1-at))/toneEdge)
				beat[at] = int16(toneLevel * edge * math.Sin(2*math.Pi*toneHz*float64(at)/media.SampleRate))
			}
		}
		sound = append(sound, beat...)
	}
	p := media.NewPrompt(name, sound)
	p.Loop = true
	return p
}
