package recorder

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti/media"
	"callbox/recorder/wav"
)

const (
	bufferLimit = 30 * media.SampleRate // frames kept while the disk does not take them
	lateLimit   = 30 * media.SampleRate // bytes of late sound kept
	roomKept    = 64 << 10              // bytes of buffer kept after a stall
	roomUsual   = int((writeEvery+writeBehind+2*media.Frame)/(time.Second/media.SampleRate)) * wav.Channels
)

// rooms are for what goes to a file or comes from one at this moment.
var rooms = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// take is one recording in progress. It is the tap's sink: sound is put into
// memory by its place, two bytes a frame, left what was received. The shelf's
// writer cuts from the front what has had its time; sound that comes for a
// place already cut is kept aside and written over it.
type take struct {
	row   Row
	began time.Time
	log   *slog.Logger

	opened chan struct{} // closed when out is set, or never will be
	ended  chan struct{} // closed when no more sound comes
	done   chan struct{} // closed when result is set
	shut   func()        // closes the file

	mu      sync.Mutex
	over    bool
	total   int64  // frames, when over
	base    int64  // frames cut so far
	buf     []byte // from base on
	late    []piece
	lateLen int
	gaps    []span // what found no room
	pauses  []span // in order; what is in them is not kept

	io      sync.Mutex // before mu
	file    File
	out     *wav.Writer
	pending []byte // cut and could not be written
	known   bool   // the index has the row
	why     string // the first thing that went wrong
	lasting bool   // something did that cannot be made good
	closed  bool
	result  Result

	written atomic.Int64 // frames in the file
}

// span is the frames from one up to, not with, another.
type span struct{ from, to int64 }

// piece is sound that came too late for the buffer.
type piece struct {
	side  media.Side
	at    int64
	sound []byte
}

func newTake(row Row, log *slog.Logger) *take {
	return &take{
		row: row, began: time.Now(), log: log.With("call", row.ID),
		opened: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
}

func frames(d time.Duration) int64 { return int64(d / (time.Second / media.SampleRate)) }

func seconds(frames int64) float64 { return float64(frames) / media.SampleRate }

// age is how many frames the recording should have by now.
func (t *take) age() int64 { return frames(time.Since(t.began)) }

// Sound implements [media.Sink].
func (t *take) Sound(side media.Side, at int64, payload []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	if at < t.base {
		n := min(t.base-at, int64(len(payload)))
		t.keepLate(side, at, payload[:n])
		payload, at = payload[n:], at+n
	}
	end := at + int64(len(payload))
	if end-t.base > bufferLimit {
		t.miss(at, end)
		return
	}
	t.reach(end)
	for i, b := range payload {
		t.buf[(at-t.base+int64(i))*wav.Channels+int64(side)] = b
	}
}

// miss notes frames that were not kept; the two sides of one moment count once,
// what nobody wanted does not.
func (t *take) miss(at, end int64) {
	if t.unwanted(at, end) {
		return
	}
	if n := len(t.gaps); n > 0 && at >= t.gaps[n-1].from && at <= t.gaps[n-1].to {
		t.gaps[n-1].to = max(t.gaps[n-1].to, end)
		return
	}
	t.gaps = append(t.gaps, span{at, end})
}

// missing is how many frames of the call a file that ends at frame end lacks.
func (t *take) missing(end int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := max(t.total-end, 0)
	for _, g := range t.gaps {
		n += max(min(g.to, end)-g.from, 0)
	}
	return n
}

// lag is how many frames of the call are not in the file.
func (t *take) lag() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return t.total - t.written.Load()
	}
	return t.age() - t.written.Load()
}

func (t *take) keepLate(side media.Side, at int64, sound []byte) {
	if t.lateLen+len(sound) > lateLimit {
		t.miss(at, at+int64(len(sound)))
		return
	}
	sound = bytes.Clone(sound)
	t.hush(sound, at, 1)
	t.late = append(t.late, piece{side, at, sound})
	t.lateLen += len(sound)
}

// reach lengthens the buffer with silence up to a frame.
func (t *take) reach(end int64) {
	from := len(t.buf)
	need := int(end-t.base) * wav.Channels
	if need <= from {
		return
	}
	if need > cap(t.buf) {
		t.buf = append(make([]byte, 0, max(need, 2*cap(t.buf), roomUsual)), t.buf...)
	}
	t.buf = t.buf[:need]
	quiet := t.row.Law.Silence()
	for i := from; i < need; i++ {
		t.buf[i] = quiet
	}
}

// cut takes what lies before frame upto out of the buffer, at most 30 s of it.
func (t *take) cut(to []byte, upto int64) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		upto = min(upto, t.total)
	}
	n := min(upto-t.base, bufferLimit)
	if n <= 0 {
		return to
	}
	t.reach(t.base + n)
	t.hush(t.buf[:n*wav.Channels], t.base, wav.Channels)
	to = append(to, t.buf[:n*wav.Channels]...)
	rest := t.buf[n*wav.Channels:]
	if cap(t.buf) > roomKept {
		t.buf = append([]byte(nil), rest...)
	} else {
		t.buf = t.buf[:copy(t.buf, rest)]
	}
	t.base += n
	return to
}

func (t *take) takeLate() []piece {
	t.mu.Lock()
	defer t.mu.Unlock()
	late := t.late
	t.late, t.lateLen = nil, 0
	return late
}

// flush writes what lies before frame upto. What could not be written is kept
// and comes first the next time. Callers hold io.
func (t *take) flush(upto int64) error {
	sound := t.pending
	if len(sound) == 0 {
		room := rooms.Get().(*[32 << 10]byte)
		defer rooms.Put(room)
		sound = t.cut(room[:0], upto)
	}
	if err := t.out.Append(sound); err != nil {
		t.pending = bytes.Clone(sound)
		return err
	}
	t.pending = nil
	t.written.Store(t.out.Frames())
	for _, p := range t.takeLate() {
		if err := t.patch(p); err != nil {
			return err
		}
	}
	return nil
}

// patch writes late sound over the silence in its place.
func (t *take) patch(p piece) error {
	n := min(int64(len(p.sound)), t.out.Frames()-p.at)
	if n <= 0 {
		return nil
	}
	both := make([]byte, n*wav.Channels)
	if err := t.out.ReadFrames(both, p.at); err != nil {
		return err
	}
	for i, b := range p.sound[:n] {
		both[i*wav.Channels+int(p.side)] = b
	}
	return t.out.Replace(both, p.at)
}

// end says that the call is over as of now; it is true the first time.
func (t *take) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.over, t.total = true, t.age()
	close(t.ended)
	return true
}

// finish writes the rest, so that the file ends when the call did.
func (t *take) finish() error {
	for t.out.Frames() < t.total {
		if err := t.flush(t.total); err != nil {
			return err
		}
	}
	return t.flush(t.total) // late sound
}

// broke notes the first thing that went wrong and says whether this is it. A
// lasting fault makes the recording partial even if nothing is missing. Callers
// hold io.
func (t *take) broke(doing string, err error, lasting bool) bool {
	t.lasting = t.lasting || lasting
	if t.why != "" {
		return false
	}
	t.why = fmt.Sprintf("%s: %v", doing, err)
	return true
}
