package sms

import (
	"context"
	"fmt"
	"strings"

	"callbox/internal/number"
)

// Route says which accounts serve numbers that begin with a prefix, the first
// that is up. The longest prefix wins; numbers without a route go by the
// accounts' own.
type Route struct {
	Prefix   string   `json:"prefix"`
	Accounts []string `json:"accounts"`
}

const maxRoutes = 10_000

// prefixOf is a prefix in E.164: +86138 for 138 and 0086138, +86571 for 0571;
// + for *, "" where it is none.
func prefixOf(written string) string {
	p := number.Clean(written)
	switch {
	case strings.TrimSpace(written) == "*":
		return "+"
	case p == "", len(p) > 16:
		return ""
	case p[0] == '+':
		return p
	case strings.HasPrefix(p, "00"):
		return "+" + p[2:]
	}
	return "+86" + strings.TrimPrefix(p, "0")
}

// Routes are those in force, as they were set.
func (g *Gateway) Routes(ctx context.Context) ([]Route, error) {
	if err := g.readRules(ctx); err != nil {
		return nil, err
	}
	return g.rulesNow().routes, nil
}

// SetRoutes makes routes all there are. Error: [Invalid], nothing changed.
func (g *Gateway) SetRoutes(ctx context.Context, routes []Route) error {
	var faults Invalid
	if len(routes) > maxRoutes {
		faults.add("items", "%d routes, the limit is %d", len(routes), maxRoutes)
	}
	first := map[string]int{}
	for i, r := range routes {
		p := prefixOf(r.Prefix)
		if j, again := first[p]; p == "" {
			faults.add(item(i, "prefix"), "%q is no prefix such as +86138, 138 or *", r.Prefix)
		} else if again {
			faults.add(item(i, "prefix"), "is in items[%d] too", j)
		} else {
			first[p] = i
		}
		if len(r.Accounts) == 0 {
			faults.add(item(i, "accounts"), "is empty")
		}
		for j, name := range r.Accounts {
			if g.lane(name) == nil {
				faults.add(item(i, fmt.Sprintf("accounts[%d]", j)), "there is no account %q", name)
			}
		}
	}
	if err := faults.orNil(); err != nil {
		return err
	}
	return g.setRule(ctx, settingRoutes, routes, func(r *rules) { r.routes = routes })
}

// complain tells of accounts that routes name and the configuration does not
// have any more.
func (g *Gateway) complain(routes []Route) {
	for _, r := range routes {
		for _, name := range r.Accounts {
			if g.lane(name) == nil {
				g.log.Warn("a route names an account that is not configured", "prefix", r.Prefix, "account", name)
			}
		}
	}
}

// serving are the lanes that serve a number (E.164), the preferred one first:
// those of the longest route, else those whose account says so.
func (g *Gateway) serving(to string) []*lane {
	var lanes []*lane
	longest := 0
	for _, r := range g.rulesNow().routes {
		if p := prefixOf(r.Prefix); strings.HasPrefix(to, p) && len(p) > longest {
			if found := g.named(r.Accounts); len(found) > 0 {
				lanes, longest = found, len(p)
			}
		}
	}
	if longest > 0 {
		return lanes
	}
	for _, l := range g.lanes {
		if l.account.serves(to) {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

func (g *Gateway) named(accounts []string) []*lane {
	var lanes []*lane
	for _, name := range accounts {
		if l := g.lane(name); l != nil {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

// standing is which lanes are up, looked up once.
type standing map[*lane]bool

func (s standing) up(l *lane) bool {
	up, known := s[l]
	if !known {
		up = l.carrier.State().Up
		s[l] = up
	}
	return up
}

// best is the first lane that is up, else the first; nil for none.
func (s standing) best(lanes []*lane) *lane {
	for _, l := range lanes {
		if s.up(l) {
			return l
		}
	}
	if len(lanes) == 0 {
		return nil
	}
	return lanes[0]
}
