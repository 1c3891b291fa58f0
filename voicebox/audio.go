package voicebox

import (
	"callbox/cti/media"
	"callbox/cti/media/dsp"
)

// headStart is how many frames the box has in hand: what is written is heard
// so much later. A host that is late by less does no harm.
const headStart = 3

// echoTail is the length of the echo that is cancelled, 64 ms.
const echoTail = 512

// inBuffers are more than a port holds at once.
const inBuffers = pipeFrames + 4

// calm is for how many frames the host must have been punctual (2 s) before
// the box's running dry means that frames were lost on the way from it.
const calm = 100

// How the box's cushion is made good after the host was late: while we have
// been silent for so many frames, so many are left out, which surely empties
// it, and then it is filled anew.
const (
	hushed  = 10
	drained = 2*headStart + 2
)

// audio is the sound of a line while it flows. It beats with the line: for
// each frame that is read one is written.
type audio struct {
	stream sound
	only   bool // receive
	echo   *dsp.Canceller
	keys   *dsp.DTMF
	ours   *dsp.DTMF // in what we send
	tones  *dsp.Tones
	voice  *dsp.Voice
	play   playout

	sent  [headStart + 1][media.FrameSamples]int16 // the newest at next-1
	next  int
	quick int // frames since one was read late
	hush  int // frames since we were heard last
	doubt bool
	drain int // frames still to be left out
	clean [media.FrameSamples]int16
	bytes [inBuffers][media.FrameSamples]byte // lent to the port in turn
	turn  int
	found heard
}

// heard is what was heard in one frame.
type heard struct {
	n     int // samples
	keys  []dsp.Digit
	sent  []dsp.Digit // in our own sound
	tones []dsp.Heard
	voice bool // of the far side
	ours  bool // something was sent
}

// newAudio begins with a head start of silence.
func newAudio(stream sound, tones dsp.Plan, only bool) *audio {
	a := &audio{
		stream: stream, only: only,
		keys: dsp.NewDTMF(), tones: dsp.NewTones(tones), voice: dsp.NewVoice(),
	}
	if only {
		return a
	}
	a.echo = dsp.NewCanceller(echoTail)
	a.ours = dsp.NewDTMF()
	a.pad(headStart)
	return a
}

// pad gives the box so many frames of silence in hand.
func (a *audio) pad(frames int) {
	for range frames {
		a.put(a.slot())
	}
}

// dry is told when the box had nothing to play. Where the host was late that
// mends itself; else frames were lost on their way to us, for which none were
// written: what the box had in hand is made good.
func (a *audio) dry() {
	if a.quick > calm {
		a.quick = 0
		a.pad(headStart - 1)
	}
}

// frame takes a frame from the line: echo cancelled and detectors asked, it
// goes to the port, and one from the port goes to the line; silence where open
// is false. What is found is good until the next frame. Behind in there are
// waiting frames.
func (a *audio) frame(in []int16, waiting int, to *leg, open bool) *heard {
	in = in[:min(len(in), media.FrameSamples)]
	clean := a.clean[:len(in)]
	a.found = heard{n: len(in), keys: a.found.keys[:0], sent: a.found.sent[:0], tones: a.found.tones[:0]}
	if a.only {
		copy(clean, in)
	} else {
		a.quick++
		if waiting > 1 {
			a.quick = 0
		}
		a.doubt = a.doubt || waiting >= headStart-1 // it has nothing left, or nearly
		a.write(to, open, waiting > headStart)
		// sent holds headStart frames more than were read: the oldest is on the line.
		far := &a.sent[a.next%len(a.sent)]
		a.echo.Process(clean, in, far[:len(in)])
	}
	a.found.keys = a.keys.Detect(clean, a.found.keys)
	a.found.tones = a.tones.Detect(clean, a.found.tones)
	a.found.voice = a.voice.Detect(clean)
	a.hand(clean, to)
	return &a.found
}

// write gives the line its next frame. One that is late is left out: the box
// has run dry meanwhile, and would from now on play everything later.
func (a *audio) write(from *leg, open, late bool) {
	frame := a.slot()
	if a.drain > 0 {
		a.refill()
		return
	}
	sound := a.play.next(from.out)
	if late {
		return
	}
	a.hush++
	if sound != nil && open {
		media.Decode(law, frame[:], sound)
		a.found.ours = !quiet(frame[:])
	}
	a.found.sent = a.ours.Detect(frame[:], a.found.sent)
	if a.found.ours {
		a.hush = 0
	}
	a.put(frame)
	if a.doubt && a.hush >= hushed {
		a.doubt, a.drain = false, drained
	}
}

// refill lets the box run dry and gives it its head start again.
func (a *audio) refill() {
	a.quick = 0
	if a.drain--; a.drain > 0 {
		return
	}
	var silence [media.FrameSamples]int16
	for range headStart {
		a.put(&silence)
	}
}

// slot is the room of the line's next frame, silent.
func (a *audio) slot() *[media.FrameSamples]int16 {
	frame := &a.sent[a.next%len(a.sent)]
	a.next++
	clear(frame[:])
	return frame
}

// put sends a frame. That one cannot be sent is the line's to notice: its
// sound stops.
func (a *audio) put(frame *[media.FrameSamples]int16) { _ = a.stream.Write(frame[:]) }

// hand passes a frame to the port, which has no more of it than its channel
// holds; when that is full the sound is of no use.
func (a *audio) hand(clean []int16, to *leg) {
	if to == nil || len(clean) == 0 {
		return
	}
	frame := a.bytes[a.turn%len(a.bytes)][:len(clean)]
	media.Encode(law, frame, clean)
	select {
	case to.in <- frame:
		a.turn++
	default:
	}
}

// quietPeak is the highest sample of what nobody hears, about -50 dBm0.
const quietPeak = 70

func quiet(frame []int16) bool {
	for _, v := range frame {
		if v > quietPeak || v < -quietPeak {
			return false
		}
	}
	return true
}

// Frames that wait to be played: as many are gathered first, to outlast
// jitter, and so many at most.
const (
	playoutLeast = 2
	playoutMost  = 5
)

// playout evens out what comes from a port at the host's beat for a line that
// has its own.
type playout struct {
	queue   [playoutMost + 1][]byte
	n       int
	flowing bool
}

// next is the frame to play now; nil for silence.
func (p *playout) next(from <-chan []byte) []byte {
	p.fill(from)
	if !p.flowing && p.n < playoutLeast {
		return nil
	}
	p.flowing = p.n > 0
	if !p.flowing {
		return nil
	}
	frame := p.pop()
	if p.n >= playoutLeast && silent(frame) { // catch up where it is not heard
		frame = p.pop()
	}
	return frame
}

// fill takes what has come; what is too much goes, the oldest first.
func (p *playout) fill(from <-chan []byte) {
	for {
		select {
		case frame := <-from:
			p.queue[p.n] = frame
			p.n++
			if p.n > playoutMost {
				p.pop()
			}
		default:
			return
		}
	}
}

func (p *playout) pop() []byte {
	frame := p.queue[0]
	copy(p.queue[:], p.queue[1:p.n])
	p.n--
	p.queue[p.n] = nil
	return frame
}

// silent says whether a frame in the port's law is not heard.
func silent(frame []byte) bool {
	var samples [media.FrameSamples]int16
	return quiet(samples[:media.Decode(law, samples[:], frame)])
}
