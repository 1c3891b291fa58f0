package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// outLeg is a call that we make: one or more INVITEs of which one is answered.
type outLeg struct {
	*leg
	answered chan struct{}
	early    chan struct{} // closed when there is sound before the answer
	earlyOne sync.Once
	ringers  []*dialog // where it rings, under mu

	attempts []*attempt

	tally sync.Mutex // guards what follows
	left  int        // attempts without a final answer
	worst error
}

// target is one place that an outgoing leg rings.
type target struct {
	uri   wire.Uri
	to    netip.AddrPort
	ep    *endpoint
	phone bool
	proxy *wire.Uri        // Route of what is sent there; nil: none
	next  []netip.AddrPort // the trunk's other addresses, tried when to is silent
}

// Dial rings d, which is sip:EXTENSION (all its phones at once) or
// trunk:NAME/NUMBER, showing as. The leg that it gives rings or has failed.
func (s *Server) Dial(ctx context.Context, d cti.Device, as cti.Number, callID string) (cti.Leg, error) {
	if s.draining.Load() {
		return nil, cti.ErrShutdown
	}
	if s.overload.isFull(s.legs.count()) {
		return nil, fmt.Errorf("dial %s: %w", d, cti.ErrTooMany)
	}
	targets, tr, err := s.targets(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", d, err)
	}
	l, err := s.newOutLeg(d, as, tr, targets[0])
	if err != nil {
		if tr != nil {
			tr.leave()
		}
		return nil, fmt.Errorf("dial %s: %w", d, err)
	}
	l.launch(targets, as, callID)
	return l, nil
}

func (s *Server) targets(ctx context.Context, d cti.Device) ([]target, *trunk, error) {
	switch d.Scheme() {
	case "sip":
		targets, err := s.phones(d.Address())
		return targets, nil, err
	case "trunk":
		return s.throughTrunk(ctx, d.Address())
	}
	return nil, nil, fmt.Errorf("%w: scheme %q", cti.ErrNotFound, d.Scheme())
}

// phones are the live bindings of an extension.
func (s *Server) phones(extension string) ([]target, error) {
	var all []target
	for _, b := range s.bindings.of(extension, time.Now()) {
		var uri wire.Uri
		to, err := netip.ParseAddrPort(b.Source)
		if err != nil || wire.ParseUri(b.Contact, &uri) != nil {
			continue
		}
		ep, err := s.endpointFor(b.Transport, to)
		if err != nil || ep.isStream() && !s.connected(ep, to) {
			continue
		}
		all = append(all, target{uri: uri, to: to, ep: ep, phone: true})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no phone of %s is registered", cti.ErrUnreachable, extension)
	}
	return all, nil
}

func (s *Server) newOutLeg(d cti.Device, as cti.Number, tr *trunk, first target) (*outLeg, error) {
	rtp, err := s.deps.Engine.Open(first.ep.addr.Addr())
	if err != nil {
		return nil, fmt.Errorf("no port for sound: %w", err)
	}
	origin := cti.Origin{Direction: cti.Out, Device: d, From: as, To: cti.Number{Raw: numberOf(d)}, DID: numberOf(d)}
	base, err := s.newLeg(d, origin, rtp)
	if err != nil {
		return nil, err
	}
	base.laws = []media.Law{media.PCMA, media.PCMU}
	if tr != nil {
		base.trunk, base.laws, base.origin.Line = tr, tr.codecs, tr.Name
	}
	base.sdp.addr = netip.AddrPortFrom(s.advertised(first.ep, first.to.Addr()), rtp.LocalAddr().Port())
	base.sdp.seal.want(s.srtpOf(tr), tr != nil || first.ep.transport == "TLS")
	l := &outLeg{leg: base, answered: make(chan struct{}), early: make(chan struct{})}
	s.legs.add(base, l.Hangup)
	return l, nil
}

// numberOf is what of a device is dialled: the extension, or the number behind
// the trunk's name.
func numberOf(d cti.Device) string {
	if _, number, ok := strings.Cut(d.Address(), "/"); ok {
		return number
	}
	return d.Address()
}

func (l *outLeg) launch(targets []target, as cti.Number, callID string) {
	l.attempts = make([]*attempt, len(targets))
	l.left = len(targets)
	for i, t := range targets {
		l.attempts[i] = newAttempt(l, t, as, callID)
	}
	l.s.count.calls.Add(1)
	for _, a := range l.attempts {
		l.s.work.Go("INVITE", a.run)
	}
	if l.trunk != nil {
		l.s.work.Go("call through a trunk", func() { <-l.done; l.trunk.leave() })
	}
}

// Answer waits until the party picks up.
func (l *outLeg) Answer(ctx context.Context) error {
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

// Early is closed when a carrier lets us hear ringback or an announcement of
// its own (RFC 3960 §3.2): [cti.Early].
func (l *outLeg) Early() <-chan struct{} { return l.early }

// hearEarly starts the sound that a carrier's provisional response describes.
func (l *outLeg) hearEarly(body []byte) {
	if l.trunk == nil { // phones, which may be several
		return
	}
	sound, err := l.sdp.answered(body, l.laws)
	if err == nil {
		err = l.start(sound, body)
	}
	if err != nil {
		l.log.Info("early sound is of no use", "err", err)
		return
	}
	l.earlyOne.Do(func() { close(l.early) })
}

// Hangup cancels what rings, or ends the talk with BYE.
func (l *outLeg) Hangup(string) {
	was, first := l.end(nil)
	if !first {
		return
	}
	if was == talking {
		l.farewell()
		return
	}
	l.cancelOthers(nil)
}

// cancelOthers cancels every attempt but one.
func (l *outLeg) cancelOthers(but *attempt) {
	for _, a := range l.attempts {
		if a != but {
			a.cancel()
		}
	}
}

// won says that a's party picked up in d; false when another one was quicker
// or the leg is over.
func (l *outLeg) won(a *attempt, d *dialog, sound described, body []byte) bool {
	if !l.pickUp(d) {
		return false
	}
	l.alert()
	if err := l.start(sound, body); err != nil {
		l.log.Error("sound does not start", "err", err)
	}
	l.s.keep(d)
	close(l.answered)
	l.cancelOthers(a)
	return true
}

// severity orders what several phones say: the one that tells most wins.
var severity = []error{cti.ErrBusy, cti.ErrRejected, cti.ErrNoAnswer, cti.ErrNotFound, cti.ErrUnreachable}

// lost says that a has failed for good; the last one ends the leg.
func (l *outLeg) lost(why error) {
	l.tally.Lock()
	l.left--
	for _, e := range severity {
		if errors.Is(why, e) || errors.Is(l.worst, e) {
			l.worst = e
			break
		}
	}
	last, worst := l.left == 0, l.worst
	l.tally.Unlock()
	if last {
		l.endFrom(worst, ringing)
	}
}

// timers are RFC 3261 §17's and a few of ours; tests make them short.
type timers struct {
	t1, t2   time.Duration
	failover time.Duration // silence after which a trunk's next address is tried
	silence  time.Duration // of a trunk's last address, after which another way out may be tried
	farewell time.Duration // for BYEs when Run ends
}

func (t timers) orDefault() timers {
	usual := timers{t1: 500 * time.Millisecond, t2: 4 * time.Second, failover: 4 * time.Second, silence: 6 * time.Second, farewell: 3 * time.Second}
	t.t1, t.t2 = cmp.Or(t.t1, usual.t1), cmp.Or(t.t2, usual.t2)
	t.failover, t.silence = cmp.Or(t.failover, usual.failover), cmp.Or(t.silence, usual.silence)
	t.farewell = cmp.Or(t.farewell, usual.farewell)
	return t
}

// giveUp is 64 T1.
func (t timers) giveUp() time.Duration { return 64 * t.t1 }
