package sip

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// binding is a registered phone with what only this run knows of it.
type binding struct {
	Binding
	instance string  // +sip.instance (RFC 5626 §4.1): the same phone, whatever its port; "" for none
	q        float64 // how gladly it is rung, against the extension's other contacts; 1 the most
	silent   bool    // it left our OPTIONS unanswered and is not rung
}

// isStream says that the phone is reached by its own connection only.
func (b *binding) isStream() bool { return b.Transport != "UDP" }

// replaces says that b is old, registered again.
func (b *binding) replaces(old *binding) bool {
	return old.Contact == b.Contact || b.instance != "" && old.instance == b.instance
}

// bindings are the registered phones. Every change is told to the store, which
// does not wait, and to changes.
type bindings struct {
	store   Bindings
	changes *changes
	max     int

	mu     sync.Mutex // guards what follows
	byUser map[string][]binding
	bySrc  map[netip.AddrPort][]string // users, one a binding
	hosts  map[netip.Addr]int          // how many bindings are there
}

func newBindings(store Bindings, limit int, ch *changes) *bindings {
	return &bindings{
		store: store, changes: ch, max: limit,
		byUser: map[string][]binding{}, bySrc: map[netip.AddrPort][]string{}, hosts: map[netip.Addr]int{},
	}
}

// load takes what the last run kept. Connections did not survive, so bindings
// over TCP and TLS did not either.
func (t *bindings) load(ctx context.Context, now time.Time) error {
	kept, err := t.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("kept bindings: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range kept {
		b := binding{Binding: k, q: 1}
		if b.isStream() || !now.Before(b.Expires) {
			t.store.Remove(b.User, b.Contact)
			continue
		}
		t.insert(b)
		t.changes.tell(b.User)
	}
	return nil
}

// put adds or refreshes a binding; beyond max the oldest one goes.
func (t *bindings) put(b binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.tellOf(b.User, t.isRung(b.User))
	for _, old := range t.drop(b.User, func(old *binding) bool { return b.replaces(old) }) {
		if old.Contact != b.Contact {
			t.store.Remove(old.User, old.Contact)
		}
	}
	for len(t.byUser[b.User]) >= t.max {
		oldest := slices.MinFunc(t.byUser[b.User], func(x, y binding) int { return x.Expires.Compare(y.Expires) })
		t.drop(b.User, func(old *binding) bool { return old.Contact == oldest.Contact })
		t.store.Remove(oldest.User, oldest.Contact)
	}
	t.insert(b)
	t.store.Save(b.Binding)
}

// remove ends the bindings of user for which gone holds.
func (t *bindings) remove(user string, gone func(*binding) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(user, gone)
}

func (t *bindings) expire(user string, gone func(*binding) bool) {
	defer t.tellOf(user, t.isRung(user))
	for _, b := range t.drop(user, gone) {
		t.store.Remove(b.User, b.Contact)
	}
}

// tellOf has the floor told when user got or lost the last phone that rings.
// The caller holds mu.
func (t *bindings) tellOf(user string, was bool) {
	if t.isRung(user) != was {
		t.changes.tell(user)
	}
}

func (t *bindings) isRung(user string) bool {
	return slices.ContainsFunc(t.byUser[user], func(b binding) bool { return !b.silent })
}

// silence says whether a phone answers; while it does not, it is not rung. One
// that has registered again since is left as it is.
func (t *bindings) silence(phone binding, silent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.tellOf(phone.User, t.isRung(phone.User))
	for i := range t.byUser[phone.User] {
		if b := &t.byUser[phone.User][i]; b.Contact == phone.Contact && b.Expires.Equal(phone.Expires) {
			b.silent = silent
		}
	}
}

// hungUp ends the bindings whose connection is closed: there is no other way
// to those phones.
func (t *bindings) hungUp(src netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, user := range slices.Clone(t.bySrc[src]) {
		t.expire(user, func(b *binding) bool { return b.isStream() && b.Source == src.String() })
	}
}

// sweep ends what has expired.
func (t *bindings) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for user := range t.byUser {
		t.expire(user, func(b *binding) bool { return !now.Before(b.Expires) })
	}
}

// insert and drop keep the maps; the caller holds mu.
func (t *bindings) insert(b binding) {
	t.byUser[b.User] = append(t.byUser[b.User], b)
	if src, err := netip.ParseAddrPort(b.Source); err == nil {
		t.bySrc[src] = append(t.bySrc[src], b.User)
		t.hosts[src.Addr()]++
	}
}

func (t *bindings) drop(user string, gone func(*binding) bool) (dropped []binding) {
	var kept []binding
	for _, b := range t.byUser[user] {
		if !gone(&b) {
			kept = append(kept, b)
			continue
		}
		dropped = append(dropped, b)
		t.dropSource(b)
	}
	if t.byUser[user] = kept; len(kept) == 0 {
		delete(t.byUser, user)
	}
	return dropped
}

func (t *bindings) dropSource(b binding) {
	src, err := netip.ParseAddrPort(b.Source)
	if err != nil {
		return
	}
	if i := slices.Index(t.bySrc[src], b.User); i >= 0 {
		t.bySrc[src] = slices.Delete(t.bySrc[src], i, i+1)
	}
	if len(t.bySrc[src]) == 0 {
		delete(t.bySrc, src)
	}
	if t.hosts[src.Addr()]--; t.hosts[src.Addr()] == 0 {
		delete(t.hosts, src.Addr())
	}
}

// at is an extension whose phone is at src, "" for none.
func (t *bindings) at(src netip.AddrPort) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if users := t.bySrc[src]; len(users) > 0 {
		return users[0]
	}
	return ""
}

func (t *bindings) hasHost(a netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts[a] > 0
}

// all are the live bindings of user.
func (t *bindings) all(user string, now time.Time) []binding {
	t.mu.Lock()
	defer t.mu.Unlock()
	return among(t.byUser[user], func(b *binding) bool { return now.Before(b.Expires) })
}

// of are the bindings of user that can be rung, the preferred ones first.
func (t *bindings) of(user string, now time.Time) []binding {
	t.mu.Lock()
	defer t.mu.Unlock()
	live := among(t.byUser[user], func(b *binding) bool { return now.Before(b.Expires) && !b.silent })
	slices.SortStableFunc(live, func(a, b binding) int { return cmp.Compare(b.q, a.q) })
	return live
}

func among(list []binding, ok func(*binding) bool) (found []binding) {
	for _, b := range list {
		if ok(&b) {
			found = append(found, b)
		}
	}
	return found
}

// contact finds the binding of user with this contact.
func (t *bindings) contact(user, contact string) (binding, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.byUser[user], func(b binding) bool { return b.Contact == contact })
	if i < 0 {
		return binding{}, false
	}
	return t.byUser[user][i], true
}

// count is how many extensions have a phone, and how many phones there are.
func (t *bindings) count() (users, phones int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, list := range t.byUser {
		phones += len(list)
	}
	return len(t.byUser), phones
}

// changes tells one reader which extensions got or lost their phones. An
// extension that changes again before it was read is told once.
type changes struct {
	out chan string

	mu      sync.Mutex
	pending []string
	wake    chan struct{}
}

func newChanges() *changes { return &changes{out: make(chan string), wake: make(chan struct{}, 1)} }

func (c *changes) tell(user string) {
	c.mu.Lock()
	if !slices.Contains(c.pending, user) {
		c.pending = append(c.pending, user)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run hands pending names out until ctx ends.
func (c *changes) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		for user, ok := c.next(); ok; user, ok = c.next() {
			select {
			case c.out <- user:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *changes) next() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return "", false
	}
	user := c.pending[0]
	c.pending = c.pending[1:]
	return user, true
}
