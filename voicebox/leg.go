package voicebox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"callbox/cti"
	"callbox/cti/media"

	"github.com/google/uuid"
)

// How sure an answer is, and by what a hang-up was noticed: see [cti.Witness].
const (
	Sure   = "sure"
	Likely = "likely"
	Guess  = "guess"

	ByPolarity = "polarity"
	ByLoop     = "loop"
	ByBusyTone = "busy_tone"
	BySilence  = "silence"
	BySet      = "set"
)

// pipeFrames is the room of a port's channels, 160 ms each.
const pipeFrames = 8

// latch is a thing that happens once.
type latch struct {
	c    chan struct{}
	once sync.Once
}

func newLatch() *latch { return &latch{c: make(chan struct{})} }

func (l *latch) set() { l.once.Do(func() { close(l.c) }) }

func (l *latch) isSet() bool {
	select {
	case <-l.c:
		return true
	default:
		return false
	}
}

// leg is a call on a line: a [cti.Leg], [cti.Informer] and [cti.Witness]. The
// line's goroutine reads asked and hung, and alone feeds in, tells and frees.
type leg struct {
	id     string
	log    *slog.Logger
	device cti.Device
	origin cti.Origin
	digits string // to dial
	port   media.Port
	in     chan []byte
	out    chan []byte
	info   chan cti.Information
	told   bool // info is closed
	flash  chan chan<- error

	alerting, asked, answered, hung, done *latch

	mu     sync.Mutex // guards what follows
	err    error
	answer string
	hangup string
}

func newLeg(engine media.Engine, log *slog.Logger, o cti.Origin) (*leg, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("leg id: %w", err)
	}
	l := &leg{
		id: id.String(), log: log.With("leg", id.String()), device: o.Device, origin: o,
		in: make(chan []byte, pipeFrames), out: make(chan []byte, pipeFrames),
		info:     make(chan cti.Information, 4),
		flash:    make(chan chan<- error),
		alerting: newLatch(), asked: newLatch(), answered: newLatch(), hung: newLatch(), done: newLatch(),
	}
	l.port = engine.Pipe(law, l.in, l.out)
	if o.Direction == cti.In {
		l.alerting.set()
	}
	return l, nil
}

// ID is the connection's UUIDv7.
func (l *leg) ID() string { return l.id }

// Device is the line.
func (l *leg) Device() cti.Device { return l.device }

// Origin is what was known at the first ring.
func (l *leg) Origin() cti.Origin { return l.origin }

// Alerting is closed at the first ringback tone.
func (l *leg) Alerting() <-chan struct{} { return l.alerting.c }

// Media is a pipe of the engine.
func (l *leg) Media() media.Port { return l.port }

// Done is closed when the leg is over.
func (l *leg) Done() <-chan struct{} { return l.done.c }

// Information implements [cti.Informer].
func (l *leg) Information() <-chan cti.Information { return l.info }

// Err says why the leg is over; nil if we ended it, or the agent at the set.
func (l *leg) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Evidence implements [cti.Witness].
func (l *leg) Evidence() (answer, hangup string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer, l.hangup
}

// Answer goes off hook as soon as the caller's number is known or cannot come
// any more, or waits until the party picks up; on a line that we attend it
// waits for the set.
func (l *leg) Answer(ctx context.Context) error {
	l.asked.set()
	select {
	case <-l.answered.c:
		return nil
	case <-l.done.c:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.answered.isSet() {
		return nil
	}
	if err := l.Err(); err != nil {
		return err
	}
	return cti.ErrCleared
}

// Flash opens the loop for a moment, which an exchange takes for a wish: call
// waiting, a second call. It takes a second, in which nothing is heard. Errors:
// [cti.ErrWrongState] where we are not in a talk.
func (l *leg) Flash(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case l.flash <- done:
	case <-l.done.c:
		return cti.ErrWrongState
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return <-done
}

// Hangup ends the leg; the line goes on hook behind it. A line that we attend
// is left alone.
func (l *leg) Hangup(string) {
	l.over(nil, "")
	l.hung.set()
}

// over ends the leg, once, and keeps why and by what it was noticed.
func (l *leg) over(why error, noticed string) {
	l.done.once.Do(func() {
		l.mu.Lock()
		l.err, l.hangup = why, noticed
		l.mu.Unlock()
		close(l.done.c)
	})
}

// pickUp says that the party answered, and how sure that is.
func (l *leg) pickUp(confidence string) {
	l.mu.Lock()
	l.answer = confidence
	l.mu.Unlock()
	l.alerting.set()
	l.answered.set()
}

// tell passes on what was learnt of the numbers.
func (l *leg) tell(i cti.Information) {
	if l.told {
		return
	}
	select {
	case l.info <- i:
	default: // nobody reads
	}
}

// untold says that nothing more will be learnt.
func (l *leg) untold() {
	if !l.told {
		l.told = true
		close(l.info)
	}
}

// free gives back the port. The line's goroutine calls it once, last.
func (l *leg) free() {
	l.untold()
	close(l.in)
}
