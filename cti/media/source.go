package media

import "net/netip"

const (
	learnSpan    = 2 * SampleRate
	learnPackets = 5
)

// source decides whose packets a port hears. The address that signalling named
// is always right; a symmetric stream may move once to another, when within 2 s
// of its start that one sends five packets of one SSRC in sequence. Then the
// source is locked until signalling names another.
type source struct {
	named     netip.AddrPort
	locked    netip.AddrPort
	symmetric bool
	until     int64 // samples: the end of learning
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
	*s = source{named: named, symmetric: symmetric, until: now + learnSpan}
	if !symmetric {
		s.locked = named
	}
}

// admits says whether a packet is heard, and whether the stream moved to its
// sender just now.
func (s *source) admits(from netip.AddrPort, ssrc uint32, seq uint16, now int64) (ok, moved bool) {
	switch {
	case from == s.locked:
		return true, false
	case from == s.named:
		s.locked = from
		return true, true
	case from.Port() == 0: // nobody can be answered there
		return false, false
	case !s.symmetric || s.locked.IsValid() || now >= s.until:
		return false, false
	}
	if !s.tried.follows(from, ssrc, seq) {
		return false, false
	}
	s.locked = from
	return true, true
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
