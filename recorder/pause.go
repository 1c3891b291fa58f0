package recorder

import (
	"math"

	"callbox/cti/media"
)

// Pause lets silence stand in the running recording of call until it goes on;
// time runs on. False where no such recording runs. Twice the same is no error.
func (s *Shelf) Pause(call string, paused bool) bool {
	s.mu.Lock()
	t := s.takes[call]
	s.mu.Unlock()
	return t != nil && t.pause(paused)
}

var _ media.Sink = (*take)(nil)

// open is the end of a pause that goes on.
const open = math.MaxInt64

// pause begins a pause now, or ends it; false where the call is over. What is
// cut from the buffer, and what comes too late for it, is older than now: a
// pause is known before anything in it reaches the file.
func (t *take) pause(paused bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	last := len(t.pauses) - 1
	running := last >= 0 && t.pauses[last].to == open
	switch now := t.age(); {
	case paused && !running:
		t.pauses = append(t.pauses, span{now, open})
	case !paused && running:
		t.pauses[last].to = now
	}
	return true
}

// hush puts silence where the recording was paused. sound begins at a frame;
// a frame has so many bytes. Callers hold mu.
func (t *take) hush(sound []byte, at, bytes int64) {
	quiet, end := t.row.Law.Silence(), at+int64(len(sound))/bytes
	for _, p := range t.pauses {
		from, to := max(p.from, at), min(p.to, end)
		for i := (from - at) * bytes; i < (to-at)*bytes; i++ {
			sound[i] = quiet
		}
	}
}

// unwanted says that all from one frame up to another is in a pause. Callers
// hold mu.
func (t *take) unwanted(at, end int64) bool {
	for _, p := range t.pauses {
		if p.from <= at && end <= p.to {
			return true
		}
	}
	return false
}

// paused is how often the recording was paused and for how many frames, of a
// call that is over.
func (t *take) paused() (times int, frames int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pauses {
		frames += min(p.to, t.total) - p.from
	}
	return len(t.pauses), frames
}
