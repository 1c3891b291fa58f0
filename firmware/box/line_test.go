package box

import (
	"strings"
	"testing"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

func TestRing(t *testing.T) {
	b := inVoice(t)
	if got := b.ring(80, 500); got != "" {
		t.Errorf("80 ms of ringing tell %q", got)
	}
	if got := b.ring(100, 0); got != "\x10R" {
		t.Errorf("100 ms of ringing tell %q", got)
	}
	b.wait(10000)
	// A burst with holes is one, and it is told once.
	got := b.ring(300, 100) + b.ring(300, 180) + b.ring(300, 4000)
	if count(got, "R") != 1 {
		t.Errorf("a burst with holes is %d bursts", count(got, "R"))
	}
	if got := b.ring(1000, 4000) + b.ring(1000, 4000); count(got, "R") != 2 {
		t.Errorf("two bursts are %d", count(got, "R"))
	}
	for range 200 { // glitches of a bad line
		if got := b.ring(20, 60) + b.ring(80, 40); got != "" {
			t.Fatalf("glitches tell %q", got)
		}
	}
}

func TestRingOutsideVoiceMode(t *testing.T) {
	b := newBench(t)
	if got := b.ring(1000, 1000); got != "\r\nRING\r\n" {
		t.Errorf("class 0 tells %q", got)
	}
}

func TestDistinctiveRing(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VDR=1,0")
	if got := b.ring(1000, 4000); got != "\x10R\x10XDRON=10\r\n\x10." {
		t.Errorf("first burst tells %q", got)
	}
	if got := b.ring(1000, 4000); got != "\x10XDROF=40\r\n\x10.\x10R\x10XDRON=10\r\n\x10." {
		t.Errorf("second burst tells %q", got)
	}
}

func TestEventMask(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VEM=EFFFFFFF") // bit 3 from the left
	if got := b.ring(1000, 1000); got != "" {
		t.Errorf("masked: %q", got)
	}
}

// rings sends a call's first seconds: caller ID before the first burst or
// between the first two.
func rings(b *bench, sound []int16, before bool) string {
	if before {
		return b.hear(sound) + b.ring(1000, 2000)
	}
	return b.ring(1000, 500) + b.hear(sound) + b.wait(600) + b.ring(1000, 500)
}

func TestCallerID(t *testing.T) {
	who := dsp.CallerID{Number: "13812345678", Name: "张三", Time: "03171656"}
	fsk := dsp.AppendFSK(nil, who.MDMF(), dsp.Bell202, -20)
	keys := dsp.AppendDTMFCallerID(nil, who, dsp.DefaultKeying)
	pause := make([]int16, dsp.Rate)
	const all, number = "\x10XDATE=0317\r\nTIME=1656\r\nNMBR=13812345678\r\nNAME=\xd5\xc5\xc8\xfd\r\n\x10.", "\x10XNMBR=13812345678\r\n\x10."
	for _, test := range []struct {
		name   string
		sound  []int16
		before bool
		want   string
	}{
		{"fsk between the rings", fsk, false, "\x10R" + all + "\x10R"},
		{"fsk before the ring", append(fsk[:len(fsk):len(fsk)], pause...), true, all + "\x10R"},
		{"dtmf before the ring", append(keys[:len(keys):len(keys)], pause...), true, number + "\x10R"},
		{"dtmf between the rings", append(keys[:len(keys):len(keys)], pause...), false, "\x10R" + number + "\x10R"},
	} {
		if got := rings(inVoice(t), test.sound, test.before); got != test.want {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
}

// Exchanges send DTMF right behind a short first ring, and some without an end.
func TestCallerIDAroundTheRing(t *testing.T) {
	const number = "13812345678"
	b := inVoice(t)
	got := b.ring(300, 100) + b.hear(dsp.AppendDTMF(nil, "D"+number+"C", dsp.DefaultKeying)) + b.wait(500)
	if want := "\x10R\x10XNMBR=" + number + "\r\n\x10."; got != want {
		t.Errorf("behind a short ring: %q, not %q", got, want)
	}
	b.wait(9000)
	got = b.hear(dsp.AppendDTMF(nil, "D"+number, dsp.DefaultKeying)) + b.wait(60) + b.ring(1000, 1000)
	if count(got, "X") != 1 || count(got, "R") != 1 || !strings.Contains(got, "NMBR="+number) {
		t.Errorf("without an end, the ring at once: %q", got)
	}
}

func TestCallerIDForms(t *testing.T) {
	who := dsp.CallerID{Number: "2156430144", Time: "03171656"}
	fsk := func(c dsp.CallerID) []int16 { return dsp.AppendFSK(nil, c.MDMF(), dsp.Bell202, -20) }
	b := inVoice(t)
	b.ok("AT+VCID=2")
	if got := rings(b, fsk(who), false); got != "\x10R\x10X801601083033313731363536020A32313536343330313434BA\r\n\x10.\x10R" {
		t.Errorf("unformatted: %q", got)
	}
	b.ok("AT+VCID=0")
	if got := rings(b, fsk(who), false); got != "\x10R\x10R" {
		t.Errorf("off: %q", got)
	}
	b.ok("AT+VCID=1", "AT+FCLASS=0")
	if got := rings(b, fsk(who), false); got != "\r\nRING\r\n\r\nDATE=0317\r\nTIME=1656\r\nNMBR=2156430144\r\n\r\nRING\r\n" {
		t.Errorf("class 0: %q", got)
	}
	b.ok("AT+FCLASS=8")
	for _, c := range []struct {
		who  dsp.CallerID
		want string
	}{{dsp.CallerID{Private: true}, "NMBR=P"}, {dsp.CallerID{Absent: true}, "NMBR=O"}} {
		if got := rings(b, fsk(c.who), false); !strings.Contains(got, c.want+"\r\n\x10.") {
			t.Errorf("%+v: %q", c.who, got)
		}
	}
}

func TestDigits(t *testing.T) {
	b := inVoice(t)
	sound := dsp.AppendDTMF(nil, "159*0#AD", dsp.DefaultKeying)
	if got := b.hear(sound); got != "" {
		t.Errorf("digits on an idle line: %q", got)
	}
	b.ok("AT+VLS=1")
	b.wait(100)
	got := b.hear(sound) + b.wait(100)
	want := ""
	for _, k := range "159*0#AD" {
		want += "\x10/\x10" + string(k) + "\x10~"
	}
	if got != want {
		t.Errorf("heard %q", got)
	}
	b.want("AT+VTR", "\r\nCONNECT\r\n")
	b.raw("\x10/")
	if got := b.hear(sound) + b.wait(100); count(got, "/") != 0 || count(got, "5") != 0 {
		t.Error("DLE / did not switch the digits off")
	}
	b.raw("\x10~")
	if got := b.hear(sound) + b.wait(100); count(got, "/") != 8 || count(got, "~") != 8 {
		t.Errorf("DLE ~: %d digits, not 8", count(got, "/"))
	}
}

// The ordinary telephone's user dials: digits are told then too.
func TestSet(t *testing.T) {
	b := inVoice(t)
	b.in.SetOff = true
	if got := b.wait(40); got != "" {
		t.Errorf("a bounce tells %q", got)
	}
	if got := b.wait(100); got != "\x10H" {
		t.Errorf("lifted: %q", got)
	}
	if got := b.hear(dsp.AppendDTMF(nil, "12", dsp.DefaultKeying)); count(got, "/") != 2 {
		t.Errorf("dialled 12: %q", got)
	}
	b.in.SetOff = false
	if got := b.wait(100); got != "\x10h" {
		t.Errorf("replaced: %q", got)
	}
	if b.out.OffHook {
		t.Error("the box went off hook by itself")
	}
}

// Attending: the box only listens while the ordinary telephone talks.
func TestAttend(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VSM=1,8000", "AT+VLS=20")
	b.in.SetOff = true
	b.wait(100)
	b.want("AT+VRX", "\r\nCONNECT\r\n")
	got := b.hear(tone(t, "busy", 5))
	if count(got, "b") < 3 {
		t.Errorf("busy tone told %d times in 5 s", count(got, "b"))
	}
	b.in.SetOff = false
	if got := b.wait(100); count(got, "h") != 1 || b.out.OffHook {
		t.Errorf("replaced: %q", got)
	}
	if got := b.raw("\x10!"); !strings.HasSuffix(got, "\x10\x03\r\nOK\r\n") {
		t.Errorf("the end: %q", got)
	}
}

func TestTones(t *testing.T) {
	for _, test := range []struct {
		name, event string
		seconds     float64
		least, most int
	}{
		{"dial", "d", 4, 1, 1},
		{"busy", "b", 7, 4, 10},
		{"congestion", "b", 14, 4, 10},
		{"ringback", "r", 20, 2, 4},
	} {
		b := inVoice(t)
		b.ok("AT+VLS=1")
		b.wait(100)
		got := b.hear(tone(t, test.name, test.seconds))
		if n := count(got, test.event); n < test.least || n > test.most {
			t.Errorf("%s: %d events in %v s: %q", test.name, n, test.seconds, got)
		}
	}
}

func TestFax(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.wait(100)
	var cng []int16
	for range 3 {
		cng = dsp.AppendTone(cng, 1100, -15, 500*time.Millisecond)
		cng = append(cng, make([]int16, 3*dsp.Rate)...)
	}
	if got := b.hear(cng); count(got, "c") < 1 {
		t.Errorf("1100 Hz tells %q", got)
	}
	if got := b.hear(dsp.AppendTone(nil, 2100, -15, 3*time.Second)); count(got, "a") != 1 {
		t.Errorf("2100 Hz tells %q", got)
	}
}

func TestLoopAndPolarity(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.wait(100)
	b.in.Reversed = true
	if got := b.wait(100); got != "\x10L" {
		t.Errorf("reversed: %q", got)
	}
	b.in.Reversed = false
	if got := b.wait(100); got != "\x10L" {
		t.Errorf("reversed back: %q", got)
	}
	b.in.Feed = false
	if got := b.wait(180); got != "" {
		t.Errorf("180 ms without feed: %q", got)
	}
	if got := b.wait(1000); got != "\x10l" {
		t.Errorf("a second without feed: %q", got)
	}
	b.in.Feed, b.in.Reversed = true, true
	if got := b.wait(100); got != "" {
		t.Errorf("feed comes back: %q", got)
	}
	b.in.Feed = false
	if got := b.wait(300); got != "\x10l" {
		t.Errorf("lost again: %q", got)
	}
	b.ok("AT+VLS=0")
	if got := b.wait(1000); got != "" {
		t.Errorf("on hook no loop can be lost: %q", got)
	}
}

func heardDigits(sound []int16) (found string) {
	for _, d := range dsp.NewDTMF().Detect(sound, nil) {
		found += string(d.Key)
	}
	return found
}

func TestSendTones(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.keepOut = true
	if got := b.say("AT+VTS=1,5,{9,20},#"); got != "" {
		t.Fatalf("at once: %q", got)
	}
	if got := b.wait(2000); got != "\r\nOK\r\n" { // and nothing of one's own echo
		t.Fatalf("answers %q", got)
	}
	if got := heardDigits(b.sent); got != "159#" {
		t.Errorf("sent %s", got)
	}
	b.sent = nil
	b.say("AT+VTS=[450,,100]")
	b.wait(1100)
	if level := dsp.Level(b.sent[:8000]); level < -9.5 || level > -8.5 {
		t.Errorf("450 Hz at %.1f dBm0", level)
	}
}

// The echo of own digits is no event, a digit of the far side behind them is.
func TestOwnEcho(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.wait(100)
	b.say("AT+VTS=1,2,3")
	got := ""
	for range 60 {
		echo := b.out.Sound
		b.frame(echo[:])
		got += b.read()
	}
	if got != "\r\nOK\r\n" {
		t.Errorf("own digits tell %q", got)
	}
	if got := b.hear(dsp.AppendDTMF(nil, "7", dsp.DefaultKeying)) + b.wait(100); got != "\x10/\x107\x10~" {
		t.Errorf("then: %q", got)
	}
}

func TestFlash(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.wait(100)
	b.say("AT+VTS={!,60}")
	open := 0
	got := ""
	for range 50 {
		b.in.Feed = b.out.OffHook
		b.frame(nil)
		got += b.read()
		if !b.out.OffHook {
			open++
		}
	}
	if open != 30 || !b.out.OffHook || got != "\r\nOK\r\n" {
		t.Errorf("open for %d ms, %q", 20*open, got)
	}
}

func TestDial(t *testing.T) {
	dial := func(t *testing.T, after string, seconds float64) (*bench, string) {
		b := inVoice(t)
		b.keepOut = true
		b.say("ATDT114")
		b.hear(tone(t, "dial", 1.3))
		b.wait(700)
		if got := heardDigits(b.sent); got != "114" || !b.out.OffHook {
			t.Fatalf("dialled %q", got)
		}
		if after == "" {
			return b, ""
		}
		return b, b.hear(tone(t, after, seconds))
	}
	t.Run("busy", func(t *testing.T) {
		b, got := dial(t, "busy", 5)
		if !strings.Contains(got, "\r\nBUSY\r\n") || b.out.OffHook {
			t.Errorf("%q", got)
		}
	})
	t.Run("vacant", func(t *testing.T) {
		if _, got := dial(t, "vacant", 8); !strings.Contains(got, "\r\nNO CARRIER\r\n") {
			t.Errorf("%q", got)
		}
	})
	t.Run("answered after ringback", func(t *testing.T) {
		b, got := dial(t, "ringback", 16)
		if strings.Contains(got, "OK") {
			t.Fatalf("while it rings: %q", got)
		}
		if got := b.wait(5000); !strings.HasSuffix(got, "\r\nOK\r\n") || !b.out.OffHook {
			t.Errorf("5 s after the last ringback: %q", got)
		}
	})
	t.Run("answered by polarity", func(t *testing.T) {
		b, _ := dial(t, "ringback", 3)
		b.in.Reversed = true
		if got := b.wait(40); got != "\x10L\r\nOK\r\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		if _, got := dial(t, "ringback", 62); !strings.HasSuffix(got, "\r\nNO ANSWER\r\n") {
			t.Errorf("%q", got)
		}
	})
	t.Run("nothing heard", func(t *testing.T) {
		b, _ := dial(t, "", 0)
		if got := b.wait(9500); got != "" {
			t.Fatalf("early: %q", got)
		}
		if got := b.wait(500); got != "\r\nOK\r\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("no dial tone", func(t *testing.T) {
		b := inVoice(t)
		b.say("ATD114")
		if got := b.wait(5000); got != "\r\nNO DIALTONE\r\n" || b.out.OffHook {
			t.Errorf("%q", got)
		}
	})
	t.Run("broken off", func(t *testing.T) {
		b, _ := dial(t, "ringback", 3)
		if got := b.raw("x") + b.frames(1); !strings.HasSuffix(got, "\r\nNO CARRIER\r\n") || b.out.OffHook {
			t.Errorf("%q", got)
		}
	})
	t.Run("no waiting", func(t *testing.T) {
		b := inVoice(t)
		b.ok("AT+VLS=1")
		b.say("ATDT0,5W;")
		if got := b.wait(2500); got != "" {
			t.Fatalf("before its second dial tone: %q", got)
		}
		if got := b.hear(tone(t, "dial", 2)); !strings.HasSuffix(got, "\r\nOK\r\n") {
			t.Errorf("%q", got)
		}
	})
}

// An idle line tells nothing, whatever it hisses.
func TestNoiseTellsNothing(t *testing.T) {
	b := inVoice(t)
	seed := uint32(1)
	noise := make([]int16, analog.Samples)
	for range 1000 {
		for i := range noise {
			seed = seed*1664525 + 1013904223
			noise[i] = int16(int32(seed) >> 20) // -27 dBm0
		}
		b.frame(noise)
	}
	if got := b.read(); got != "" {
		t.Errorf("tells %q", got)
	}
}
