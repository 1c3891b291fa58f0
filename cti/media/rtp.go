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
	socket  *socket
	control *net.UDPConn // takes RTCP, so that nobody is told it is not wanted
	local   netip.AddrPort

	// Under in.mu:
	from     source
	sequence sequence
	dtmf     uint8
	// Under out.mu:
	outlet rtpOut

	fax chan string
}

func newRTPPort(e *Plain, sound *socket, control *net.UDPConn) *rtpPort {
	p := &rtpPort{socket: sound, control: control, local: localOf(sound.conn), fax: make(chan string, 1)}
	p.prepare(e)
	p.outlet = rtpOut{socket: sound, ssrc: rand.Uint32(), base: rand.Uint32(), buf: make([]byte, rtpHeader+FrameSamples)}
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
	p.outlet.aim(s.Remote)
	if p.from.locked.IsValid() {
		p.outlet.aim(p.from.locked)
	}
}

// Close implements [RTP].
func (p *rtpPort) Close() error {
	p.shut()
	return nil
}

func (p *rtpPort) shut() {
	p.end(func() {
		_ = p.socket.conn.Close()
		_ = p.control.Close()
		p.engine.sockets.give(p.local.Port())
	})
}

const mostReadErrors = 100

// read takes packets until the socket is closed.
func (p *rtpPort) read() {
	var packet rtp.Packet
	take := func(datagram []byte, a arrival) { p.take(datagram, a, &packet) }
	for failed := 0; failed < mostReadErrors; {
		err := p.socket.receive(take)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed++
			continue
		}
		failed = 0
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
		p.outlet.aim(from)
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
	case t == comfortNoise || t == oldComfortNoise:
		p.in.comfort(&h, packet.Timestamp)
	default:
		p.in.stats.Dropped++
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
	socket *socket
	hold   bool
	law    Law
	dtmf   uint8
	ssrc   uint32
	base   uint32 // of the timestamps
	count  *uint64
	buf    []byte // header and payload
}

const (
	rtpHeader  = 12
	rtpVersion = 2 << 6
	rtpMarker  = 0x80
)

// aim sets where the party listens; nowhere is on hold.
func (o *rtpOut) aim(remote netip.AddrPort) {
	o.hold = remote.Port() == 0 || !remote.IsValid() || remote.Addr().IsUnspecified()
	o.socket.aim(remote)
}

func (o *rtpOut) sound(seq uint16, at int64, marker bool, law Law, payload []byte) {
	o.buf = append(o.buf[:rtpHeader], payload...)
	if law != o.law {
		Convert(law, o.law, o.buf[rtpHeader:], payload)
	}
	o.write(uint8(o.law), seq, at, marker)
}

func (o *rtpOut) event(seq uint16, at int64, marker bool, payload []byte) {
	o.buf = append(o.buf[:rtpHeader], payload...)
	o.write(o.dtmf, seq, at, marker)
}

func (o *rtpOut) events() bool { return o.dtmf != 0 }

// write puts the header (RFC 3550 §5.1) before the payload and sends.
func (o *rtpOut) write(kind uint8, seq uint16, at int64, marker bool) {
	if o.hold {
		return
	}
	if marker {
		kind |= rtpMarker
	}
	o.buf[0], o.buf[1] = rtpVersion, kind
	binary.BigEndian.PutUint16(o.buf[2:], seq)
	binary.BigEndian.PutUint32(o.buf[4:], o.base+uint32(at))
	binary.BigEndian.PutUint32(o.buf[8:], o.ssrc)
	if o.socket.send(o.buf) == nil {
		*o.count++
	}
}
