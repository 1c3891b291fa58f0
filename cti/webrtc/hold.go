package webrtc

import (
	"math"

	"callbox/cti/media"
)

// The hold tone: two short soft beeps, then quiet.
const (
	holdHz      = 450.0
	holdLevel   = 1200 // of 32768: about -29 dBm0
	holdBeep    = media.SampleRate / 4
	holdRepeats = 4 * media.SampleRate
)

// holdTone is what the other side of a call hears while a page is away.
func holdTone() media.Prompt {
	samples := make([]int16, holdRepeats)
	for _, from := range []int{0, 2 * holdBeep} {
		for i := range holdBeep {
			samples[from+i] = int16(holdLevel * math.Sin(2*math.Pi*holdHz*float64(i)/media.SampleRate))
		}
	}
	return media.NewPrompt("hold tone", samples)
}
