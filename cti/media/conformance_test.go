package media_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"callbox/cti/media"
)

// conformance is what every engine has to do. open makes a running engine that
// is stopped when the test ends.
func conformance(t *testing.T, open func(t *testing.T) media.Engine) {
	for name, f := range map[string]func(*testing.T, media.Engine){
		"a bridge carries tones both ways across laws":     bridgeAcrossLaws,
		"an idle port sends silence without a break":       idleSilence,
		"a prompt goes out whole and once":                 promptWhole,
		"a prompt ends with its context":                   promptCancelled,
		"a bridge is heard again after a prompt":           promptOverBridge,
		"digits are received once":                         digitsReceived,
		"digits are sent":                                  digitsSent,
		"digits pass a bridge":                             digitsBridged,
		"a key pressed before a bridge does not reach it":  digitBefore,
		"strangers are neither heard nor spoken to":        strangers,
		"a symmetric stream moves once":                    symmetric,
		"reordered and lost packets keep their place":      lossAndOrder,
		"timestamps and sources may jump":                  jumps,
		"comfort noise and unknown types are not sound":    otherTypes,
		"hostile bytes are counted":                        hostile,
		"a port may close while bridged":                   closeBridged,
		"pipes are ports":                                  pipes,
		"a pipe that places sound hears packets as sent":   placed,
		"both sides of a tap lie on one clock":             tapAligned,
		"nothing is accepted before the start":             beforeStart,
		"a port that was put on hold goes on where it was": hold,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func placed(t *testing.T, e media.Engine) {
	out := make(chan media.Placed, 200)
	pipe := e.Pipe(media.PCMA, make(chan []byte), nil)
	pipe.(media.Placer).Place(out)
	b := newParty(t, e, media.PCMA)
	defer e.Bridge(pipe, b.port)()
	for i := range 10 { // in far less time than a beat, the fourth lost, two swapped
		n := []int{0, 1, 2, 4, 6, 5, 7, 8, 9, 10}[i]
		b.packet(uint8(media.PCMA), 100+uint16(n), uint32(n*80), bytes.Repeat([]byte{byte(n)}, 80))
		b.settle()
	}
	var got []media.Placed
	for late := time.After(time.Second); len(got) < 10; {
		select {
		case p := <-out:
			if len(p.Payload) == 80 {
				got = append(got, p)
			}
		case <-late:
			t.Fatalf("%d packets came", len(got))
		}
	}
	for _, p := range got {
		n := int(p.Payload[0])
		if int(p.Seq-got[0].Seq) != n || p.At-got[0].At != int64(80*n) || p.Payload[79] != byte(n) {
			t.Errorf("packet %d came as %d at %d, the first as %d at %d", n, p.Seq, p.At, got[0].Seq, got[0].At)
		}
	}
}

const (
	rateA, rateB = 440.0, 1000.0
	dtmfType     = 101
)

func bridgeAcrossLaws(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU)
	undo := e.Bridge(a.port, b.port)
	talk(t, 400*time.Millisecond, a.tone(rateA), b.tone(rateB))
	undo()
	undo()
	for _, p := range []struct {
		*party
		hears, not float64
	}{{a, rateB, rateA}, {b, rateA, rateB}} {
		sound := p.heard()
		if !p.contains(sound, p.hears) || p.contains(sound, p.not) {
			t.Errorf("%v party: %v Hz at %.0f, %v Hz at %.0f", p.law, p.hears, level(sound, p.hears), p.not, level(sound, p.not))
		}
		p.checkStream(t)
	}
	before := len(a.packets())
	talk(t, 100*time.Millisecond, b.tone(rateB))
	if got := decode(a.packets()[before:]); a.contains(got, rateB) {
		t.Error("sound passes after undo")
	}
}

func idleSilence(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMU)
	begin := time.Now()
	for len(p.packets()) < 16 && time.Since(begin) < 3*time.Second {
		time.Sleep(media.Frame / 4)
	}
	got, took := p.packets(), time.Since(begin)
	if len(got) < 16 || took < 13*media.Frame {
		t.Errorf("%d packets in %v", len(got), took)
	}
	for _, pkt := range got {
		if len(pkt.Payload) != media.FrameSamples || slices.ContainsFunc(pkt.Payload, func(b byte) bool { return b != 0xFF }) {
			t.Fatalf("not silence: % x", pkt.Payload)
		}
	}
	p.checkStream(t)
}

func promptWhole(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	prompt := media.NewPrompt("tone", sine(700, 8*media.FrameSamples+50))
	begin := time.Now()
	if err := p.port.Play(t.Context(), prompt); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 160*time.Millisecond || took > 300*time.Millisecond {
		t.Errorf("a prompt of %v took %v", prompt.Duration(), took)
	}
	time.Sleep(3 * media.Frame)
	var all []byte
	for _, pkt := range p.packets() {
		all = append(all, pkt.Payload...)
	}
	at := indexOf(all, prompt.PCMA)
	if at < 0 || indexOf(all[at+1:], prompt.PCMA) >= 0 {
		t.Error("the prompt was not sent once and whole")
	}
	p.checkStream(t)
}

func promptCancelled(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	loop := media.NewPrompt("music", sine(500, 170))
	loop.Loop = true
	time.AfterFunc(150*time.Millisecond, func() { cancel(gone) })
	if err := p.port.Play(ctx, loop); !errors.Is(err, gone) {
		t.Errorf("Play = %v, want the cause of the end", err)
	}
	time.Sleep(3 * media.Frame)
	before := len(p.packets())
	time.Sleep(100 * time.Millisecond)
	if sound := decode(p.packets()); level(sound, 500) < 500 {
		t.Error("the loop was not heard")
	}
	if level(decode(p.packets()[before:]), 500) > 50 {
		t.Error("the loop goes on")
	}
}

func promptOverBridge(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	defer e.Bridge(a.port, b.port)()
	stop := b.keepTalking(rateB)
	defer stop()
	time.Sleep(100 * time.Millisecond)
	if err := a.port.Play(t.Context(), media.NewPrompt("tone", sine(600, 1600))); err != nil {
		t.Fatal(err)
	}
	before := len(a.packets())
	time.Sleep(150 * time.Millisecond)
	if sound := decode(a.packets()[before:]); !a.contains(sound, rateB) || a.contains(sound, 600) {
		t.Error("the bridge is not heard after the prompt")
	}
	if !a.contains(a.heard(), 600) {
		t.Error("the prompt was not heard over the bridge")
	}
	a.checkStream(t)
}

func digitsReceived(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	p.event(1, 1000, 160, false)
	p.event(1, 1000, 800, true)
	p.event(1, 1000, 800, true)
	p.event(11, 5000, 800, true) // its start was lost
	p.event(1, 1000, 800, true)  // much too late
	p.event(1, 9000, 160, false)
	p.event(16, 12000, 160, true) // flash: no key
	expectDigits(t, p.port, "1#1")
	for range 100 {
		p.event(5, p.ts, 800, true)
		p.ts += 4000
		p.settle()
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(p.port.Digits()); n < 64 {
		t.Errorf("%d digits are kept, want at least 64", n)
	}
}

func digitsSent(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	p.port.Send("5x#")
	time.Sleep(600 * time.Millisecond)
	checkEvents(t, p, "5#")
	p.checkStream(t)
}

// digitBefore presses a key that outlasts the menu it was meant for.
func digitBefore(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	a.event(1, 1000, 160, false)
	expectDigits(t, a.port, "1")
	defer e.Bridge(a.port, b.port)()
	for i := 2; i <= 7; i++ {
		a.event(1, 1000, min(i, 5)*160, i >= 5)
		time.Sleep(media.Frame)
	}
	for range 3 {
		a.event(2, 9000, 800, true)
	}
	time.Sleep(100 * time.Millisecond)
	checkEvents(t, b, "2")
}

func digitsBridged(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU)
	defer e.Bridge(a.port, b.port)()
	talk(t, 100*time.Millisecond, a.tone(rateA))
	start := a.ts
	for i := 1; i <= 7; i++ {
		a.event(7, start, min(i, 5)*160, i >= 5)
		time.Sleep(media.Frame)
	}
	a.ts = start + 7*160
	talk(t, 100*time.Millisecond, a.tone(rateA))
	expectDigits(t, a.port, "7")
	checkEvents(t, b, "7")
	b.checkStream(t)
}

func strangers(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	sink := &sink{}
	p.port.Tap(sink)
	thief := newPhone(t)
	thief.to = p.port.LocalAddr()
	early := &party{phone: thief, law: media.PCMA}
	talk(t, 200*time.Millisecond, early.tone(rateB)) // before the first legal packet
	talk(t, 300*time.Millisecond, p.tone(rateA), early.tone(rateB))
	p.port.Tap(nil)
	sound := sink.sound(media.Received, media.PCMA)
	if level(sound, rateA) < 500 || level(sound, rateB) > 50 {
		t.Errorf("own tone %.0f, foreign tone %.0f", level(sound, rateA), level(sound, rateB))
	}
	if n := len(thief.packets()); n > 0 {
		t.Errorf("the stranger got %d packets", n)
	}
	if p.port.Stats().Dropped < 20 {
		t.Errorf("Dropped = %d", p.port.Stats().Dropped)
	}
}

func symmetric(t *testing.T, e media.Engine) {
	p := openPort(t, e)
	behind, named, thief := newPhone(t), newPhone(t), newPhone(t)
	start(t, p, media.Stream{Remote: named.addr(), Law: media.PCMA, Symmetric: true})
	sink := &sink{}
	p.Tap(sink)
	behind.to, thief.to = p.LocalAddr(), p.LocalAddr()
	talk(t, 700*time.Millisecond, (&party{phone: behind, law: media.PCMA}).tone(rateA))
	talk(t, 200*time.Millisecond,
		(&party{phone: behind, law: media.PCMA}).tone(rateA), (&party{phone: thief, law: media.PCMA}).tone(rateB))
	sound := sink.sound(media.Received, media.PCMA)
	if level(sound, rateA) < 500 || level(sound, rateB) > 50 {
		t.Errorf("own tone %.0f, foreign tone %.0f", level(sound, rateA), level(sound, rateB))
	}
	if len(behind.packets()) == 0 || len(thief.packets()) > 0 {
		t.Error("sound goes to the wrong one")
	}
}

func lossAndOrder(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	sink := &sink{}
	p.port.Tap(sink)
	ramp := func(n int) []byte { return slices.Repeat([]byte{byte(n)}, media.FrameSamples) }
	for _, n := range []int{0, 1, 3, 2, 2, 5, 6, 7} { // 4 is lost, 2 late and doubled
		p.packet(uint8(media.PCMA), uint16(n), uint32(n*160), ramp(n+1))
		time.Sleep(media.Frame)
	}
	got := sink.bytes(media.Received)
	first := slices.Index(got, 1)
	for n := range 8 {
		want := byte(n + 1)
		if n == 4 {
			want = 0
		}
		if at := first + n*160; first < 0 || at+160 > len(got) || got[at] != want || got[at+159] != want {
			t.Fatalf("frame %d is not in its place", n)
		}
	}
	if s := p.port.Stats(); s.Lost != 1 || s.Received != 7 {
		t.Errorf("Stats = %+v, want 1 lost of 7", s)
	}
}

func jumps(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	sink := &sink{}
	a.port.Tap(sink)
	defer e.Bridge(a.port, b.port)()
	for _, change := range []func(){
		func() {},
		func() { a.ts += 1 << 30 },
		func() { a.ts -= 5 << 28 },
		func() { a.ssrc, a.seq, a.ts = 77, 9, 1 },
		func() { a.seq += 20000 },
	} {
		change()
		talk(t, 120*time.Millisecond, a.tone(rateA))
	}
	if n := len(sink.bytes(media.Received)); n < 3500 || n > 6400 {
		t.Errorf("what took 0.6 s lies on %d samples", n)
	}
	sound := decode(b.packets())
	if len(sound) < 4000 || level(sound, rateA) < 500 {
		t.Error("the other party did not hear the tone throughout")
	}
	b.checkStream(t)
}

func otherTypes(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	sink := &sink{}
	a.port.Tap(sink)
	defer e.Bridge(a.port, b.port)()
	for range 5 {
		a.packet(13, a.seq, a.ts, []byte{40})
		a.packet(98, a.seq+1, a.ts, make([]byte, 160))
		a.seq += 2
		a.ts += 160
		time.Sleep(media.Frame)
	}
	if s := a.port.Stats(); s.Dropped != 5 || s.Received != 10 {
		t.Errorf("Stats = %+v, want 5 dropped of 10", s)
	}
	if n := len(sink.bytes(media.Received)); n > 0 {
		t.Errorf("%d samples of noise were heard", n)
	}
}

func hostile(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	for _, b := range [][]byte{
		{},
		{0x80},
		{0x9F, 0x08, 1},
		make([]byte, 1900),
		{0xB0, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF},
		{0xA0, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 200},
		{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		p.raw(b)
	}
	p.event(200, 1, 0, false)
	p.packet(dtmfType, p.seq, 1, []byte{1})
	talk(t, 100*time.Millisecond, p.tone(rateA))
	if s := p.port.Stats(); s.Dropped < 7 || s.Received < 4 {
		t.Errorf("Stats = %+v", s)
	}
}

func closeBridged(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU)
	undo := e.Bridge(a.port, b.port)
	stop := b.keepTalking(rateB)
	time.Sleep(60 * time.Millisecond)
	playing := make(chan error, 1)
	go func() { playing <- a.port.Play(t.Context(), media.Prompt{Loop: true}) }()
	time.Sleep(20 * time.Millisecond)
	_ = a.port.Close()
	_ = a.port.Close()
	if err := <-playing; !errors.Is(err, media.ErrClosed) {
		t.Errorf("Play = %v, want ErrClosed", err)
	}
	time.Sleep(60 * time.Millisecond)
	stop()
	undo()
	if err := a.port.Start(media.Stream{Remote: a.addr(), Law: media.PCMA}); !errors.Is(err, media.ErrClosed) {
		t.Errorf("Start = %v, want ErrClosed", err)
	}
	e.Bridge(a.port, b.port)()
	a.port.Tap(nil)
	a.port.Send("1")
}

func pipes(t *testing.T, e media.Engine) {
	in, out := make(chan []byte), make(chan []byte, 100)
	pipe := e.Pipe(media.PCMU, in, out)
	b := newParty(t, e, media.PCMA)
	undo := e.Bridge(pipe, b.port)
	stop := b.keepTalking(rateB)
	frames := slices.Collect(slices.Chunk(media.NewPrompt("", sine(rateA, 3200)).PCMU, 160))
	for _, f := range frames {
		in <- f
		time.Sleep(media.Frame)
	}
	stop()
	undo()
	if sound := decode(b.packets()); !b.contains(sound, rateA) {
		t.Error("the pipe was not heard")
	}
	var sound []int16
	for len(out) > 0 {
		frame := <-out
		if len(frame) != media.FrameSamples {
			t.Fatalf("a frame of %d samples", len(frame))
		}
		sound = append(sound, linear(media.PCMU, frame)...)
	}
	if level(sound, rateB) < 500 {
		t.Error("the pipe did not hear the other party")
	}
	pipe.(media.Presser).Press("12")
	expectDigits(t, pipe, "12")
	pipe.Send("3")
	time.Sleep(250 * time.Millisecond)
	sound = sound[:0]
	for len(out) > 0 {
		sound = append(sound, linear(media.PCMU, <-out)...)
	}
	if level(sound, 697) < 100 || level(sound, 1477) < 100 {
		t.Error("a digit sent to a pipe is not heard as tones")
	}
	close(in)
	if err := pipe.Play(t.Context(), media.Prompt{Loop: true}); !errors.Is(err, media.ErrClosed) {
		t.Errorf("Play = %v, want ErrClosed", err)
	}
}

func tapAligned(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	sink := &sink{}
	p.port.Tap(sink)
	time.Sleep(200 * time.Millisecond)
	stop := p.keepTalking(rateA)
	if err := p.port.Play(t.Context(), media.NewPrompt("", sine(rateB, 1600))); err != nil {
		t.Fatal(err)
	}
	stop()
	for side := range media.Side(2) {
		first := sink.first(side)
		if first < 1440 || first > 2100 {
			t.Errorf("side %d begins at sample %d, want about 1600", side, first)
		}
	}
}

func beforeStart(t *testing.T, e media.Engine) {
	p := openPort(t, e)
	phone := newPhone(t)
	phone.to = p.LocalAddr()
	talk(t, 60*time.Millisecond, (&party{phone: phone, law: media.PCMA}).tone(rateA))
	if s := p.Stats(); s.Received > 0 || s.Sent > 0 || len(phone.packets()) > 0 {
		t.Errorf("Stats before the start = %+v", s)
	}
	if err := p.Start(media.Stream{Law: 3}); err == nil {
		t.Error("an unknown law was taken")
	}
}

func hold(t *testing.T, e media.Engine) {
	p := newParty(t, e, media.PCMA)
	time.Sleep(60 * time.Millisecond)
	start(t, p.port, media.Stream{Remote: netip.AddrPort{}, Law: media.PCMA})
	time.Sleep(30 * time.Millisecond)
	before := len(p.packets())
	time.Sleep(100 * time.Millisecond)
	if n := len(p.packets()); n != before {
		t.Errorf("%d packets while on hold", n-before)
	}
	start(t, p.port, media.Stream{Remote: p.addr(), Law: media.PCMU, DTMF: dtmfType})
	p.law = media.PCMU
	time.Sleep(100 * time.Millisecond)
	got := p.packets()[before:]
	if len(got) == 0 || got[0].PayloadType != uint8(media.PCMU) || p.port.Law() != media.PCMA {
		t.Error("the stream did not go on in its new law")
	}
}

// party is a phone with the port that serves it.
type party struct {
	*phone
	port media.RTP
	law  media.Law
}

func newParty(t *testing.T, e media.Engine, law media.Law) *party {
	t.Helper()
	p := &party{phone: newPhone(t), port: openPort(t, e), law: law}
	start(t, p.port, media.Stream{Remote: p.addr(), Law: law, DTMF: dtmfType})
	p.to = p.port.LocalAddr()
	return p
}

func openPort(t *testing.T, e media.Engine) media.RTP {
	t.Helper()
	p, err := e.Open(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if p.LocalAddr().Port()%2 != 0 {
		t.Errorf("RTP on the odd port %d", p.LocalAddr().Port())
	}
	return p
}

func start(t *testing.T, p media.RTP, s media.Stream) {
	t.Helper()
	if err := p.Start(s); err != nil {
		t.Fatal(err)
	}
}

// tone gives frame after frame of a sine.
func (p *party) tone(hz float64) func() {
	n := 0
	return func() {
		sound := sineFrom(hz, n, media.FrameSamples)
		n += media.FrameSamples
		payload := make([]byte, len(sound))
		media.Encode(p.law, payload, sound)
		p.packet(uint8(p.law), p.seq, p.ts, payload)
		p.seq++
		p.ts += media.FrameSamples
	}
}

// keepTalking sends a tone until stop is called.
func (p *party) keepTalking(hz float64) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(media.Frame)
	frame := p.tone(hz)
	go func() {
		defer close(done)
		for {
			frame()
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return sync.OnceFunc(func() { tick.Stop(); close(quit); <-done })
}

// talk lets every frame function run on the beat for so long.
func talk(t *testing.T, span time.Duration, frames ...func()) {
	t.Helper()
	tick := time.NewTicker(media.Frame)
	defer tick.Stop()
	for range span / media.Frame {
		for _, f := range frames {
			f()
		}
		<-tick.C
	}
}

func (p *party) heard() []int16 { return decode(p.packets()) }

func (p *party) contains(sound []int16, hz float64) bool { return level(sound, hz) > 500 }

func (p *party) event(code byte, ts uint32, duration int, end bool) {
	payload := []byte{code, 10, byte(duration >> 8), byte(duration)}
	if end {
		payload[1] |= 0x80
	}
	p.packet(dtmfType, p.seq, ts, payload)
	p.seq++
}

// checkStream checks what RFC 3550 asks of one stream: one SSRC, numbers that
// run on, time that does not go back.
func (p *party) checkStream(t *testing.T) {
	t.Helper()
	all := p.packets()
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.SSRC != b.SSRC {
			t.Fatalf("packet %d has another SSRC", i)
		}
		if b.SequenceNumber != a.SequenceNumber+1 {
			t.Fatalf("packet %d has number %d after %d", i, b.SequenceNumber, a.SequenceNumber)
		}
		if d := int32(b.Timestamp - a.Timestamp); d < 0 || d > 4000 {
			t.Fatalf("packet %d is %d samples behind the one before", i, d)
		}
	}
}

func expectDigits(t *testing.T, p media.Port, want string) {
	t.Helper()
	limit := time.After(2 * time.Second)
	for i, w := range want {
		select {
		case got := <-p.Digits():
			if got != w {
				t.Fatalf("digit %d is %c, want %c", i, got, w)
			}
		case <-limit:
			t.Fatalf("digit %d, %c, did not come", i, w)
		}
	}
	select {
	case d := <-p.Digits():
		t.Errorf("%c was not pressed", d)
	case <-time.After(30 * time.Millisecond):
	}
}

// checkEvents checks the events a phone got: per digit one timestamp, rising
// durations, three packets with the end bit.
func checkEvents(t *testing.T, p *party, want string) {
	t.Helper()
	got, last, ends := "", uint32(0), map[uint32]int{}
	duration := 0
	for _, pkt := range p.packets() {
		if pkt.PayloadType != dtmfType {
			continue
		}
		d := int(pkt.Payload[2])<<8 | int(pkt.Payload[3])
		if got == "" || pkt.Timestamp != last {
			got += string("0123456789*#ABCD"[pkt.Payload[0]])
			last, duration = pkt.Timestamp, 0
		}
		if d < duration {
			t.Errorf("duration %d after %d", d, duration)
		}
		duration = d
		if pkt.Payload[1]&0x80 != 0 {
			ends[last]++
		}
	}
	if got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	for ts, n := range ends {
		if n != 3 {
			t.Errorf("event at %d ends %d times, want 3", ts, n)
		}
	}
}

// phone is a UDP socket that speaks RTP.
type phone struct {
	conn *net.UDPConn
	to   netip.AddrPort
	ssrc uint32
	seq  uint16
	ts   uint32

	mu  sync.Mutex
	got []*rtp.Packet
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{conn: conn, ssrc: 42, seq: 65530, ts: math.MaxUint32 - 500}
	done := make(chan struct{})
	go func() { defer close(done); p.listen() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return p
}

func (p *phone) listen() {
	for {
		buf := make([]byte, 2048)
		n, err := p.conn.Read(buf)
		if err != nil {
			return
		}
		pkt := &rtp.Packet{}
		if pkt.Unmarshal(buf[:n]) == nil && buf[1]>>5 != 6 { // RTCP for a neighbour
			p.mu.Lock()
			p.got = append(p.got, pkt)
			p.mu.Unlock()
		}
	}
}

func (p *phone) addr() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (p *phone) packets() []*rtp.Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

func (p *phone) packet(kind uint8, seq uint16, ts uint32, payload []byte) {
	pkt := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: kind, SequenceNumber: seq, Timestamp: ts, SSRC: p.ssrc}, Payload: payload}
	b, _ := pkt.Marshal()
	p.raw(b)
}

func (p *phone) raw(b []byte) { _, _ = p.conn.WriteToUDPAddrPort(b, p.to) }

func (p *phone) settle() { time.Sleep(200 * time.Microsecond) }

// sink keeps what a tap hears.
type sink struct {
	mu     sync.Mutex
	pieces [2]map[int64][]byte
}

func (s *sink) Sound(side media.Side, at int64, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pieces[side] == nil {
		s.pieces[side] = map[int64][]byte{}
	}
	s.pieces[side][at] = slices.Clone(payload)
}

func (s *sink) first(side media.Side) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := int64(math.MaxInt64)
	for at := range s.pieces[side] {
		first = min(first, at)
	}
	return first
}

// bytes lays the pieces out from the first on; gaps are 0.
func (s *sink) bytes(side media.Side) []byte {
	first := s.first(side)
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []byte
	for at, b := range s.pieces[side] {
		end := int(at-first) + len(b)
		all = append(all, make([]byte, max(end-len(all), 0))...)
		copy(all[at-first:], b)
	}
	return all
}

func (s *sink) sound(side media.Side, law media.Law) []int16 { return linear(law, s.bytes(side)) }

func sine(hz float64, n int) []int16 { return sineFrom(hz, 0, n) }

func sineFrom(hz float64, from, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(from+i)/media.SampleRate))
	}
	return s
}

func linear(law media.Law, b []byte) []int16 {
	s := make([]int16, len(b))
	media.Decode(law, s, b)
	return s
}

func decode(packets []*rtp.Packet) []int16 {
	var s []int16
	for _, p := range packets {
		if law := media.Law(p.PayloadType); law.Valid() {
			s = append(s, linear(law, p.Payload)...)
		}
	}
	return s
}

// level is a tone's amplitude by Goertzel, as the mean over pieces of 50 ms, so
// that a jump of phase between them does no harm.
func level(sound []int16, hz float64) float64 {
	const piece = 400
	sum, n := 0.0, 0
	for c := range slices.Chunk(sound, piece) {
		if len(c) == piece {
			sum += goertzel(c, hz)
			n++
		}
	}
	return sum / float64(max(n, 1))
}

func goertzel(sound []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / media.SampleRate
	var a, b float64
	for _, v := range sound {
		a, b = float64(v)+2*math.Cos(w)*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-2*math.Cos(w)*a*b) / float64(len(sound))
}

func indexOf(all, part []byte) int {
	for i := 0; i+len(part) <= len(all); i++ {
		if slices.Equal(all[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}
