package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
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

// throughTrunk is the way to NAME/NUMBER; it counts a call of that trunk.
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
	at, err := tr.addresses(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	ep, err := s.endpointFor("UDP", at[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	if !tr.enter() {
		return nil, nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, errTrunkFull)
	}
	uri := wire.Uri{Scheme: "sip", User: userPart(number), Host: hostText(at[0].Addr()), Port: int(at[0].Port())}
	return []target{{uri: uri, to: at[0], ep: ep, next: at[1:]}}, tr, nil
}
