package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	dialLimit  = 10 * time.Second
	writeLimit = 10 * time.Second
	keepAlive  = 15 * time.Second
	// unackedLimit is how long the kernel waits for the other side's TCP to
	// take what was sent.
	unackedLimit = 30 * time.Second
)

// dialTCP is the default of Config.Dial.
func (c Config) dialTCP(ctx context.Context) (net.Conn, error) {
	local, err := localAddr(c.BindAddress)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{
		Timeout: dialLimit, Control: limitUnacked,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3},
	}
	if local != nil {
		d.LocalAddr = local
	}
	return d.DialContext(ctx, "tcp", c.Address)
}

// localAddr reads bind_address, nil for none.
func localAddr(s string) (*net.TCPAddr, error) {
	if s == "" {
		return nil, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)), nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, fmt.Errorf("bind address: %w", err)
	}
	return net.TCPAddrFromAddrPort(at), nil
}
