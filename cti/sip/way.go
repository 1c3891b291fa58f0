package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// address puts on a request what sends it: Via, Max-Forwards and the way out.
// It must leave by the listener's own socket, else the peer would see another
// source port than it knows.
func (s *Server) address(ctx context.Context, req *wire.Request, ep *endpoint, to netip.AddrPort) error {
	via := &wire.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: ep.transport,
		Host: s.advertised(ep, to.Addr()).String(), Port: int(ep.addr.Port()),
		Params: wire.HeaderParams{{K: "rport"}, {K: "branch", V: wire.GenerateBranch()}},
	}
	hops := wire.MaxForwardsHeader(70)
	req.PrependHeader(via, &hops)
	if req.Body() == nil {
		req.SetBody(nil)
	}
	req.SetTransport(ep.transport)
	req.SetDestination(to.String())
	if ep.transport == "UDP" {
		req.Laddr = wire.Addr{IP: net.IP(ep.addr.Addr().AsSlice()), Port: int(ep.addr.Port())}
	}
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
	if ep.transport == "TCP" {
		return s.connect(ctx, ep, to)
	}
	return nil
}

// connect makes sure that the library has a connection to to. New ones go
// through our listener, so that what comes back is framed and checked too.
func (s *Server) connect(ctx context.Context, ep *endpoint, to netip.AddrPort) error {
	if s.connected(to) {
		return nil
	}
	d := net.Dialer{Timeout: 4 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IP(ep.addr.Addr().AsSlice())}}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	st := ep.tcp.take(conn)
	if st == nil {
		return errors.New("connect: too many connections")
	}
	ep.tcp.hand(st)
	for range 200 {
		if s.connected(to) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("connect: the connection was not taken up")
}

func (s *Server) connected(to netip.AddrPort) bool {
	c, err := s.ua.TransportLayer().GetConnection("tcp", to.String())
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // gives back the reference only
	return true
}
