package media

import (
	"bytes"
	"sync/atomic"
	"time"
)

// Presser is a port whose owner tells it the keys that its party pressed,
// because they did not come with the sound. Keys go to Digits and, over a
// bridge, to the other party.
type Presser interface {
	// Press takes keys 0-9*#A-D; other runes are left out.
	Press(digits string)
}

// Counter is a port whose owner counts what comes: it sees packets where the
// port sees frames.
type Counter interface {
	// Count has Stats ask by for what came, what went and for the party's reports.
	// by must not use the port.
	Count(by func() Stats)
}

// Placer is a port whose party puts late sound in its place itself. A bridge's
// packets come to it as they are, where a pipe without this gets frames on the
// beat, evened out and as late as that makes them.
type Placer interface {
	// Place has the port's sound go to to from now on; what to has no room for is
	// lost. It is for a port that hears nobody yet.
	Place(to chan<- Placed)
}

// Placed is a piece of the one stream that a party hears; what is missing of it
// leaves a gap in Seq and At, what is late comes with the ones that it had.
type Placed struct {
	Seq     uint16
	At      int64 // sample
	Payload []byte
}

const pipePause = 200 * SampleRate / 1000

// pipe is a port of two channels.
type pipe struct {
	port
	from  <-chan []byte
	count int64 // samples that came in, and pauses
	ext   int64

	counts atomic.Pointer[func() Stats]
}

func newPipe(e *Plain, law Law, in <-chan []byte, out chan<- []byte) *pipe {
	p := &pipe{from: in, count: e.clock.now()}
	p.prepare(e)
	p.paced = true
	p.port.open(law, &pipeOut{to: out})
	p.in.source = e.ids.next()
	return p
}

func (p *pipe) shut() { p.end(func() {}) }

// read passes sound on until in or the port is closed.
func (p *pipe) read() {
	for {
		select {
		case frame, ok := <-p.from:
			if !ok {
				return
			}
			p.take(frame)
		case <-p.closed:
			return
		}
	}
}

func (p *pipe) take(frame []byte) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if frame == nil {
		p.ext++
		p.count += FrameSamples
		return
	}
	if len(frame) == 0 || len(frame) > maxPayload {
		p.in.stats.Dropped++
		return
	}
	now := p.engine.clock.now()
	if now-p.count > pipePause {
		p.count = now
	}
	p.ext++
	p.in.received(time.Now())
	h := heard{ext: p.ext, arrival: now, law: p.in.law, payload: frame}
	p.in.sound(&h, uint32(p.count), p.out.ids)
	p.count += int64(len(frame))
}

// Count implements [Counter].
func (p *pipe) Count(by func() Stats) { p.counts.Store(&by) }

// Stats implements [Port].
func (p *pipe) Stats() Stats {
	s := p.port.Stats()
	by := p.counts.Load()
	if by == nil {
		return s
	}
	came := (*by)()
	came.Concealed = s.Concealed
	came.Dropped += s.Dropped
	came.Late += s.Late
	return came
}

// Press implements [Presser].
func (p *port) Press(digits string) {
	k := keying{}
	k.add(digits)
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	for _, code := range k.queue {
		p.pressed(rune(keys[code]))
	}
	p.in.tell(digits)
}

// Place implements [Placer].
func (p *pipe) Place(to chan<- Placed) {
	p.engine.bridging.Lock()
	defer p.engine.bridging.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.paced = false
	if p.out.to != nil {
		p.out.to = placedOut(to)
	}
}

// placedOut hands on what is sent with its number and its place.
type placedOut chan<- Placed

func (o placedOut) sound(seq uint16, at int64, _ bool, _ Law, payload []byte) {
	select {
	case o <- Placed{seq, at, bytes.Clone(payload)}:
	default:
	}
}

func (o placedOut) event(uint16, int64, bool, []byte) {}

func (o placedOut) events() bool { return false }

// pipeOut cuts what is sent into frames of 20 ms.
type pipeOut struct {
	to   chan<- []byte
	next int64
	part []byte
}

func (o *pipeOut) sound(_ uint16, at int64, _ bool, _ Law, payload []byte) {
	if at < o.next {
		return // late: a pipe has no way to put it in its place
	}
	o.next = at + int64(len(payload))
	for len(payload) > 0 {
		if o.part == nil {
			o.part = make([]byte, 0, FrameSamples)
		}
		n := min(FrameSamples-len(o.part), len(payload))
		o.part = append(o.part, payload[:n]...)
		payload = payload[n:]
		if len(o.part) == FrameSamples {
			o.hand()
		}
	}
}

// hand gives a whole frame away; the receiver owns it.
func (o *pipeOut) hand() {
	select {
	case o.to <- o.part:
	default:
	}
	o.part = nil
}

func (o *pipeOut) event(uint16, int64, bool, []byte) {}

func (o *pipeOut) events() bool { return false }
