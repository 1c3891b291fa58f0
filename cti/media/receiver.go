package media

import (
	"sync"
	"time"

	"callbox/cti/media/dsp"
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
// order is: the engine's bridging, a room's, a receiver's, a sender's, and never
// two of a kind.
type receiver struct {
	mu     sync.Mutex
	law    Law
	open   bool
	source uint64
	line   timeline
	events eventLog
	peer   *sender // who hears it as it comes
	tap    tap
	stats  Stats

	ear     *ear      // nil while nobody needs the sound decoded
	hearers []*sender // who hear it mixed; they get its keys
	detects Detect
	late    uint64 // what former ears counted
	keyed   rune   // the newest key that came as an event
	keyedAt int64  // and when its newest packet came
}

// sound takes a packet of sound that was found good. Callers hold mu.
func (r *receiver) sound(h *heard, ts uint32, ids *identities) {
	at, anew := r.line.place(ts, h.arrival)
	if anew {
		r.source = ids.next()
	}
	h.source, h.stream = r.source, r.line.stream
	r.tap.put(Received, at, h.law, r.law, h.payload)
	if r.ear != nil {
		r.ear.take(h)
	}
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
	r.keyed, r.keyedAt = h.key, h.arrival
	if r.peer != nil {
		r.peer.forward(h)
	}
	if !h.fresh {
		return
	}
	if r.ear != nil {
		r.ear.pause(h, nothing)
	}
	for _, s := range r.hearers {
		s.dial(string(h.key))
	}
}

// paused tells the peer that a packet of the stream carries nothing to hear.
// Callers hold mu.
func (r *receiver) paused() {
	if r.peer != nil {
		r.peer.lull(r.source)
	}
}

// comfort takes a packet of comfort noise (RFC 3389): where the sound is decoded
// the party's background is made here, else the other side makes it. Callers
// hold mu.
func (r *receiver) comfort(h *heard, ts uint32) {
	r.paused()
	if r.ear == nil {
		return
	}
	if !r.line.set {
		r.line.place(ts, h.arrival)
	}
	h.source, h.stream = r.source, r.line.unwrap(ts)
	r.ear.pause(h, dsp.Background(h.payload))
}

// begin is called when a new synchronisation source was seen. Callers hold mu.
func (r *receiver) begin(ids *identities) {
	r.line = timeline{}
	r.events.clear()
	r.source = ids.next()
}

// tell hands keys on that came by another way than the sound. Callers hold mu.
func (r *receiver) tell(keys string) {
	if r.peer != nil {
		r.peer.dial(keys)
	}
	for _, s := range r.hearers {
		s.dial(keys)
	}
}

func (r *receiver) connect(peer *sender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peer = peer
}

// hearBy sets who gets the keys of a party that is heard mixed.
func (r *receiver) hearBy(hearers []*sender) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hearers = hearers
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
