package acdtest

import (
	"context"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	"github.com/google/uuid"
)

// Leg is one party in memory. Its sound is silence.
type Leg struct {
	id       string
	device   cti.Device
	origin   cti.Origin
	port     *port
	alerting chan struct{}
	answered chan struct{}
	done     chan struct{}

	ring, pick, end sync.Once
	err             error
	// Cause is what the box hung up with, after Done.
	cause string
}

// NewLeg makes a leg; an incoming one alerts from the start.
func NewLeg(d cti.Device, o cti.Origin) *Leg {
	l := &Leg{
		id: uuid.NewString(), device: d, origin: o, port: &port{digits: make(chan rune, 64)},
		alerting: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
	}
	if o.Direction == cti.In {
		l.alert()
		l.pickUp()
	}
	return l
}

func (l *Leg) alert()  { l.ring.Do(func() { close(l.alerting) }) }
func (l *Leg) pickUp() { l.alert(); l.pick.Do(func() { close(l.answered) }) }

// wait is false where the leg was over first.
func (l *Leg) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

func (l *Leg) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// End is the party ending the leg, for this reason.
func (l *Leg) End(err error) {
	l.end.Do(func() {
		l.err = err
		close(l.done)
	})
}

// ID is the leg's id.
func (l *Leg) ID() string { return l.id }

// Device is what was rung, or who calls.
func (l *Leg) Device() cti.Device { return l.device }

// Origin is where the leg comes from.
func (l *Leg) Origin() cti.Origin { return l.origin }

// Alerting is closed when the phone rings.
func (l *Leg) Alerting() <-chan struct{} { return l.alerting }

// Answer waits until the party picks up.
func (l *Leg) Answer(ctx context.Context) error {
	select {
	case <-l.answered:
		return nil
	default:
	}
	select {
	case <-l.answered:
		return nil
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Hangup is the box ending the leg.
func (l *Leg) Hangup(cause string) {
	l.end.Do(func() {
		l.cause = cause
		close(l.done)
	})
}

// Media is the leg's silence.
func (l *Leg) Media() media.Port { return l.port }

// Done is closed when the leg is over.
func (l *Leg) Done() <-chan struct{} { return l.done }

// Err says why the party ended it, nil if the box did.
func (l *Leg) Err() error { return l.err }

// port is a party without sound.
type port struct{ digits chan rune }

func (p *port) Play(ctx context.Context, prompt media.Prompt) error {
	timer := time.NewTimer(prompt.Duration())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

func (p *port) Digits() <-chan rune { return p.digits }
func (p *port) Send(string)         {}
func (p *port) Tap(media.Sink)      {}
func (p *port) Law() media.Law      { return media.PCMA }
func (p *port) Stats() media.Stats  { return media.Stats{} }

type engine struct{ media.Engine }

func (engine) Bridge(media.Port, media.Port) func() { return func() {} }

type recorder struct{}

func (recorder) Record(context.Context, string, media.Port) (func(context.Context) cti.Recording, error) {
	return func(context.Context) cti.Recording { return cti.Recording{State: cti.RecordingComplete} }, nil
}
