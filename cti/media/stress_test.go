package media_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"callbox/cti/media"
)

// storm is what a network or an attacker does to a call of one second, in which
// the party sends a tone of 440 Hz, 50 packets a second.
type storm struct {
	// frame sends the party's next frame, n of 50; nil: as it should be.
	frame func(s *scene, n int)
	// burst is sent beside each frame.
	burst func(s *scene, n int)

	atMost    float64 // of the party's packets that are not heard
	gaps      bool    // in what the other party gets, as in what the party sent
	noDropped bool
}

type scene struct {
	*party
	thief  *phone
	random *rand.Rand
	kept   [][]byte
	other  *party
	tap    sink
	next   int
}

// of is the party's packet n with changes.
func (s *scene) of(n int, change func(b []byte) []byte) []byte {
	b := make([]byte, 12, 12+media.FrameSamples)
	b[0], b[1] = 0x80, byte(media.PCMA)
	binary.BigEndian.PutUint16(b[2:], uint16(65500+n))
	binary.BigEndian.PutUint32(b[4:], uint32(n*media.FrameSamples))
	binary.BigEndian.PutUint32(b[8:], 42)
	payload := make([]byte, media.FrameSamples)
	media.Encode(media.PCMA, payload, sineFrom(rateA, n*media.FrameSamples, media.FrameSamples))
	b = append(b, payload...)
	if change != nil {
		b = change(b)
	}
	return b
}

// foreign is a packet with another tone, as a thief would have it.
func foreign(b []byte) []byte {
	media.Encode(media.PCMA, b[12:], sineFrom(rateB, 0, len(b)-12))
	return b
}

func ssrc(v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], v); return foreign(b) }
}

var storms = map[string]storm{
	"none": {noDropped: true},
	"a flood from elsewhere of what the party sends": {burst: func(s *scene, n int) {
		for i := range 20 {
			s.thief.raw(foreign(s.of(n+i, nil)))
		}
	}},
	"order lost": {frame: func(s *scene, n int) {
		s.kept = append(s.kept, s.of(n, nil))
		if len(s.kept) == 5 || n == 49 {
			s.random.Shuffle(len(s.kept), func(i, j int) { s.kept[i], s.kept[j] = s.kept[j], s.kept[i] })
			for _, b := range s.kept {
				s.raw(b)
			}
			s.kept = nil
		}
	}, gaps: true, noDropped: true},
	"40 % lost": {frame: func(s *scene, n int) {
		if s.random.IntN(5) > 1 {
			s.raw(s.of(n, nil))
		}
	}, atMost: 0.6, gaps: true, noDropped: true},
	"everything three times": {burst: func(s *scene, n int) {
		s.raw(s.of(n, nil))
		s.raw(s.of(n, nil))
	}},
	"another source between":     {burst: func(s *scene, n int) { s.raw(s.of(n, ssrc(9))) }},
	"many other sources between": {burst: func(s *scene, n int) { s.raw(s.of(n, ssrc(uint32(n)+100))); s.raw(s.of(n+1, ssrc(uint32(n)+100))) }},
	"numbers far off between":    {burst: func(s *scene, n int) { s.raw(s.of(n+20000, foreign)); s.raw(s.of(n+40000, foreign)) }},
	"the source changes":         {frame: func(s *scene, n int) { s.raw(s.of(n, source(uint32(n/25)+1))) }, atMost: 0.08},
	"time jumps":                 {frame: func(s *scene, n int) { s.raw(s.of(n, func(b []byte) []byte { b[4] = byte(n / 10 * 50); return b })) }, noDropped: true},
	"numbers jump":               {frame: func(s *scene, n int) { s.raw(s.of(n+n/25*20000, stamped(n))) }, atMost: 0.04},
	"header extensions":          {frame: func(s *scene, n int) { s.raw(s.of(n, extended)) }, noDropped: true},
	"contributing sources":       {frame: func(s *scene, n int) { s.raw(s.of(n, contributed)) }, noDropped: true},
	"true padding": {frame: func(s *scene, n int) {
		s.raw(s.of(n, func(b []byte) []byte { b[0] |= 0x20; return append(b, 0, 0, 3) }))
	}, noDropped: true},
	"padding lies": {burst: func(s *scene, n int) {
		s.raw(s.of(n+1, func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 200; return b }))
	}},
	"padding of nothing": {burst: func(s *scene, n int) {
		s.raw(s.of(n+1, func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 0; return b }))
	}},
	"extensions that never end": {burst: func(s *scene, n int) {
		s.raw(s.of(n+1, func(b []byte) []byte { b[0] |= 0x10; b[14], b[15] = 0xFF, 0xFF; return b }))
	}},
	"nothing":                     {burst: func(s *scene, _ int) { s.raw(nil) }},
	"nine octets":                 {burst: func(s *scene, n int) { s.raw(s.of(n, nil)[:9]) }},
	"a header alone":              {burst: func(s *scene, n int) { s.raw(s.of(n+5000, nil)[:12]) }},
	"more than a packet may hold": {burst: func(s *scene, n int) { s.raw(append(s.of(n+1, nil), make([]byte, 3000)...)) }},
	"STUN": {burst: func(s *scene, _ int) {
		s.raw(append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...))
	}},
	"RTCP on the port of sound": {burst: func(s *scene, _ int) {
		s.raw(append([]byte{0x80, 200, 0, 6, 0, 0, 0, 42}, make([]byte, 20)...))
	}},
	"sound on the port of RTCP": {burst: func(s *scene, n int) {
		_, _ = s.conn.WriteToUDPAddrPort(s.of(n, nil), netip.AddrPortFrom(s.to.Addr(), s.to.Port()+1))
	}},
	"1,000 keys a second": {burst: func(s *scene, n int) {
		for i := range 20 {
			b := s.of(n, nil)[:12]
			b[1] = dtmfType
			binary.BigEndian.PutUint16(b[2:], uint16(65500+1000+n*20+i))
			binary.BigEndian.PutUint32(b[4:], uint32(n*20+i)*7)
			s.thief.raw(append(b, 5, 0x8A, 3, 0x20))
		}
	}},
	"garbage": {burst: func(s *scene, _ int) {
		b := make([]byte, s.random.IntN(300))
		for i := range b {
			b[i] = byte(s.random.Uint32())
		}
		s.thief.raw(b)
		if len(b) > 0 {
			b[0] &= 0x3F // none of RTP's version
			s.raw(b)
		}
	}},
}

func source(v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint32(b[8:], v); return b }
}

func stamped(n int) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint32(b[4:], uint32(n*media.FrameSamples)); return b }
}

func extended(b []byte) []byte {
	b[0] |= 0x10
	return slices.Insert(b, 12, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0)
}

func contributed(b []byte) []byte {
	b[0] |= 15
	return slices.Insert(b, 12, make([]byte, 60)...)
}

// TestStorms lets each storm go over a bridged, tapped call, all at once: no
// sample of a stranger's is heard by the tap or the other party, and the party's
// own are.
func TestStorms(t *testing.T) {
	const frames = 50
	e := run(t, media.Config{PortMin: 30000, PortMax: 39999})
	scenes := map[string]*scene{}
	for name := range storms {
		scenes[name] = newScene(t, e)
	}
	talk(t, frames*media.Frame, func() {
		for name, s := range scenes {
			s.frame(storms[name])
		}
	})
	for name, s := range scenes {
		t.Run(name, func(t *testing.T) { s.check(t, storms[name]) })
	}
}

func newScene(t *testing.T, e media.Engine) *scene {
	s := &scene{party: newParty(t, e, media.PCMA), other: newParty(t, e, media.PCMA), thief: newPhone(t)}
	s.random = rand.New(rand.NewPCG(5, 5))
	s.thief.to = s.port.LocalAddr()
	s.port.Tap(&s.tap)
	t.Cleanup(e.Bridge(s.port, s.other.port))
	return s
}

// frame sends what a storm leaves of the party's next frame, and what it adds.
func (s *scene) frame(w storm) {
	if w.frame != nil {
		w.frame(s, s.next)
	} else {
		s.raw(s.of(s.next, nil))
	}
	if w.burst != nil {
		w.burst(s, s.next)
	}
	s.next++
}

// check looks at what a call came to.
func (s *scene) check(t *testing.T, w storm) {
	time.Sleep(2 * media.Frame)
	s.port.Tap(nil)
	tap, other := s.tap.sound(media.Received, media.PCMA), decode(spoken(s.other.packets()))
	share, stats := float64(len(s.tap.pieces[media.Received]))/float64(s.next), s.port.Stats()
	t.Logf("%.0f %% heard, own tone %.0f, foreign tone %.0f; %d received, %d dropped, %d lost, %d by the kernel",
		100*share, level(tap, rateA), level(tap, rateB), stats.Received, stats.Dropped, stats.Lost, stats.KernelDropped)
	if share < 1-w.atMost {
		t.Errorf("%.0f %% of the packets are heard, want %.0f", 100*share, 100*(1-w.atMost))
	}
	for where, sound := range map[string][]int16{"tap": tap, "other party": other} {
		if level(sound, rateB) > 60 || level(sound, rateA) < 7000*(1-w.atMost)/2 {
			t.Errorf("%s: own tone %.0f, foreign tone %.0f", where, level(sound, rateA), level(sound, rateB))
		}
	}
	if w.noDropped != (stats.Dropped == 0) {
		t.Errorf("%d dropped", stats.Dropped)
	}
	if len(s.thief.packets()) > 0 || len(s.port.Digits()) > 0 {
		t.Errorf("the stranger got %d packets and pressed %d keys", len(s.thief.packets()), len(s.port.Digits()))
	}
	if !w.gaps {
		s.other.checkNumbers(t)
	}
}

// checkNumbers is checkStream for a machine that may be too busy to keep time.
func (p *party) checkNumbers(t *testing.T) {
	t.Helper()
	all := p.packets()
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if b.SSRC != a.SSRC || b.SequenceNumber != a.SequenceNumber+1 || int32(b.Timestamp-a.Timestamp) < 0 {
			t.Fatalf("packet %d is %v after %v", i, b, a)
		}
	}
}

// spoken is the packets with sound in the order of their numbers; silence is
// put between them while the machine is busy elsewhere.
func spoken(packets []*rtp.Packet) []*rtp.Packet {
	packets = slices.DeleteFunc(packets, func(p *rtp.Packet) bool {
		return !slices.ContainsFunc(p.Payload, func(b byte) bool { return b != media.PCMA.Silence() })
	})
	slices.SortStableFunc(packets, func(a, b *rtp.Packet) int { return int(int16(a.SequenceNumber - b.SequenceNumber)) })
	return packets
}

// TestFlood sends 50,000 packets a second to a port from elsewhere: nothing of
// them is heard, and less than 1 % of the party's is lost. A machine that is busy
// with other things may take three tries at the latter.
func TestFlood(t *testing.T) {
	e := run(t, media.Config{PortMin: 30000, PortMax: 39999})
	for try := 1; ; try++ {
		s := newScene(t, e)
		s.flood(t, 2*time.Second)
		if lost := s.port.Stats().Lost; lost <= uint64(s.next)/100 || try == 3 {
			s.check(t, storm{atMost: 0.01})
			return
		}
		s.check(t, storm{atMost: 0.9, gaps: true})
	}
}

// flood sends the party's frames and, from elsewhere, floodRate packets a
// millisecond.
func (s *scene) flood(t *testing.T, span time.Duration) {
	done := make(chan int)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		b, begin, sent := foreign(s.of(1, nil)), time.Now(), 0
		for time.Since(begin) < span {
			for due := int(time.Since(begin)/time.Millisecond) * floodRate; sent < due; sent++ {
				s.thief.raw(b)
			}
			<-tick.C
		}
		done <- sent
	}()
	talk(t, span, func() { s.frame(storm{}) })
	t.Logf("%d packets from elsewhere in %v", <-done, span)
}
