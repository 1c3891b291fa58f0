package sip

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"callbox/cti"
	"callbox/internal/number"

	wire "github.com/emiago/sipgo/sip"
)

// redirects is how many other places one attempt may be sent to.
const redirects = 5

// redirection is where a trunk's 3xx sent an attempt (RFC 3261 §8.1.3.4).
type redirection struct {
	left []elsewhere // not tried yet, the best first
	seen map[string]bool
}

// elsewhere is one Contact of a 3xx.
type elsewhere struct {
	uri wire.Uri
	q   float64
}

// redirect sends the attempt on to a place that its trunk named. A 3xx leads to
// the trunk's own addresses only, and nowhere from a phone: it must not make us
// call whom nobody here dialled.
func (a *attempt) redirect(res *wire.Response) error {
	if res.StatusCode/100 == 3 && a.leg.trunk == nil {
		a.refuseForward(res)
		return fmt.Errorf("%w (%d)", cti.ErrRejected, res.StatusCode)
	}
	if res.StatusCode/100 == 3 {
		a.moved.add(elsewheres(res))
	}
	if res.StatusCode < 600 && a.next() {
		return nil
	}
	if res.StatusCode == 408 && a.leg.trunk != nil && !a.leg.isAlerting() {
		return fmt.Errorf("%w: %w (408)", cti.ErrUnreachable, errSilent) // of whoever is behind the trunk
	}
	return failure(res.StatusCode)
}

// refuseForward notes where a phone would have its calls go.
func (a *attempt) refuseForward(res *wire.Response) {
	to := ""
	if c := res.Contact(); c != nil {
		to = userOf(&c.Address)
	}
	a.leg.log.Warn("a phone forwards its calls, which is not done", "to", number.Mask(shown(to)))
}

// elsewheres are the contacts of a 3xx, the best first.
func elsewheres(res *wire.Response) []elsewhere {
	var all []elsewhere
	for _, h := range res.GetHeaders("contact") {
		c, ok := h.(*wire.ContactHeader)
		if !ok || c.Address.Wildcard || c.Address.Scheme != "sip" {
			continue
		}
		q, err := strconv.ParseFloat(c.Params.GetOr("q", "1"), 64)
		if err != nil || q < 0 || q > 1 {
			q = 0
		}
		all = append(all, elsewhere{uri: *c.Address.Clone(), q: q})
	}
	slices.SortStableFunc(all, func(a, b elsewhere) int { return cmp.Compare(b.q, a.q) })
	return all
}

// add puts new places first: who sent us there knows best.
func (r *redirection) add(places []elsewhere) {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	var fresh []elsewhere
	for _, p := range places {
		if key := p.uri.String(); !r.seen[key] && len(r.seen) < redirects {
			r.seen[key] = true
			fresh = append(fresh, p)
		}
	}
	r.left = append(fresh, r.left...)
}

// next aims the attempt at the next place that belongs to its trunk.
func (a *attempt) next() bool {
	for len(a.moved.left) > 0 {
		p := a.moved.left[0]
		a.moved.left = a.moved.left[1:]
		to, ok := a.ownPlace(&p.uri)
		if !ok {
			a.leg.log.Warn("redirected to a foreign place, which is not tried", "host", shown(p.uri.Host))
			continue
		}
		a.target.uri = wire.Uri{Scheme: "sip", User: p.uri.User, Host: p.uri.Host, Port: p.uri.Port, UriParams: a.leg.trunk.transportParam()}
		a.target.to = to
		return true
	}
	return false
}

// ownPlace is where a URI is reached, if its host is the trunk's.
func (a *attempt) ownPlace(uri *wire.Uri) (netip.AddrPort, bool) {
	ctx, cancel := context.WithTimeout(a.leg.life, resolveLimit)
	defer cancel()
	known, err := a.leg.trunk.places.addresses(ctx)
	if err != nil {
		return netip.AddrPort{}, false
	}
	if addr, ok := uriAddr(uri); ok {
		own := slices.ContainsFunc(known, func(k netip.AddrPort) bool { return k.Addr() == addr.Addr() })
		return addr, own
	}
	if !strings.EqualFold(a.leg.trunk.domain(), uri.Host) {
		return netip.AddrPort{}, false
	}
	if uri.Port > 0 && uri.Port <= 65535 {
		return netip.AddrPortFrom(a.target.to.Addr(), uint16(uri.Port)), true
	}
	return a.target.to, true
}
