package cmpp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ValId_Time and At_Time are 16 characters YYMMDDhhmmsstnnp: t tenths of a
// second, nn quarters of an hour between local time and UTC, p + or - for a
// zone ahead of or behind UTC, or R for a span from now on (as SMPP 3.4,
// 7.1.1, which the protocol refers to).
const (
	timeLength = 16
	timeDigits = "060102150405"
	quarter    = 15 * time.Minute
	maxSpan    = 31 * 24 * time.Hour // days of a span that need no months
)

// AbsoluteTime gives t for ValidTime and AtTime, in t's own zone: 09:30 in
// Beijing is 260801093000032+. A zone that is not whole quarters of an hour
// from UTC is replaced by UTC.
func AbsoluteTime(t time.Time) string {
	_, seconds := t.Zone()
	offset := time.Duration(seconds) * time.Second
	if offset%quarter != 0 || offset.Abs() >= 100*quarter {
		t, offset = t.UTC(), 0
	}
	sign := byte('+')
	if offset < 0 {
		sign = '-'
	}
	tenth := t.Nanosecond() / int(100*time.Millisecond)
	return fmt.Sprintf("%s%d%02d%c", t.Format(timeDigits), tenth, offset.Abs()/quarter, sign)
}

// RelativeTime gives a span from now on for ValidTime and AtTime, in whole
// seconds: two hours are 000000020000000R. It returns ErrField for a span below
// a second or above 31 days.
func RelativeTime(d time.Duration) (string, error) {
	if d < time.Second || d > maxSpan {
		return "", fmt.Errorf("%w: a relative time of %v, 1 s to 31 days", ErrField, d)
	}
	day := 24 * time.Hour
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", d/day, d%day/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second), nil
}

// ParseTime reads a ValidTime or AtTime; spans count from now, months and years
// of them by the calendar. The empty field is the zero time. What is neither is
// ErrField.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	bad := fmt.Errorf("%w: %q is no time YYMMDDhhmmsstnnp", ErrField, s)
	if len(s) != timeLength || strings.Trim(s[:timeLength-1], "0123456789") != "" {
		return time.Time{}, bad
	}
	number := func(from, to int) int {
		n, _ := strconv.Atoi(s[from:to]) // all are digits
		return n
	}
	tenths := time.Duration(number(12, 13)) * 100 * time.Millisecond
	offset := number(13, 15) * int(quarter/time.Second)
	switch s[timeLength-1] {
	case 'R':
		span := time.Duration(number(6, 8))*time.Hour + time.Duration(number(8, 10))*time.Minute + time.Duration(number(10, 12))*time.Second
		return now.AddDate(number(0, 2), number(2, 4), number(4, 6)).Add(span + tenths), nil
	case '-':
		offset = -offset
	case '+':
	default:
		return time.Time{}, bad
	}
	t, err := time.ParseInLocation(timeDigits, s[:len(timeDigits)], time.FixedZone("", offset))
	if err != nil {
		return time.Time{}, bad
	}
	return t.Add(tenths), nil
}
