package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

const (
	datagramLimit = 1300            // bytes of a request by UDP (RFC 3261 §18.1.1)
	switchLimit   = 2 * time.Second // to reach by TCP who is known by UDP
	udpOnlyKept   = 5 * time.Minute // that it could not be
	dialLimit     = 4 * time.Second
)

var (
	errSwitch = errors.New("no connection within 2s")
	errDial   = errors.New("no connection within 4s")
)

// ways is what there is to know for the way to a peer.
type ways struct {
	srtp        string // with phones
	tls         TLS
	certificate *certificate
	authorities *x509.CertPool

	mu      sync.Mutex // guards what follows
	udpOnly map[netip.AddrPort]time.Time
	dialing map[string]chan struct{} // closed when that peer's connection is made or not
}

func newWays(cfg Config, log *slog.Logger) (*ways, error) {
	w := &ways{srtp: cfg.SRTP, tls: cfg.TLS, udpOnly: map[netip.AddrPort]time.Time{}, dialing: map[string]chan struct{}{}}
	var err error
	if w.authorities, err = authorities(cfg.TLS.CAFile); err != nil {
		return nil, err
	}
	if cfg.TLS.CertFile != "" {
		w.certificate, err = openCertificate(cfg.TLS, log)
	}
	return w, err
}

// address puts on a request what sends it: Via, Max-Forwards and the way out.
// It must leave by the listener's own socket, else the peer would see another
// source port than it knows. One that is too long for a datagram goes by TCP
// where that can be had.
func (s *Server) address(ctx context.Context, req *wire.Request, ep *endpoint, to netip.AddrPort) error {
	via := &wire.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0",
		Params: wire.HeaderParams{{K: "rport"}, {K: "branch", V: wire.GenerateBranch()}},
	}
	hops := wire.MaxForwardsHeader(70)
	req.PrependHeader(via, &hops)
	if req.Body() == nil {
		req.SetBody(nil)
	}
	s.send(req, ep, to)
	if !safe(req) {
		return errUnsafe
	}
	select {
	case <-s.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.life.Err() != nil {
		return context.Cause(s.life)
	}
	s.peers.touch(to.Addr(), time.Now())
	if ep.isStream() {
		return s.reach(ctx, req, ep, to)
	}
	if wide := s.wider(ctx, req, to); wide != nil {
		s.send(req, wide, to)
		s.moveContact(req, wide)
	}
	return nil
}

// send lets req leave by ep; its Via says so.
func (s *Server) send(req *wire.Request, ep *endpoint, to netip.AddrPort) {
	via := req.Via()
	via.Transport, via.Host, via.Port = ep.transport, s.advertised(ep, to.Addr()).String(), int(ep.addr.Port())
	req.SetTransport(ep.transport)
	req.SetDestination(to.String())
	req.Laddr = wire.Addr{}
	if !ep.isStream() {
		req.Laddr = wire.Addr{IP: net.IP(ep.addr.Addr().AsSlice()), Port: int(ep.addr.Port())}
	}
}

// moveContact makes the Contact of a request that changed its transport name
// the listener that it leaves by now.
func (s *Server) moveContact(req *wire.Request, ep *endpoint) {
	c := req.Contact()
	if c == nil {
		return
	}
	uri := c.Address.Clone()
	uri.Port = int(ep.addr.Port())
	uri.UriParams = append(uri.UriParams.Remove("transport"), ep.uriParams()...)
	req.ReplaceHeader(&wire.ContactHeader{DisplayName: c.DisplayName, Address: *uri, Params: c.Params})
}

// noteSource puts into the top Via of a response where its request came from, if
// that is not what stands there (RFC 3261 §18.2.1). The port is added where it
// was asked for, by the library (RFC 3581 §4).
func noteSource(res *wire.Response, source string) {
	from, err := netip.ParseAddrPort(source)
	via := res.Via()
	if err != nil || via == nil || via.Host == from.Addr().String() {
		return
	}
	if via.Params == nil {
		via.Params = wire.HeaderParams{}
	}
	via.Params.Add("received", from.Addr().String())
}

// wider is the TCP listener that a request too long for UDP leaves by, nil when
// it is not too long or there is no connection to be had: then the network has
// to carry the pieces.
func (s *Server) wider(ctx context.Context, req *wire.Request, to netip.AddrPort) *endpoint {
	if len(req.String()) <= datagramLimit || s.ways.isUDPOnly(to, time.Now()) {
		return nil
	}
	ep, err := s.endpointFor("TCP", to)
	if err != nil {
		return nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, switchLimit, errSwitch)
	defer cancel()
	if err := s.connect(limited, ep, to); err != nil {
		if ctx.Err() == nil {
			s.ways.keepToUDP(to, time.Now())
		}
		return nil
	}
	return ep
}

func (w *ways) isUDPOnly(a netip.AddrPort, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return now.Before(w.udpOnly[a])
}

// keepToUDP remembers that a takes no connections. What is out of date goes.
func (w *ways) keepToUDP(a netip.AddrPort, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for b, until := range w.udpOnly {
		if !now.Before(until) {
			delete(w.udpOnly, b)
		}
	}
	w.udpOnly[a] = now.Add(udpOnlyKept)
}

// reach makes sure of the connection that req leaves by. A peer that made the
// connection itself and lost it is looked for where its Contact or proxy is.
func (s *Server) reach(ctx context.Context, req *wire.Request, ep *endpoint, to netip.AddrPort) error {
	err := s.connect(ctx, ep, to)
	if err == nil {
		return nil
	}
	next := &req.Recipient
	if r := req.Route(); r != nil {
		next = &r.Address
	}
	at, ok := uriAddr(next)
	if !ok || at == to || s.bindings.at(to) != "" {
		return err
	}
	if s.connect(ctx, ep, at) != nil {
		return err
	}
	s.send(req, ep, at)
	s.peers.touch(at.Addr(), time.Now())
	return nil
}

// connect makes sure that the library has a connection to to. New ones go
// through our listener, so that what comes back is framed and checked too.
func (s *Server) connect(ctx context.Context, ep *endpoint, to netip.AddrPort) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dialLimit, errDial)
	defer cancel()
	done, err := s.ways.turn(ctx, ep.transport+" "+to.String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer done()
	if s.connected(ep, to) {
		return nil
	}
	conn, err := s.dial(ctx, ep, to)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	st := ep.tcp.take(conn)
	if st == nil {
		return errors.New("connect: too many connections")
	}
	st.ours = true
	ep.tcp.hand(st)
	for range 200 {
		if s.connected(ep, to) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("connect: the connection was not taken up")
}

// turn waits until nobody else makes the connection name.
func (w *ways) turn(ctx context.Context, name string) (done func(), err error) {
	for {
		w.mu.Lock()
		other, busy := w.dialing[name]
		if !busy {
			mine := make(chan struct{})
			w.dialing[name] = mine
			w.mu.Unlock()
			return func() { w.leave(name, mine) }, nil
		}
		w.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (w *ways) leave(name string, mine chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.dialing, name)
	close(mine)
}

// dial makes a connection from ep's address, with the handshake of TLS done.
func (s *Server) dial(ctx context.Context, ep *endpoint, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IP(ep.addr.Addr().AsSlice())}}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	if ep.transport != "TLS" {
		return conn, nil
	}
	sealed := tls.Client(conn, s.trust(to))
	if err := sealed.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake with %s: %w", to, err)
	}
	return sealed, nil
}

func (s *Server) connected(ep *endpoint, to netip.AddrPort) bool {
	c, err := s.ua.TransportLayer().GetConnection(ep.transport, to.String())
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // gives back the reference only
	return true
}
