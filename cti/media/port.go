package media

import (
	"context"
	"sync"
	"sync/atomic"
)

const digitsKept = 64

// member is a port as its engine sees it.
type member interface {
	base() *port
	Stats() Stats
	read()          // until the port is shut
	tend(now int64) // what is due now and then, on the beat
	shut()
}

// port is what ports by RTP and by pipe have in common.
type port struct {
	engine *Plain
	law    atomic.Uint32
	digits chan rune
	closed chan struct{}
	once   sync.Once
	bridge *bridge // under the engine's bridging
	room   *mixer  // likewise
	paced  bool    // takes sound on the beat only
	in     receiver
	out    sender

	detects atomic.Bool // the beat has to listen
}

func (p *port) prepare(e *Plain) {
	p.engine = e
	p.digits = make(chan rune, digitsKept)
	p.closed = make(chan struct{})
	p.out.ids = &e.ids
	p.law.Store(uint32(PCMA))
}

func (p *port) base() *port { return p }

func (p *port) tend(int64) {}

// open lets sound flow through to.
func (p *port) open(law Law, to outlet) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if p.isClosed() {
		return
	}
	if !p.in.open {
		p.law.Store(uint32(law))
		p.in.law, p.out.law = law, law
		p.out.next = p.engine.clock.now()
	}
	p.in.open, p.out.to = true, to
}

// agreed sets what signalling agreed on beside the stream itself.
func (p *port) agreed(s Stream, fax chan<- string) {
	p.out.agree(s.Keying, s.Keys)
	p.detect(s.Detect, fax)
}

// beat is the port's part of a beat.
func (p *port) beat(now int64) {
	if p.detects.Load() {
		p.in.listen(now)
	}
	p.out.beat(now)
}

// Play implements [Port].
func (p *port) Play(ctx context.Context, prompt Prompt) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	run := newPlaying(prompt, &p.engine.ids)
	p.out.push(run)
	defer p.out.drop(run)
	select {
	case <-run.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closed:
		return ErrClosed
	}
}

// Digits implements [Port].
func (p *port) Digits() <-chan rune { return p.digits }

// Send implements [Port]. A party that takes no telephone events hears tones.
func (p *port) Send(digits string) { p.out.dial(digits) }

// Law implements [Port].
func (p *port) Law() Law { return Law(p.law.Load()) }

// Tap implements [Port].
func (p *port) Tap(to Sink) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	zero := p.engine.clock.now()
	p.in.tap.set(to, zero)
	p.out.tap.set(to, zero)
}

// pressed keeps a key for Digits; when nobody reads, the oldest goes.
func (p *port) pressed(key rune) {
	for {
		select {
		case p.digits <- key:
			return
		default:
		}
		select {
		case <-p.digits:
		default:
		}
	}
}

func (p *port) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// end takes the port out of service, once.
func (p *port) end(free func()) {
	p.once.Do(func() {
		close(p.closed)
		p.engine.part(p)
		p.disconnect()
		p.detect(0, nil)
		free()
		p.engine.remove(p)
	})
}

func (p *port) disconnect() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.in.open, p.out.to = false, nil
	p.detects.Store(false)
}

// Stats implements [Port].
func (p *port) Stats() Stats {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	s := p.in.stats
	s.Sent = p.out.sent
	return s
}
