package ctitest

import (
	"slices"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
)

// The beat has slots so that phones do not all speak in the same instant.
const (
	slots     = 5
	slotTime  = media.Frame / slots
	catchUp   = 10 * slots // slots made up for after a stall: 200 ms
	eventType = 101        // telephone-event in our offers
)

// beat sends a frame of every sound that joined each 20 ms, from one goroutine
// for all phones of the process. It runs while anybody has joined.
type beat struct {
	mu     sync.Mutex // held while frames are sent; sounds lock theirs within
	sounds [slots][]*sound
	n      int
	next   int
	stop   chan struct{}
	over   chan struct{}
}

var commonBeat beat

func (b *beat) join(s *sound) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.slot = b.next % slots
	b.next++
	b.sounds[s.slot] = append(b.sounds[s.slot], s)
	if b.n++; b.n > 1 {
		return
	}
	stop, over := make(chan struct{}), make(chan struct{})
	b.stop, b.over = stop, over
	guard.Go("beat of the phones", nil, func() {
		defer close(over)
		b.run(stop)
	})
}

// leave takes a sound out; when it returns, no frame of it is sent any more.
func (b *beat) leave(s *sound) {
	b.mu.Lock()
	i := slices.Index(b.sounds[s.slot], s)
	if i < 0 {
		b.mu.Unlock()
		return
	}
	b.sounds[s.slot] = slices.Delete(b.sounds[s.slot], i, i+1)
	b.n--
	last, over := b.n == 0, b.over
	if last {
		close(b.stop)
	}
	b.mu.Unlock()
	if last {
		<-over
	}
}

func (b *beat) run(stop <-chan struct{}) {
	tick := time.NewTicker(slotTime)
	defer tick.Stop()
	start, done := time.Now(), 0
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		due := int(time.Since(start) / slotTime)
		for done = max(done, due-catchUp); done < due; done++ {
			b.slot(done%slots, stop)
		}
	}
}

func (b *beat) slot(i int, stop <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-stop: // the slots may be a later beat's
		return
	default:
	}
	for _, s := range b.sounds[i] {
		s.frame()
	}
}
