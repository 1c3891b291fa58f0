package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

// Payload types of RFC 3551 and RFC 3389 that are known and carry no sound.
const (
	comfortNoise    = 13
	oldComfortNoise = 19
)

// rtpPort is a port on a UDP socket.
type rtpPort struct {
	port
	conn    *net.UDPConn
	control *net.UDPConn // takes RTCP, so that nobody is told it is not wanted
	local   netip.AddrPort

	// Under in.mu:
	from     source
	sequence sequence
	dtmf     uint8
	// Under out.mu:
	outlet rtpOut
}

func newRTPPort(e *Plain, sound, control *net.UDPConn) *rtpPort {
	p := &rtpPort{conn: sound, control: control, local: localOf(sound)}
	p.prepare(e)
	p.outlet = rtpOut{conn: sound, ssrc: rand.Uint32(), base: rand.Uint32()}
	p.out.seq = int64(rand.Uint32N(1 << 15))
	p.outlet.count = &p.out.sent
	return p
}

func localOf(conn *net.UDPConn) netip.AddrPort {
	a, _ := conn.LocalAddr().(*net.UDPAddr)
	return unmapped(a.AddrPort())
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// LocalAddr implements [RTP].
func (p *rtpPort) LocalAddr() netip.AddrPort { return p.local }

// Start implements [RTP]. A new law changes what is on the wire; what a tap
// hears stays in the first.
func (p *rtpPort) Start(s Stream) error {
	if !s.Law.Valid() {
		return fmt.Errorf("media: law %d is none of G.711", s.Law)
	}
	if s.DTMF != 0 && (s.DTMF < 96 || s.DTMF > 127) {
		return fmt.Errorf("media: payload type %d of telephone-event is not a dynamic one", s.DTMF)
	}
	if p.isClosed() {
		return ErrClosed
	}
	s.Remote = unmapped(s.Remote)
	p.agree(s)
	p.port.open(s.Law, &p.outlet)
	return nil
}

func (p *rtpPort) agree(s Stream) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.from.start(s.Remote, s.Symmetric, p.engine.clock.now())
	p.dtmf = s.DTMF
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.outlet.law, p.outlet.dtmf = s.Law, s.DTMF
	p.outlet.remote = s.Remote
	if p.from.locked.IsValid() {
		p.outlet.remote = p.from.locked
	}
}

// Close implements [RTP].
func (p *rtpPort) Close() error {
	p.shut()
	return nil
}

func (p *rtpPort) shut() {
	p.end(func() {
		_ = p.conn.Close()
		_ = p.control.Close()
		p.engine.sockets.give(p.local.Port())
	})
}

const mostReadErrors = 100

// read takes packets until the socket is closed.
func (p *rtpPort) read() {
	buf, oob := make([]byte, packetLimit), make([]byte, 128)
	var packet rtp.Packet
	for failed := 0; failed < mostReadErrors; {
		n, a, err := receive(p.conn, buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed++
			continue
		}
		failed = 0
		p.take(buf[:n], a, &packet)
	}
	p.engine.log.Error("an RTP socket failed; its port is closed", "port", p.local.Port())
}

// take sorts one datagram. packet is room to parse it.
func (p *rtpPort) take(datagram []byte, a arrival, packet *rtp.Packet) {
	now := time.Now().Add(-a.late)
	err := packet.Unmarshal(datagram)
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.stats.KernelDropped = uint64(a.drops)
	if !p.in.open {
		return
	}
	if err != nil || !a.whole || packet.Version != 2 || len(packet.Payload) > maxPayload {
		p.in.stats.Dropped++
		return
	}
	if !p.admits(packet, unmapped(a.from)) {
		p.in.stats.Dropped++
		return
	}
	ext, order := p.sequence.take(packet.SSRC, packet.SequenceNumber)
	switch order {
	case duplicate, doubtful:
		p.in.stats.Dropped++
		return
	case anew:
		p.in.begin(p.out.ids)
	case inOrder:
	}
	p.in.received(now)
	p.sort(packet, heard{ext: ext, arrival: p.engine.clock.at(now), marker: packet.Marker, payload: packet.Payload})
}

func (p *rtpPort) admits(packet *rtp.Packet, from netip.AddrPort) bool {
	ok, moved := p.from.admits(from, packet.SSRC, packet.SequenceNumber, p.engine.clock.now())
	if moved {
		p.out.mu.Lock()
		p.outlet.remote = from
		p.out.mu.Unlock()
	}
	return ok
}

// sort hands a packet on by what it carries.
func (p *rtpPort) sort(packet *rtp.Packet, h heard) {
	switch t := packet.PayloadType; {
	case t == uint8(PCMU) || t == uint8(PCMA):
		p.sequence.timing(packet.Timestamp, h.arrival)
		if len(h.payload) == 0 { // keeps a NAT open, no more
			p.in.paused()
			return
		}
		h.law = Law(t)
		p.in.sound(&h, packet.Timestamp, p.out.ids)
	case t == p.dtmf && t != 0:
		p.in.event(&h, packet.Timestamp, p.out.ids, p.pressed)
	default:
		if t != comfortNoise && t != oldComfortNoise {
			p.in.stats.Dropped++
		}
		p.in.paused()
	}
}

// Stats implements [Port].
func (p *rtpPort) Stats() Stats {
	s := p.port.Stats()
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	s.Lost = uint64(p.sequence.allLost())
	s.Jitter = p.sequence.jitterTime()
	return s
}

// rtpOut writes packets; its sender's lock guards it.
type rtpOut struct {
	conn   *net.UDPConn
	remote netip.AddrPort
	law    Law
	dtmf   uint8
	ssrc   uint32
	base   uint32 // of the timestamps
	count  *uint64
	buf    [rtpHeader + maxPayload]byte
}

const (
	rtpHeader  = 12
	rtpVersion = 2 << 6
	rtpMarker  = 0x80
)

func (o *rtpOut) sound(seq uint16, at int64, marker bool, law Law, payload []byte) {
	n := Convert(law, o.law, o.buf[rtpHeader:], payload)
	o.write(uint8(o.law), seq, at, marker, n)
}

func (o *rtpOut) event(seq uint16, at int64, marker bool, payload []byte) {
	o.write(o.dtmf, seq, at, marker, copy(o.buf[rtpHeader:], payload))
}

func (o *rtpOut) events() bool { return o.dtmf != 0 }

// write puts the header (RFC 3550 §5.1) before n bytes of payload and sends.
func (o *rtpOut) write(kind uint8, seq uint16, at int64, marker bool, n int) {
	if o.remote.Port() == 0 || !o.remote.IsValid() || o.remote.Addr().IsUnspecified() {
		return // on hold
	}
	if marker {
		kind |= rtpMarker
	}
	o.buf[0], o.buf[1] = rtpVersion, kind
	binary.BigEndian.PutUint16(o.buf[2:], seq)
	binary.BigEndian.PutUint32(o.buf[4:], o.base+uint32(at))
	binary.BigEndian.PutUint32(o.buf[8:], o.ssrc)
	if _, err := o.conn.WriteToUDPAddrPort(o.buf[:rtpHeader+n], o.remote); err == nil {
		*o.count++
	}
}
