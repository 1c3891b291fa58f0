package media

import (
	"math/bits"
	"slices"

	"callbox/cti/media/dsp"
)

// The measure of a jitter buffer, in samples unless said.
const (
	ringSize    = 8192 // 1 s of sound
	ringAhead   = ringSize - 2*mostWait
	leastWait   = FrameSamples
	mostWait    = 10 * FrameSamples
	firstWait   = 2 * FrameSamples // until there is something to go by
	spareWait   = FrameSamples / 2 // for what is unsteady here
	growsBy     = 2 * FrameSamples // for one late packet, at most
	forgets     = 16               // of that, every time that is measured
	tooShort    = 60               // how far the wait may be from what it should
	tooLong     = FrameSamples
	tooFar      = 2 * mostWait
	alikeFar    = 150 // two that are far off in the same way
	farAlike    = 4   // packets in a row, which are believed then
	farAnyhow   = 25  // or these
	restAfter   = 3 * FrameSamples
	cutInPause  = 10  // beats between two cuts while nobody speaks
	cutAnyhow   = 100 // and while somebody does
	packetsKept = 256
	packetsLate = 5 // of them that may come too late: 2 %
	sureAfter   = 25
	lookEvery   = 8    // packets
	pausePower  = 8000 // mean square, about -45 dBm0
)

// jitter puts the packets of a party in order and evens out how unsteadily they
// come. Sound lies in a ring by its timestamp; the place that is due, play, goes
// on by a frame a beat and follows the clock at a distance, wait, that 98 % of
// the last 256 packets kept to: 20 to 200 ms. It grows at once when one comes too
// late, by making sound up, and shrinks by leaving some out, in pauses first.
type jitter struct {
	ring [ringSize]int16
	have [ringSize / 64]uint64

	set    bool
	source uint64
	offset int64 // from the stream's samples to the clock's, as if nothing took time
	play   int64 // due next
	given  int64 // behind the newest that was given
	rests  bool  // nothing was there for a while: play may go anywhere unheard
	calm   int   // beats since the wait was changed

	wait  int64
	grown int64                // what packets that were late asked for
	least int64                // shortest of times
	times [packetsKept]int32   // from offset to arrival, of the newest packets
	count int                  // of them, ever
	far   struct{ n, all int } // packets that are far off
	last  int64                // and how far the last one was
	late  uint64
}

// put takes a packet.
func (j *jitter) put(h *heard) {
	if !j.set || j.source != h.source {
		j.follow(h)
	}
	took := h.arrival - h.stream - j.offset
	if j.strays(took) {
		if !j.rests && !j.believes(took) {
			j.late++
			return
		}
		j.follow(h)
		took = h.arrival - h.stream - j.offset
	}
	j.far.n, j.far.all = 0, 0
	j.note(took)
	at, payload := h.stream+j.offset, h.payload
	if at < j.play {
		j.missed(at, h.arrival, took)
	}
	if behind := j.play - at; behind > 0 {
		if behind >= int64(len(payload)) {
			j.late++
			return
		}
		at, payload = j.play, payload[behind:]
	}
	if at+int64(len(payload)) <= j.play+ringAhead {
		j.write(at, h.law, payload)
	}
}

// follow takes a stream up at the clock: the first, another source, or one
// whose timestamps jumped.
func (j *jitter) follow(h *heard) {
	if !j.set {
		j.set, j.rests = true, true
		j.play, j.given = h.arrival, h.arrival
		j.wait = firstWait
	}
	j.source = h.source
	j.offset = h.arrival - h.stream - j.least
}

// strays says that a packet lies where none can be expected or waited for.
func (j *jitter) strays(took int64) bool {
	return took < j.least-mostWait || took > j.least+mostWait-leastWait
}

// believes counts packets that are far off; those of a burst that was held up
// come ever less late, those of a new time base do not.
func (j *jitter) believes(took int64) bool {
	if took-j.last > alikeFar || j.last-took > alikeFar {
		j.far.n = 0
	}
	j.last = took
	j.far.n++
	j.far.all++
	return j.far.n >= farAlike || j.far.all >= farAnyhow
}

// note remembers how long a packet took and sets the wait by it.
func (j *jitter) note(took int64) {
	j.times[j.count%packetsKept] = int32(took)
	j.count++
	j.least = min(j.least, took)
	if j.count == 1 {
		j.least = took
	}
	if j.count < sureAfter || j.count%lookEvery == 0 {
		j.grown -= forgets
		j.look()
	}
	j.bound()
}

func (j *jitter) look() {
	known := j.times[:min(j.count, packetsKept)]
	j.least = int64(slices.Min(known))
	j.wait = nthGreatest(known, len(known)*packetsLate/packetsKept) + leastWait + spareWait
	if j.count < sureAfter {
		j.wait = max(j.wait, j.least+firstWait)
	}
}

func (j *jitter) bound() {
	j.wait = min(max(j.wait, j.grown, j.least+leastWait), j.least+mostWait)
}

// nthGreatest is the greatest value but n, which is below packetsLate+1.
func nthGreatest(values []int32, n int) int64 {
	var top [packetsLate + 1]int32
	for i := range top {
		top[i] = -1 << 31
	}
	for _, v := range values {
		for i := 0; i <= n && v > top[n]; i++ {
			if v > top[i] {
				v, top[i] = top[i], v
			}
		}
	}
	return int64(top[n])
}

// missed lets the wait grow for a packet that is late. Where sound was made up
// in its place and nothing came behind it yet, it is heard after all.
func (j *jitter) missed(at, now, took int64) {
	j.grown = max(j.grown, min(took+leastWait+spareWait, j.wait+growsBy))
	j.bound()
	if j.given <= at {
		j.play = min(j.play, max(at, now-j.wait))
		j.rests = false
	}
}

// turn is what a beat does.
type turn uint8

const (
	goOn turn = iota
	hold      // make a frame up and play the due one later
	cut       // leave some of two frames out
)

// turn says what to do at clock sample now so that play keeps its distance.
func (j *jitter) turn(now int64) turn {
	j.calm++
	off := now - j.wait - j.play
	switch {
	case j.rests || off > tooFar || off < -tooFar:
		j.move(now - j.wait)
	case off <= -tooShort:
		return hold
	case off >= tooLong && j.calm >= cutInPause && j.all(2*FrameSamples) && (j.calm >= cutAnyhow || j.pauses()):
		j.calm = 0
		return cut
	}
	return goOn
}

// move sets play somewhere else.
func (j *jitter) move(to int64) {
	switch by := to - j.play; {
	case by > ringSize || by < -mostWait:
		clear(j.have[:])
	case by > 0:
		j.mark(j.play, int(by), false)
	}
	j.play = to
}

// all says that the next n samples are there.
func (j *jitter) all(n int) bool {
	got, have := j.run(j.play, n)
	return have && got == n
}

// pauses says that nobody speaks in the next two frames.
func (j *jitter) pauses() bool {
	var sum int64
	for i := range int64(2 * FrameSamples) {
		v := int64(j.ring[(j.play+i)&(ringSize-1)])
		sum += v * v
	}
	return sum < 2*FrameSamples*pausePower
}

// run is how many of the next samples from at on, most at the most, are all
// there or all missing.
func (j *jitter) run(at int64, most int) (n int, have bool) {
	first := j.have[at>>6&(ringSize/64-1)] >> (at & 63) & 1
	for n < most {
		word := j.have[at>>6&(ringSize/64-1)]
		if first == 0 {
			word = ^word
		}
		bit := int(at & 63)
		same := min(bits.TrailingZeros64(^(word >> bit)), 64-bit)
		n += same
		at += int64(same)
		if same < 64-bit {
			break
		}
	}
	return min(n, most), first == 1
}

// mark notes that n samples from at on are there, or not.
func (j *jitter) mark(at int64, n int, there bool) {
	for n > 0 {
		word, bit := &j.have[at>>6&(ringSize/64-1)], int(at&63)
		some := min(n, 64-bit)
		mask := (^uint64(0) >> (64 - some)) << bit
		if there {
			*word |= mask
		} else {
			*word &^= mask
		}
		n -= some
		at += int64(some)
	}
}

func (j *jitter) write(at int64, law Law, payload []byte) {
	j.mark(at, len(payload), true)
	n := Decode(law, j.ring[at&(ringSize-1):], payload)
	Decode(law, j.ring[:], payload[n:])
}

// read takes the next samples, which are there.
func (j *jitter) read(to []int16) {
	j.peek(to)
	j.given = j.play + int64(len(to))
	j.skip(len(to))
}

func (j *jitter) peek(to []int16) {
	n := copy(to, j.ring[j.play&(ringSize-1):])
	copy(to[n:], j.ring[:])
}

func (j *jitter) skip(n int) {
	j.mark(j.play, n, false)
	j.play += int64(n)
	j.rests = j.play-j.given >= restAfter
}

// shorten makes a frame of up to two.
func (j *jitter) shorten(to []int16) {
	var both [2 * FrameSamples]int16
	j.peek(both[:])
	n := FrameSamples + dsp.Shorten(to, both[:])
	j.given = j.play + int64(n)
	j.skip(n)
}
