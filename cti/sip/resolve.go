package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// addresses are where the trunk's calls go, the best first: by SRV when the
// name has no port (RFC 3263 §4.2), else by A and AAAA. They are kept a while.
func (t *trunk) addresses(ctx context.Context) ([]netip.AddrPort, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.resolved) > 0 && time.Now().Before(t.until) {
		return t.resolved, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, resolveLimit, errors.New("the name server is too slow"))
	defer cancel()
	found, err := resolve(ctx, t.Address)
	if err != nil {
		return nil, fmt.Errorf("trunk %s: %w", t.Name, err)
	}
	t.resolved, t.until = found, time.Now().Add(resolveKept)
	return found, nil
}

func resolve(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), orSIP(port))}, nil
	}
	if port == 0 {
		if found := resolveSRV(ctx, host); len(found) > 0 {
			return found, nil
		}
	}
	return resolveHost(ctx, host, orSIP(port))
}

func orSIP(port uint16) uint16 {
	if port == 0 {
		return 5060
	}
	return port
}

func resolveSRV(ctx context.Context, host string) []netip.AddrPort {
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "sip", "udp", host)
	if err != nil {
		return nil
	}
	var all []netip.AddrPort
	for _, r := range records {
		found, err := resolveHost(ctx, strings.TrimSuffix(r.Target, "."), r.Port)
		if err == nil {
			all = append(all, found...)
		}
	}
	return all
}

func resolveHost(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	all := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		all[i] = netip.AddrPortFrom(ip.Unmap(), port)
	}
	return all, nil
}
