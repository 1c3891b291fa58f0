package media

import (
	"math"
	"time"
)

// clock counts samples since the engine was made: the one time that all ports,
// both directions and all taps are placed on.
type clock struct{ epoch time.Time }

func (c clock) now() int64 { return c.at(time.Now()) }

func (c clock) at(t time.Time) int64 { return samples(t.Sub(c.epoch)) }

// samples is how many samples d lasts.
func samples(d time.Duration) int64 { return int64(d / (time.Second / SampleRate)) }

const (
	jump       = SampleRate            // further off than this, a stream began anew
	driftSpan  = 5 * SampleRate        // how long a drift is watched
	driftLimit = 40 * SampleRate / 1e3 // and from where it is made good
	driftLeast = 50                    // packets in that span
)

// timeline places a stream that counts its own samples (RTP timestamps) on the
// clock. The first packet lies where it arrived; later ones keep their distance
// to it by timestamp, so jitter moves nothing. A stream that jumps by more than
// a second against its arrival is placed anew; one that drifts, because the
// party's sampling clock is not ours, is put right in steps.
type timeline struct {
	set     bool
	ts      uint32 // of the last packet
	stream  int64  // ts unwrapped
	anchor  int64  // clock - stream
	least   int64  // smallest lateness since
	since   int64
	packets int
}

// place is where the sample with timestamp ts lies, given when it arrived. anew
// says that the stream has no connection with what was before.
func (t *timeline) place(ts uint32, arrival int64) (at int64, anew bool) {
	t.stream = t.unwrap(ts)
	t.ts = ts
	late := arrival - t.stream - t.anchor
	if !t.set || late > jump || late < -jump {
		t.set, t.anchor = true, arrival-t.stream
		t.watch(arrival)
		return arrival, true
	}
	at = t.stream + t.anchor
	t.drift(late, arrival)
	return at, false
}

// unwrap is ts on the stream's own count, without wrapping at 32 bits.
func (t *timeline) unwrap(ts uint32) int64 { return t.stream + int64(int32(ts-t.ts)) }

func (t *timeline) watch(from int64) { t.least, t.since, t.packets = math.MaxInt64, from, 0 }

// drift looks at the most punctual packet of each span: jitter only ever makes
// packets late, so what even that one is off is the clocks' doing.
func (t *timeline) drift(late, arrival int64) {
	t.least = min(t.least, late)
	t.packets++
	if arrival-t.since < driftSpan {
		return
	}
	if t.packets >= driftLeast && (t.least > driftLimit || t.least < -driftLimit) {
		t.anchor += t.least
	}
	t.watch(arrival)
}
