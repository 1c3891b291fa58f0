package webrtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"callbox/cti"
	"callbox/cti/media"

	"github.com/google/uuid"
)

// The room of a leg's channels: frames to the call, packets to the page.
const (
	pipeFrames  = 8
	pipePackets = 32
)

// leg is a call at a page: a [cti.Leg], [cti.Lifter], [cti.Rejecter] and [cti.Absentee]. The
// phone's lock guards what comes from the page, its own the rest.
type leg struct {
	id     string
	phone  *phone
	log    *slog.Logger
	device cti.Device
	origin cti.Origin
	port   media.Port
	out    chan media.Placed
	came   arrivals // under the phone's lock
	quiet  atomic.Bool

	alerting, answered, done chan struct{}

	mu    sync.Mutex // guards what follows; behind the phone's
	state legState
	in    chan []byte
	room  [pipeFrames + 2][]byte // the frames on their way, and one that is being heard
	at    int
	err   error
}

// legState is how far a leg is.
type legState uint8

const (
	ringing legState = iota
	talking
	ended
)

func newLeg(s *Server, p *phone, d cti.Device, as cti.Number, call string) (*leg, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("leg id: %w", err)
	}
	l := &leg{
		id: id.String(), phone: p, log: s.log.With("call", call, "leg", id.String()), device: d,
		origin: cti.Origin{Direction: cti.Out, Device: d, From: as, To: cti.Number{Raw: d.Address()}},
		in:     make(chan []byte, pipeFrames), out: make(chan media.Placed, pipePackets),
		alerting: make(chan struct{}), answered: make(chan struct{}), done: make(chan struct{}),
	}
	l.port = s.deps.Engine.Pipe(s.cfg.Law, l.in, nil)
	placer, ok := l.port.(media.Placer)
	if !ok {
		return nil, errNoPlace
	}
	placer.Place(l.out)
	l.came = newArrivals(l.feed, l.press)
	if c, ok := l.port.(media.Counter); ok {
		c.Count(l.stats)
	}
	close(l.alerting)
	return l, nil
}

// ID is the connection's UUIDv7.
func (l *leg) ID() string { return l.id }

// Device is browser:USER.
func (l *leg) Device() cti.Device { return l.device }

// Origin is a call's that we make.
func (l *leg) Origin() cti.Origin { return l.origin }

// Alerting is closed: the page is told that it rings by the call's events.
func (l *leg) Alerting() <-chan struct{} { return l.alerting }

// Media is a pipe of the engine.
func (l *leg) Media() media.Port { return l.port }

// Done is closed when the leg is over.
func (l *leg) Done() <-chan struct{} { return l.done }

// Err says why the leg is over; nil if we ended it.
func (l *leg) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Answer waits for the agent's click.
func (l *leg) Answer(ctx context.Context) error {
	select {
	case <-l.answered:
		return nil
	case <-l.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-l.answered:
		return nil
	default:
	}
	if err := l.Err(); err != nil {
		return err
	}
	return cti.ErrCleared
}

var errNoPlace = errors.New("the engine does not say where sound lies")

var errNotRinging = errors.New("it does not ring")

// Lift is the click: [cti.Lifter].
func (l *leg) Lift(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != ringing {
		return fmt.Errorf("%w: %w", errNotRinging, cti.ErrWrongState)
	}
	l.state = talking
	close(l.answered)
	l.phone.s.work.Go("page of a call", l.carry)
	return nil
}

// Reject refuses the call: [cti.Rejecter].
func (l *leg) Reject() bool { return l.end(cti.ErrRejected, ringing) }

// Quiet keeps the hold tone from those who talk on without the page:
// [cti.Absentee].
func (l *leg) Quiet(others bool) { l.quiet.Store(others) }

// Hangup ends the leg.
func (l *leg) Hangup(string) { l.over(nil) }

// over ends the leg, once.
func (l *leg) over(why error) { l.end(why, ringing, talking) }

// end ends the leg where it is in one of these states.
func (l *leg) end(why error, from ...legState) bool {
	l.mu.Lock()
	was := l.state
	fits := false
	for _, state := range from {
		fits = fits || was == state
	}
	if fits {
		l.state, l.err = ended, why
		close(l.in)
		close(l.done)
	}
	l.mu.Unlock()
	if fits {
		l.phone.free(l)
	}
	return fits
}

func (l *leg) talks() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == talking
}

// carry lets the page hear its call, from the answer to the end.
func (l *leg) carry() {
	for stale := true; stale; {
		select {
		case <-l.out: // from before the answer
		default:
			stale = false
		}
	}
	for {
		select {
		case sound := <-l.out:
			l.phone.hear(l, sound)
		case <-l.done:
			return
		}
	}
}

// feed hands a frame of the page's to the call; nil is one that was lost. What
// the engine has no time for is left out.
func (l *leg) feed(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != talking {
		return
	}
	if frame != nil {
		l.room[l.at] = append(l.room[l.at][:0], frame...)
		frame = l.room[l.at]
	}
	select {
	case l.in <- frame:
		l.at = (l.at + 1) % len(l.room)
	default:
	}
}

// press hands a key of the page's to the call.
func (l *leg) press(key rune) {
	if p, ok := l.port.(media.Presser); ok {
		p.Press(string(key))
	}
}

// stats is what came from the page.
func (l *leg) stats() media.Stats {
	l.phone.mu.Lock()
	defer l.phone.mu.Unlock()
	return l.came.counted()
}
