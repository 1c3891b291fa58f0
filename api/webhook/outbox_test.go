package webhook

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// letter is a delivery in memory.
type letter struct {
	Delivery
	key  string
	next time.Time
}

// memory is an Outbox in memory.
type memory struct {
	mu      sync.Mutex
	waiting []*letter
	dead    map[int64]string
	sent    []int64
	wake    chan struct{}
}

func newMemory() *memory { return &memory{dead: map[int64]string{}, wake: make(chan struct{}, 1)} }

func (m *memory) add(endpoint, key, body string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := int64(len(m.waiting) + len(m.sent) + len(m.dead) + 1)
	m.waiting = append(m.waiting, &letter{key: key, next: time.Now(), Delivery: Delivery{
		ID: id, Event: body, Endpoint: endpoint, URL: endpoint, Trusted: true, Secret: []byte("secret"), Body: []byte(body),
	}})
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return id
}

func (m *memory) Endpoints(context.Context) (all []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.waiting {
		all = append(all, l.Endpoint)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (m *memory) Due(_ context.Context, endpoint string, now time.Time, limit int) (due []Delivery, next time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := map[string]bool{}
	for _, l := range m.waiting {
		if l.Endpoint != endpoint || keys[l.key] {
			continue
		}
		keys[l.key] = true
		switch {
		case l.next.After(now) && (next.IsZero() || l.next.Before(next)):
			next = l.next
		case !l.next.After(now) && len(due) < limit:
			due = append(due, l.Delivery)
		}
	}
	return due, next, nil
}

func (m *memory) Wake() <-chan struct{} { return m.wake }

var errUnknown = errors.New("no such delivery")

func (m *memory) take(id int64, change func(*letter) (keep bool)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.waiting, func(l *letter) bool { return l.ID == id })
	if at < 0 {
		return errUnknown
	}
	if !change(m.waiting[at]) {
		m.waiting = slices.Delete(m.waiting, at, at+1)
	}
	return nil
}

func (m *memory) Sent(_ context.Context, id int64) error {
	return m.take(id, func(*letter) bool { m.sent = append(m.sent, id); return false })
}

func (m *memory) Failed(_ context.Context, id int64, at, next time.Time, _ string) error {
	return m.take(id, func(l *letter) bool {
		l.Attempt++
		l.First = cmp.Or(l.First, at)
		l.next = next
		return true
	})
}

func (m *memory) Dead(_ context.Context, id int64, why string) error {
	return m.take(id, func(*letter) bool { m.dead[id] = why; return false })
}

func (m *memory) got() []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

func (m *memory) given() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.dead)
}
