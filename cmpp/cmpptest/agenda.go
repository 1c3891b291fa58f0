package cmpptest

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// agenda runs what is to happen later, in order of time, on one goroutine.
type agenda struct {
	mu    sync.Mutex
	items items
	count uint64
	wake  chan struct{}
}

type item struct {
	at    time.Time
	order uint64 // equal times run in the order they came
	do    func()
}

type items []item

func (q items) Len() int      { return len(q) }
func (q items) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q items) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].order < q[j].order
	}
	return q[i].at.Before(q[j].at)
}
func (q *items) Push(x any) { *q = append(*q, x.(item)) }
func (q *items) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = item{}
	*q = (*q)[:last]
	return x
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

// after has do run once d has passed.
func (a *agenda) after(d time.Duration, do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	heap.Push(&a.items, item{time.Now().Add(d), a.count, do})
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// next gives what is due, or how long nothing is.
func (a *agenda) next() (do func(), wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.items) == 0 {
		return nil, time.Hour
	}
	if wait = time.Until(a.items[0].at); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&a.items).(item).do, 0
}

func (a *agenda) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		do, wait := a.next()
		if do != nil {
			do()
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		}
	}
}
