package box

import "sync"

// The outbox holds at most so much: half a second of 16-bit sound, and room
// for events and answers behind it.
const (
	soundLimit = 8 << 10
	textLimit  = soundLimit + 4<<10
)

// outbox is what waits to be written to the host. A host that does not read
// must not stop the line's clock: what does not fit is left out.
type outbox struct {
	ready chan struct{} // holds one token while there is something
	mu    sync.Mutex
	held  []byte
}

func newOutbox() *outbox {
	return &outbox{ready: make(chan struct{}, 1), held: make([]byte, 0, textLimit)}
}

// put takes b whole or not at all.
func (o *outbox) put(b []byte, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.held)+len(b) > limit {
		return false
	}
	o.held = append(o.held, b...)
	select {
	case o.ready <- struct{}{}:
	default:
	}
	return true
}

// take gives all that waits and keeps spare's memory for what comes.
func (o *outbox) take(spare []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.held
	o.held = spare[:0]
	return held
}
