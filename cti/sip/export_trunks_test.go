package sip

import (
	"net/netip"
	"time"
)

// SetAddresses stands in for the name server.
func (s *Server) SetAddresses(name string, addrs ...string) {
	p := s.trunks.named(name).places
	p.asking.Lock()
	defer p.asking.Unlock()
	var list []place
	for _, a := range addrs {
		list = append(list, place{addr: netip.MustParseAddrPort(a)})
	}
	p.set(list, time.Now().Add(time.Hour))
}
