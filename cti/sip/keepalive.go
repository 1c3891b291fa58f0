package sip

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

const (
	defaultKeepalive = 25 * time.Second // less than what routers keep a UDP mapping for
	missesAllowed    = 2                // OPTIONS without an answer, then the phone is not rung
	pulseLimit       = 5 * time.Second  // to answer one
)

// keepalive asks phones behind NAT how they are: that keeps their router's way
// open, and shows who is gone.
type keepalive struct {
	every time.Duration // negative: off

	mu     sync.Mutex // guards what follows
	probes map[phoneKey]*probe
}

type phoneKey struct{ user, contact string }

// probe is where the asking of one phone stands.
type probe struct {
	next    time.Time
	busy    bool
	missed  int
	expires time.Time // of the binding: another one after each REGISTER
}

func newKeepalive(every time.Duration) *keepalive {
	return &keepalive{every: cmp.Or(every, defaultKeepalive), probes: map[phoneKey]*probe{}}
}

// tick is how often to look for phones that are due: a fraction of the
// interval, so that they are not asked all at once.
func (k *keepalive) tick() time.Duration { return min(time.Second, k.every/10) }

// due are those of phones that are to be asked now. A new one gets its turn
// somewhere within the interval; one that is not there any more is forgotten.
func (k *keepalive) due(phones []binding, now time.Time) (ask []binding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	there := make(map[phoneKey]*probe, len(phones))
	for _, b := range phones {
		key := phoneKey{b.User, b.Contact}
		p := k.probes[key]
		if p == nil {
			p = &probe{next: now.Add(rand.N(k.every))}
		}
		if !p.expires.Equal(b.Expires) {
			p.expires, p.missed = b.Expires, 0
		}
		there[key] = p
		if !p.busy && !now.Before(p.next) {
			p.busy, p.next = true, p.next.Add(k.every)
			ask = append(ask, b)
		}
	}
	k.probes = there
	return ask
}

// answered takes the result of asking b; silent says that it is gone for now.
func (k *keepalive) answered(b binding, ok bool) (silent bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.probes[phoneKey{b.User, b.Contact}]
	if p == nil {
		return false
	}
	p.busy = false
	if p.missed++; ok {
		p.missed = 0
	}
	return p.missed >= missesAllowed
}

// isBehindNAT says that the phone does not know its own address. What is
// reached by its own connection needs no asking.
func (b *binding) isBehindNAT() bool {
	var uri wire.Uri
	if b.isStream() || wire.ParseUri(b.Contact, &uri) != nil {
		return false
	}
	at, ok := uriAddr(&uri)
	return !ok || at.String() != b.Source
}

// behindNAT are the live bindings that must be kept alive.
func (t *bindings) behindNAT(now time.Time) (found []binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.byUser {
		found = append(found, among(list, func(b *binding) bool { return now.Before(b.Expires) && b.isBehindNAT() })...)
	}
	return found
}

// keepAlive asks phones until ctx ends.
func (s *Server) keepAlive(ctx context.Context) {
	if s.keepalive.every < 0 {
		return
	}
	tick := time.NewTicker(s.keepalive.tick())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, b := range s.keepalive.due(s.bindings.behindNAT(now), now) {
				s.work.Go("OPTIONS", func() { s.probe(ctx, b) })
			}
		}
	}
}

// probe asks one phone. Whatever it says, it is there.
func (s *Server) probe(ctx context.Context, b binding) {
	ctx, cancel := context.WithTimeoutCause(ctx, min(pulseLimit, s.keepalive.every), errSilent)
	defer cancel()
	err := s.pulse(ctx, b)
	if ctx.Err() != nil && context.Cause(ctx) != errSilent { // the server ends
		return
	}
	silent := s.keepalive.answered(b, err == nil)
	if silent && !b.silent {
		s.log.Warn("phone does not answer", "extension", b.User, "at", b.Source, "err", err)
	}
	s.bindings.silence(b, silent)
}

func (s *Server) pulse(ctx context.Context, b binding) error {
	var uri wire.Uri
	if err := wire.ParseUri(b.Contact, &uri); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(b.Source)
	if err != nil {
		return err
	}
	ep, err := s.endpointFor(b.Transport, to)
	if err != nil {
		return err
	}
	req := wire.NewRequest(wire.OPTIONS, uri)
	us := wire.Uri{Scheme: "sip", User: "callbox", Host: hostText(s.advertised(ep, to.Addr()))}
	callID := wire.CallIDHeader(uuid.NewString())
	req.AppendHeader(&wire.FromHeader{Address: us, Params: wire.HeaderParams{{K: "tag", V: wire.GenerateTagN(20)}}})
	req.AppendHeader(&wire.ToHeader{Address: wire.Uri{Scheme: "sip", User: userPart(b.User), Host: us.Host}})
	req.AppendHeader(&callID)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: 1, MethodName: wire.OPTIONS})
	req.AppendHeader(s.contact(ep, to.Addr()))
	if err := s.address(ctx, req, ep, to); err != nil {
		return err
	}
	_, err = s.transact(ctx, req)
	return err
}
