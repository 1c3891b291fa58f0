package storage

import (
	"context"

	"callbox/cti"
)

// Subscription is one follower of the journal. C gets each event from the
// subscription on, in order; it is closed when the follower fell behind by more
// than its buffer, and by Close.
type Subscription struct {
	C <-chan cti.Event

	c       chan cti.Event
	j       *Journal
	tooSlow bool // guarded by j.mu
}

// Subscribe follows the journal with room for buffer events. Publishing never
// waits for it.
func (j *Journal) Subscribe(buffer int) *Subscription {
	c := make(chan cti.Event, buffer)
	s := &Subscription{C: c, c: c, j: j}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.subs[s] = struct{}{}
	return s
}

// Close ends the subscription; a second time does nothing.
func (s *Subscription) Close() {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	s.j.drop(s)
}

// Err is [ErrTooSlow] where C was closed because of that.
func (s *Subscription) Err() error {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	if s.tooSlow {
		return ErrTooSlow
	}
	return nil
}

// drop is called with the lock held.
func (j *Journal) drop(s *Subscription) {
	if _, there := j.subs[s]; there {
		delete(j.subs, s)
		close(s.c)
	}
}

// publish is called with the lock held.
func (j *Journal) publish(e cti.Event) {
	for s := range j.subs {
		select {
		case s.c <- e:
		default:
			s.tooSlow = true
			j.drop(s)
			j.dropped.Add(1)
		}
	}
}

// Dropped is how many subscriptions were ended because they were too slow.
func (j *Journal) Dropped() int64 { return j.dropped.Load() }

// Follow calls f for each event from now on, in order, until ctx ends, which is
// no error. It never holds a writer up; error: [ErrTooSlow].
func (j *Journal) Follow(ctx context.Context, f func(cti.Event)) error {
	s := j.Subscribe(followBuffer)
	defer s.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-s.C:
			if !open {
				return s.Err()
			}
			f(e)
		}
	}
}
