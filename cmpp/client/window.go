package client

import (
	"slices"
	"time"

	"callbox/cmpp"
)

// request is one of our messages that waits for its answer.
type request struct {
	command  cmpp.Command
	sequence uint32
	frame    []byte
	sent     time.Time // last
	tries    int
	segment  *segment // of a SUBMIT
	offset   int      // of the frame in what is written next, when first sent
}

// window holds the open requests of a connection in the order of their last
// sending, and lets at most size of them be SUBMITs.
type window struct {
	size    int
	open    []*request
	submits int
}

// room tells whether another SUBMIT may be sent.
func (w *window) room() bool { return w.submits < w.size }

func (w *window) add(r *request) {
	w.open = append(w.open, r)
	if r.segment != nil {
		w.submits++
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
func (w *window) remove(answer cmpp.Command, sequence uint32) *request {
	i := slices.IndexFunc(w.open, func(r *request) bool {
		return r.command.Answer() == answer && r.sequence == sequence
	})
	if i < 0 {
		return nil
	}
	r := w.open[i]
	w.open = slices.Delete(w.open, i, i+1)
	if r.segment != nil {
		w.submits--
	}
	return r
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
