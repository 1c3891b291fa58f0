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

// audio is the sound of a line while it flows. It beats with the line: for
// each frame that is read one is written.
type audio struct {
	stream sound
	only   bool // receive
	echo   *dsp.Canceller
	keys   *dsp.DTMF
	tones  *dsp.Tones
	voice  *dsp.Voice
	play   playout

	sent  [headStart + 1][media.FrameSamples]int16 // the newest at next-1
	next  int
	clean [media.FrameSamples]int16
	bytes [inBuffers][media.FrameSamples]byte // lent to the port in turn
	turn  int
	found heard
}

// heard is what was heard in one frame.
type heard struct {
	n     int // samples
	keys  []dsp.Digit
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
	for range headStart {
		a.write(nil, false)
	}
	return a
}

// frame takes a frame from the line: echo cancelled and detectors asked, it
// goes to the port, and one from the port goes to the line; silence where open
// is false. What is found is good until the next frame.
func (a *audio) frame(in []int16, to *leg, open bool) *heard {
	in = in[:min(len(in), media.FrameSamples)]
	clean := a.clean[:len(in)]
	a.found = heard{n: len(in), keys: a.found.keys[:0], tones: a.found.tones[:0]}
	if a.only {
		copy(clean, in)
	} else {
		a.write(to, open)
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

// write gives the line its next frame. A frame that cannot be written is the
// line's to notice: its sound will stop.
func (a *audio) write(from *leg, open bool) {
	frame := &a.sent[a.next%len(a.sent)]
	a.next++
	clear(frame[:])
	if from != nil {
		if sound := a.play.next(from.out); sound != nil && open {
			media.Decode(law, frame[:], sound)
			a.found.ours = !quiet(frame[:])
		}
	}
	_ = a.stream.Write(frame[:])
}

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
