package ivr_test

import (
	"strings"
	"testing"
	"time"

	"callbox/ivr"
)

// opened are calendars that are open, or not.
type opened map[string]bool

func (o opened) Open(id string, _ time.Time) (open, known bool) {
	open, known = o[id]
	return open, known
}

// opensAt is a calendar that opens at a moment.
type opensAt time.Time

func (o opensAt) Open(_ string, at time.Time) (open, known bool) {
	return !at.Before(time.Time(o)), true
}

func went(s *store) string { return strings.Join(s.record.IVRPath, " ") }

func TestCalendar(t *testing.T) {
	const nodes = `
  a: {calendar: {id: shop, open: in, closed: out}}
  in: {play: in.wav}
  out: {play: out.wav}
`
	for name, tt := range map[string]struct {
		deps ivr.Deps
		path string
	}{
		"open":    {ivr.Deps{Calendars: opened{"shop": true}}, "a in"},
		"closed":  {ivr.Deps{Calendars: opened{"shop": false}}, "a out"},
		"unknown": {ivr.Deps{Calendars: opened{}}, "a in"},
		"none":    {ivr.Deps{}, "a in"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, s := call(t, nodes, tt.deps)
				if _, err := p.wait(); err != nil || went(s) != tt.path {
					t.Errorf("went %s, %v; want %s", went(s), err, tt.path)
				}
			})
		})
	}
}

// Changed in the middle of a call, a calendar leads that very call elsewhere.
func TestCalendarIsAskedEachTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shop := opensAt(time.Now().Add(time.Second))
		p, s := call(t, `
  a: {calendar: {id: shop, open: bye, closed: wait}}
  wait: {play: wait.wav, next: a}
  bye: {hangup: {}}
`, ivr.Deps{Calendars: shop})
		if _, err := p.wait(); err != nil || went(s) != "a wait a bye" {
			t.Errorf("went %s, %v", went(s), err)
		}
	})
}
