package media

import (
	"bytes"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// correspondent is a party whose RTCP a test writes and reads, and the port that
// serves it; nobody beats the port but the test.
type correspondent struct {
	*rtpPort
	sound, reports *net.UDPConn
	ssrc           uint32
	seq            uint16
	room           rtp.Packet
}

func newCorrespondent(t testing.TB, change func(*Stream)) *correspondent {
	t.Helper()
	c := &correspondent{sound: listenFor(t), reports: listenFor(t), ssrc: 42}
	c.rtpPort, _ = heldPorts(t)
	c.engine.part(&c.port)
	s := Stream{Remote: addrOf(c.sound), Control: addrOf(c.reports), Law: PCMA, DTMF: 101}
	if change != nil {
		change(&s)
	}
	if err := c.Start(s); err != nil {
		t.Fatal(err)
	}
	return c
}

// speak lets n packets of sound come, leaving out every lose-th.
func (c *correspondent) speak(n, lose int) {
	for i := range n {
		c.seq++
		if lose == 0 || i%lose != lose-1 {
			c.take(packetOf(c.ssrc, c.seq, "spoken"), arrival{from: addrOf(c.sound), whole: true}, &c.room)
		}
	}
}

// say lets the port send n packets.
func (c *correspondent) say(n int) {
	for range n {
		c.out.beat(c.engine.clock.now())
	}
}

// report makes the port report at clock sample at, and reads it.
func (c *correspondent) report(t testing.TB, at int64) rtcp.CompoundPacket {
	t.Helper()
	c.control.due, c.control.next = math.MinInt64, math.MinInt64
	c.tend(at)
	return c.letter(t)
}

func (c *correspondent) letter(t testing.TB) (letter rtcp.CompoundPacket) {
	t.Helper()
	b := make([]byte, packetLimit)
	_ = c.reports.SetReadDeadline(time.Now().Add(2 * time.Second))
	n, err := c.reports.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := letter.Unmarshal(b[:n]); err != nil || !wellFormed(b[:n]) {
		t.Fatalf("a bad report: %v: % x", err, b[:n])
	}
	return letter
}

func (c *correspondent) write(t testing.TB, packets ...rtcp.Packet) {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.hearControl(b, arrival{from: addrOf(c.reports), whole: true})
}

func TestReports(t *testing.T) {
	c := newCorrespondent(t, nil)
	now := c.engine.clock.now()
	if _, ok := c.report(t, now)[0].(*rtcp.ReceiverReport); !ok {
		t.Error("who sent nothing is no sender")
	}
	c.speak(100, 4)
	c.say(3)
	c.write(t, &rtcp.SenderReport{SSRC: c.ssrc, NTPTime: 0x1111222233334444})
	letter := c.report(t, now+2*SampleRate)
	r, ok := letter[0].(*rtcp.SenderReport)
	if !ok {
		t.Fatalf("%T, want a sender's report", letter[0])
	}
	if r.SSRC != c.outlet.ssrc || r.PacketCount != 3 || r.OctetCount != 480 || r.RTPTime != c.outlet.stamp {
		t.Errorf("SR = %+v", r)
	}
	if at := time.Unix(int64(r.NTPTime>>32)-unixToNTP, 0); time.Since(at).Abs() > 4*time.Second {
		t.Errorf("sent at %v", at)
	}
	if name, err := letter.CNAME(); err != nil || len(name) != 24 {
		t.Errorf("CNAME %q, %v", name, err)
	}
	b := r.Reports[0]
	if len(r.Reports) != 1 || b.SSRC != c.ssrc || b.TotalLost != 24 || b.FractionLost != 62 || b.LastSequenceNumber != 99 {
		t.Errorf("block = %+v, want 24 of 99 lost", b)
	}
	if b.LastSenderReport != 0x22223333 || b.Delay < 65536 || b.Delay > 3*65536 {
		t.Errorf("block = %+v, want the party's report", b)
	}
	c.speak(10, 0)
	if again := c.report(t, now+4*SampleRate)[0].(*rtcp.ReceiverReport).Reports[0]; again.FractionLost != 256/11 {
		t.Errorf("block = %+v, want the losses since the last one only", again)
	}
	c.ssrc, c.seq = 77, 500
	c.sequence.at = -SampleRate
	c.speak(10, 0)
	if again := c.report(t, now+6*SampleRate)[0].(*rtcp.ReceiverReport).Reports[0]; again.SSRC != 77 || again.LastSenderReport != 0 || again.TotalLost != 0 {
		t.Errorf("block = %+v of another source", again)
	}
}

// TestReportsAreRandom counts an hour's reports (RFC 3550 §6.2).
func TestReportsAreRandom(t *testing.T) {
	c := newCorrespondent(t, nil)
	begin := c.engine.clock.now()
	next, n := c.control.next, 0
	if first := next - begin; first < reportEvery/4 || first > 3*reportEvery/4 {
		t.Errorf("the first report is %d samples away", first)
	}
	gaps := map[int64]bool{}
	for at := begin; at < begin+3600*SampleRate; at += FrameSamples {
		c.tend(at)
		if c.control.next == next {
			continue
		}
		gap := c.control.next - at
		if gap < reportEvery/2 || gap > 3*reportEvery/2 {
			t.Fatalf("the next report is %d samples away", gap)
		}
		next = c.control.next
		gaps[gap/1000] = true
		n++
	}
	if n < 600 || n > 760 || len(gaps) < 20 {
		t.Errorf("%d reports in an hour, %d kinds of pauses", n, len(gaps))
	}
}

func TestFarReports(t *testing.T) {
	c := newCorrespondent(t, nil)
	c.speak(10, 0)
	c.say(50)
	if far := c.Stats().Far; far != (Far{}) {
		t.Errorf("Far = %+v before any report", far)
	}
	sent := c.report(t, c.engine.clock.now()-SampleRate/2)[0].(*rtcp.SenderReport)
	c.write(t, &rtcp.ReceiverReport{SSRC: c.ssrc, Reports: []rtcp.ReceptionReport{
		{SSRC: 1, TotalLost: 40, Jitter: 1000},
		{SSRC: c.outlet.ssrc, TotalLost: 7, Jitter: 80, LastSenderReport: middle(sent.NTPTime), Delay: 65536 / 5},
	}})
	far := c.Stats().Far
	if far.Lost != 7 || far.Jitter != 10*time.Millisecond || time.Since(far.Last) > time.Minute {
		t.Errorf("Far = %+v", far)
	}
	if far.RoundTrip < 295*time.Millisecond || far.RoundTrip > 500*time.Millisecond {
		t.Errorf("round trip %v, want 300ms", far.RoundTrip)
	}
	if worse, better := c.Stats().MOS(), (Stats{Received: 1}).MOS(); worse >= better {
		t.Errorf("MOS %v with a round trip, %v without", worse, better)
	}
}

// TestFarLies sends reports that are no reports, or cannot be true.
func TestFarLies(t *testing.T) {
	good := func(c *correspondent, change func(*rtcp.ReceptionReport)) []byte {
		b := rtcp.ReceptionReport{SSRC: c.outlet.ssrc, TotalLost: 3, Jitter: 8}
		if change != nil {
			change(&b)
		}
		raw, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: c.ssrc, Reports: []rtcp.ReceptionReport{b}}})
		return raw
	}
	bye := []byte{0x81, 203, 0, 1, 0, 0, 0, 42}
	for name, tt := range map[string]struct {
		make func(c *correspondent) []byte
		from string
		want bool
		far  Far
	}{
		"good":                 {make: func(c *correspondent) []byte { return good(c, nil) }, want: true, far: Far{Lost: 3, Jitter: time.Millisecond}},
		"good, with more":      {make: func(c *correspondent) []byte { return append(good(c, nil), bye...) }, want: true, far: Far{Lost: 3, Jitter: time.Millisecond}},
		"another host":         {make: func(c *correspondent) []byte { return good(c, nil) }, from: "127.0.0.2:4001"},
		"another source":       {make: func(c *correspondent) []byte { c.ssrc++; return good(c, nil) }},
		"empty":                {make: func(*correspondent) []byte { return nil }},
		"one octet":            {make: func(*correspondent) []byte { return []byte{0x80} }},
		"RTP":                  {make: func(*correspondent) []byte { return packetOf(42, 1, "spoken") }},
		"a farewell first":     {make: func(c *correspondent) []byte { return append(slices.Clone(bye), good(c, nil)...) }},
		"padding first":        {make: func(c *correspondent) []byte { b := good(c, nil); b[0] |= 0x20; return b }},
		"version 1 behind":     {make: func(c *correspondent) []byte { return append(good(c, nil), 0x41, 203, 0, 0) }},
		"a rest":               {make: func(c *correspondent) []byte { return append(good(c, nil), 0x80, 203) }},
		"longer than it is":    {make: func(c *correspondent) []byte { b := good(c, nil); b[3]++; return b }},
		"shorter than it says": {make: func(c *correspondent) []byte { b := good(c, nil); b[0] |= 31; return b }},
		"a header alone":       {make: func(*correspondent) []byte { return []byte{0x80, 201, 0, 0, 0x80, 203, 0, 0} }},
		"STUN": {make: func(*correspondent) []byte {
			return append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}, make([]byte, 12)...)
		}},
		"more lost than sent": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.TotalLost = 1<<23 - 1 })
		}, want: true, far: Far{Lost: 5, Jitter: time.Millisecond}},
		"fewer than none lost": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.TotalLost = 1<<24 - 5 })
		}, want: true, far: Far{Jitter: time.Millisecond}},
		"a report we never sent": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.LastSenderReport = 12345 })
		}, want: true, far: Far{Lost: 3, Jitter: time.Millisecond}},
		"answered before it was sent": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.LastSenderReport, b.Delay = c.control.marks[0], 10*65536 })
		}, want: true, far: Far{Lost: 3, Jitter: time.Millisecond}},
		"kept for hours": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.LastSenderReport, b.Delay = c.control.marks[0], 1<<31+10 })
		}, want: true, far: Far{Lost: 3, Jitter: time.Millisecond}},
		"jitter of days": {make: func(c *correspondent) []byte {
			return good(c, func(b *rtcp.ReceptionReport) { b.Jitter = 1<<32 - 1 })
		}, want: true, far: Far{Lost: 3, Jitter: roundTripMax}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCorrespondent(t, nil)
			c.speak(5, 0)
			c.say(5)
			c.report(t, c.engine.clock.now())
			before, from := c.Stats().Dropped, addrOf(c.reports)
			if tt.from != "" {
				from = netip.MustParseAddrPort(tt.from)
			}
			raw := tt.make(c)
			c.in.mu.Lock()
			c.hearControl(raw, arrival{from: from, whole: true})
			c.in.mu.Unlock()
			s := c.Stats()
			if heard := !s.Far.Last.IsZero(); heard != tt.want || s.Dropped-before != map[bool]uint64{false: 1}[tt.want] {
				t.Errorf("heard %v, want %v; %d dropped", heard, tt.want, s.Dropped-before)
			}
			if s.Far.Last = (time.Time{}); s.Far != tt.far {
				t.Errorf("Far = %+v, want %+v", s.Far, tt.far)
			}
		})
	}
}

// TestControlSocket takes reports from the wire, on the beat, a few at a time.
func TestControlSocket(t *testing.T) {
	c := newCorrespondent(t, nil)
	c.speak(5, 0)
	b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: c.ssrc}})
	to := above(c.local)
	for range 3 {
		if _, err := c.reports.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
	}
	if c.tend(c.engine.clock.now() - SampleRate); !c.Stats().Far.Last.IsZero() {
		t.Error("the socket is looked at before its time")
	}
	for range 100 {
		if c.control.due = 0; !c.Stats().Far.Last.IsZero() {
			break
		}
		c.tend(c.engine.clock.now())
		time.Sleep(time.Millisecond)
	}
	if s := c.Stats(); s.Far.Last.IsZero() || s.Dropped > 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestReportsBesideSound(t *testing.T) {
	c := newCorrespondent(t, func(s *Stream) { s.Control = s.Remote })
	c.speak(5, 0)
	b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: c.ssrc, Reports: make([]rtcp.ReceptionReport, 1)}})
	c.take(b, arrival{from: addrOf(c.sound), whole: true}, &c.room)
	if s := c.Stats(); s.Far.Last.IsZero() || s.Dropped > 0 || s.Received != 5 {
		t.Errorf("Stats = %+v", s)
	}
	c.control.due, c.control.next = 0, 0
	c.tend(c.engine.clock.now())
	if n := drain(t, c.sound, wellFormed); n != 1 {
		t.Errorf("%d reports on the port of sound", n)
	}
	apart := newCorrespondent(t, nil)
	for range 2 { // before any sound, and among it
		apart.take(b, arrival{from: addrOf(apart.sound), whole: true}, &apart.room)
		apart.speak(5, 0)
	}
	if s := apart.Stats(); !s.Far.Last.IsZero() || s.Dropped != 2 || s.Received != 10 || s.Lost > 0 {
		t.Errorf("a report on the wrong port: %+v", s)
	}
}

// TestReportsFollowTheParty: behind a NAT the port of reports is not the one
// above that of sound.
func TestReportsFollowTheParty(t *testing.T) {
	c := newCorrespondent(t, func(s *Stream) {
		s.Symmetric, s.Control = true, netip.AddrPort{}
	})
	c.speak(5, 0)
	c.write(t, &rtcp.ReceiverReport{SSRC: c.ssrc})
	c.report(t, c.engine.clock.now())
	fixed := newCorrespondent(t, nil)
	fixed.speak(5, 0)
	b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: c.ssrc}})
	fixed.in.mu.Lock()
	fixed.hearControl(b, arrival{from: addrOf(listenFor(t)), whole: true})
	fixed.in.mu.Unlock()
	fixed.report(t, fixed.engine.clock.now())
}

func TestGoodbye(t *testing.T) {
	c := newCorrespondent(t, nil)
	c.say(1)
	_ = c.Close()
	letter := c.letter(t)
	bye, ok := letter[len(letter)-1].(*rtcp.Goodbye)
	if !ok || !slices.Equal(bye.Sources, []uint32{c.outlet.ssrc}) {
		t.Errorf("the last letter is %v", letter)
	}
	silent := newCorrespondent(t, nil)
	_ = silent.Close()
	if n := drain(t, silent.reports, wellFormed); n > 0 {
		t.Errorf("%d farewells of a port that never spoke", n)
	}
}

// TestMuteAndDeaf checks which way nothing goes.
func TestMuteAndDeaf(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*Stream)
		sent    int
		heard   bool
		reports int
	}{
		"both ways": {func(*Stream) {}, 5, true, 1},
		"mute":      {func(s *Stream) { s.Mute = true }, 0, true, 1},
		"deaf":      {func(s *Stream) { s.Deaf = true }, 5, false, 1},
		"neither":   {func(s *Stream) { s.Mute, s.Deaf = true, true }, 0, false, 1},
		"on hold":   {func(s *Stream) { s.Remote = netip.MustParseAddrPort("0.0.0.0:4000") }, 0, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCorrespondent(t, tt.change)
			var tap pieces
			c.Tap(&tap)
			c.speak(5, 0)
			event := packetOf(c.ssrc, c.seq+1, "\x05\x8a\x03\x20")
			event[1] = 101
			c.take(event, arrival{from: addrOf(c.sound), whole: true}, &c.room)
			c.say(5)
			c.control.due, c.control.next = 0, 0
			c.tend(c.engine.clock.now())
			if n := drain(t, c.sound, func([]byte) bool { return true }); n != tt.sent || int(c.Stats().Sent) != n {
				t.Errorf("%d packets of sound, want %d", n, tt.sent)
			}
			if n := drain(t, c.reports, wellFormed); n != tt.reports {
				t.Errorf("%d reports, want %d", n, tt.reports)
			}
			if heard := tap.received > 0; heard != tt.heard || len(c.Digits()) > 0 != tt.heard {
				t.Errorf("heard %v, %d digits, want %v", heard, len(c.Digits()), tt.heard)
			}
			if s := c.Stats(); name != "on hold" && s.Received != 6 {
				t.Errorf("Stats = %+v", s)
			}
		})
	}
}

// TestNumbersRunOnOverAPause: what was not sent is no loss.
func TestNumbersRunOnOverAPause(t *testing.T) {
	c := newCorrespondent(t, nil)
	s := Stream{Remote: addrOf(c.sound), Law: PCMA}
	var last uint16
	first := true
	for _, pause := range []int{0, 3, 40000, 1} {
		s.Mute = true
		_ = c.Start(s)
		c.say(pause)
		s.Mute = false
		_ = c.Start(s)
		c.say(4)
		n := drain(t, c.sound, func(b []byte) bool {
			seq := uint16(b[2])<<8 | uint16(b[3])
			ok := first || seq == last+1
			first, last = false, seq
			return ok
		})
		if n != 4 {
			t.Errorf("%d packets after a pause of %d", n, pause)
		}
	}
}

type pieces struct{ received, sent int }

func (p *pieces) Sound(side Side, _ int64, payload []byte) {
	if side == Received {
		p.received += len(payload)
		return
	}
	p.sent += len(payload)
}

func FuzzRTCP(f *testing.F) {
	c := newCorrespondent(f, nil)
	c.speak(5, 0)
	c.say(5)
	ours := c.outlet.ssrc
	for _, packets := range [][]rtcp.Packet{
		{&rtcp.ReceiverReport{SSRC: c.ssrc, Reports: []rtcp.ReceptionReport{{SSRC: ours, TotalLost: 3}}}},
		{&rtcp.SenderReport{SSRC: c.ssrc, NTPTime: 1 << 40, Reports: make([]rtcp.ReceptionReport, 31)}, &rtcp.Goodbye{Sources: []uint32{42}}},
		{&rtcp.ReceiverReport{SSRC: c.ssrc}, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 42, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "a"}}}}}},
	} {
		b, _ := rtcp.Marshal(packets)
		f.Add(b, false)
		f.Add(b, true)
	}
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 42}, false)
	suite := Suites()[2]
	o, err := newOpener(secret{suite, keyFor(suite, 1)})
	if err != nil {
		f.Fatal(err)
	}
	s, _ := newSealer(secret{suite, keyFor(suite, 1)})
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if len(b) > packetLimit {
			return
		}
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		if c.opener = nil; sealed {
			c.opener = o
			if len(b) >= rtcpLeast && b[0]&1 == 0 { // half of them by one who has the key
				b, _ = s.sealControl(bytes.Clone(b))
			}
		}
		c.control.far = Far{}
		c.hearControl(b, arrival{from: addrOf(c.reports), whole: true})
		if far := c.control.far; far.Lost > c.out.sent || far.Jitter < 0 || far.RoundTrip < 0 {
			t.Errorf("Far = %+v", far)
		}
	})
}

// BenchmarkMinute is what RTCP costs a port in a minute: 3,000 beats, 120 looks
// at the socket, a dozen reports.
func BenchmarkMinute(b *testing.B) {
	c := newCorrespondent(b, nil)
	c.speak(5, 0)
	at := c.engine.clock.now()
	b.ReportAllocs()
	for b.Loop() {
		for range time.Minute / Frame {
			at += FrameSamples
			c.tend(at)
		}
		c.out.sent++
	}
}
