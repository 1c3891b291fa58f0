package media

import (
	"net/netip"
	"testing"
)

// TestSourceAgainstHijack follows what a party, its NAT and strangers send. Each
// run is 20 packets, 20 ms apart.
func TestSourceAgainstHijack(t *testing.T) {
	lan := netip.MustParseAddrPort("10.0.0.1:4000")
	party, rebound := netip.MustParseAddrPort("203.0.113.9:5000"), netip.MustParseAddrPort("203.0.113.9:5999")
	elsewhere, thief := netip.MustParseAddrPort("198.51.100.7:5000"), netip.MustParseAddrPort("203.0.113.66:5000")
	const second = SampleRate
	type run struct {
		from netip.AddrPort
		at   int64
		ssrc uint32
		seq  uint16
		want int // packets heard
	}
	learned := run{party, 0, 7, 100, 16}
	for name, tt := range map[string]struct {
		fixed  bool // not symmetric
		sealed bool
		named  netip.AddrPort
		again  int // before this run signalling says the same once more
		anew   int // before this run signalling names the thief's address, from which lan moves
		runs   []run
	}{
		"a stranger, at once": {runs: []run{learned, {thief, second / 2, 9, 1, 0}}},
		"a stranger with the right source and numbers, at once": {runs: []run{learned, {thief, second / 2, 7, 120, 0}, {party, second, 7, 120, 20}}},
		"a stranger with the right source and numbers, later":   {runs: []run{learned, {thief, 9 * second, 7, 120, 0}}},
		"the party's NAT gave it another port":                  {runs: []run{learned, {rebound, 3 * second, 7, 120, 16}, {rebound, 4 * second, 7, 140, 20}}},
		"another port while the old one speaks":                 {runs: []run{learned, {rebound, second, 7, 120, 0}}},
		"another port, a moment too early":                      {runs: []run{learned, {rebound, rebindAfter - 1, 7, 120, 0}}},
		"another port, just in time":                            {runs: []run{learned, {rebound, rebindAfter + 19*FrameSamples, 7, 120, 16}}},
		"another port, another source":                          {runs: []run{learned, {rebound, 9 * second, 8, 120, 0}}},
		"another port, numbers that do not go on":               {runs: []run{learned, {rebound, 9 * second, 7, 20000, 0}}},
		"another port, old numbers":                             {runs: []run{learned, {rebound, 9 * second, 7, 50, 0}}},
		"another host with the key":                             {sealed: true, runs: []run{learned, {elsewhere, 9 * second, 7, 120, 16}}},
		"another host with the key, too early":                  {sealed: true, runs: []run{learned, {elsewhere, second, 7, 120, 0}}},
		"another host without":                                  {runs: []run{learned, {elsewhere, 9 * second, 7, 120, 0}}},
		"nothing moves that is not symmetric":                   {fixed: true, named: party, runs: []run{{party, 0, 7, 100, 20}, {rebound, 9 * second, 7, 120, 0}}},
		"a refresh":                                             {again: 1, runs: []run{learned, {thief, second, 9, 1, 0}, {party, second, 7, 120, 20}}},
		"a re-INVITE to another address": {anew: 1, runs: []run{
			learned, {party, second, 7, 120, 0}, {elsewhere, 2 * second, 7, 140, 20}, {party, 9 * second, 7, 160, 0},
		}},
		"on hold nobody is learned": {named: netip.MustParseAddrPort("0.0.0.0:4000"), runs: []run{{thief, 0, 9, 1, 0}, {thief, second, 9, 21, 0}}},
		"no port, no answer":        {runs: []run{{netip.AddrPortFrom(thief.Addr(), 0), second, 9, 1, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			var s source
			var q sequence
			named := lan
			if tt.named.IsValid() {
				named = tt.named
			}
			s.start(named, !tt.fixed, 0)
			for i, r := range tt.runs {
				if tt.again == i && i > 0 {
					s.start(named, !tt.fixed, r.at)
				}
				if tt.anew == i && i > 0 {
					s.start(elsewhere, false, r.at)
				}
				heard := 0
				for n := range uint16(20) {
					now := r.at + int64(n)*FrameSamples
					ok, _ := s.admits(r.from, r.ssrc, r.seq+n, now, &q, tt.sealed)
					if ok {
						heard++
						q.take(r.ssrc, r.seq+n, now)
					}
				}
				if heard != r.want {
					t.Errorf("run %d from %v: %d packets are heard, want %d", i, r.from, heard, r.want)
				}
			}
		})
	}
}

// TestPossibleIsNoNarrower: what is asked before a packet is opened must let all
// through that is heard in the end.
func TestPossibleIsNoNarrower(t *testing.T) {
	var s source
	var q sequence
	from := netip.MustParseAddrPort("203.0.113.9:5000")
	s.start(netip.MustParseAddrPort("10.0.0.1:4000"), true, 0)
	for n := range uint16(4000) {
		at := int64(n) * FrameSamples
		if n == 1000 {
			from = netip.MustParseAddrPort("203.0.113.9:5001")
		}
		possible := s.possible(from, at)
		if ok, _ := s.admits(from, 7, n, at, &q, true); ok {
			q.take(7, n, at)
			if !possible {
				t.Fatalf("packet %d is heard and not possible", n)
			}
		}
	}
	if s.locked != from {
		t.Errorf("locked on %v", s.locked)
	}
}
