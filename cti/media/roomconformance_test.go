package media_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"callbox/cti/media"
	"callbox/cti/media/dsp"
)

// conformanceOfRooms is what every engine's rooms, decoded legs and keys have
// to do.
func conformanceOfRooms(t *testing.T, open func(t *testing.T) media.Engine) {
	for name, f := range map[string]func(*testing.T, media.Engine){
		"three hear each other by RTP and pipe":            conference,
		"a prompt and digits come before a room":           beforeRoom,
		"keys go to who hears the party":                   keysInRoom,
		"a tap hears what a room makes its party hear":     tapInRoom,
		"a room survives jumps of a stream":                jumpsInRoom,
		"rooms change while all talk":                      restlessRoom,
		"a pipe hears a lossy party without gaps":          lossyToPipe,
		"keys in the sound are found once":                 keysInSound,
		"an event's own tone is not a second key":          keyTwice,
		"a fax is noticed":                                 faxNoticed,
		"digits go as tones, in order":                     digitsAsTones,
		"digits go as messages, which are not waited for":  digitsAsMessages,
		"a key held long is one key":                       longKey,
		"a stream that is not deciphered to sound is left": otherTypesInRoom,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func TestPlainRooms(t *testing.T) {
	conformanceOfRooms(t, func(t *testing.T) media.Engine {
		return run(t, media.Config{PortMin: 50000, PortMax: 59999})
	})
}

// pipeParty is a party on a pipe that says a tone while its test lasts.
type pipeParty struct {
	port media.Port
	in   chan []byte
	out  chan []byte
}

func newPipeParty(t *testing.T, e media.Engine, law media.Law) *pipeParty {
	t.Helper()
	p := &pipeParty{in: make(chan []byte, 4), out: make(chan []byte, 500)}
	p.port = e.Pipe(law, p.in, p.out)
	t.Cleanup(func() { close(p.in) })
	return p
}

func (p *pipeParty) tone(hz float64) func() {
	n := 0
	return func() {
		frame := make([]byte, media.FrameSamples)
		media.Encode(p.port.Law(), frame, sineFrom(hz, n, media.FrameSamples))
		n += media.FrameSamples
		p.in <- frame
	}
}

// hears empties the pipe.
func (p *pipeParty) hears() (sound []int16) {
	for len(p.out) > 0 {
		sound = append(sound, linear(p.port.Law(), <-p.out)...)
	}
	return sound
}

const rateC = 1800.0

func conference(t *testing.T, e media.Engine) {
	a, b, c := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU), newPipeParty(t, e, media.PCMA)
	undo := e.Bridge(a.port, b.port)
	room := e.Room()
	room.Hear(a.port, b.port, c.port)
	room.Hear(b.port, a.port, c.port)
	room.Hear(c.port, a.port, b.port)
	undo()
	talk(t, 600*time.Millisecond, a.tone(rateA), b.tone(rateB), c.tone(rateC))
	for name, p := range map[string]struct {
		sound      []int16
		hears, not []float64
	}{
		"a": {a.heard(), []float64{rateB, rateC}, []float64{rateA}},
		"b": {b.heard(), []float64{rateA, rateC}, []float64{rateB}},
		"c": {c.hears(), []float64{rateA, rateB}, []float64{rateC}},
	} {
		for _, hz := range p.hears {
			if got := level(p.sound, hz); got < 3000 {
				t.Errorf("%s hears %v Hz at %.0f", name, hz, got)
			}
		}
		if got := level(p.sound, p.not[0]); got > 500 {
			t.Errorf("%s hears itself at %.0f", name, got)
		}
	}
	room.Close()
	time.Sleep(2 * media.Frame)
	before := len(a.packets())
	talk(t, 200*time.Millisecond, b.tone(rateB))
	if sound := decode(a.packets()[before:]); len(sound) == 0 || a.contains(sound, rateB) {
		t.Error("sound passes after the room's end, or nothing is sent")
	}
	a.checkStream(t)
	b.checkStream(t)
}

func beforeRoom(t *testing.T, e media.Engine) {
	a, b, c := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA), newParty(t, e, media.PCMU)
	room := e.Room()
	defer room.Close()
	room.Hear(a.port, b.port, c.port)
	defer b.keepTalking(rateB)()
	time.Sleep(150 * time.Millisecond)
	a.port.Send("5")
	if err := a.port.Play(t.Context(), media.NewPrompt("tone", sine(600, 3200))); err != nil {
		t.Fatal(err)
	}
	if !a.contains(a.heard(), 600) {
		t.Error("the prompt was not heard")
	}
	for begin := time.Now(); ; time.Sleep(media.Frame) {
		all := a.packets()
		if sound := decode(all[len(all)-8:]); a.contains(sound, rateB) && !a.contains(sound, 600) {
			break
		}
		if time.Since(begin) > 2*time.Second {
			t.Fatal("the room is not heard after the prompt")
		}
	}
	checkEvents(t, a, "5")
	a.checkStream(t)
}

func keysInRoom(t *testing.T, e media.Engine) {
	a, b, deaf := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU), newParty(t, e, media.PCMA)
	line := newPipeParty(t, e, media.PCMA)
	room := e.Room()
	defer room.Close()
	room.Hear(b.port, a.port)
	room.Hear(line.port, a.port)
	room.Hear(deaf.port, b.port)
	talk(t, 60*time.Millisecond, a.tone(rateA))
	begin := a.ts
	for i := 1; i <= 7; i++ {
		a.event(7, begin, min(i, 5)*160, i >= 5)
		time.Sleep(media.Frame)
	}
	time.Sleep(250 * time.Millisecond)
	expectDigits(t, a.port, "7")
	checkEvents(t, b, "7")
	checkEvents(t, deaf, "")
	if sound := line.hears(); level(sound, 852) < 60 || level(sound, 1209) < 60 {
		t.Errorf("on the line the key is heard at %.0f and %.0f", level(sound, 852), level(sound, 1209))
	}
	line.port.(media.Presser).Press("3")
	room.Hear(a.port, line.port)
	line.port.(media.Presser).Press("4")
	time.Sleep(250 * time.Millisecond)
	checkEvents(t, a, "4")
}

// tapInRoom compares the tap with what the phone got, sample by sample.
func tapInRoom(t *testing.T, e media.Engine) {
	a, b, c := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU), newParty(t, e, media.PCMA)
	room := e.Room()
	defer room.Close()
	tap := &sink{}
	a.port.Tap(tap)
	room.Hear(a.port, b.port, c.port)
	talk(t, 400*time.Millisecond, a.tone(rateA), b.tone(rateB), c.tone(rateC))
	a.port.Tap(nil)
	time.Sleep(2 * media.Frame) // the phone reads what is on its way
	sent := map[uint32][]byte{}
	for _, p := range a.packets() {
		sent[p.Timestamp] = p.Payload
	}
	first := tap.first(media.Sent)
	var zero uint32 // the tap's in the phone's time
	for ts, payload := range sent {
		if slices.Equal(payload, tap.pieces[media.Sent][first]) {
			zero = ts - uint32(first)
		}
	}
	if n := len(tap.pieces[media.Sent]); n < 10 {
		t.Errorf("the tap hears %d frames", n)
	}
	for at, piece := range tap.pieces[media.Sent] {
		if !slices.Equal(sent[zero+uint32(at)], piece) {
			t.Errorf("at %d the tap does not hear what was sent", at)
		}
	}
	if sound := tap.sound(media.Received, media.PCMA); !a.contains(sound, rateA) || level(sound, rateB) > 100 {
		t.Error("the other side of the tap is not what the party said")
	}
	// All began to speak at the same time.
	if behind := first - tap.first(media.Received); behind < 0 || behind > 1000 {
		t.Errorf("the room begins %d samples behind the party", behind)
	}
}

func jumpsInRoom(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newPipeParty(t, e, media.PCMA)
	room := e.Room()
	defer room.Close()
	room.Hear(b.port, a.port)
	say := a.tone(rateA)
	talk(t, 100*time.Millisecond, say)
	for _, change := range []func(){
		func() { a.ts += 1 << 30 },
		func() { a.ts -= 5 << 28 },
		func() { a.ssrc, a.seq, a.ts = 77, 9, 1 },
	} {
		change()
		talk(t, 160*time.Millisecond, say)
	}
	sound := b.hears()
	quiet := 0
	for piece := range slices.Chunk(sound[min(len(sound), 800):], 80) {
		if len(piece) == 80 && goertzel(piece, rateA) < 1500 {
			quiet++
		}
	}
	if len(sound) < 3500 || quiet > 8 {
		t.Errorf("of %d samples %d pieces of 10 ms are quiet", len(sound), quiet)
	}
}

// restlessRoom changes everything while all talk; it is for the race detector.
func restlessRoom(t *testing.T, e media.Engine) {
	ports := make([]media.Port, 0, 12)
	for range 5 {
		p := newParty(t, e, media.PCMA)
		defer p.keepTalking(rateA)()
		ports = append(ports, p.port)
		line := newPipeParty(t, e, media.PCMU)
		ports = append(ports, line.port)
	}
	rooms := []media.Room{e.Room(), e.Room()}
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for i := range 200 {
				at := (i*7 + g*3) % len(ports)
				other := (at + 1 + i%4) % len(ports)
				switch i % 6 {
				case 0:
					e.Bridge(ports[at], ports[other])()
				case 1:
					rooms[g%2].Leave(ports[at])
				case 2:
					ports[at].Send("1")
					_ = ports[at].Stats()
				default:
					rooms[i%2].Hear(ports[at], ports[other], ports[(other+3)%len(ports)])
				}
				time.Sleep(time.Millisecond / 2)
			}
		})
	}
	wg.Wait()
	rooms[0].Close()
	rooms[1].Close()
}

// lossyToPipe loses every tenth packet and lets every seventh be late.
func lossyToPipe(t *testing.T, e media.Engine) {
	a, line := newParty(t, e, media.PCMA), newPipeParty(t, e, media.PCMA)
	defer e.Bridge(a.port, line.port)()
	frame := a.tone(500)
	n, held := 0, 0
	talk(t, 1200*time.Millisecond, func() {
		n++
		switch {
		case n%10 == 0:
			a.seq++
			a.ts += media.FrameSamples
		case n%7 == 0:
			held++
		default:
			for ; held > 0; held-- {
				frame()
			}
			frame()
		}
	})
	sound := line.hears()
	gaps := 0
	for piece := range slices.Chunk(sound[1600:8000], 80) {
		if goertzel(piece, 500) < 1000 {
			gaps++
		}
	}
	if gaps > 2 {
		t.Errorf("%d gaps of 10 ms", gaps)
	}
	if s := a.port.Stats(); s.Concealed == 0 || s.Concealed > 20 {
		t.Errorf("%d frames made up", s.Concealed)
	}
}

// restart sets what differs from the stream of newParty.
func (p *party) restart(t *testing.T, s media.Stream) {
	t.Helper()
	s.Remote, s.Law = p.addr(), p.law
	start(t, p.port, s)
}

// say sends sound in frames on the beat.
func (p *party) say(t *testing.T, sound []int16) {
	t.Helper()
	frames := slices.Collect(slices.Chunk(sound, media.FrameSamples))
	n := 0
	talk(t, time.Duration(len(frames))*media.Frame, func() {
		payload := make([]byte, len(frames[n]))
		media.Encode(p.law, payload, frames[n])
		n++
		p.packet(uint8(p.law), p.seq, p.ts, payload)
		p.seq++
		p.ts += media.FrameSamples
	})
}

func digitSound(digits string) []int16 {
	return dsp.AppendDTMF(make([]int16, 800), digits, dsp.DefaultKeying)
}

func keysInSound(t *testing.T, e media.Engine) {
	a, b, line := newParty(t, e, media.PCMA), newParty(t, e, media.PCMU), newPipeParty(t, e, media.PCMA)
	a.say(t, digitSound("9")) // nobody asked
	a.restart(t, media.Stream{DTMF: dtmfType, Detect: media.DetectKeys})
	defer e.Bridge(a.port, b.port)()
	a.restart(t, media.Stream{DTMF: dtmfType, Detect: media.DetectKeys}) // as a refresh does
	a.say(t, digitSound("15#"))
	expectDigits(t, a.port, "15#")
	time.Sleep(200 * time.Millisecond)
	checkEvents(t, b, "15#")
	if sound := b.heard(); level(sound, 1209) < 100 {
		t.Error("the tone itself is not left as it was")
	}
	e.Bridge(a.port, line.port)
	line.hears()
	a.say(t, digitSound("2"))
	expectDigits(t, a.port, "2")
	time.Sleep(200 * time.Millisecond)
	if got := keysOf(line.hears()); got != "2" {
		t.Errorf("on the line the key is heard as %q", got)
	}
}

// keysOf finds the keys in sound.
func keysOf(sound []int16) (keys string) {
	for _, d := range dsp.NewDTMF().Detect(sound, nil) {
		keys += string(rune(d.Key))
	}
	return keys
}

func keyTwice(t *testing.T, e media.Engine) {
	a := newParty(t, e, media.PCMA)
	a.restart(t, media.Stream{DTMF: dtmfType, Detect: media.DetectKeys})
	a.say(t, make([]int16, 800))
	a.event(5, a.ts, 160, false)
	a.say(t, digitSound("5")[800:])
	a.event(5, a.ts-1280, 1280, true)
	expectDigits(t, a.port, "5")
	a.say(t, digitSound("6"))
	expectDigits(t, a.port, "6")
}

func faxNoticed(t *testing.T, e media.Engine) {
	a := newParty(t, e, media.PCMA)
	a.restart(t, media.Stream{Detect: media.DetectFax})
	call := dsp.AppendSilence(dsp.AppendTone(dsp.AppendSilence(nil, 100*time.Millisecond), 1100, -15, 500*time.Millisecond), 500*time.Millisecond)
	for tries := 0; tries < 4 && len(a.port.Fax()) == 0; tries++ { // a busy machine may spoil one
		a.say(t, call)
	}
	select {
	case got := <-a.port.Fax():
		if got != "cng" {
			t.Errorf("heard %q", got)
		}
	case <-time.After(time.Second):
		t.Error("no fax was heard")
	}
}

func digitsAsTones(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	a.restart(t, media.Stream{DTMF: dtmfType, Keying: media.Tones})
	defer e.Bridge(a.port, b.port)()
	defer b.keepTalking(rateC)()
	a.port.Send("12")
	time.Sleep(100 * time.Millisecond)
	a.port.Send("3") // while the others are on their way
	time.Sleep(700 * time.Millisecond)
	if got := keysOf(a.heard()); got != "123" {
		t.Errorf("the phone hears %q, want 123", got)
	}
	checkEvents(t, a, "")
	a.checkStream(t)
}

func digitsAsMessages(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	letters := make(chan string, 2)
	a.restart(t, media.Stream{DTMF: dtmfType, Keying: media.Messages, Keys: letters})
	defer e.Bridge(a.port, b.port)()
	a.port.Send("12")
	b.event(3, 1000, 160, false)
	b.event(3, 1000, 800, true)
	time.Sleep(100 * time.Millisecond)
	a.port.Send("4") // finds no place
	time.Sleep(100 * time.Millisecond)
	if x, y := <-letters, <-letters; x != "12" || y != "3" || len(letters) > 0 {
		t.Errorf("messages %q, %q and %d more", x, y, len(letters))
	}
	checkEvents(t, a, "")
}

// longKey holds a key for 20 s, which RFC 4733 §2.5.1.3 sends as three events.
func longKey(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newParty(t, e, media.PCMA)
	defer e.Bridge(a.port, b.port)()
	ts := uint32(5000)
	for range 2 {
		a.event(8, ts, 160, false)
		a.event(8, ts, 65535, false)
		ts += 65535
	}
	a.event(8, ts, 160, false)
	a.event(8, ts, 800, true)
	a.event(8, ts, 800, true)
	a.event(8, ts+800, 160, false) // pressed again at once
	a.event(8, ts+800, 800, true)
	expectDigits(t, a.port, "88")
}

func otherTypesInRoom(t *testing.T, e media.Engine) {
	a, b := newParty(t, e, media.PCMA), newPipeParty(t, e, media.PCMA)
	room := e.Room()
	defer room.Close()
	room.Hear(b.port, a.port)
	talk(t, 400*time.Millisecond, func() {
		a.packet(13, a.seq, a.ts, []byte{60})
		a.packet(98, a.seq+1, a.ts, make([]byte, 160))
		a.packet(uint8(media.PCMA), a.seq+2, a.ts, nil)
		a.seq += 3
		a.ts += 160
	})
	sound := b.hears()
	if got := dsp.Level(sound[800:]); got > -50 || got < -58 {
		t.Errorf("the background has %.0f dBm0, want -54", got)
	}
}
