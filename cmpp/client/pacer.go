package client

import (
	"sync"
	"time"
)

const (
	pauseFirst = time.Second
	pauseMost  = 30 * time.Second
	// slack is how far sending may fall behind its pace and still catch up, as
	// on a busy machine. Who is later was idle and earns nothing by it.
	slack = 50 * time.Millisecond
)

// pacer holds an account to its rate and keeps still after a throttling. All
// connections share it.
type pacer struct {
	mu       sync.Mutex
	interval time.Duration // between SUBMITs; 0: no limit
	next     time.Time     // the next SUBMIT may leave
	resume   time.Time     // end of the last pause
	pause    time.Duration // its length; 0: accepted since
}

func newPacer(rate int) *pacer {
	p := &pacer{}
	if rate > 0 {
		p.interval = time.Second / time.Duration(rate)
	}
	return p
}

// wait tells how long no SUBMIT may leave; 0: one may now.
func (p *pacer) wait(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left(now)
}

func (p *pacer) left(now time.Time) time.Duration {
	return max(0, p.next.Sub(now), p.resume.Sub(now))
}

// take uses up one SUBMIT's turn, if there is one.
func (p *pacer) take(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left(now) > 0 {
		return false
	}
	if now.Sub(p.next) > slack {
		p.next = now
	}
	p.next = p.next.Add(p.interval)
	return true
}

// throttled pauses the account for a SUBMIT that left at sent: 1 s at first,
// twice as long each time that nothing was accepted since, up to 30 s. One
// that left before the last pause belongs to that one. It gives the pause, 0
// for no new one.
func (p *pacer) throttled(now, sent time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.Before(p.resume) {
		return 0
	}
	p.pause = min(max(pauseFirst, 2*p.pause), pauseMost)
	p.resume = now.Add(p.pause)
	return p.pause
}

// accepted ends the doubling when the SUBMIT left after the last pause.
func (p *pacer) accepted(sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !sent.Before(p.resume) {
		p.pause = 0
	}
}

// paused tells whether a pause runs.
func (p *pacer) paused(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.resume)
}
