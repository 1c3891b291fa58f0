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
	control control
	local   netip.AddrPort

	// Under in.mu:
	from     source
	sequence sequence
	opener   *opener // nil: packets come in the clear
	dtmf     uint8
	deaf     bool
	// Under out.mu:
	outlet rtpOut

	fax chan string
}

func newRTPPort(e *Plain, sound, control *socket) *rtpPort {
	p := &rtpPort{socket: sound, local: localOf(sound.conn), fax: make(chan string, 1)}
	p.prepare(e)
	p.control = newControl(control, e.clock.now())
	p.outlet = rtpOut{socket: sound, ssrc: rand.Uint32(), base: rand.Uint32(), buf: make([]byte, rtpHeader+FrameSamples+sealRoom)}
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
// hears stays in the first. Keys that are the same again go on where they were;
// under new ones packets of the old are taken for 3 s yet.
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
	s.Remote, s.Control = unmapped(s.Remote), unmapped(s.Control)
	if err := p.agree(s); err != nil {
		return err
	}
	p.agreed(s, p.fax)
	p.port.open(s.Law, &p.outlet)
	return nil
}

// agree takes all of s, or nothing where the keys are bad.
func (p *rtpPort) agree(s Stream) error {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	now := p.engine.clock.now()
	if err := p.key(s.Crypto, now); err != nil {
		return err
	}
	p.from.start(s.Remote, s.Symmetric, now)
	p.dtmf, p.deaf = s.DTMF, s.Deaf
	o := &p.outlet
	o.law, o.dtmf, o.mute = s.Law, s.DTMF, s.Mute
	o.aim(s.Remote)
	if p.from.locked.IsValid() {
		o.aim(p.from.locked)
	}
	p.control.agree(s, p.from.locked, now)
	return nil
}

// key changes what packets are sealed with. A key that stays keeps its context:
// sealing under it from the start again would give packets away.
func (p *rtpPort) key(c *Crypto, now int64) error {
	if c == nil {
		p.opener, p.outlet.sealer = nil, nil
		return nil
	}
	var err error
	local, remote := c.secrets()
	seal, open := p.outlet.sealer, p.opener
	if seal == nil || !seal.equal(local) {
		if seal, err = newSealer(local); err != nil {
			return err
		}
	}
	if open == nil || !open.equal(remote) {
		if open, err = newOpener(remote); err != nil {
			return err
		}
		open.follows(p.opener, now)
	}
	p.outlet.sealer, p.opener = seal, open
	return nil
}

// Close implements [RTP].
func (p *rtpPort) Close() error {
	p.shut()
	return nil
}

func (p *rtpPort) shut() {
	p.end(func() {
		p.goodbye()
		_ = p.socket.conn.Close()
		_ = p.control.socket.conn.Close()
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
	at := p.engine.clock.at(now)
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.stats.KernelDropped = uint64(a.drops)
	if !p.in.open {
		return
	}
	if isControl(datagram) && p.control.muxed {
		p.hearControl(datagram, a)
		return
	}
	if !a.whole || !p.parse(datagram, unmapped(a.from), at, packet) {
		p.in.stats.Dropped++
		return
	}
	ext, order := p.sequence.take(packet.SSRC, packet.SequenceNumber, at)
	switch order {
	case duplicate, doubtful:
		p.in.stats.Dropped++
		return
	case anew:
		p.in.begin(p.out.ids)
	case inOrder:
	}
	p.in.received(now)
	p.sort(packet, heard{ext: ext, arrival: at, marker: packet.Marker, payload: packet.Payload})
}

// parse is false for what is no RTP, not sealed as it should be, or not the
// party's. RTCP among RTP has an SSRC elsewhere and must not be taken for one.
func (p *rtpPort) parse(datagram []byte, from netip.AddrPort, at int64, packet *rtp.Packet) (ok bool) {
	if isControl(datagram) {
		return false
	}
	if p.opener != nil {
		if !p.from.possible(from, at) {
			return false
		}
		if datagram, ok = p.opener.open(datagram, at); !ok {
			return false
		}
	}
	err := packet.Unmarshal(datagram)
	if cap(packet.Extensions) > mostExtensions {
		packet.Extensions = nil
	}
	if err != nil || packet.Version != 2 || len(packet.Payload) > maxPayload {
		return false
	}
	return p.admits(packet, from, at)
}

func (p *rtpPort) admits(packet *rtp.Packet, from netip.AddrPort, at int64) bool {
	ok, moved := p.from.admits(from, packet.SSRC, packet.SequenceNumber, at, &p.sequence, p.opener != nil)
	if moved {
		p.out.mu.Lock()
		p.outlet.aim(from)
		p.control.moved(from)
		p.out.mu.Unlock()
	}
	return ok
}

// sort hands a packet on by what it carries.
func (p *rtpPort) sort(packet *rtp.Packet, h heard) {
	switch t := packet.PayloadType; {
	case t == uint8(PCMU) || t == uint8(PCMA):
		p.sequence.timing(packet.Timestamp, h.arrival)
		if p.deaf || len(h.payload) == 0 { // the latter keeps a NAT open, no more
			p.in.paused()
			return
		}
		h.law = Law(t)
		p.in.sound(&h, packet.Timestamp, p.out.ids)
	case p.deaf:
		p.in.paused()
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
	s.Far, s.Secure = p.control.far, p.opener != nil
	return s
}

// rtpOut writes packets; its sender's lock guards it.
type rtpOut struct {
	socket *socket
	sealer *sealer // nil: packets go in the clear
	hold   bool    // the party gave no address
	mute   bool    // it does not listen
	paused bool    // a packet was not sent because of that
	law    Law
	dtmf   uint8
	ssrc   uint32
	base   uint32 // of the timestamps
	shift  uint16 // of the numbers
	last   uint16 // number that went out
	stamp  uint32 // timestamp that did
	octets uint32 // of payload, as RTCP counts them
	count  *uint64
	buf    []byte // header, payload, and room to seal them
}

const (
	rtpHeader      = 12
	rtpVersion     = 2 << 6
	rtpMarker      = 0x80
	mostExtensions = 32 // room for more is not kept
)

// aim sets where the party listens; nowhere is on hold.
func (o *rtpOut) aim(remote netip.AddrPort) {
	o.hold = nowhere(remote)
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
	if o.hold || o.mute {
		o.paused = true
		return
	}
	if marker {
		kind |= rtpMarker
	}
	seq, stamp := o.number(seq), o.base+uint32(at)
	o.buf[0], o.buf[1] = rtpVersion, kind
	binary.BigEndian.PutUint16(o.buf[2:], seq)
	binary.BigEndian.PutUint32(o.buf[4:], stamp)
	binary.BigEndian.PutUint32(o.buf[8:], o.ssrc)
	if o.send(o.buf) == nil {
		*o.count++
		o.stamp = stamp
		o.octets += uint32(len(o.buf) - rtpHeader)
	}
}

// number lets the numbers run on over a pause in which nothing went out: so the
// party counts no losses, and one that counts rounds of numbers to open what is
// sealed does not miss a round.
func (o *rtpOut) number(seq uint16) uint16 {
	seq += o.shift
	if o.paused {
		o.paused = false
		if *o.count > 0 {
			o.shift += o.last + 1 - seq
			seq = o.last + 1
		}
	}
	if *o.count == 0 || int16(seq-o.last) > 0 {
		o.last = seq
	}
	return seq
}

// send lets a packet out, sealed where that was agreed on.
func (o *rtpOut) send(packet []byte) error {
	if o.sealer == nil {
		return o.socket.send(packet)
	}
	sealed, ok := o.sealer.seal(packet)
	if !ok {
		return errUnsealed
	}
	return o.socket.send(sealed)
}

// control lets RTCP out, by the port of sound where it shares that.
func (o *rtpOut) control(c *control, compound []byte) (sent bool) {
	if o.sealer != nil {
		var ok bool
		if compound, ok = o.sealer.sealControl(compound); !ok {
			return false
		}
	}
	by := c.socket
	if c.muxed {
		by = o.socket
	}
	return by.send(compound) == nil
}

var errUnsealed = errors.New("media: the packet cannot be sealed")
