package media

import "net/netip"

const (
	learnSpan    = 2 * SampleRate
	learnPackets = 5
	patience     = SampleRate / 2
	rebindAfter  = 2 * SampleRate
)

// source decides whose packets a port hears. The address that signalling named
// is always right; a symmetric stream may move once to another, when within 2 s
// of its start that one sends five packets of one SSRC in sequence, and the
// named one was silent for half a second, so that a stranger who is merely
// first gains nothing. From outside to a private address no packet can be
// expected, so there the wait is left out. Then the source is locked until
// signalling names another. While signalling names nobody (on hold), nobody is
// learned.
//
// One thing moves a locked symmetric stream later: a NAT that forgot the party
// and gave it another port. It is believed when the locked address was silent
// for 2 s and five packets from the same host go on with the stream's SSRC and
// its sequence numbers, 48 bits that a stranger who does not see the packets
// cannot guess; a stranger who does see them can do worse without this. Where
// packets are sealed the host may change too, since only the party has the key.
// A stream that is not symmetric never moves without signalling.
//
// Packets that are sealed get here only after they were opened.
type source struct {
	named     netip.AddrPort
	locked    netip.AddrPort
	symmetric bool
	begun     int64 // when it started, in samples
	heard     int64 // when the locked address was, likewise
	tried     candidate
}

type candidate struct {
	from netip.AddrPort
	ssrc uint32
	seq  uint16
	n    int
}

// start begins anew with what signalling agreed on; the same again, as a
// session refresh repeats it, keeps what was learned.
func (s *source) start(named netip.AddrPort, symmetric bool, now int64) {
	symmetric = symmetric && named.Port() != 0 && named.IsValid() && !named.Addr().IsUnspecified()
	if s.named == named && s.symmetric == symmetric && s.locked.IsValid() {
		return
	}
	*s = source{named: named, symmetric: symmetric, begun: now, heard: now}
	if !symmetric {
		s.locked = named
	}
}

// possible says whether a packet from there may be heard, or learned from: the
// cheap question before the dear one of opening it.
func (s *source) possible(from netip.AddrPort, now int64) bool {
	switch {
	case from == s.locked || from == s.named:
		return true
	case !s.symmetric || from.Port() == 0: // nobody can be answered there
		return false
	case s.locked.IsValid():
		return now >= s.heard+rebindAfter
	}
	return now < s.begun+learnSpan
}

// admits says whether a packet that came at clock sample now is heard, and
// whether the stream moved to its sender just now. stream is what was heard of
// it so far.
func (s *source) admits(from netip.AddrPort, ssrc uint32, seq uint16, now int64, stream *sequence, sealed bool) (ok, moved bool) {
	switch {
	case from == s.locked:
		s.heard = now
		return true, false
	case !s.possible(from, now):
		return false, false
	case from == s.named:
	case s.locked.IsValid():
		if !s.rebound(from, ssrc, seq, stream, sealed) {
			return false, false
		}
	case !s.tried.follows(from, ssrc, seq) || now < s.begun+s.wait(from):
		return false, false
	}
	s.locked, s.heard = from, now
	return true, true
}

// rebound says whether the locked party speaks from another address now.
func (s *source) rebound(from netip.AddrPort, ssrc uint32, seq uint16, stream *sequence, sealed bool) bool {
	if !sealed && from.Addr() != s.locked.Addr() || !stream.continues(ssrc, seq) {
		return false
	}
	return s.tried.follows(from, ssrc, seq)
}

// host says whether from is where the party lives.
func (s *source) host(from netip.Addr) bool {
	if s.locked.IsValid() {
		return from == s.locked.Addr()
	}
	return from == s.named.Addr()
}

// wait is how long the named address has to be silent before from may take its
// place.
func (s *source) wait(from netip.AddrPort) int64 {
	if s.named.Addr().IsPrivate() && from.Addr().IsGlobalUnicast() && !from.Addr().IsPrivate() {
		return 0
	}
	return patience
}

// follows counts a stranger's packets and says when they are enough.
func (c *candidate) follows(from netip.AddrPort, ssrc uint32, seq uint16) bool {
	if c.n == 0 || c.from != from || c.ssrc != ssrc || c.seq+1 != seq {
		*c = candidate{from: from, ssrc: ssrc}
	}
	c.seq = seq
	c.n++
	return c.n >= learnPackets
}
