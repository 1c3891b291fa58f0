package media

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// The pace of RTCP (RFC 3550 §6.2): two parties on a telephone call's bandwidth
// come to the least interval.
const (
	reportEvery  = 5 * SampleRate
	controlBeat  = SampleRate / 2 // between two looks at the control socket
	mostControl  = 8              // packets taken at one look
	roundTripMax = 30 * time.Second
	rtcpLeast    = 8          // octets of the shortest report
	unixToNTP    = 2208988800 // seconds from 1900 to 1970
)

// control is a port's RTCP. It needs no goroutine: the engine's beat looks at
// the socket twice a second and lets a report go every 5 s, more or less.
// What comes counts when it is from the party's host, sealed where sound is, a
// compound packet as RFC 3550 §A.2 wants it, and speaks for the source that is
// heard.
type control struct {
	socket *socket
	name   string // CNAME, of this stream alone (RFC 7022 §4.2)
	due    int64  // the next look; the beat's own

	// Under in.mu:
	muxed bool  // it shares the port of sound (RFC 5761)
	next  int64 // our next report
	far   Far
	about reception

	// Under out.mu:
	sent  uint64    // packets of sound at our last report
	spoke bool      // there was one
	marks [2]uint32 // the middle of the last sender reports' NTP time
}

// reception is what our last report told of the party's source.
type reception struct {
	ssrc               uint32
	expected, received int64
	mark               uint32 // the middle of the NTP time of its last sender report
	markAt             int64  // when that came
}

// newControl looks first at a time of its own, so that many ports do not fall
// into step.
func newControl(s *socket, now int64) control {
	var name [12]byte
	binary.BigEndian.PutUint64(name[:], rand.Uint64())
	binary.BigEndian.PutUint32(name[8:], rand.Uint32())
	return control{socket: s, name: hex.EncodeToString(name[:]), due: now + rand.Int64N(controlBeat)}
}

// agree sets where reports go: the address that signalling names, else the port
// above that of sound; if sound came from elsewhere, the port above that one.
// Callers hold both locks.
func (c *control) agree(s Stream, locked netip.AddrPort, now int64) {
	to := s.Control
	if !to.IsValid() {
		to = above(s.Remote)
	}
	c.muxed = to == s.Remote
	if locked.IsValid() && locked != s.Remote {
		to = above(locked)
	}
	if nowhere(s.Remote) || nowhere(to) {
		to = netip.AddrPort{}
	}
	c.socket.aim(to)
	if c.next == 0 {
		c.next = now + pace()/2
	}
}

// moved sends reports after sound, until reports come themselves.
func (c *control) moved(sound netip.AddrPort) { c.socket.aim(above(sound)) }

func above(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+1) }

// nowhere says that a party gave no address to send to: it is on hold.
func nowhere(a netip.AddrPort) bool {
	return a.Port() == 0 || !a.IsValid() || a.Addr().IsUnspecified()
}

// pace is the time to the next report, from half to one and a half of the usual
// one (RFC 3550 §6.2).
func pace() int64 { return reportEvery/2 + rand.Int64N(reportEvery) }

// tend does what is due of RTCP. It is called on the beat.
func (p *rtpPort) tend(now int64) {
	if now < p.control.due {
		return
	}
	p.control.due = now + controlBeat
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if !p.in.open {
		return
	}
	for range mostControl {
		if p.control.muxed || !p.control.socket.poll(p.hearControl) {
			break
		}
	}
	if now >= p.control.next {
		p.control.next = now + pace()
		p.report(now, false)
	}
}

// hearControl takes a datagram of RTCP. Callers hold in.mu.
func (p *rtpPort) hearControl(datagram []byte, a arrival) {
	now := time.Now().Add(-a.late)
	from := unmapped(a.from)
	if !a.whole || !p.from.host(from.Addr()) || !p.readControl(datagram, p.engine.clock.at(now)) {
		p.in.stats.Dropped++
		return
	}
	p.control.far.Last = now
	if p.from.symmetric && !p.control.muxed {
		p.out.mu.Lock()
		p.control.socket.aim(from)
		p.out.mu.Unlock()
	}
}

// readControl takes what came at clock sample at; it is false for what is none
// of the party's.
func (p *rtpPort) readControl(datagram []byte, at int64) (ok bool) {
	if p.opener != nil {
		if datagram, ok = p.opener.openControl(datagram, at); !ok {
			return false
		}
	}
	if !wellFormed(datagram) || p.sequence.begun && binary.BigEndian.Uint32(datagram[4:]) != p.sequence.ssrc {
		return false
	}
	for len(datagram) > 0 {
		n := controlLength(datagram)
		if !p.readReport(datagram[:n], at) {
			return false
		}
		datagram = datagram[n:]
	}
	return true
}

// readReport takes one packet of a compound one; what is no report is passed
// over.
func (p *rtpPort) readReport(packet []byte, at int64) bool {
	switch rtcp.PacketType(packet[1]) {
	case rtcp.TypeSenderReport:
		var r rtcp.SenderReport
		if r.Unmarshal(packet) != nil {
			return false
		}
		if p.sequence.begun && r.SSRC == p.sequence.ssrc {
			p.control.about.of(r.SSRC)
			p.control.about.mark, p.control.about.markAt = middle(r.NTPTime), at
		}
		p.readBlocks(r.Reports, at)
	case rtcp.TypeReceiverReport:
		var r rtcp.ReceiverReport
		if r.Unmarshal(packet) != nil {
			return false
		}
		p.readBlocks(r.Reports, at)
	}
	return true
}

// readBlocks takes what the party says of our packets.
func (p *rtpPort) readBlocks(blocks []rtcp.ReceptionReport, at int64) {
	p.out.mu.Lock()
	sent, marks := p.out.sent, p.control.marks
	p.out.mu.Unlock()
	for _, b := range blocks {
		if b.SSRC != p.outlet.ssrc {
			continue
		}
		far := &p.control.far
		far.Lost = min(uint64(max(signed24(b.TotalLost), 0)), sent)
		far.Jitter = min(time.Duration(b.Jitter)*(time.Second/SampleRate), roundTripMax)
		if b.LastSenderReport != 0 && slices.Contains(marks[:], b.LastSenderReport) {
			trip := int32(middle(p.engine.clock.ntp(at)) - b.LastSenderReport - b.Delay)
			far.trip(time.Duration(trip) * time.Second / 65536)
		}
	}
}

func signed24(v uint32) int32 { return int32(v<<8) >> 8 }

// trip takes a round trip (RFC 3550 §6.4.1). One shorter than our clock tells is
// as short as it can tell; what cannot be is a lie.
func (f *Far) trip(d time.Duration) {
	const finest = time.Second / SampleRate
	if d > -10*finest && d < roundTripMax {
		f.RoundTrip = max(d, finest)
	}
}

// of begins anew for another source.
func (r *reception) of(ssrc uint32) {
	if r.ssrc != ssrc {
		*r = reception{ssrc: ssrc}
	}
}

// block reports on a source (RFC 3550 §6.4.1, §A.3).
func (r *reception) block(q *sequence, now int64) rtcp.ReceptionReport {
	r.of(q.ssrc)
	expected, received := q.expected(), q.received
	b := rtcp.ReceptionReport{
		SSRC:               q.ssrc,
		FractionLost:       fraction(expected-r.expected, received-r.received),
		TotalLost:          uint32(min(max(expected-received, -1<<23), 1<<23-1)) & 0xFFFFFF,
		LastSequenceNumber: uint32(q.top),
		Jitter:             uint32(q.jitter),
	}
	if r.mark != 0 {
		b.LastSenderReport, b.Delay = r.mark, uint32(max(now-r.markAt, 0)*65536/SampleRate)
	}
	r.expected, r.received = expected, received
	return b
}

// fraction is the part that was lost, of 256.
func fraction(expected, received int64) uint8 {
	if lost := expected - received; expected > 0 && lost > 0 {
		return uint8(min(lost*256/expected, 255))
	}
	return 0
}

// report lets our report go, with a farewell at the end. Callers hold in.mu.
func (p *rtpPort) report(now int64, farewell bool) {
	var blocks []rtcp.ReceptionReport
	if p.sequence.begun {
		blocks = append(blocks, p.control.about.block(&p.sequence, now))
	}
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	c, ssrc := &p.control, p.outlet.ssrc
	item := rtcp.SourceDescriptionItem{Type: rtcp.SDESCNAME, Text: c.name}
	compound := rtcp.CompoundPacket{
		p.saying(blocks, now),
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: ssrc, Items: []rtcp.SourceDescriptionItem{item}}}},
	}
	if farewell {
		compound = append(compound, &rtcp.Goodbye{Sources: []uint32{ssrc}})
	}
	if raw, err := compound.Marshal(); err == nil {
		c.spoke = p.outlet.control(c, raw) || c.spoke
	}
}

// saying is the report of a sender if sound went out since the last, else that
// of a receiver.
func (p *rtpPort) saying(blocks []rtcp.ReceptionReport, now int64) rtcp.Packet {
	c, o := &p.control, &p.outlet
	if p.out.sent == c.sent {
		return &rtcp.ReceiverReport{SSRC: o.ssrc, Reports: blocks}
	}
	c.sent = p.out.sent
	r := &rtcp.SenderReport{
		SSRC:        o.ssrc,
		NTPTime:     p.engine.clock.ntp(now),
		RTPTime:     o.stamp,
		PacketCount: uint32(p.out.sent),
		OctetCount:  o.octets,
		Reports:     blocks,
	}
	c.marks = [2]uint32{middle(r.NTPTime), c.marks[0]}
	return r
}

// goodbye tells the party that the stream ends, if it knows of us.
func (p *rtpPort) goodbye() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	known := p.control.spoke || p.out.sent > 0
	p.out.mu.Unlock()
	if known {
		p.report(p.engine.clock.now(), true)
	}
}

// ntp is a clock sample as NTP writes time (RFC 3550 §4). It runs evenly where
// the system's clock is set.
func (c clock) ntp(at int64) uint64 {
	t := c.epoch.Add(time.Duration(at) * (time.Second / SampleRate))
	return uint64(t.Unix()+unixToNTP)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// middle is what reports carry of an NTP time.
func middle(ntp uint64) uint32 { return uint32(ntp >> 16) }

// wellFormed checks a compound packet as RFC 3550 §A.2 does: the first is a
// report without padding, all are of version 2, and they fill the datagram.
func wellFormed(datagram []byte) bool {
	if len(datagram) < rtcpLeast || datagram[0]&0x20 != 0 || !isReport(datagram[1]) || controlLength(datagram) < rtcpLeast {
		return false
	}
	for len(datagram) > 0 {
		n := controlLength(datagram)
		if n == 0 {
			return false
		}
		datagram = datagram[n:]
	}
	return true
}

func isReport(kind byte) bool {
	return kind == byte(rtcp.TypeSenderReport) || kind == byte(rtcp.TypeReceiverReport)
}

// controlLength is the length of the packet that b begins with, 0 for none.
func controlLength(b []byte) int {
	if len(b) < 4 || b[0]>>6 != 2 {
		return 0
	}
	if n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1); n <= len(b) {
		return n
	}
	return 0
}

// isControl tells RTCP from RTP by its second octet (RFC 5761 §4).
func isControl(datagram []byte) bool { return len(datagram) > 1 && datagram[1]>>5 == 6 }
