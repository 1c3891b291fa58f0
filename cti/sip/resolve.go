package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	resolveLimit = 2 * time.Second
	resolveKept  = 30 * time.Second
	resolveAgain = 5 * time.Second // after the name server failed
)

var (
	errNoAddress = errors.New("no address")
	errResting   = errors.New("the trunk asked for a pause (Retry-After)")
)

// resolver is what of [net.Resolver] is asked; tests have one of their own.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// place is one address of a trunk with its rank (RFC 2782).
type place struct {
	addr             netip.AddrPort
	priority, weight uint16
}

// places are where requests to a host go (RFC 3263 §4.2, without NAPTR): they
// are asked for again after a while, and kept when the name server fails.
type places struct {
	names     resolver
	host      string
	port      uint16 // 0: by SRV
	transport string // udp, tcp or tls

	asking sync.Mutex // one lookup at a time; guards what follows
	until  time.Time
	err    error

	list    atomic.Pointer[[]place] // the last good answer
	resting restList
}

func newPlaces(names resolver, address, transport string) (*places, error) {
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	return &places{names: names, host: host, port: port, transport: transport}, nil
}

// addresses are all places, the best first: by priority, within one at random
// by weight, those that were silent lately last, those that asked for a pause
// left out.
func (p *places) addresses(ctx context.Context) ([]netip.AddrPort, error) {
	list, err := p.known(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return p.resting.sort(ranked(list, rand.N[int]), time.Now())
}

// known asks the name server when it is time to.
func (p *places) known(ctx context.Context, now time.Time) ([]place, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	old := p.now()
	if now.Before(p.until) {
		if len(old) == 0 {
			return nil, p.err
		}
		return old, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, resolveLimit, errors.New("the name server is too slow"))
	defer cancel()
	found, err := p.resolve(ctx)
	if err == nil {
		p.set(found, now.Add(resolveKept))
		return found, nil
	}
	if context.Cause(ctx) == nil || ctx.Err() == context.DeadlineExceeded { // else it is who asked that gave up
		p.until, p.err = now.Add(resolveAgain), err
	}
	if len(old) > 0 {
		return old, nil
	}
	return nil, err
}

// set keeps list until then. Caller holds asking.
func (p *places) set(list []place, until time.Time) {
	p.until, p.err = until, nil
	p.list.Store(&list)
}

// now is the last good answer, without asking anybody.
func (p *places) now() []place {
	if list := p.list.Load(); list != nil {
		return *list
	}
	return nil
}

// holds says whether a is one of the hosts, without asking anybody.
func (p *places) holds(a netip.Addr) bool {
	return slices.ContainsFunc(p.now(), func(at place) bool { return at.addr.Addr() == a })
}

// has says whether a is one of the places, without asking anybody.
func (p *places) has(a netip.AddrPort) bool {
	return slices.ContainsFunc(p.now(), func(at place) bool { return at.addr == a })
}

// rest has an address passed over for a while: hard leaves it out, else it is
// only tried last.
func (p *places) rest(a netip.AddrPort, d time.Duration, hard bool) {
	p.resting.add(a, time.Now().Add(d), hard)
}

// services are the names under which a transport is registered, and its port.
var services = map[string]struct {
	service, proto string
	port           uint16
}{
	"udp": {"sip", "udp", 5060}, "tcp": {"sip", "tcp", 5060}, "tls": {"sips", "tcp", 5061},
}

func (p *places) resolve(ctx context.Context) ([]place, error) {
	port := cmp.Or(p.port, services[p.transport].port)
	if a, err := netip.ParseAddr(p.host); err == nil {
		return []place{{addr: netip.AddrPortFrom(a.Unmap(), port)}}, nil
	}
	if p.port == 0 {
		found, err := p.bySRV(ctx)
		if len(found) > 0 || err != nil {
			return found, err
		}
	}
	return p.byHost(ctx, p.host, port)
}

// bySRV gives nothing, without error, where the name has no SRV records.
func (p *places) bySRV(ctx context.Context) ([]place, error) {
	by := services[p.transport]
	_, records, err := p.names.LookupSRV(ctx, by.service, by.proto, p.host)
	if err != nil {
		return p.withoutSRV(err)
	}
	if len(records) == 1 && records[0].Target == "." { // RFC 2782: decidedly not available
		return nil, fmt.Errorf("%s says that it has no SIP by %s", p.host, p.transport)
	}
	var all []place
	var faults []error
	for _, r := range records {
		found, err := p.byHost(ctx, strings.TrimSuffix(r.Target, "."), r.Port)
		faults = append(faults, err)
		for _, at := range found {
			all = append(all, place{addr: at.addr, priority: r.Priority, weight: r.Weight})
		}
	}
	if len(all) == 0 {
		return nil, errors.Join(faults...)
	}
	return all, nil
}

// withoutSRV lets the host's own addresses serve, unless better ones are known
// from before.
func (p *places) withoutSRV(err error) ([]place, error) {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound || len(p.now()) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("resolve %s: %w", p.host, err)
}

func (p *places) byHost(ctx context.Context, host string, port uint16) ([]place, error) {
	ips, err := p.names.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", host, err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("resolve %s: %w", host, errNoAddress)
	}
	all := make([]place, len(ips))
	for i, ip := range ips {
		all[i] = place{addr: netip.AddrPortFrom(ip.Unmap(), port)}
	}
	return all, nil
}

// ranked orders places as RFC 2782 has it: by priority, and within one drawn
// one after the other, each as likely as its weight. draw gives a number below n.
func ranked(list []place, draw func(n int) int) []netip.AddrPort {
	left := slices.Clone(list)
	slices.SortStableFunc(left, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(min(a.weight, 1), min(b.weight, 1)))
	})
	var all []netip.AddrPort
	for len(left) > 0 {
		same := slices.IndexFunc(left, func(p place) bool { return p.priority != left[0].priority })
		if same < 0 {
			same = len(left)
		}
		i := drawn(left[:same], draw)
		all = append(all, left[i].addr)
		left = slices.Delete(left, i, i+1)
	}
	return all
}

// drawn is the index of the next one among places of one priority.
func drawn(same []place, draw func(n int) int) int {
	sum := 0
	for _, p := range same {
		sum += int(p.weight)
	}
	if sum == 0 {
		return 0
	}
	n := draw(sum + 1)
	for i, p := range same {
		if n -= int(p.weight); n <= 0 {
			return i
		}
	}
	return len(same) - 1
}

// restList are addresses that are passed over for a while.
type restList struct {
	mu  sync.Mutex
	all map[netip.AddrPort]rest
}

type rest struct {
	until time.Time
	hard  bool
}

func (r *restList) add(a netip.AddrPort, until time.Time, hard bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[netip.AddrPort]rest{}
	}
	r.all[a] = rest{until: until, hard: hard}
}

// awake ends the rest of an address that answered, unless it asked for it.
func (r *restList) awake(a netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.all[a].hard {
		delete(r.all, a)
	}
}

// sort puts resting addresses last or leaves them out; an error when none is
// left.
func (r *restList) sort(list []netip.AddrPort, now time.Time) ([]netip.AddrPort, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first, last []netip.AddrPort
	for _, a := range list {
		switch rest, ok := r.all[a]; {
		case !ok || !now.Before(rest.until):
			delete(r.all, a)
			first = append(first, a)
		case !rest.hard:
			last = append(last, a)
		}
	}
	if first = append(first, last...); len(first) == 0 {
		return nil, errResting
	}
	return first, nil
}

// orSIP is port, or the usual one where none is given.
func orSIP(port uint16) uint16 { return cmp.Or(port, services["udp"].port) }
