package localca

import (
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Names are what a certificate is for.
type Names struct {
	DNS []string
	IPs []netip.Addr
}

// hostName is a name that browsers look up (RFC 1123 §2.1, and the underscore
// that some networks use).
var hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// Host is this machine's name in lower case, "box" where it has none that can
// be looked up.
func Host() string {
	name, err := os.Hostname()
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if err != nil || len(name) > 253 || !hostName.MatchString(name) {
		return "box"
	}
	return name
}

// Here is what this machine is called in its network: its name, whole and
// short, name.local (RFC 6762), localhost, and every address but link-local
// ones. further are names or addresses that it has besides, such as a router's
// name for it; what is neither is passed over.
func Here(further ...string) (Names, error) {
	host := Host()
	short, _, _ := strings.Cut(host, ".")
	n := Names{
		DNS: []string{host, short, short + ".local", "localhost"},
		IPs: []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})},
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return n, err
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			n.addIP(p.Addr())
		}
	}
	for _, name := range further {
		n.add(name)
	}
	slices.Sort(n.DNS)
	n.DNS = slices.Compact(n.DNS)
	slices.SortFunc(n.IPs, netip.Addr.Compare)
	n.IPs = slices.Compact(n.IPs)
	return n, nil
}

func (n *Names) add(name string) {
	if ip, err := netip.ParseAddr(name); err == nil {
		n.addIP(ip)
		return
	}
	if name = strings.ToLower(name); len(name) <= 253 && hostName.MatchString(name) {
		n.DNS = append(n.DNS, name)
	}
}

func (n *Names) addIP(ip netip.Addr) {
	ip = ip.Unmap().WithZone("")
	if !ip.IsLinkLocalUnicast() && !ip.IsUnspecified() && !ip.IsMulticast() {
		n.IPs = append(n.IPs, ip)
	}
}

// within says whether c is for all of n.
func (n Names) within(c *x509.Certificate) bool {
	held := map[netip.Addr]bool{}
	for _, ip := range c.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			held[addr.Unmap()] = true
		}
	}
	for _, ip := range n.IPs {
		if !held[ip] {
			return false
		}
	}
	return !slices.ContainsFunc(n.DNS, func(name string) bool { return !slices.Contains(c.DNSNames, name) })
}
