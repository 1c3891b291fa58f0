package webrtc

import (
	"slices"
	"time"

	"callbox/cti/media"
)

const (
	maxDropout  = 3000 // RFC 3550 §A.1
	maxMisorder = 64
	patience    = 2                      // packets that may come before a missing one is given up
	mostGap     = 10                     // frames that are told as lost; a longer pause is one
	mostAhead   = 100 * time.Millisecond // of sound before its time: what came late in a bunch
	pause       = 200 * time.Millisecond // after which the sound begins anew
	sample      = time.Second / media.SampleRate
	keys        = "0123456789*#ABCD" // RFC 4733 §3.2
	endOfEvent  = 0x80
	noNumber    = 1 << 16
)

// heard is a packet of a page's.
type heard struct {
	ssrc    uint32
	seq     uint16
	ts      uint32
	event   bool // a telephone event, no sound
	payload []byte
}

// arrivals puts a page's packets in order, counts them as RFC 3550 §A does, and
// hands their sound on as soon as its turn has come. It does not wait by the
// clock: a missing packet is given up when two later ones came. It survives a
// new source, which a new connection is.
type arrivals struct {
	frame func([]byte) // nil: one was lost
	key   func(rune)
	stats media.Stats

	begun    bool
	ssrc     uint32
	first    int64 // extended sequence numbers
	top      int64
	doubtful uint32 // after a wild jump: what must follow for it to be believed
	received int64  // of this source
	lost     int64  // of those before
	transit  int64
	timed    bool
	jitter   float64 // samples

	due     int64 // whose turn it is
	early   []waiting
	ts      uint32 // behind what was handed on
	sounded bool
	until   time.Time // the end, in time, of what was handed on

	lastKey  [4]uint32 // stamps of the last events
	keyCount int
	code     byte
	keyEnd   uint32
	keyOver  bool
}

// waiting is a packet that came before its turn.
type waiting struct {
	heard
	ext int64
}

func newArrivals(frame func([]byte), key func(rune)) arrivals {
	return arrivals{frame: frame, key: key, doubtful: noNumber}
}

// counted are the figures so far.
func (a *arrivals) counted() media.Stats {
	s := a.stats
	s.Lost = uint64(max(a.lost+a.missing(), 0))
	s.Jitter = time.Duration(a.jitter * float64(sample))
	s.Secure = s.Received > 0
	return s
}

// missing is how many packets of this source never came.
func (a *arrivals) missing() int64 {
	if !a.begun {
		return 0
	}
	return max(a.top-a.first+1-a.received, 0)
}

// report takes what the page says of our packets.
func (a *arrivals) report(far media.Far) {
	if far.RoundTrip == 0 {
		far.RoundTrip = a.stats.Far.RoundTrip
	}
	if far.Lost == 0 {
		far.Lost, far.Jitter = a.stats.Far.Lost, a.stats.Far.Jitter
	}
	a.stats.Far = far
}

// take files a packet and hands on what is due.
func (a *arrivals) take(h *heard, now time.Time) {
	ext, ok := a.number(h)
	if !ok {
		a.stats.Dropped++
		return
	}
	a.stats.Received++
	a.stats.LastReceived = now
	if !h.event {
		a.measure(h.ts, now)
	}
	switch {
	case ext < a.due:
		a.stats.Late++
		return
	case ext > a.due:
		a.wait(h, ext)
	default:
		a.pass(h, now)
		a.due++
	}
	a.catchUp(now)
}

// number gives a packet's extended sequence number; false for one that was here
// or does not fit.
func (a *arrivals) number(h *heard) (int64, bool) {
	if !a.begun || a.ssrc != h.ssrc {
		a.begin(h)
		return a.top, true
	}
	delta := int64(int16(h.seq - uint16(a.top)))
	ext := a.top + delta
	switch {
	case delta > 0 && delta < maxDropout:
		a.top = ext
	case delta <= 0 && delta > -maxMisorder:
		if delta == 0 || slices.ContainsFunc(a.early, func(w waiting) bool { return w.ext == ext }) {
			return 0, false
		}
	case a.doubtful == uint32(h.seq):
		a.begin(h)
		return a.top, true
	default:
		a.doubtful = uint32(h.seq + 1)
		return 0, false
	}
	a.doubtful = noNumber
	a.received++
	return ext, true
}

// begin takes up a new source, or one that began again.
func (a *arrivals) begin(h *heard) {
	a.lost += a.missing()
	a.begun, a.ssrc, a.doubtful = true, h.ssrc, noNumber
	a.first, a.top, a.due = int64(h.seq), int64(h.seq), int64(h.seq)
	a.received, a.timed, a.sounded, a.keyCount = 1, false, false, 0
	a.early = a.early[:0]
}

// measure counts jitter (RFC 3550 §A.8).
func (a *arrivals) measure(ts uint32, now time.Time) {
	transit := int64(int32(uint32(now.UnixNano()/int64(sample)) - ts))
	if d := float64(max(transit-a.transit, a.transit-transit)); a.timed && d < media.SampleRate {
		a.jitter += (d - a.jitter) / 16
	}
	a.timed, a.transit = true, transit
}

// wait keeps a packet for its turn.
func (a *arrivals) wait(h *heard, ext int64) {
	w := waiting{*h, ext}
	w.payload = slices.Clone(h.payload)
	a.early = append(a.early, w)
	slices.SortFunc(a.early, func(x, y waiting) int { return int(x.ext - y.ext) })
}

// catchUp hands on what waits, when its turn has come or who is before it is
// given up.
func (a *arrivals) catchUp(now time.Time) {
	for len(a.early) > 0 {
		w := a.early[0]
		if w.ext != a.due && len(a.early) < patience {
			return
		}
		a.early = slices.Delete(a.early, 0, 1)
		a.pass(&w.heard, now)
		a.due = w.ext + 1
	}
}

// pass hands a packet on whose turn it is.
func (a *arrivals) pass(h *heard, now time.Time) {
	if h.event {
		a.event(h)
		return
	}
	gap := int32(h.ts - a.ts)
	if frames := gap / media.FrameSamples; a.sounded && frames > 0 && frames <= mostGap {
		for range frames {
			a.hand(nil, media.FrameSamples, now)
		}
	}
	a.hand(h.payload, len(h.payload), now)
	a.ts, a.sounded = h.ts+uint32(len(h.payload)), true
}

// hand gives a frame away, unless so much was given before its time that this
// would be heard too late.
func (a *arrivals) hand(frame []byte, samples int, now time.Time) {
	if now.Sub(a.until) > pause {
		a.until = now
	}
	end := a.until.Add(time.Duration(samples) * sample)
	if end.Sub(now) > mostAhead {
		if frame != nil {
			a.stats.Late++
		}
		return
	}
	a.until = end
	a.frame(frame)
}

// event takes a packet of a telephone event (RFC 4733 §2.5): a key is told once,
// however often, late or incomplete its packets come.
func (a *arrivals) event(h *heard) {
	if len(h.payload) < 4 || int(h.payload[0]) >= len(keys) {
		return
	}
	newer := !slices.Contains(a.lastKey[:min(a.keyCount, len(a.lastKey))], h.ts)
	goesOn := a.keyCount > 0 && !a.keyOver && h.payload[0] == a.code && h.ts == a.keyEnd
	if newer {
		a.lastKey[a.keyCount%len(a.lastKey)] = h.ts
		a.keyCount++
		a.keyOver = false
	}
	a.code, a.keyEnd = h.payload[0], h.ts+uint32(h.payload[2])<<8+uint32(h.payload[3])
	a.keyOver = a.keyOver || h.payload[1]&endOfEvent != 0
	if newer && !goesOn {
		a.key(rune(keys[h.payload[0]]))
	}
}
