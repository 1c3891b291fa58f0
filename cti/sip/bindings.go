package sip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// bindings are the registered phones. Every change is told to the store, which
// does not wait, and to changes.
type bindings struct {
	store   Bindings
	changes *changes
	max     int

	mu     sync.Mutex // guards what follows
	byUser map[string][]Binding
	bySrc  map[netip.AddrPort]Binding
	hosts  map[netip.Addr]int
}

func newBindings(store Bindings, limit int, ch *changes) *bindings {
	return &bindings{
		store: store, changes: ch, max: limit,
		byUser: map[string][]Binding{}, bySrc: map[netip.AddrPort]Binding{}, hosts: map[netip.Addr]int{},
	}
}

// load takes what the last run kept. Connections did not survive, so
// bindings over TCP and TLS did not either.
func (t *bindings) load(ctx context.Context, now time.Time) error {
	kept, err := t.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("kept bindings: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range kept {
		if b.Transport != "UDP" || !now.Before(b.Expires) {
			t.store.Remove(b.User, b.Contact)
			continue
		}
		t.insert(b)
		t.changes.tell(b.User)
	}
	return nil
}

// put adds or refreshes a binding; beyond max the oldest one goes.
func (t *bindings) put(b Binding, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.byUser[b.User])
	t.drop(b.User, func(old Binding) bool { return old.Contact == b.Contact })
	for len(t.byUser[b.User]) >= t.max {
		oldest := slices.MinFunc(t.byUser[b.User], func(x, y Binding) int { return x.Expires.Compare(y.Expires) })
		t.drop(b.User, func(old Binding) bool { return old.Contact == oldest.Contact })
		t.store.Remove(oldest.User, oldest.Contact)
	}
	t.insert(b)
	t.store.Save(b)
	if before == 0 {
		t.changes.tell(b.User)
	}
}

// remove ends the bindings of user for which gone holds.
func (t *bindings) remove(user string, gone func(Binding) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(user, gone)
}

func (t *bindings) expire(user string, gone func(Binding) bool) {
	dropped := t.drop(user, gone)
	for _, b := range dropped {
		t.store.Remove(b.User, b.Contact)
	}
	if len(dropped) > 0 && len(t.byUser[user]) == 0 {
		t.changes.tell(user)
	}
}

// hungUp ends the binding whose connection is closed: there is no other way to
// that phone.
func (t *bindings) hungUp(src netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.bySrc[src]
	if ok && b.Transport != "UDP" {
		t.expire(b.User, func(old Binding) bool { return old.Contact == b.Contact })
	}
}

// sweep ends what has expired.
func (t *bindings) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for user := range t.byUser {
		t.expire(user, func(b Binding) bool { return !now.Before(b.Expires) })
	}
}

// insert and drop keep the maps; the caller holds mu.
func (t *bindings) insert(b Binding) {
	t.byUser[b.User] = append(t.byUser[b.User], b)
	if src, err := netip.ParseAddrPort(b.Source); err == nil {
		if _, twice := t.bySrc[src]; !twice {
			t.hosts[src.Addr()]++
		}
		t.bySrc[src] = b
	}
}

func (t *bindings) drop(user string, gone func(Binding) bool) (dropped []Binding) {
	var kept []Binding
	for _, b := range t.byUser[user] {
		if !gone(b) {
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

func (t *bindings) dropSource(b Binding) {
	src, err := netip.ParseAddrPort(b.Source)
	if err != nil || t.bySrc[src].User != b.User || t.bySrc[src].Contact != b.Contact {
		return
	}
	delete(t.bySrc, src)
	if t.hosts[src.Addr()]--; t.hosts[src.Addr()] == 0 {
		delete(t.hosts, src.Addr())
	}
}

// at is the extension whose phone is at src, "" for none.
func (t *bindings) at(src netip.AddrPort) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bySrc[src].User
}

func (t *bindings) hasHost(a netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts[a] > 0
}

// of are the live bindings of user.
func (t *bindings) of(user string, now time.Time) []Binding {
	t.mu.Lock()
	defer t.mu.Unlock()
	var live []Binding
	for _, b := range t.byUser[user] {
		if now.Before(b.Expires) {
			live = append(live, b)
		}
	}
	return live
}

func (t *bindings) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byUser)
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
