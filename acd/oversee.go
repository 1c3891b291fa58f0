package acd

import (
	"context"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
)

// Waiter is a call that waits in a queue. Ringing says that a phone rings for
// it now.
type Waiter struct {
	Call     string
	Queue    cti.Ref
	Since    cti.Time
	Priority int
	Ringing  bool
}

// Waiting are the calls that wait, in the order in which they are served: by
// priority, then by time; none when the floor has ended.
func (f *Floor) Waiting() []Waiter {
	list, _ := ask(context.Background(), f, func(b *board, _ time.Time) ([]Waiter, error) {
		out := make([]Waiter, len(b.waiting))
		for i, t := range b.waiting {
			out[i] = Waiter{
				Call: t.id, Queue: t.line.ref(), Since: stamp.At(t.since),
				Priority: t.wanted.Priority, Ringing: t.offered,
			}
		}
		return out, nil
	})
	return list
}

// Force is [Floor.SetState] by somebody else, whom the event names in
// user_data.by.
func (f *Floor) Force(ctx context.Context, agent string, state State, reason, by string) (Desk, error) {
	return f.atDesk(ctx, agent, func(b *board, d *desk, now time.Time) error {
		d.by = by
		defer func() { d.by = "" }()
		return b.setState(d, state, reason, now)
	})
}
