package webhook

import (
	"slices"
	"sync"
	"time"
)

// What one number gets in answers of receivers: whoever answers every text, and
// a phone that answers by itself, would go on for ever.
const (
	answersMost = 5
	answersIn   = 10 * time.Minute
)

// brake counts the answers to each number.
type brake struct {
	mu      sync.Mutex
	numbers map[string]*answered
}

// answered are the times of a number's last answers, and when it was last told
// that there were too many.
type answered struct {
	at   []time.Time
	told time.Time
}

// take says whether number may get an answer now, and counts it. tell: it may
// not, and that is news.
func (b *brake) take(number string, now time.Time) (ok, tell bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, a := range b.numbers {
		a.at = slices.DeleteFunc(a.at, func(at time.Time) bool { return now.Sub(at) >= answersIn })
		if len(a.at) == 0 && now.Sub(a.told) >= answersIn {
			delete(b.numbers, n)
		}
	}
	if b.numbers == nil {
		b.numbers = map[string]*answered{}
	}
	a := b.numbers[number]
	if a == nil {
		a = &answered{}
		b.numbers[number] = a
	}
	if len(a.at) < answersMost {
		a.at = append(a.at, now)
		return true, false
	}
	tell = now.Sub(a.told) >= answersIn
	if tell {
		a.told = now
	}
	return false, tell
}
