package sms

import (
	"context"
	"slices"
	"sync"
)

// bulletin is what one transaction has to tell.
type bulletin struct {
	notes   []Note
	queued  []string // accounts for which messages were queued
	stepped bool     // a notice's next step is another
	over    bool     // committed or undone
	in      bool     // entered
}

func (b *bulletin) add(n Note) { b.notes = append(b.notes, n) }

// wake says that account has something to submit.
func (b *bulletin) wake(account string) {
	if !slices.Contains(b.queued, account) {
		b.queued = append(b.queued, account)
	}
}

// herald tells what happened after it is on disk, in the order in which the
// transactions ran, though their callers wake in any order.
type herald struct {
	events Events

	mu      sync.Mutex // guards waiting and the bulletins in it
	waiting []*bulletin
	telling sync.Mutex // held while telling; taken before mu
}

// enter is called inside the transaction, also when it is tried again.
func (h *herald) enter(b *bulletin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.notes = nil
	if !b.in {
		b.in = true
		h.waiting = append(h.waiting, b)
	}
}

// publish is called after the transaction; what was undone is not told.
func (h *herald) publish(ctx context.Context, b *bulletin, committed bool) {
	h.mu.Lock()
	b.over = true
	if !committed {
		b.notes = nil
	}
	h.mu.Unlock()
	h.telling.Lock()
	defer h.telling.Unlock()
	for _, n := range h.take() {
		if h.events != nil {
			h.events.Note(context.WithoutCancel(ctx), n)
		}
	}
}

// take removes the bulletins at the front that are over.
func (h *herald) take() []Note {
	h.mu.Lock()
	defer h.mu.Unlock()
	var notes []Note
	for len(h.waiting) > 0 && h.waiting[0].over {
		notes = append(notes, h.waiting[0].notes...)
		h.waiting[0] = nil
		h.waiting = h.waiting[1:]
	}
	return notes
}
