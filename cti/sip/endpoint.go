package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

// endpoint is one of our listening addresses.
type endpoint struct {
	transport string // UDP, TCP or TLS
	addr      netip.AddrPort
	tcp       *tcpListener // nil for UDP
}

// Listen binds the sockets; nothing is read before Run. An unspecified address
// becomes one listener for each address of this machine, since what is sent
// must leave by a socket with a name.
func (s *Server) Listen() error {
	for _, l := range s.listens {
		addrs, err := concrete(l.addr)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := s.listen(l.transport, a); err != nil {
				s.closeSockets()
				return fmt.Errorf("sip: %w", err)
			}
		}
	}
	if err := s.certify(); err != nil {
		s.closeSockets()
		return fmt.Errorf("sip: %w", err)
	}
	return nil
}

func (s *Server) listen(transport string, a netip.AddrPort) error {
	if transport == "udp" {
		u, err := listenUDP(a, s.log, &s.count.revived)
		if err != nil {
			return err
		}
		u.gate = s.admit
		s.udp = append(s.udp, u)
		s.endpoints = append(s.endpoints, &endpoint{transport: "UDP", addr: u.addr})
		return nil
	}
	t, err := listenTCP(strings.ToUpper(transport), a, s.log, &s.count.revived, &s.count.connsRefused)
	if err != nil {
		return err
	}
	if transport == "tls" {
		t.guise = s.ways.guise()
	}
	t.gate, t.known, t.gone, t.barred = s.admit, s.known, s.bindings.hungUp, s.isBarred
	s.tcp = append(s.tcp, t)
	s.endpoints = append(s.endpoints, &endpoint{transport: t.transport, addr: t.addr, tcp: t})
	return nil
}

func concrete(a netip.AddrPort) ([]netip.AddrPort, error) {
	if !a.Addr().IsUnspecified() {
		return []netip.AddrPort{a}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("sip: addresses of this machine: %w", err)
	}
	var found []netip.AddrPort
	for _, n := range all {
		p, err := netip.ParsePrefix(n.String())
		if err != nil || p.Addr().Is4() != a.Addr().Is4() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		found = append(found, netip.AddrPortFrom(p.Addr(), a.Port()))
	}
	return found, nil
}

// Addrs are the real addresses after Listen, as udp://127.0.0.1:5060.
func (s *Server) Addrs() []string {
	var all []string
	for _, ep := range s.endpoints {
		all = append(all, strings.ToLower(ep.transport)+"://"+ep.addr.String())
	}
	return all
}

// advertised is the address we name to peer: the external one to peers with
// public addresses.
func (s *Server) advertised(ep *endpoint, peer netip.Addr) netip.Addr {
	if s.external.IsValid() && s.external.Is4() == peer.Is4() && !isInside(peer) {
		return s.external
	}
	return ep.addr.Addr()
}

// isInside says that an address has a meaning only within some network.
func isInside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// shared is what carriers use within their networks (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// contact is our Contact towards peer.
func (s *Server) contact(ep *endpoint, peer netip.Addr) *wire.ContactHeader {
	uri := wire.Uri{Scheme: "sip", User: "callbox", Host: hostText(s.advertised(ep, peer)), Port: int(ep.addr.Port())}
	uri.UriParams = ep.uriParams()
	return &wire.ContactHeader{Address: uri}
}

// uriParams say which transport a URI of ours means; UDP goes without saying.
func (ep *endpoint) uriParams() wire.HeaderParams {
	if !ep.isStream() {
		return nil
	}
	return wire.HeaderParams{{K: "transport", V: strings.ToLower(ep.transport)}}
}

func hostText(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// endpointFor is the listener that requests to peer leave from: the one the
// kernel would route them from, else any of that transport.
func (s *Server) endpointFor(transport string, peer netip.AddrPort) (*endpoint, error) {
	source := routeSource(peer)
	var found *endpoint
	for _, ep := range s.endpoints {
		if ep.transport != transport || ep.addr.Addr().Is4() != peer.Addr().Is4() {
			continue
		}
		if ep.addr.Addr() == source {
			return ep, nil
		}
		if found == nil || ep.addr.Addr().IsLoopback() == peer.Addr().IsLoopback() {
			found = ep
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no %s listener reaches %s", strings.ToLower(transport), peer)
	}
	return found, nil
}

// routeSource asks the kernel for the local address towards peer; no packet is
// sent.
func routeSource(peer netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// endpointAt is the listener that a message came by. A connection that we made
// has a port of its own: then the address decides.
func (s *Server) endpointAt(transport string, local net.Addr) *endpoint {
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return nil
	}
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	var found *endpoint
	for _, ep := range s.endpoints {
		switch {
		case ep.transport != transport:
		case ep.addr == at:
			return ep
		case found == nil || ep.addr.Addr() == at.Addr() && found.addr.Addr() != at.Addr():
			found = ep
		}
	}
	return found
}

// isStream says whether the transport keeps connections, which are the way back
// to who made them.
func (ep *endpoint) isStream() bool { return ep.tcp != nil }
