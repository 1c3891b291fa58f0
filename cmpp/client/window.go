package client

import (
	"slices"
	"time"

	"callbox/cmpp"
)

// request is one of our messages that waits for its answer.
type request struct {
	pdu      cmpp.PDU
	sequence uint32
	first    time.Time // sent
	sent     time.Time // last
	tries    int
	part     *part // of a SUBMIT
	offset   int   // of the frame in what is written next, when first sent
	left     bool  // some of the frame was written
}

// window holds the open requests of a connection in the order of their last
// sending. At most limit of them are SUBMITs: that is size, or less while
// answers are slow. It is halved when they are and grows by one for each
// windowful of answers in time.
type window struct {
	size     int
	patience time.Duration // an answer that takes longer is slow
	limit    int
	open     []*request
	submits  int
	credit   int       // answers in time since limit last changed
	halved   time.Time // when that was last
	progress time.Time // when a SUBMIT was last answered, or sent with no other open
}

func newWindow(size int, patience time.Duration) window {
	return window{size: size, limit: size, patience: patience}
}

// room tells whether another SUBMIT may be sent. While answers stop altogether
// there is none.
func (w *window) room(now time.Time) bool { return w.submits < w.limit && !w.stalled(now) }

// stalled tells whether SUBMITs are open and none was answered for too long.
func (w *window) stalled(now time.Time) bool {
	return w.submits > 0 && now.Sub(w.progress) >= w.patience
}

// stall halves the window once when answers stop.
func (w *window) stall(now time.Time) {
	if w.stalled(now) && w.moving() {
		w.halve(now)
	}
}

// moving tells whether there were answers since the window was halved.
func (w *window) moving() bool { return !w.halved.After(w.progress) }

// stalls gives the time at which answers will have stopped, zero for none.
func (w *window) stalls() time.Time {
	if w.submits == 0 || !w.moving() {
		return time.Time{}
	}
	return w.progress.Add(w.patience)
}

func (w *window) halve(now time.Time) {
	w.limit, w.credit, w.halved = max(w.limit/2, 1), 0, now
}

func (w *window) add(r *request) {
	w.open = append(w.open, r)
	if r.part == nil {
		return
	}
	if w.submits++; w.submits == 1 {
		w.progress = r.sent
	}
}

// oldest gives the request that was sent first, nil when none is open.
func (w *window) oldest() *request {
	if len(w.open) == 0 {
		return nil
	}
	return w.open[0]
}

// remove takes the request that an answer is for, nil when there is none.
func (w *window) remove(answer cmpp.Command, sequence uint32, now time.Time) *request {
	i := slices.IndexFunc(w.open, func(r *request) bool {
		return r.sequence == sequence && r.pdu.Command().Answer() == answer
	})
	if i < 0 {
		return nil
	}
	r := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	if r.part != nil {
		w.submits--
		w.progress = now
		w.feel(r, now)
	}
	return r
}

// feel takes in how long an answer took. Of SUBMITs that were open together
// only the first slow one halves the window.
func (w *window) feel(r *request, now time.Time) {
	if now.Sub(r.first) >= w.patience {
		if r.first.After(w.halved) {
			w.halve(now)
		}
		return
	}
	if w.credit++; w.limit < w.size && w.credit >= w.limit {
		w.limit, w.credit = w.limit+1, 0
	}
}

// repeat puts the oldest request at the end: it is being sent again.
func (w *window) repeat(now time.Time) *request {
	r := w.open[0]
	copy(w.open, w.open[1:])
	w.open[len(w.open)-1] = r
	r.sent = now
	r.tries++
	return r
}
