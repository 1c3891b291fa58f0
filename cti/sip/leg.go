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

	wire "github.com/emiago/sipgo/sip"
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
	sdp      sdpOrigin
	laws     []media.Law

	mu     sync.Mutex // guards what follows
	state  legState
	err    error
	dialog *dialog
}

func (s *Server) newLeg(device cti.Device, origin cti.Origin, rtp media.RTP) (*leg, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	return &leg{
		s: s, id: id.String(), device: device, origin: origin, rtp: rtp,
		log:      s.log.With("leg", id.String(), "device", masked(device)),
		alerting: make(chan struct{}), done: make(chan struct{}),
		sdp: sdpOrigin{id: uint64(rand.Uint32()), version: 1},
	}, nil
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

func (l *leg) alert() { l.alertOne.Do(func() { close(l.alerting); l.s.legs.changed(l) }) }

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
	return true
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
	}
	l.mu.Unlock()
	if !ok {
		return was, false
	}
	close(l.done)
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
		if p := d.busy(); p != nil {
			<-p.done // closed by the ACK or by the goroutine that waits for it
		}
		l.s.bye(d, l.trunk)
	})
}

// remoteBye ends the leg because the peer said so.
func (l *leg) remoteBye(d *dialog) {
	if d.finish(time.Now()) {
		l.s.deps.Dialogs.Closed(d.id)
	}
	d.giveUpAck()
	l.end(cti.ErrRemoteHangup)
}

// start lets sound flow as both sides agreed. On hold by address (0.0.0.0) the
// stream stays as it was.
func (l *leg) start(d described) error {
	if d.held {
		return nil
	}
	return l.rtp.Start(l.sdp.sealed(d))
}

// renegotiate answers a later offer of the peer; body is empty for a refresh
// without one, which gets our offer.
func (l *leg) renegotiate(body []byte) (answer []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != talking {
		return nil, cti.ErrWrongState
	}
	l.sdp.version++
	if len(body) == 0 {
		return l.sdp.offer([]media.Law{l.rtp.Law()}), nil
	}
	d, err := l.sdp.offered(body, []media.Law{l.rtp.Law()})
	if err != nil {
		return nil, err
	}
	if err := l.start(d); err != nil {
		return nil, err
	}
	return l.sdp.answer(d), nil
}

// takeAnswer reads the answer that a peer sends in its ACK.
func (l *leg) takeAnswer(ack *wire.Request) {
	d, err := l.sdp.answered(bodySDP(ack), l.laws)
	if err == nil {
		err = l.start(d)
	}
	if err != nil {
		l.log.Warn("the answer in the ACK is of no use", "err", err)
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
