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
	// rateLeast is the slowest rate that throttling leads to, in SUBMITs a
	// second; recovery is how many seconds a rate takes to come back from
	// nothing.
	rateLeast = 1.0
	recovery  = 20.0
)

// pacer holds an account to its rate and answers throttling (result 8): it
// keeps still for a while, then goes on at half the rate, which grows evenly
// until it is the contract's again. All connections share it.
type pacer struct {
	mu       sync.Mutex
	contract float64   // SUBMITs a second; 0: no limit
	next     time.Time // the next SUBMIT may leave

	resume time.Time     // end of the last pause
	pause  time.Duration // its length; 0: accepted since

	slowed  float64 // rate at resume; 0: not slowed
	ceiling float64 // where it ends to be slowed
	meter   meter
}

// meter counts SUBMITs by the second.
type meter struct {
	second      time.Time
	now, before int
}

func (m *meter) count(now time.Time) {
	switch past := now.Sub(m.second); {
	case past >= 2*time.Second:
		m.second, m.before, m.now = now, 0, 0
	case past >= time.Second:
		m.second, m.before, m.now = now, m.now, 0
	}
	m.now++
}

func newPacer(rate int) *pacer { return &pacer{contract: float64(rate)} }

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
	p.meter.count(now)
	rate := p.rate(now)
	if rate == 0 {
		return true
	}
	if now.Sub(p.next) > slack {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(time.Second) / rate))
	return true
}

// rate gives the present one in SUBMITs a second, 0 for no limit.
func (p *pacer) rate(now time.Time) float64 {
	if p.slowed == 0 {
		return p.contract
	}
	rate := p.slowed + p.ceiling/recovery*max(0, now.Sub(p.resume).Seconds())
	if rate < p.ceiling {
		return rate
	}
	p.slowed = 0
	return p.contract
}

// throttled takes in a result 8 for a SUBMIT that left at sent: a pause of 1 s
// at first, twice as long each time that nothing was accepted since, up to
// 30 s, and half the rate behind it. One that left before the last pause
// belongs to that one. It gives the pause, 0 for no new one.
func (p *pacer) throttled(now, sent time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.Before(p.resume) {
		return 0
	}
	rate := p.rate(now)
	if rate == 0 { // no contract's: what was sent is too much
		rate = max(2*rateLeast, float64(p.meter.now), float64(p.meter.before))
		p.ceiling = rate
	} else if p.slowed == 0 {
		p.ceiling = rate
	}
	p.slowed = max(rateLeast, rate/2)
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
