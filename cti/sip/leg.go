package sip

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/number"

	"github.com/google/uuid"
)

// legState is where a leg stands.
type legState int

const (
	ringing legState = iota
	talking
	over
)

// legEvent is what can happen to a leg.
type legEvent int

const (
	picksUp legEvent = iota
	ends
)

var legMoves = map[legState]map[legEvent]legState{
	ringing: {picksUp: talking, ends: over},
	talking: {ends: over},
}

// next is pure; false means that the event has no place in that state.
func (s legState) next(e legEvent) (legState, bool) {
	to, ok := legMoves[s][e]
	return to, ok
}

// leg is what incoming and outgoing legs have in common.
type leg struct {
	s        *Server
	log      *slog.Logger
	id       string
	device   cti.Device
	origin   cti.Origin
	rtp      media.RTP
	trunk    *trunk // nil for a phone
	alerting chan struct{}
	alertOne sync.Once
	done     chan struct{}
	laws     []media.Law
	wishes   chan cti.Wish
	fax      bool            // fax tones are listened for
	life     context.Context // ends with the leg
	endLife  context.CancelFunc
	unasked  func() // the final response to an INVITE whose caller says BYE before it; nil for an outgoing leg

	sound sync.Mutex // guards what follows; before mu and a dialog's
	sdp   sdpOrigin
	terms terms
	keys  chan string // keys that go by INFO, nil where they do not

	mu     sync.Mutex // guards what follows
	state  legState
	err    error
	dialog *dialog
	early  []*dialog // that may become it
	held   bool
	told   chan struct{} // closed when the phone was told how its REFER went; nil: none
}

func (s *Server) newLeg(device cti.Device, origin cti.Origin, rtp media.RTP) (*leg, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	l := &leg{
		s: s, id: id.String(), device: device, origin: origin, rtp: rtp,
		log:      s.log.With("leg", id.String(), "device", masked(device)),
		alerting: make(chan struct{}), done: make(chan struct{}), wishes: make(chan cti.Wish, wishesKept),
		sdp: sdpOrigin{id: uint64(rand.Uint32()), version: 1},
	}
	l.life, l.endLife = context.WithCancel(s.life)
	return l, nil
}

// extension is whose phone the leg is, "" behind a trunk.
func (l *leg) extension() string {
	if l.device.Scheme() != "sip" {
		return ""
	}
	return l.device.Address()
}

// patience bounds one request within the leg's dialog.
func (l *leg) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(l.life, l.s.timers.giveUp())
}

// masked is a device for the log: a number behind a trunk's name is hidden.
func masked(d cti.Device) string {
	name, n, ok := strings.Cut(string(d), "/")
	if !ok {
		return name
	}
	return name + "/" + number.Mask(n)
}

// ID is the connection's UUIDv7.
func (l *leg) ID() string { return l.id }

// Device is what was dialled, or where the call came from.
func (l *leg) Device() cti.Device { return l.device }

// Origin is where the leg comes from.
func (l *leg) Origin() cti.Origin { return l.origin }

// Alerting is closed when the party's phone rings.
func (l *leg) Alerting() <-chan struct{} { return l.alerting }

// Media is the engine's own port.
func (l *leg) Media() media.Port { return l.rtp }

// Done is closed when the leg is over.
func (l *leg) Done() <-chan struct{} { return l.done }

// Err says why the leg is over; nil while it is not, and if we ended it.
func (l *leg) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// isAlerting says whether it rings, or did.
func (l *leg) isAlerting() bool {
	select {
	case <-l.alerting:
		return true
	default:
		return false
	}
}

func (l *leg) alert() { l.alertOne.Do(func() { close(l.alerting); l.s.legs.changed(l) }) }

// mayBecome adds an early dialog, where the peer may send requests before the
// answer; false when it is too late.
func (l *leg) mayBecome(d *dialog) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != ringing {
		return false
	}
	d.leg = l
	l.early = append(l.early, d)
	l.s.dialogs.add(d)
	return true
}

// dropEarly forgets the early dialogs but one. Only under mu.
func (l *leg) dropEarly(but *dialog) {
	for _, d := range l.early {
		if d != but {
			d.finish(time.Now())
			l.s.dialogs.drop(d)
		}
	}
	l.early = nil
}

// pickUp moves the leg to talking in d; false when it is too late.
func (l *leg) pickUp(d *dialog) bool {
	defer l.s.legs.changed(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	to, ok := l.state.next(picksUp)
	if !ok {
		return false
	}
	l.state, l.dialog = to, d
	l.dropEarly(d)
	return true
}

func (l *leg) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == over
}

// end closes the leg, once, and says where it stood before. Sound stops here;
// what is left to say to the peer is the caller's.
func (l *leg) end(why error) (was legState, first bool) {
	return l.endFrom(why, ringing, talking)
}

// endFrom is end for a leg that stands in one of states only.
func (l *leg) endFrom(why error, states ...legState) (was legState, first bool) {
	l.mu.Lock()
	was = l.state
	to, ok := was.next(ends)
	ok = ok && slices.Contains(states, was)
	if ok {
		l.state, l.err = to, why
		l.dropEarly(nil)
	}
	l.mu.Unlock()
	if !ok {
		return was, false
	}
	close(l.done)
	l.endLife()
	if err := l.rtp.Close(); err != nil {
		l.log.Warn("media port not closed", "err", err)
	}
	l.s.legs.remove(l)
	return was, true
}

func (l *leg) current() *dialog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dialog
}

// farewell sends the BYE of a leg that we ended, as soon as the protocol
// allows it: not before the ACK (RFC 3261 §15).
func (l *leg) farewell() {
	d := l.current()
	if d == nil || !d.finish(time.Now()) {
		return
	}
	l.s.work.Go("BYE", func() {
		l.letTell()
		if p := d.busy(); p != nil {
			<-p.done // closed by the ACK or by the goroutine that waits for it
		}
		l.s.bye(d, l.trunk)
	})
}

// remoteBye ends the leg because the peer said so. It may say so before the
// answer (RFC 3261 §15), and then gets that too.
func (l *leg) remoteBye(d *dialog) {
	if d.finish(time.Now()) {
		l.s.deps.Dialogs.Closed(d.id)
	}
	d.giveUpAck()
	if was, first := l.end(cti.ErrRemoteHangup); first && was == ringing && l.unasked != nil {
		l.unasked()
	}
}

// lose ends the leg because nobody is there any more; BYE is said all the same.
func (l *leg) lose() {
	if _, first := l.end(cti.ErrLineLost); first {
		l.farewell()
	}
}

// causes of a record by why a call was not taken.
func causeOf(err error) string {
	switch {
	case err == nil:
		return cti.CauseNormal
	case errors.Is(err, cti.ErrNotFound):
		return cti.CauseNotFound
	case errors.Is(err, cti.ErrBusy):
		return cti.CauseBusy
	case errors.Is(err, cti.ErrNoAnswer):
		return cti.CauseNoAnswer
	case errors.Is(err, cti.ErrCanceled), errors.Is(err, context.Canceled):
		return cti.CauseCanceled
	case errors.Is(err, cti.ErrShutdown):
		return cti.CauseCongestion
	}
	return cti.CauseError
}
