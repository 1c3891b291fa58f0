package sip

import (
	"fmt"
	"net/netip"
	"strings"
)

// listen is one address to listen on.
type listen struct {
	transport string // udp, tcp or tls
	addr      netip.AddrPort
}

func parseListen(text string) (listen, error) {
	transport, host, ok := strings.Cut(text, "://")
	switch {
	case !ok:
		return listen{}, fmt.Errorf("%q is not like udp://127.0.0.1:5060", text)
	case transport == "ws", transport == "wss":
		return listen{}, fmt.Errorf("%s:// is %w", transport, errNotYet)
	case transport != "udp" && transport != "tcp" && transport != "tls":
		return listen{}, fmt.Errorf("%q: none of udp://, tcp://, tls://", text)
	}
	addr, err := netip.ParseAddrPort(host)
	if err != nil {
		return listen{}, fmt.Errorf("%q: the address must be IP:PORT: %w", text, err)
	}
	return listen{transport: transport, addr: addr}, nil
}
