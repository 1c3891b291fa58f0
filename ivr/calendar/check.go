package calendar

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing wrong with a calendar; Key is its path, as in
// hours.mon[0].
type Fault struct{ Key, Text string }

func (f Fault) Error() string { return f.Key + ": " + f.Text }

// weekdays are the keys of hours, from Monday on.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

const dateForm = "2006-01-02"

// Limits of a calendar.
const (
	maxDays  = 1000
	maxSpans = 24
)

// Check names everything that is wrong, in a fixed order.
func (c Calendar) Check() []Fault {
	var k checker
	for _, day := range slices.Sorted(maps.Keys(c.Hours)) {
		if !slices.Contains(weekdays, day) {
			k.fault("hours."+day, "is no weekday: one of %s", strings.Join(weekdays, " "))
			continue
		}
		k.spans("hours."+day, c.Hours[day])
	}
	taken := map[string]string{}
	k.days("holidays", c.Holidays, taken)
	k.days("workdays", c.Workdays, taken)
	if c.Override != nil && c.Override.Until.IsZero() {
		k.fault("override.until", "is missing")
	}
	return k
}

type checker []Fault

func (k *checker) fault(key, format string, args ...any) {
	*k = append(*k, Fault{key, fmt.Sprintf(format, args...)})
}

func (k *checker) days(key string, days []Day, taken map[string]string) {
	if len(days) > maxDays {
		k.fault(key, "%d days, %d at most", len(days), maxDays)
		return
	}
	for i, d := range days {
		at := fmt.Sprintf("%s[%d]", key, i)
		if _, err := time.Parse(dateForm, d.Date); err != nil {
			k.fault(at+".date", "%q is no date such as 2026-10-01", d.Date)
		} else if other, twice := taken[d.Date]; twice {
			k.fault(at+".date", "%s stands at %s already", d.Date, other)
		}
		taken[d.Date] = at
		if key == "holidays" && len(d.Hours) > 0 {
			k.fault(at+".hours", "a holiday is closed: a day with other hours belongs to workdays")
			continue
		}
		k.spans(at+".hours", d.Hours)
	}
}

// spans checks a day's hours: each by itself, and none into the next.
func (k *checker) spans(key string, texts []string) {
	if len(texts) > maxSpans {
		k.fault(key, "%d spans, %d at most", len(texts), maxSpans)
		return
	}
	var good []span
	for i, text := range texts {
		at := fmt.Sprintf("%s[%d]", key, i)
		s, err := parseSpan(text)
		if err != nil {
			k.fault(at, "%v", err)
			continue
		}
		if slices.ContainsFunc(good, s.meets) {
			k.fault(at, "%s lies within another span of the day", text)
		}
		good = append(good, s)
	}
}

// span is from one minute of a day up to another, which belongs to the next day
// when it is past 24:00.
type span struct{ from, to int }

func (s span) meets(o span) bool { return s.from < o.to && o.from < s.to }

const dayMinutes = 24 * 60

var errSpan = errors.New("is no span such as 09:00-12:00 or 22:00-02:00")

func parseSpan(text string) (s span, err error) {
	from, to, ok := strings.Cut(text, "-")
	var good [2]bool
	s.from, good[0] = parseMinute(strings.TrimSpace(from))
	s.to, good[1] = parseMinute(strings.TrimSpace(to))
	if !ok || !good[0] || !good[1] || s.from == dayMinutes || s.from == s.to {
		return span{}, fmt.Errorf("%q %w", text, errSpan)
	}
	if s.to < s.from {
		s.to += dayMinutes
	}
	return s, nil
}

// parseMinute reads 00:00 to 24:00.
func parseMinute(text string) (int, bool) {
	h, m, ok := strings.Cut(text, ":")
	hour, err := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	at := int(hour)*60 + int(minute)
	return at, ok && err == nil && err2 == nil && len(h) <= 2 && len(m) == 2 && minute < 60 && at <= dayMinutes
}
