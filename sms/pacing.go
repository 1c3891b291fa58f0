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

// outOfTurn is one in how many claimed messages is not of the most urgent ones.
const outOfTurn = 8

// fairness lets less urgent messages go now and then while urgent ones come
// without end: one of eight is of another rank than the first that waits, and
// the ranks behind it take turns.
type fairness struct {
	since int // claimed since the last one out of turn
	first int // rank of the last one in turn
	rank  int // of the last one out of turn
}

// claim claims up to n messages: all that are asked for, if so many wait.
func (f *fairness) claim(w *work, account string, n int) ([]Record, error) {
	others := (f.since + n) / outOfTurn
	claimed, err := w.Claim(account, n-others, 0, w.at)
	if err != nil || len(claimed) < n-others || others == 0 {
		f.since = min(f.since+len(claimed), outOfTurn-1)
		return claimed, err
	}
	if len(claimed) > 0 {
		f.first = claimed[len(claimed)-1].Rank
	}
	f.since = (f.since + n) % outOfTurn
	for _, rank := range []int{max(f.rank, f.first) + 1, f.first + 1, 0} {
		if len(claimed) == n {
			break
		}
		more, err := w.Claim(account, n-len(claimed), rank, w.at)
		if err != nil {
			return nil, err
		}
		if len(more) > 0 && rank > 0 {
			f.rank = more[len(more)-1].Rank
		}
		claimed = append(claimed, more...)
	}
	return claimed, nil
}
