// Package stamp is how callbox writes an instant: RFC 3339 in UTC with
// milliseconds. It runs no goroutine and knows nothing else.
package stamp

import (
	"encoding/json"
	"fmt"
	"time"
)

// Time is an instant in JSON as RFC 3339 in UTC with milliseconds, null when
// zero.
type Time struct{ time.Time }

// Now is the present as a Time, cut to milliseconds (the monotonic reading is kept out).
func Now() Time { return At(time.Now()) }

// At makes a Time of t.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// MarshalJSON writes RFC 3339 with milliseconds, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.000Z07:00"`)), nil
}

// UnmarshalJSON reads RFC 3339 or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	var v time.Time
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	*t = At(v)
	return nil
}

// Millis is t in milliseconds since 1970, 0 for the zero time: how the database
// keeps it.
func (t Time) Millis() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the inverse of [Time.Millis].
func FromMillis(ms int64) Time {
	if ms == 0 {
		return Time{}
	}
	return At(time.UnixMilli(ms))
}
