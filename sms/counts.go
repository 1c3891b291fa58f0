package sms

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Count is how many messages of an account arrived in a status since start;
// queued counts what was accepted.
type Count struct {
	Account string
	Status  Status
	N       int64
}

type counts struct {
	mu sync.Mutex
	n  map[Count]int64 // N is 0 in the keys
}

func (c *counts) add(account string, s Status, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[Count]int64{}
	}
	c.n[Count{Account: account, Status: s}] += n
}

// Counts is what happened since start, by account and status.
func (g *Gateway) Counts() []Count {
	g.counts.mu.Lock()
	defer g.counts.mu.Unlock()
	all := make([]Count, 0, len(g.counts.n))
	for k, n := range g.counts.n {
		k.N = n
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Status, b.Status))
	})
	return all
}

// Turned is how many reports since start had their id's bytes the other way
// round.
func (g *Gateway) Turned() int64 { return g.turned.Load() }

// count counts and observes what a committed transaction changed.
func (g *Gateway) count(news *bulletin) {
	for _, n := range news.notes {
		if n.Type != NoteStatus {
			continue
		}
		m := n.Message
		g.counts.add(m.Account, m.Status, 1)
		switch m.Status {
		case Submitted:
			observe(g.cfg.Submitted, m, Queued)
		case Delivered:
			observe(g.cfg.Delivered, m, Submitted)
		}
	}
}

// observe times m's way from a status to the one it is in.
func observe(f func(account string, took time.Duration), m *Message, from Status) {
	if at := m.Times[from]; f != nil && !at.IsZero() {
		f(m.Account, m.Times[m.Status].Sub(at.Time))
	}
}
