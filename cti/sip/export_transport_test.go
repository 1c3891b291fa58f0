package sip

import (
	"net"
	"net/netip"
	"time"

	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// LookAgain has the certificate's files looked at by the next handshake.
func (s *Server) LookAgain() {
	c := s.ways.certificate
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}

// ParseCrypto reads the value of an a=crypto line.
func ParseCrypto(value string) (tag, suite string, key []byte, err error) {
	k, err := parseSealKey(value)
	return k.tag, k.suite, k.key, err
}

// ReadOffer reads an SDP as an offer under a setting of srtp.
func ReadOffer(body []byte, srtp string) (stream media.Stream, answer []byte, err error) {
	d, err := read(body, []media.Law{media.PCMA, media.PCMU}, srtp)
	if err != nil {
		return media.Stream{}, nil, err
	}
	o := sdpOrigin{id: 1, version: 1, addr: netip.MustParseAddrPort("127.0.0.1:20000")}
	return o.sealed(d), o.answer(d), nil
}

// ReadAnswer reads an SDP as the answer to a plain offer of ours.
func ReadAnswer(body []byte) (media.Stream, error) {
	var o sdpOrigin
	d, err := o.answered(body, []media.Law{media.PCMA, media.PCMU})
	return d.stream, err
}

// Told is what a request to peer by transport, and an answer's SDP, say of us.
func (s *Server) Told(transport, peer string) (via, contact, sound string, err error) {
	to := netip.MustParseAddrPort(peer)
	var ep *endpoint
	for _, e := range s.endpoints {
		if e.transport == transport {
			ep = e
		}
	}
	if ep == nil {
		return "", "", "", errNoStream
	}
	req := wire.NewRequest(wire.OPTIONS, wire.Uri{Scheme: "sip", Host: to.Addr().String()})
	req.PrependHeader(&wire.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0"})
	s.send(req, ep, to)
	return req.Via().Value(), s.contact(ep, to.Addr()).Value(), s.advertised(ep, to.Addr()).String(), nil
}

// LeavesBy is the listener that requests to peer leave by.
func (s *Server) LeavesBy(transport, peer string) string {
	ep, err := s.endpointFor(transport, netip.MustParseAddrPort(peer))
	if err != nil {
		return err.Error()
	}
	return ep.addr.String()
}

// NewTestLink is a connection that we made to a trunk; everything passes.
func NewTestLink(conn net.Conn) net.Conn {
	s := NewTestStream(conn, true).(*stream)
	s.owner.gate, s.ours = func(*packet) bool { return true }, true
	return s
}

// KeepsToUDP says whether it is remembered, at now, that a takes no connections.
func (s *Server) KeepsToUDP(a string, now time.Time) bool {
	return s.ways.isUDPOnly(netip.MustParseAddrPort(a), now)
}

// Connected says whether there is a connection with peer.
func (s *Server) Connected(transport, peer string) bool {
	return s.connected(&endpoint{transport: transport}, netip.MustParseAddrPort(peer))
}
