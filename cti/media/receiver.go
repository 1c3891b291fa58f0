package media

import (
	"sync"
	"time"
)

// heard is one packet of a party on its way from the receiver of its port to
// the sender of the other.
type heard struct {
	source  uint64 // which stream; another number is another stream
	ext     int64  // extended sequence number
	stream  int64  // where it begins, in samples of its stream
	arrival int64  // when it came, on the engine's clock
	marker  bool
	law     Law
	key     rune // of a telephone event; 0 for sound
	fresh   bool // the event's first packet
	payload []byte
}

// receiver is what a port hears from its party. Where two locks meet, the
// order is: a receiver's before a sender's, and never two of a kind.
type receiver struct {
	mu     sync.Mutex
	law    Law
	open   bool
	source uint64
	line   timeline
	events eventLog
	peer   *sender // who hears it
	tap    tap
	stats  Stats
}

// sound takes a packet of sound that was found good. Callers hold mu.
func (r *receiver) sound(h *heard, ts uint32, ids *identities) {
	at, anew := r.line.place(ts, h.arrival)
	if anew {
		r.source = ids.next()
	}
	h.source, h.stream = r.source, r.line.stream
	r.tap.put(Received, at, h.law, r.law, h.payload)
	if r.peer != nil {
		r.peer.forward(h)
	}
}

// event takes a packet of a telephone event; press is told a key once. Callers
// hold mu.
func (r *receiver) event(h *heard, ts uint32, ids *identities, press func(rune)) {
	var ok bool
	if h.key, h.fresh, ok = r.events.take(ts, h.payload); !ok {
		return
	}
	if h.fresh {
		press(h.key)
	}
	if !r.line.set {
		r.line.place(ts, h.arrival)
		r.source = ids.next()
	}
	h.source, h.stream = r.source, r.line.unwrap(ts)
	if r.peer != nil {
		r.peer.forward(h)
	}
}

// paused tells the peer that a packet of the stream carries nothing to hear.
// Callers hold mu.
func (r *receiver) paused() {
	if r.peer != nil {
		r.peer.lull(r.source)
	}
}

// comfort takes a packet of comfort noise (RFC 3389). Callers hold mu.
func (r *receiver) comfort(*heard, uint32) { r.paused() }

// begin is called when a new synchronisation source was seen. Callers hold mu.
func (r *receiver) begin(ids *identities) {
	r.line = timeline{}
	r.events.clear()
	r.source = ids.next()
}

func (r *receiver) connect(peer *sender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peer = peer
}

// received counts a packet. Callers hold mu.
func (r *receiver) received(when time.Time) {
	r.stats.Received++
	r.stats.LastReceived = when
}

// tap is who listens in on one side of a port.
type tap struct {
	to      Sink
	zero    int64 // the clock when it was set
	scratch []byte
}

func (t *tap) set(to Sink, zero int64) { t.to, t.zero = to, zero }

// put hands sound that lies at clock sample at to the sink, in its law, cut
// where it lies before the tap was set.
func (t *tap) put(side Side, at int64, law, want Law, payload []byte) {
	if t.to == nil {
		return
	}
	at -= t.zero
	if at < 0 {
		if -at >= int64(len(payload)) {
			return
		}
		payload, at = payload[-at:], 0
	}
	if law != want {
		t.scratch = append(t.scratch[:0], payload...)
		Convert(law, want, t.scratch, payload)
		payload = t.scratch
	}
	t.to.Sound(side, at, payload)
}
