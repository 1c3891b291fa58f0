package sip

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
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

// OriginOf reads who calls out of an INVITE that came from t.
func OriginOf(t Trunk, invite string) (cti.Origin, error) {
	msg, err := wire.NewParser().ParseSIP([]byte(invite))
	if err != nil {
		return cti.Origin{}, err
	}
	return (&Server{}).originOf(msg.(*wire.Request), &trunk{Trunk: t}), nil
}

// Presented is the From, P-Asserted-Identity and Privacy of a call through t,
// which is called HOST by itself.
func Presented(t Trunk, as cti.Number) (from, asserted, privacy string) {
	p := (&trunk{Trunk: t}).presents(as, "192.0.2.7")
	req := wire.NewRequest(wire.INVITE, wire.Uri{Scheme: "sip", Host: "carrier.example"})
	p.dress(req)
	value := func(name string) string {
		if h := req.GetHeader(name); h != nil {
			return h.Value()
		}
		return ""
	}
	h := p.from()
	h.Params = nil
	return h.Value(), value("p-asserted-identity"), value("privacy")
}

// Dials is how t dials n.
func Dials(t Trunk, n string) string { return (&trunk{Trunk: t}).dials(n) }

// Resolver stands in for the name server.
type Resolver = resolver

// WithResolver has names looked up there.
func (c Config) WithResolver(r Resolver) Config {
	c.names = r
	return c
}

// Lookups asks for the addresses of one host, again and again.
type Lookups struct{ *places }

// NewLookups looks up address as a trunk does.
func NewLookups(r Resolver, address, transport string) (Lookups, error) {
	p, err := newPlaces(r, address, transport)
	return Lookups{p}, err
}

// Addresses are the host's addresses now.
func (l Lookups) Addresses(ctx context.Context) ([]netip.AddrPort, error) { return l.addresses(ctx) }

// Rest has an address passed over.
func (l Lookups) Rest(a netip.AddrPort, d time.Duration, hard bool) { l.rest(a, d, hard) }

// Awake ends a rest.
func (l Lookups) Awake(a netip.AddrPort) { l.resting.awake(a) }

// Ranked orders addresses with their priorities and weights.
func Ranked(records map[string][2]uint16, draw func(n int) int) []string {
	var list []place
	for _, a := range slices.Sorted(maps.Keys(records)) {
		list = append(list, place{addr: netip.MustParseAddrPort(a), priority: records[a][0], weight: records[a][1]})
	}
	var all []string
	for _, a := range ranked(list, draw) {
		all = append(all, a.String())
	}
	return all
}

// What a registration's loop is told.
var (
	ErrTurnedAway     = errTurnedAway
	ErrConnectionLost = errConnectionLost
)

// Upkeep runs a registration's loop.
func Upkeep(ctx context.Context, ask func(context.Context) (time.Duration, error), lost func() bool, told func(time.Duration, error)) {
	upkeep{ask: ask, lost: lost, told: told}.run(ctx)
}

// Watched is a trunk's health with its loops.
type Watched struct{ h *health }

// NewWatched is a trunk that is thought alive.
func NewWatched() Watched { return Watched{newHealth()} }

// Probe asks every so often.
func (w Watched) Probe(ctx context.Context, each time.Duration, ask func(context.Context) error) {
	w.h.probe(ctx, each, ask)
}

// Watch tells each change.
func (w Watched) Watch(ctx context.Context, tell func(up bool, why string)) {
	w.h.watch(ctx, func() { s := w.h.now(); tell(s.up, s.why) })
}

// Enrolled takes what a registration came to.
func (w Watched) Enrolled(until time.Time, err error) { w.h.enrolled(until, err) }

// Now is what is shown.
func (w Watched) Now() (up, registered bool, why string) {
	s := w.h.now()
	return s.up, s.registered, s.why
}

// ThroughNAT is where a peer is reached that names one address and sends from
// another.
func ThroughNAT(named, source string) string {
	return throughNAT(netip.MustParseAddrPort(named), netip.MustParseAddrPort(source)).String()
}
