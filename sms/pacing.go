package sms

import (
	"sync/atomic"
	"time"
)

// pacing is how long something takes: a mean in which the last eight count most.
type pacing struct{ nanos atomic.Int64 }

func (p *pacing) mean() time.Duration { return time.Duration(p.nanos.Load()) }

// time takes in one that began at began. Where two come at once one of them may
// be left out.
func (p *pacing) time(began time.Time) {
	took, was := int64(time.Since(began)), p.nanos.Load()
	if was == 0 {
		was = took
	}
	p.nanos.Store(was + (took-was)/8)
}
