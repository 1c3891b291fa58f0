package calendar

import (
	"cmp"
	"slices"
	"time"

	"callbox/internal/stamp"
)

// Clock is a calendar that can be asked. It never changes.
type Clock struct {
	zone     *time.Location
	week     map[time.Weekday][]span
	special  map[string]special // by date
	override *Override
}

// special is a date that is not as its weekday.
type special struct {
	why, name string
	spans     []span
}

// Clock makes a calendar that can be asked, in a zone. The error is the first
// [Fault].
func (c Calendar) Clock(zone *time.Location) (*Clock, error) {
	if faults := c.Check(); len(faults) > 0 {
		return nil, faults[0]
	}
	k := &Clock{zone: zone, week: map[time.Weekday][]span{}, special: map[string]special{}, override: c.Override}
	var usual []span // of the first weekday that has any
	for i, day := range weekdays {
		spans := parseAll(c.Hours[day])
		k.week[time.Weekday((i+1)%7)] = spans
		if len(usual) == 0 {
			usual = spans
		}
	}
	for _, d := range c.Holidays {
		k.special[d.Date] = special{why: ByHoliday, name: d.Name}
	}
	for _, d := range c.Workdays {
		spans := parseAll(d.Hours)
		if len(d.Hours) == 0 {
			spans = usual
		}
		k.special[d.Date] = special{why: ByWorkday, name: d.Name, spans: spans}
	}
	return k, nil
}

func parseAll(texts []string) (spans []span) {
	for _, text := range texts {
		if s, err := parseSpan(text); err == nil { // checked before
			spans = append(spans, s)
		}
	}
	return spans
}

// date is a day of the calendar, at midnight in UTC for counting.
type date struct{ time.Time }

func dateOf(at time.Time, zone *time.Location) date {
	y, m, d := at.In(zone).Date()
	return date{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

func (d date) plus(days int) date { return date{d.AddDate(0, 0, days)} }

// day is what holds on a date.
func (k *Clock) day(d date) special {
	if s, ok := k.special[d.Format(dateForm)]; ok {
		return s
	}
	return special{why: ByHours, spans: k.week[d.Weekday()]}
}

// Open says whether the calendar is open at a moment.
func (k *Clock) Open(at time.Time) bool {
	if k.overridden(at) {
		return k.override.Open
	}
	open, _ := k.usual(at)
	return open
}

func (k *Clock) overridden(at time.Time) bool {
	return k.override != nil && at.Before(k.override.Until)
}

// usual is whether it is open by its hours, and by which day's: one that began
// the evening before goes on over midnight.
func (k *Clock) usual(at time.Time) (bool, special) {
	today := dateOf(at, k.zone)
	for _, d := range []date{today, today.plus(-1)} {
		s := k.day(d)
		for _, one := range s.spans {
			if from, to := k.bounds(d, one); !at.Before(from) && at.Before(to) {
				return true, s
			}
		}
	}
	return false, k.day(today)
}

// bounds are a span's instants on a date.
func (k *Clock) bounds(d date, s span) (from, to time.Time) {
	return k.instant(d, s.from), k.instant(d, s.to)
}

// instant is the first moment at or after which the clock on the wall shows
// this minute of the date. Where summer time begins a minute may be missing:
// then it is the moment of the change.
func (k *Clock) instant(d date, minute int) time.Time {
	wanted := d.Add(time.Duration(minute) * time.Minute) // as if the zone were UTC
	_, before := wanted.Add(-24 * time.Hour).In(k.zone).Zone()
	_, after := wanted.Add(24 * time.Hour).In(k.zone).Zone()
	early := wanted.Add(-time.Duration(max(before, after)) * time.Second)
	late := wanted.Add(-time.Duration(min(before, after)) * time.Second)
	for _, at := range []time.Time{early, late} {
		if _, offset := at.In(k.zone).Zone(); at.Add(time.Duration(offset) * time.Second).Equal(wanted) {
			return at
		}
	}
	change, _ := late.In(k.zone).ZoneBounds()
	return change
}

// horizon is how many days ahead a change is looked for.
const horizon = 370

// Now is how the calendar stands at a moment.
func (k *Clock) Now(at time.Time) State {
	open, by := k.usual(at)
	s := State{Open: open, Why: by.why, Name: by.name}
	if k.overridden(at) {
		s = State{Open: k.override.Open, Why: ByOverride, Name: k.override.Note}
	}
	s.Until = stamp.At(k.change(at, s.Open))
	return s
}

// change is when the calendar is first not as it is at a moment, zero if not
// within the horizon.
func (k *Clock) change(at time.Time, open bool) time.Time {
	if k.overridden(at) && k.Open(k.override.Until) != open {
		return k.override.Until
	}
	from := at
	if k.overridden(at) {
		from = k.override.Until
	}
	first := dateOf(from, k.zone)
	for i := -1; i < horizon; i++ {
		for _, turn := range k.turns(first.plus(i)) {
			if turn.After(from) && k.Open(turn) != open {
				return turn
			}
		}
	}
	return time.Time{}
}

// turns are the moments in a date's spans at which something may change.
func (k *Clock) turns(d date) (all []time.Time) {
	for _, s := range k.day(d).spans {
		from, to := k.bounds(d, s)
		all = append(all, from, to)
	}
	slices.SortFunc(all, func(a, b time.Time) int { return cmp.Compare(a.UnixNano(), b.UnixNano()) })
	return all
}
