package box

import (
	"strings"
	"testing"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// bench is a modem without goroutines: what it is told and shown happens at once.
type bench struct {
	t       *testing.T
	m       *modem
	in      analog.Line
	out     analog.Box
	held    []byte // bytes the modem has not taken yet
	sent    []int16
	keepOut bool
}

func newBench(t *testing.T) *bench {
	b := New(Config{Serial: "T1"}, nil, nil)
	bench := &bench{t: t, m: b.modem}
	bench.in.Feed = true
	return bench
}

// inVoice is a box as a driver leaves it after its first commands.
func inVoice(t *testing.T) *bench {
	b := newBench(t)
	b.want("AT", "AT\r\r\nOK\r\n")
	b.want("ATE0V1+FCLASS=8;+VCID=1;+VSM=5,8000;+VLS=0", "ATE0V1+FCLASS=8;+VCID=1;+VSM=5,8000;+VLS=0\r\r\nOK\r\n")
	return b
}

// raw gives bytes to the modem and what it sends back.
func (b *bench) raw(bytes string) string {
	b.held = append(b.held, bytes...)
	b.held = b.held[b.m.typed(b.held):]
	return b.read()
}

func (b *bench) read() string { return string(b.m.out.take(nil)) }

// say types a command line.
func (b *bench) say(line string) string { return b.raw(line + "\r") }

func (b *bench) want(line, answer string) {
	b.t.Helper()
	if got := b.say(line); got != answer {
		b.t.Fatalf("%s answers %q, not %q", line, got, answer)
	}
}

func (b *bench) ok(lines ...string) {
	b.t.Helper()
	for _, line := range lines {
		b.want(line, "\r\nOK\r\n")
	}
}

// frames lets the line go on by n frames as it is, in silence.
func (b *bench) frames(n int) string {
	for range n {
		b.frame(nil)
	}
	return b.read()
}

// for ms, in frames of 20 ms.
func (b *bench) wait(ms int) string { return b.frames(ms / 20) }

func (b *bench) frame(sound []int16) {
	b.in.Sound = [analog.Samples]int16{}
	copy(b.in.Sound[:], sound)
	b.m.frame(&b.in, &b.out)
	b.held = b.held[b.m.typed(b.held):]
	if b.keepOut {
		b.sent = append(b.sent, b.out.Sound[:]...)
	}
}

// hear lets sound come over the line.
func (b *bench) hear(sound []int16) string {
	for len(sound) > 0 {
		n := min(len(sound), analog.Samples)
		b.frame(sound[:n])
		sound = sound[n:]
	}
	return b.read()
}

// ring is one burst and the pause behind it.
func (b *bench) ring(on, off int) string {
	b.in.Ringing = true
	got := b.wait(on)
	b.in.Ringing = false
	return got + b.wait(off)
}

// tone is a tone of the Chinese plan.
func tone(t *testing.T, name string, seconds float64) []int16 {
	c, known := dsp.China().Find(name)
	if !known {
		t.Fatalf("no tone %s", name)
	}
	sound := make([]int16, int(seconds*dsp.Rate))
	dsp.NewSource(c, -12).Fill(sound)
	return sound
}

func count(in string, event string) int { return strings.Count(in, "\x10"+event) }
