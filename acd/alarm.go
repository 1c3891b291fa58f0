package acd

import (
	"container/heap"
	"time"
)

// alarm is something the floor does at a time to come. It is never cancelled:
// ring says for itself whether it still means anything.
type alarm struct {
	at   time.Time
	ring func(now time.Time)
}

// alarms are ordered by time.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push is for container/heap.
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }

// Pop is for container/heap.
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}

func (a *alarms) set(at time.Time, ring func(now time.Time)) { heap.Push(a, alarm{at, ring}) }

// due takes the first alarm that is due, if any.
func (a *alarms) due(now time.Time) (alarm, bool) {
	if len(*a) == 0 || (*a)[0].at.After(now) {
		return alarm{}, false
	}
	return heap.Pop(a).(alarm), true
}

// next is how long it is until the first alarm; a long time where there is none.
func (a alarms) next(now time.Time) time.Duration {
	if len(a) == 0 {
		return time.Hour
	}
	return max(0, a[0].at.Sub(now))
}
