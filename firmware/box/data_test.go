package box

import (
	"bytes"
	"strings"
	"testing"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

func talking(t *testing.T, codec string) *bench {
	b := inVoice(t)
	b.ok("AT+VSM="+codec, "AT+VLS=1")
	b.want("AT+VTR", "\r\nCONNECT\r\n")
	return b
}

// sine is loud enough to hold DLE bytes in every codec.
func sine(samples int, level float64) []int16 {
	sound := make([]int16, samples)
	dsp.NewSource(dsp.Cadence{Hz: []float64{1017, 711}}, level-3).Fill(sound)
	return sound
}

// shield is what a host does to what it sends: DLE SUB for two, DLE DLE for one.
func shield(plain []byte) string {
	s := strings.ReplaceAll(string(plain), "\x10", "\x10\x10")
	return strings.ReplaceAll(s, "\x10\x10\x10\x10", "\x10\x1a")
}

func unshield(t *testing.T, in string) []byte {
	t.Helper()
	var out []byte
	for i := 0; i < len(in); i++ {
		if in[i] == dle {
			if i++; i == len(in) || in[i] != dle {
				t.Fatalf("a code at %d of %q", i, in)
			}
		}
		out = append(out, in[i])
	}
	return out
}

// Both directions of +VTR, every codec: what comes out is what went in but for
// the codec's own loss, and DLE bytes are among it.
func TestDuplex(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			b := talking(t, string(rune('0'+c.number)))
			b.keepOut = true
			in, out := sine(8000, 0), sine(8000, -1)
			sent, got := make([]byte, len(out)*c.bytes()), ""
			c.encode(sent, out)
			if !bytes.Contains(sent, []byte{dle}) {
				t.Fatal("no DLE among what is sent")
			}
			frame := analog.Samples * c.bytes()
			for range 3 {
				got += b.raw(shield(sent[:frame]))
				sent = sent[frame:]
			}
			for heard := in; len(heard) > 0; heard = heard[analog.Samples:] {
				got += b.hear(heard[:analog.Samples])
				if len(sent) > 0 {
					got += b.raw(shield(sent[:frame]))
					sent = sent[frame:]
				}
			}
			same(t, "to the line", b.sent[:len(out)], out)
			back := make([]int16, len(in))
			c.decode(back, unshield(t, got))
			same(t, "to the host", back, in)
			if got := b.raw("\x10^"); got != "\x10\x03\r\nOK\r\n" {
				t.Errorf("the end is %q", got)
			}
			b.ok("AT+VLS=0")
		})
	}
}

// same compares sound; a codec may lose 30 dB below it.
func same(t *testing.T, what string, got, want []int16) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d samples, not %d", what, len(got), len(want))
	}
	off := make([]int16, len(want))
	for i := range off {
		off[i] = got[i] - want[i]
	}
	if lost := dsp.Level(off); lost > -30 {
		t.Errorf("%s: differs by %.1f dBm0", what, lost)
	}
}

// Sound and codes are the same however their bytes are cut.
func TestDataIsCut(t *testing.T) {
	b := talking(t, "0")
	b.keepOut = true
	want := []int16{0x1010, 0x1110, 0x1011, 0x1010, 0x1010, 7}
	plain := make([]byte, 2*len(want))
	encodeSigned(plain, want)
	for _, c := range []byte(shield(plain) + "\x10u\x10d\x10\x00\x10z" + strings.Repeat("\x01\x00", 200)) {
		b.raw(string(c))
	}
	b.frames(1)
	for i, s := range want {
		if b.sent[i] != s {
			t.Errorf("sample %d is %04x, not %04x", i, b.sent[i], s)
		}
	}
	if b.sent[len(want)] != 1 {
		t.Error("a code left something in the sound")
	}
}

// The end comes behind however many DLEs: DLE DLE is a sample of its own.
func TestThreeDLEs(t *testing.T) {
	for end, answer := range map[string]string{"\x10\x10\x10^": "\x10\x03\r\nOK\r\n", "\x10^": "\x10\x03\r\nOK\r\n", "\x10\x10\x10!": "\x10\x03\r\nOK\r\n"} {
		b := talking(t, "1")
		if got := b.raw(end); got != answer {
			t.Errorf("%q answers %q", end, got)
		}
	}
}

func TestReceive(t *testing.T) {
	b := inVoice(t)
	b.want("AT+VRX", "\r\nERROR\r\n")
	b.ok("AT+VLS=20", "AT+VSM=1")
	b.want("AT+VTR", "\r\nERROR\r\n")
	b.want("AT+VTX", "\r\nERROR\r\n")
	b.want("AT+VRX", "\r\nCONNECT\r\n")
	if got := b.hear(sine(320, -9)); len(unshield(t, got)) != 320 {
		t.Errorf("%d bytes of 320 samples", len(got))
	}
	if b.out.OffHook {
		t.Error("listening took the line off hook")
	}
	if got := b.raw("\x10!"); got != "\x10\x03\r\nOK\r\n" {
		t.Errorf("DLE ! answers %q", got)
	}
	b.want("AT+VRX", "\r\nCONNECT\r\n")
	if got := b.raw("\x10\x1b"); got != "\x10\x1b\r\nOK\r\n" {
		t.Errorf("DLE ESC answers %q", got)
	}
}

func TestTransmit(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1", "AT+VSM=1")
	b.want("AT+VTX", "\r\nCONNECT\r\n")
	b.keepOut = true
	// More than the buffer holds waits: flow control. The end behind it comes in its turn.
	if got := b.raw(strings.Repeat("\x90", 4000) + "\x10\x03AT\r"); got != "" {
		t.Fatalf("at once: %q", got)
	}
	if len(b.held) == 0 {
		t.Fatal("the box took more than it can hold")
	}
	got := b.wait(480)
	if got != "" {
		t.Errorf("before the end: %q", got)
	}
	if got := b.wait(100); got != "\r\nOK\r\n\r\nOK\r\n" {
		t.Errorf("at the end: %q", got)
	}
	loud := 0
	for _, s := range b.sent {
		if s == 0x1000 {
			loud++
		}
	}
	if loud != 4000 {
		t.Errorf("%d samples played, not 4000", loud)
	}
}

func TestTransmitClearPauseVolume(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1", "AT+VSM=1")
	b.want("AT+VTX", "\r\nCONNECT\r\n")
	b.raw(strings.Repeat("\x90", 1600))
	b.frames(1)
	if b.out.Sound[0] == 0 {
		t.Error("plays nothing")
	}
	b.raw("\x10p")
	if b.frames(2); b.out.Sound[0] != 0 {
		t.Error("DLE p did not pause")
	}
	b.raw("\x10r\x10d\x10d\x10d\x10d\x10d\x10d")
	if b.frames(1); b.out.Sound[0] < 2040 || b.out.Sound[0] > 2060 { // 6 dB below 1000 hex
		t.Errorf("6 dB softer: %d", b.out.Sound[0])
	}
	b.raw("\x10\x18")
	if b.frames(1); b.out.Sound[0] != 0 {
		t.Error("DLE CAN left something")
	}
	if got := b.raw("\x10\x03") + b.frames(1); got != "\r\nOK\r\n" {
		t.Errorf("the end: %q", got)
	}
}

// While a host pauses it may still end: nothing waits behind a full buffer.
func TestEndWhilePaused(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1", "AT+VSM=1")
	b.want("AT+VTX", "\r\nCONNECT\r\n")
	b.raw("\x10p" + strings.Repeat("\x90", 5000))
	if got := b.raw("\x10\x03") + b.wait(300); !strings.HasSuffix(got, "\r\nOK\r\n") {
		t.Errorf("the end: %q", got)
	}
}

func TestUnderrunAndOverrun(t *testing.T) {
	b := talking(t, "1")
	if got := b.frames(5); count(got, "u") != 0 {
		t.Error("an underrun before anything was sent")
	}
	b.raw(strings.Repeat("\x80", 200))
	if got := b.frames(5); count(got, "u") != 1 {
		t.Errorf("%d underruns, not 1", count(got, "u"))
	}
	if got := b.raw(strings.Repeat("\x80", 1700)); count(got, "Y") != 1 {
		t.Errorf("%d times lost data, not once", count(got, "Y"))
	}
	for range 200 { // the host does not read
		b.frame(nil)
	}
	if n := len(b.read()); n > textLimit {
		t.Errorf("%d bytes wait for a host that does not read", n)
	}
	if got := b.frames(2); count(got, "o") != 1 {
		t.Errorf("%d overruns, not 1", count(got, "o"))
	}
}

func TestInactivity(t *testing.T) {
	b := talking(t, "1")
	b.m.set.inactivity = 3
	b.raw("\x10\x00")
	b.wait(2980)
	b.raw("\x10\x00") // starts again
	if got := b.wait(2980); strings.Contains(got, "OK") {
		t.Fatal("too early")
	}
	if got := b.wait(20); !strings.HasSuffix(got, "\x10\x03\r\nOK\r\n") || b.out.OffHook {
		t.Fatalf("holds the line without a host: %q", got)
	}
}

func TestSilence(t *testing.T) {
	b := talking(t, "1")
	b.m.set.patience, b.m.set.level = 20, 128
	if got := b.wait(1980); count(got, "s") != 0 {
		t.Error("presumed too early")
	}
	if got := b.wait(40); count(got, "s") != 1 {
		t.Errorf("%d presumed ends, not 1", count(got, "s"))
	}
	b.hear(sine(800, -20))
	if got := b.wait(4000); count(got, "q") != 1 || count(got, "s") != 0 {
		t.Errorf("after sound: %d quiets and %d presumed ends", count(got, "q"), count(got, "s"))
	}
}

// Each reset of a host that lost track ends each state within 200 ms of line.
func TestResync(t *testing.T) {
	states := map[string]string{
		"typing": "", "half a line": "AT+VTS=1,2,3,4,5,6,7", "transmit": "AT+VTX\r", "paused": "AT+VTX\r\x10p" + strings.Repeat("1", 5000),
		"full": "AT+VTX\r" + strings.Repeat("1", 3000), "receive": "AT+VRX\r", "duplex": "AT+VTR\r", "torn code": "AT+VTR\r\x10", "torn in +VTX": "AT+VTX\r\x10",
		"torn in +VRX": "AT+VRX\r\x10", "tones": "AT+VTS=[400,,6000]\r", "dialling": "ATD12345\r", "draining": "AT+VTX\r1111111\x10\x03",
	}
	for name, before := range states {
		b := inVoice(t)
		b.ok("AT+VLS=1")
		b.raw(before)
		b.frames(2)
		b.raw("\x10\x03\x10^\x10!\r")
		b.wait(700)
		if got := b.say("AT"); !strings.HasSuffix(got, "\r\nOK\r\n") {
			t.Errorf("%s: AT answers %q", name, got)
		}
	}
}
