package ctitest

import (
	"context"
	"slices"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	"github.com/google/uuid"
)

// Leg is a [cti.Leg] in memory. The test plays the party at its other end:
// Alert, PickUp, Refuse and RemoteHangup.
type Leg struct {
	id     string
	device cti.Device
	origin cti.Origin
	port   media.Port

	alerting chan struct{}
	answered chan struct{}
	done     chan struct{}
	once     struct{ alerting, answered, done sync.Once }

	mu    sync.Mutex // guards what follows
	err   error
	cause string
	hung  bool
}

// NewLeg makes a leg of a call that comes in (o.Direction is cti.In) or that we
// make. A nil port becomes a [Port] in A-law.
func NewLeg(o cti.Origin, port media.Port) *Leg {
	if port == nil {
		port = NewPort(media.PCMA)
	}
	l := &Leg{
		id: uuid.Must(uuid.NewV7()).String(), device: o.Device, origin: o, port: port,
		alerting: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
	}
	if o.Direction == cti.In {
		l.Alert()
	}
	return l
}

// Incoming is a leg that calls did from number over trunk:test.
func Incoming(number, did string) *Leg {
	device := cti.Device("trunk:test/" + number)
	return NewLeg(cti.Origin{
		Direction: cti.In, Device: device, From: cti.Number{Raw: number},
		To: cti.Number{Raw: did}, DID: did, Line: "test",
	}, nil)
}

// ID is the leg's id.
func (l *Leg) ID() string { return l.id }

// Device is where the leg comes from or goes to.
func (l *Leg) Device() cti.Device { return l.device }

// Origin is as it was given to NewLeg.
func (l *Leg) Origin() cti.Origin { return l.origin }

// Alerting is closed by Alert or PickUp.
func (l *Leg) Alerting() <-chan struct{} { return l.alerting }

// Media is the port.
func (l *Leg) Media() media.Port { return l.port }

// Done is closed when the leg is over.
func (l *Leg) Done() <-chan struct{} { return l.done }

// Err says why the leg is over.
func (l *Leg) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Answer answers an incoming leg at once and waits for PickUp of another.
func (l *Leg) Answer(ctx context.Context) error {
	if l.origin.Direction == cti.In && !l.isOver() {
		l.PickUp()
	}
	return l.wait(ctx)
}

func (l *Leg) wait(ctx context.Context) error {
	select {
	case <-l.answered:
		return nil
	default:
	}
	select {
	case <-l.answered:
		return nil
	case <-l.done:
		if err := l.Err(); err != nil {
			return err
		}
		return cti.ErrCleared
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Leg) isOver() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Hangup ends the leg and keeps the cause for Cause.
func (l *Leg) Hangup(cause string) {
	l.mu.Lock()
	if !l.hung && !l.isOver() {
		l.hung, l.cause = true, cause
	}
	l.mu.Unlock()
	l.over(nil)
}

func (l *Leg) over(why error) {
	l.once.done.Do(func() {
		l.mu.Lock()
		l.err = why
		l.mu.Unlock()
		if p, ok := l.port.(*Port); ok {
			p.Close()
		}
		close(l.done)
	})
}

// Alert lets the party's phone ring.
func (l *Leg) Alert() { l.once.alerting.Do(func() { close(l.alerting) }) }

// PickUp lets the party answer.
func (l *Leg) PickUp() {
	l.Alert()
	l.once.answered.Do(func() { close(l.answered) })
}

// Refuse ends an unanswered leg with why (cti.ErrBusy …).
func (l *Leg) Refuse(why error) { l.over(why) }

// RemoteHangup lets the party hang up.
func (l *Leg) RemoteHangup() { l.over(cti.ErrRemoteHangup) }

// Answered is closed when the leg was picked up, by either side.
func (l *Leg) Answered() <-chan struct{} { return l.answered }

// Cause is what Hangup was called with; false when it was not.
func (l *Leg) Cause() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause, l.hung
}

// Port is a [media.Port] in memory: it keeps what is played and pressed, and
// takes the time that playing takes.
type Port struct {
	law    media.Law
	digits chan rune
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex // guards what follows
	played []string
	sent   string
	sink   media.Sink
	at     int64
	stats  media.Stats
}

// NewPort makes a port that sounds in law.
func NewPort(law media.Law) *Port {
	return &Port{law: law, digits: make(chan rune, 64), closed: make(chan struct{})}
}

// Play keeps the prompt's name and lasts as long as the prompt.
func (p *Port) Play(ctx context.Context, prompt media.Prompt) error {
	p.mu.Lock()
	p.played = append(p.played, prompt.Name)
	p.mu.Unlock()
	var end <-chan time.Time
	if !prompt.Loop {
		end = time.After(prompt.Duration())
	}
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.closed:
		return media.ErrClosed
	}
}

// Digits gives what Press pressed.
func (p *Port) Digits() <-chan rune { return p.digits }

// Press presses keys at the party's phone; beyond 64 waiting ones they are lost.
func (p *Port) Press(digits string) {
	for _, key := range digits {
		select {
		case p.digits <- key:
		default:
		}
	}
}

// Send keeps digits for Sent.
func (p *Port) Send(digits string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += digits
}

// Tap sets who hears Speak.
func (p *Port) Tap(s media.Sink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sink, p.at = s, 0
}

// Speak lets the party say payload, in the port's law.
func (p *Port) Speak(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Received++
	if p.sink != nil {
		p.sink.Sound(media.Received, p.at, payload)
	}
	p.at += int64(len(payload))
}

// Law is the port's law.
func (p *Port) Law() media.Law { return p.law }

// Stats counts Speak's packets.
func (p *Port) Stats() media.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Close ends Play.
func (p *Port) Close() { p.once.Do(func() { close(p.closed) }) }

// Played are the names of the prompts so far.
func (p *Port) Played() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.played)
}

// Sent are the digits the party was made to hear.
func (p *Port) Sent() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// Dialer is a [cti.Dialer] whose legs are handed to Ring, the party of all of
// them; Ring may answer at once or keep the leg. Err, when set, is what Dial
// gives.
type Dialer struct {
	Ring func(leg *Leg)
	Err  error
}

// Dial makes an outgoing leg.
func (d Dialer) Dial(_ context.Context, device cti.Device, as cti.Number, _ string) (cti.Leg, error) {
	if d.Err != nil {
		return nil, d.Err
	}
	leg := NewLeg(cti.Origin{Direction: cti.Out, Device: device, From: as, To: cti.Number{Raw: device.Address()}}, nil)
	if d.Ring != nil {
		d.Ring(leg)
	}
	return leg, nil
}
