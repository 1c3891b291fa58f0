package media

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"pgregory.net/rapid"
)

func TestTimelineJitterMovesNothing(t *testing.T) {
	var l timeline
	rapid.Check(t, func(t *rapid.T) {
		l = timeline{}
		ts := rapid.Uint32().Draw(t, "ts")
		first, _ := l.place(ts, 1000)
		for n := range 200 {
			late := rapid.Int64Range(-300, 4000).Draw(t, "late")
			at, anew := l.place(ts+uint32(n*160), 1000+int64(n*160)+late)
			if anew || at != first+int64(n*160) {
				t.Fatalf("packet %d, %d late, lies at %d (anew %v)", n, late, at, anew)
			}
		}
	})
}

// TestTimelineFollowsDrift lets a party's clock run 200 ppm fast for an hour.
func TestTimelineFollowsDrift(t *testing.T) {
	for _, ppm := range []float64{200, -200} {
		var l timeline
		for n := range 3600 * 50 {
			arrival := int64(float64(n*160) * (1 - ppm/1e6))
			if at, anew := l.place(uint32(n*160), arrival); anew && n > 0 || abs(int(at-arrival)) > 2*driftLimit {
				t.Fatalf("%v ppm, packet %d: %d off", ppm, n, at-arrival)
			}
		}
	}
}

func TestTimelineStartsAnew(t *testing.T) {
	var l timeline
	l.place(math.MaxUint32-100, 0)
	if at, anew := l.place(60, 165); anew || at != 161 {
		t.Errorf("over the wrap: %d, anew %v", at, anew)
	}
	if at, anew := l.place(1<<31, 320); !anew || at != 320 {
		t.Errorf("after a jump: %d, anew %v", at, anew)
	}
	if at, anew := l.place(1<<31+160, 90000); !anew || at != 90000 {
		t.Errorf("after a pause that the stream did not count: %d, anew %v", at, anew)
	}
}

func TestSequence(t *testing.T) {
	type step struct {
		ssrc uint32
		seq  uint16
		want order
	}
	for name, tt := range map[string]struct {
		steps []step
		lost  int64
	}{
		"wraps":             {[]step{{1, 65534, anew}, {1, 65535, inOrder}, {1, 0, inOrder}, {1, 1, inOrder}}, 0},
		"late and doubled":  {[]step{{1, 1, anew}, {1, 3, inOrder}, {1, 2, inOrder}, {1, 2, duplicate}, {1, 3, duplicate}}, 0},
		"loss":              {[]step{{1, 1, anew}, {1, 5, inOrder}}, 3},
		"a stray":           {[]step{{1, 1, anew}, {1, 30000, doubtful}, {1, 2, inOrder}}, 0},
		"begins again":      {[]step{{1, 1, anew}, {1, 30000, doubtful}, {1, 30001, anew}, {1, 30002, inOrder}}, 0},
		"another source":    {[]step{{1, 1, anew}, {1, 3, inOrder}, {2, 9, doubtful}, {2, 10, doubtful}, {2, 11, anew}, {2, 13, inOrder}}, 2},
		"a stranger's":      {[]step{{1, 1, anew}, {2, 9, doubtful}, {2, 10, doubtful}, {1, 2, inOrder}, {2, 11, doubtful}, {2, 12, doubtful}, {1, 3, inOrder}}, 0},
		"many strangers'":   {[]step{{1, 1, anew}, {2, 9, doubtful}, {3, 10, doubtful}, {2, 10, doubtful}, {4, 11, doubtful}, {2, 11, doubtful}}, 0},
		"older than memory": {[]step{{1, 1000, anew}, {1, 900, doubtful}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var q sequence
			for i, s := range tt.steps {
				if _, o := q.take(s.ssrc, s.seq, int64(i)*FrameSamples); o != s.want {
					t.Errorf("step %d: %v, want %v", i, o, s.want)
				}
			}
			if got := q.allLost(); got != tt.lost {
				t.Errorf("lost %d, want %d", got, tt.lost)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	var q sequence
	for n := range int64(400) {
		q.timing(uint32(n*160), n*160+n%2*80) // every other packet 10 ms late
	}
	if got := q.jitterTime(); got < 9*time.Millisecond || got > 11*time.Millisecond {
		t.Errorf("jitter %v, want about 10ms", got)
	}
}

func TestSource(t *testing.T) {
	lan, lan2 := netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:4000")
	public, loop, loop2 := netip.MustParseAddrPort("203.0.113.9:5000"), netip.MustParseAddrPort("127.0.0.1:4000"), netip.MustParseAddrPort("127.0.0.1:5000")
	type packets struct {
		from netip.AddrPort
		at   int64 // samples since the start, when the first of 20 packets comes
		want int   // how many are heard
	}
	for name, tt := range map[string]struct {
		named     netip.AddrPort
		symmetric bool
		packets   []packets
	}{
		"not symmetric":              {lan, false, []packets{{public, 0, 0}, {lan, 0, 20}, {public, 0, 0}}},
		"behind a NAT":               {lan, true, []packets{{public, 0, 16}, {lan2, 3200, 0}, {public, 90000, 20}}},
		"a stranger who was first":   {loop, true, []packets{{loop2, 0, 0}, {loop, 3200, 20}, {loop2, 6400, 0}}},
		"the named one never speaks": {loop, true, []packets{{loop2, 2400, 10}, {loop2, 90000, 20}}},
		"the named one speaks late":  {lan, true, []packets{{public, 0, 16}, {lan, 6400, 20}, {public, 9600, 0}}},
		"nobody in time":             {lan, true, []packets{{public, learnSpan, 0}, {lan, learnSpan, 20}, {lan2, learnSpan, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			var s source
			var stream sequence
			s.start(tt.named, tt.symmetric, 1000)
			seq := uint16(0)
			for i, p := range tt.packets {
				heard := 0
				for n := range int64(20) {
					seq++
					if ok, _ := s.admits(p.from, 7, seq, 1000+p.at+n*160, &stream, false); ok {
						heard++
					}
				}
				if heard != p.want {
					t.Errorf("run %d: %d packets are heard, want %d", i, heard, p.want)
				}
				s.start(tt.named, tt.symmetric, 1<<40) // the same again forgets nothing
			}
		})
	}
}

func TestMOS(t *testing.T) {
	for _, tt := range []struct {
		s         Stats
		low, high float64
	}{
		{Stats{}, 0, 0},
		{Stats{Received: 1000}, 4.3, 4.5},
		{Stats{Received: 950, Lost: 50}, 3.4, 4.1},
		{Stats{Received: 100, Lost: 900, Jitter: time.Second}, 1, 1.3},
	} {
		if got := tt.s.MOS(); got < tt.low || got > tt.high {
			t.Errorf("MOS of %+v = %.2f, want %v to %v", tt.s, got, tt.low, tt.high)
		}
	}
}

// heldPorts are two bridged ports that nobody reads or beats.
func heldPorts(t testing.TB) (a *rtpPort, from netip.AddrPort) {
	t.Helper()
	e, err := New(Config{PortMin: 42000, PortMax: 49999})
	if err != nil {
		t.Fatal(err)
	}
	var ports [2]*rtpPort
	for i := range ports {
		sound, control, err := e.sockets.open(netip.MustParseAddr("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = newRTPPort(e, sound, control)
		t.Cleanup(ports[i].shut)
	}
	for i, p := range ports {
		if err := p.Start(Stream{Remote: ports[1-i].local, Law: PCMA, DTMF: 101}); err != nil {
			t.Fatal(err)
		}
	}
	e.Bridge(ports[0], ports[1])
	return ports[0], ports[1].local
}

type deaf struct{}

func (deaf) Sound(Side, int64, []byte) {}

func TestNoAllocationPerPacket(t *testing.T) {
	p, from := heldPorts(t)
	p.Tap(deaf{})
	b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 0}, Payload: make([]byte, 160)}).Marshal()
	var room rtp.Packet
	seq := uint16(0)
	n := testing.AllocsPerRun(1000, func() {
		seq++
		b[2], b[3] = byte(seq>>8), byte(seq)
		p.take(b, arrival{from: from, whole: true}, &room)
		p.out.beat(p.engine.clock.now())
	})
	if n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if p.Stats().Received < 1000 {
		t.Error("the packets were not taken")
	}
}

// FuzzRTP lets datagrams come between packets of the party's, from the party's
// address or another, in the clear or sealed with the party's key.
func FuzzRTP(f *testing.F) {
	p, from := heldPorts(f)
	suite := Suites()[2]
	open, err := newOpener(secret{suite, keyFor(suite, 1)})
	if err != nil {
		f.Fatal(err)
	}
	seal, _ := newSealer(secret{suite, keyFor(suite, 1)})
	f.Add([]byte{0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xD5, 0xD5}, uint8(0))
	f.Add([]byte{0x80, 101, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 3, 0x8A, 3, 0x20}, uint8(1))
	f.Add([]byte{0x90, 13, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0}, uint8(2))
	f.Add([]byte{0xB1, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0x10, 0, 0, 1, 2, 50, 1, 0, 1, 1, 2, 2}, uint8(16))
	f.Add([]byte{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(32))
	f.Add(append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...), uint8(48))
	f.Fuzz(func(t *testing.T, b []byte, how uint8) {
		if len(b) > packetLimit {
			return
		}
		p.sequence, p.in.line, p.in.events = sequence{}, timeline{}, eventLog{}
		var room rtp.Packet
		p.opener, p.control.muxed = nil, how&32 != 0
		p.take(packetOf(1, 0, "spoken"), arrival{from: from, whole: true}, &room)
		a := arrival{from: from, whole: true, late: time.Duration(how&15) * time.Second}
		if how&64 != 0 {
			a.from = netip.AddrPortFrom(from.Addr(), 9)
		}
		if how&16 != 0 {
			p.opener = open
			if sealed, ok := sealAny(seal, b); ok {
				b = sealed
			}
		}
		before := p.in.stats
		p.take(b, a, &room)
		after := p.in.stats
		if taken := after.Received - before.Received; how&64 != 0 && taken > 0 || taken > 1 || after.Dropped-before.Dropped > 1 {
			t.Errorf("%d taken, %d dropped", taken, after.Dropped-before.Dropped)
		}
		p.out.beat(p.engine.clock.now())
	})
}

// sealAny seals what the library takes for RTP.
func sealAny(s *sealer, b []byte) ([]byte, bool) {
	if len(b) < rtpHeader {
		return nil, false
	}
	s.begun = false
	return s.seal(append(make([]byte, 0, len(b)+sealRoom), b...))
}

func BenchmarkForward(b *testing.B) {
	p, from := heldPorts(b)
	raw, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8}, Payload: make([]byte, 160)}).Marshal()
	var room rtp.Packet
	b.ReportAllocs()
	for n := uint32(0); b.Loop(); n++ {
		raw[2], raw[3] = byte(n>>8), byte(n)
		ts := n * 160
		raw[4], raw[5], raw[6], raw[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
		p.take(raw, arrival{from: from, whole: true}, &room)
	}
}
