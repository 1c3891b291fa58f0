package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"callbox/cti"
	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

var errTrunkFull = errors.New("the trunk's max_calls are in use")

// trunk is one carrier at work.
type trunk struct {
	Trunk
	from    []netip.Prefix
	codecs  []media.Law
	active  atomic.Int64
	places  *places       // where its requests go, nil without an address
	proxy   *wire.Uri     // Route of what goes there, nil for none
	health  *health       // how it is
	contact *registration // nil when it does not register
}

type trunks []*trunk

func newTrunks(list []Trunk, names resolver) (trunks, error) {
	if names == nil {
		names = net.DefaultResolver
	}
	var all trunks
	for _, t := range list {
		tr, err := newTrunk(t, names)
		if err != nil {
			return nil, err
		}
		all = append(all, tr)
	}
	return all, nil
}

func newTrunk(t Trunk, names resolver) (*trunk, error) {
	t.Transport = t.transport()
	tr := &trunk{Trunk: t, health: newHealth()}
	for _, n := range t.From {
		p, err := parseNetwork(n)
		if err != nil {
			return nil, err
		}
		tr.from = append(tr.from, p)
	}
	var err error
	if tr.codecs, err = t.laws(); err != nil || t.Address == "" {
		return tr, err
	}
	if tr.places, err = newPlaces(names, cmp.Or(t.Proxy, t.Address), t.Transport); err != nil {
		return nil, err
	}
	if t.Proxy != "" {
		tr.proxy = &wire.Uri{
			Scheme: "sip", Host: tr.places.host, Port: int(tr.places.port),
			UriParams: append(wire.HeaderParams{{K: "lr"}}, tr.transportParam()...),
		}
	}
	if t.Register {
		tr.contact = newRegistration(tr)
	}
	return tr, nil
}

// domain is the host that the trunk's URIs name.
func (t *trunk) domain() string {
	host, _, _ := splitAddress(t.Address) // checked by Validate
	return host
}

// uri is user at the trunk; "" for the trunk itself.
func (t *trunk) uri(user string) wire.Uri {
	host, port, _ := splitAddress(t.Address)
	return wire.Uri{Scheme: "sip", User: userPart(user), Host: host, Port: int(port), UriParams: t.transportParam()}
}

// transportParam names the transport where it is not the usual one.
func (t *trunk) transportParam() wire.HeaderParams {
	if t.Transport == "udp" {
		return nil
	}
	return wire.HeaderParams{{K: "transport", V: t.Transport}}
}

// mayCall says whether a is in some trunk's from, or is where it registers.
func (ts trunks) mayCall(a netip.Addr) bool {
	for _, t := range ts {
		if t.width(a) >= 0 || t.registersAt(a) {
			return true
		}
	}
	return false
}

// caller is the trunk whose from holds the source best: the narrowest network,
// then the trunk whose own address it is. Where no from does, it is the one
// that registers there; of several, the one that was called by its user name.
func (ts trunks) caller(from netip.AddrPort, called string) *trunk {
	var best *trunk
	score := -1
	for _, t := range ts {
		if points := t.claim(from, called); points > score {
			best, score = t, points
		}
	}
	return best
}

// claim is how well the source of a request and whom it calls fit the trunk,
// -1 for not at all.
func (t *trunk) claim(from netip.AddrPort, called string) int {
	width := t.width(from.Addr())
	if width < 0 && !t.registersAt(from.Addr()) {
		return -1
	}
	points := 4 * (width + 1)
	if t.isAt(from) {
		points += 2
	}
	if t.Register && t.Username == called {
		points++
	}
	return points
}

// registersAt says whether the trunk registers at a, or did so lately.
func (t *trunk) registersAt(a netip.Addr) bool {
	return t.contact != nil && (t.places.holds(a) || t.contact.isAt(a))
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
	return strings.EqualFold(t.Address, from.String()) || t.places != nil && t.places.has(from)
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

// throughTrunk is the way to NAME/NUMBER; it counts a call of that trunk. One
// that is out of service is tried all the same: who has another way, as
// [Server.Trunks] tells, takes that first.
func (s *Server) throughTrunk(ctx context.Context, address string) ([]target, *trunk, error) {
	name, number, _ := strings.Cut(address, "/")
	tr := s.trunks.named(name)
	switch {
	case tr == nil:
		return nil, nil, fmt.Errorf("%w: no trunk %q", cti.ErrNotFound, name)
	case !dialable.MatchString(number):
		return nil, nil, fmt.Errorf("%w: %q cannot be dialled", cti.ErrNotFound, number)
	case tr.Address == "":
		return nil, nil, fmt.Errorf("%w: trunk %s has no address", cti.ErrUnreachable, name)
	}
	way, err := s.wayTo(ctx, tr)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	if !tr.enter() {
		return nil, nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, errTrunkFull)
	}
	way.uri = tr.uri(tr.dials(number))
	return []target{way}, tr, nil
}

// wayTo is where requests to the trunk go: the best address that a listener of
// ours reaches, and the next ones that are reached by the same.
func (s *Server) wayTo(ctx context.Context, tr *trunk) (target, error) {
	list, err := tr.places.addresses(ctx)
	if err != nil {
		return target{}, fmt.Errorf("trunk %s: %w", tr.Name, err)
	}
	way := target{proxy: tr.proxy}
	var fault error
	for _, to := range list {
		ep, err := s.endpointFor(strings.ToUpper(tr.Transport), to)
		switch {
		case err != nil:
			fault = err
		case way.ep == nil:
			way.ep, way.to = ep, to
		case way.ep == ep && len(way.next) < mostAddresses-1:
			way.next = append(way.next, to)
		}
	}
	if way.ep == nil {
		return target{}, fmt.Errorf("trunk %s: %w", tr.Name, fault)
	}
	return way, nil
}

// lead puts the Route to a proxy on a request that is sent to t.
func (t target) lead(req *wire.Request) {
	if t.proxy != nil {
		req.AppendHeader(&wire.RouteHeader{Address: *t.proxy.Clone()})
	}
}

// hostOf is the trunk's host name where a is one of its addresses, as far as
// they were looked up.
func (t *trunk) hostOf(a netip.AddrPort) string {
	if t.places == nil || !t.places.has(a) {
		return ""
	}
	return t.places.host
}
