package storage

import "sync/atomic"

// outbox tells the sender that there is something to send.
type outbox struct {
	wake  chan struct{} // room for one
	dirty *atomic.Bool  // set inside a transaction, told after its commit
}

func newOutbox() outbox {
	return outbox{wake: make(chan struct{}, 1), dirty: new(atomic.Bool)}
}

// committed is called after every commit.
func (o outbox) committed() {
	if !o.dirty.Swap(false) {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
