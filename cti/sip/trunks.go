package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti/media"
)

const (
	resolveLimit = 2 * time.Second
	resolveKept  = 30 * time.Second
)

var errTrunkFull = errors.New("the trunk's max_calls are in use")

// trunk is one carrier at work.
type trunk struct {
	Trunk
	from   []netip.Prefix
	codecs []media.Law
	active atomic.Int64

	mu       sync.Mutex // guards what follows
	resolved []netip.AddrPort
	until    time.Time
}

type trunks []*trunk

func newTrunks(list []Trunk) (trunks, error) {
	var all trunks
	for _, t := range list {
		tr := &trunk{Trunk: t}
		for _, n := range t.From {
			p, err := parseNetwork(n)
			if err != nil {
				return nil, err
			}
			tr.from = append(tr.from, p)
		}
		laws, err := t.laws()
		if err != nil {
			return nil, err
		}
		tr.codecs = laws
		all = append(all, tr)
	}
	return all, nil
}

// mayCall says whether a is in some trunk's from.
func (ts trunks) mayCall(a netip.Addr) bool {
	for _, t := range ts {
		if t.width(a) >= 0 {
			return true
		}
	}
	return false
}

// caller is the trunk whose from holds the source best: the narrowest network,
// then the trunk whose own address it is.
func (ts trunks) caller(from netip.AddrPort) *trunk {
	var best *trunk
	score := -1
	for _, t := range ts {
		width := t.width(from.Addr())
		if width < 0 {
			continue
		}
		points := 2 * width
		if t.isAt(from) {
			points++
		}
		if points > score {
			best, score = t, points
		}
	}
	return best
}

func (ts trunks) named(name string) *trunk {
	for _, t := range ts {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// width is the length of the narrowest prefix that holds a, -1 for none.
func (t *trunk) width(a netip.Addr) int {
	width := -1
	for _, p := range t.from {
		if p.Contains(a) {
			width = max(width, p.Bits())
		}
	}
	return width
}

func (t *trunk) isAt(from netip.AddrPort) bool {
	return strings.EqualFold(t.Address, from.String())
}

// enter counts a call; false when max_calls are in use.
func (t *trunk) enter() bool {
	if n := t.active.Add(1); t.MaxCalls > 0 && n > int64(t.MaxCalls) {
		t.active.Add(-1)
		return false
	}
	return true
}

func (t *trunk) leave() { t.active.Add(-1) }

// answers says whether a challenge for realm is this trunk's to answer: its own
// realm, or, if none is set, one that is no other trunk's.
func (ts trunks) answers(t *trunk, realm string) bool {
	if t == nil || t.Username == "" {
		return false
	}
	if t.Realm != "" {
		return t.Realm == realm
	}
	for _, other := range ts {
		if other != t && other.Realm != "" && other.Realm == realm {
			return false
		}
	}
	return true
}

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
