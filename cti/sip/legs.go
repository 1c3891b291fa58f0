package sip

import (
	"sync"
)

// legs are all legs that are not over.
type legs struct {
	changed func(*leg) // told, with no lock held, of every step of a leg

	mu  sync.Mutex
	all map[*leg]func(cause string)
}

func newLegs() *legs { return &legs{all: map[*leg]func(string){}} }

func (ls *legs) add(l *leg, hangup func(string)) {
	defer ls.changed(l)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.all[l] = hangup
}

func (ls *legs) remove(l *leg) {
	defer ls.changed(l)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.all, l)
}

func (ls *legs) count() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.all)
}

// hangUp ends them all.
func (ls *legs) hangUp() {
	ls.mu.Lock()
	var all []func(string)
	for _, h := range ls.all {
		all = append(all, h)
	}
	ls.mu.Unlock()
	for _, h := range all {
		h("congestion")
	}
}
