package media

import (
	"math"

	"callbox/cti/media/dsp"
)

// ear is what a port needs to hear its party as samples, a frame a beat: order,
// patience, and something for the gaps. It is there while somebody needs it.
// Its receiver's lock guards it; said belongs to the beat.
type ear struct {
	buffer  jitter
	conceal dsp.Concealer
	hiss    dsp.Hiss
	silent  [2]int64 // from where to where, on the buffer's count, the party sent nothing on purpose
	keys    *keyEar
	fax     *faxEar

	users int
	beat  int64 // the clock when said was heard
	said  [FrameSamples]int16
	loud  bool // said is more than nothing
}

const forNow = math.MaxInt64 // the end of a silence that lasts

// need gives the port an ear, or another user to the one it has. Callers hold mu.
func (r *receiver) need() {
	if r.ear == nil {
		r.ear = &ear{beat: math.MinInt64}
	}
	r.ear.users++
}

// spare takes it away again when nobody else needs it. Callers hold mu.
func (r *receiver) spare() {
	if r.ear.users--; r.ear.users == 0 {
		r.late += r.ear.buffer.late
		r.ear = nil
	}
}

// listen gives what the party says in the frame at clock sample now, and
// whether it is more than nothing. Only the beat may call it, as often as it
// likes; nil is nobody's ear.
func (r *receiver) listen(now int64) (said *[FrameSamples]int16, loud bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ear
	if e == nil {
		return nil, false
	}
	if e.beat != now {
		e.beat = now
		if e.hear(now) {
			r.stats.Concealed++
		}
		r.stats.Late = r.late + e.buffer.late
		e.detect(r)
	}
	return &e.said, e.loud
}

// hear fills said and says whether some of it was made up.
func (e *ear) hear(now int64) (madeUp bool) {
	to := e.said[:]
	if !e.buffer.set {
		return false
	}
	switch e.buffer.turn(now) {
	case hold:
		e.conceal.Make(to)
		madeUp = e.conceal.Made()
	case cut:
		e.buffer.shorten(to)
		e.conceal.Good(to)
	case goOn:
		madeUp = e.piece(to)
	}
	e.loud = !faint(to)
	return madeUp
}

// piece puts a frame together of what is there and what is missing.
func (e *ear) piece(to []int16) (madeUp bool) {
	b := &e.buffer
	for len(to) > 0 {
		n, have := b.run(b.play, len(to))
		part := to[:n]
		to = to[n:]
		switch {
		case have:
			b.read(part)
			e.conceal.Good(part)
			continue
		case b.play >= e.silent[0] && b.play < e.silent[1]:
			e.hiss.Fill(part)
			e.conceal.Good(part)
		default:
			e.conceal.Make(part)
			madeUp = madeUp || e.conceal.Made()
		}
		b.skip(n)
	}
	return madeUp
}

// take takes a packet of sound.
func (e *ear) take(h *heard) {
	e.buffer.put(h)
	if at := h.stream + e.buffer.offset; e.silent[1] == forNow && at >= e.silent[0] {
		e.silent[1] = at
	}
}

// pause is told that the party sends no sound from the packet h on, and how
// loud, in dBm0, it is about the party.
func (e *ear) pause(h *heard, level float64) {
	if !e.buffer.set {
		e.buffer.follow(h)
	}
	e.hiss.Set(level)
	if e.silent[1] != forNow {
		e.silent = [2]int64{h.stream + e.buffer.offset, forNow}
	}
}

// nothing is the level of no noise.
const nothing = -100

// faint says that sound is the silence of a law, whose zero is not quite one.
func faint(sound []int16) bool {
	for _, v := range sound {
		if v > 8 || v < -8 {
			return false
		}
	}
	return true
}
