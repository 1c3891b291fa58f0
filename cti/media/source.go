package media

import "net/netip"

const (
	learnSpan    = 2 * SampleRate
	learnPackets = 5
	patience     = SampleRate / 2
)

// source decides whose packets a port hears. The address that signalling named
// is always right; a symmetric stream may move once to another, when within 2 s
// of its start that one sends five packets of one SSRC in sequence, and the
// named one was silent for half a second, so that a stranger who is merely
// first gains nothing. From outside to a private address no packet can be
// expected, so there the wait is left out. Then the source is locked until
// signalling names another.
type source struct {
	named     netip.AddrPort
	locked    netip.AddrPort
	symmetric bool
	begun     int64 // when it started, in samples
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
	if s.named == named && s.symmetric == symmetric && s.locked.IsValid() {
		return
	}
	*s = source{named: named, symmetric: symmetric, begun: now}
	if !symmetric {
		s.locked = named
	}
}

// admits says whether a packet is heard, and whether the stream moved to its
// sender just now.
func (s *source) admits(from netip.AddrPort, ssrc uint32, seq uint16, now int64) (ok, moved bool) {
	learning := now < s.begun+learnSpan
	switch {
	case from == s.locked:
		return true, false
	case from == s.named:
		s.locked = from
		return true, true
	case from.Port() == 0: // nobody can be answered there
		return false, false
	case !s.symmetric || s.locked.IsValid() || !learning:
		return false, false
	}
	if !s.tried.follows(from, ssrc, seq) || now < s.begun+s.wait(from) {
		return false, false
	}
	s.locked = from
	return true, true
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
