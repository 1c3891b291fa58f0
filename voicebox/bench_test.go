package voicebox

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"callbox/cti/media"
	"callbox/cti/media/dsp"
)

// nowhere is a stream that takes everything.
type nowhere struct{}

func (nowhere) Frames() <-chan []int16    { return nil }
func (nowhere) Write([]int16) error       { return nil }
func (nowhere) End(context.Context) error { return nil }

// BenchmarkTalk is a frame (20 ms) of a line on which both sides talk: echo
// canceller, digits, tones, voice and both laws. cpu-percent is of a core,
// whatever else the machine does.
func BenchmarkTalk(b *testing.B) {
	a := newAudio(nowhere{}, dsp.China(), false)
	l := &leg{in: make(chan []byte, pipeFrames), out: make(chan []byte, pipeFrames)}
	voice := speech(10 * time.Second)
	ours := media.NewPrompt("", voice).PCMA
	b.ReportAllocs()
	begin, i := cpu(b), 0
	for b.Loop() {
		at := i % (len(voice) - 9*media.FrameSamples)
		i += media.FrameSamples
		l.out <- ours[at:][:media.FrameSamples]
		a.frame(voice[at+8*media.FrameSamples:][:media.FrameSamples], 0, l, true)
		<-l.in
	}
	b.ReportMetric(100*(cpu(b)-begin).Seconds()/float64(b.N)/frameTime.Seconds(), "cpu-percent")
}

// cpu is the time that this process has had a core.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
