package voicebox

import (
	"context"
	"testing"
	"time"

	"callbox/cti/media"
	"callbox/cti/media/dsp"
)

// nowhere is a stream that takes everything.
type nowhere struct{}

func (nowhere) Frames() <-chan []int16    { return nil }
func (nowhere) Write([]int16) error       { return nil }
func (nowhere) End(context.Context) error { return nil }

// BenchmarkTalk is a frame (20 ms) of a line on which both sides talk: echo
// canceller, digits, tones, voice and both laws. percent is of a core.
func BenchmarkTalk(b *testing.B) {
	a := newAudio(nowhere{}, dsp.China(), false)
	l := &leg{in: make(chan []byte, pipeFrames), out: make(chan []byte, pipeFrames)}
	voice := speech(10 * time.Second)
	ours := media.NewPrompt("", voice).PCMA
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := i % (len(voice) - 9*media.FrameSamples)
		i += media.FrameSamples
		l.out <- ours[at:][:media.FrameSamples]
		a.frame(voice[at+8*media.FrameSamples:][:media.FrameSamples], 0, l, true)
		<-l.in
	}
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N)/frameTime.Seconds(), "percent")
}
