package webhook

import "time"

// When an attempt that failed is made again, and when it is given up.
const (
	firstRetry = time.Second
	lastRetry  = time.Hour
	giveUp     = 24 * time.Hour
)

// retry says how long after the attempt-th attempt (from 1) the next one
// comes: 1 s, doubling to 1 h.
func retry(attempt int) time.Duration {
	if attempt > 12 { // 2^12 s is more than an hour
		return lastRetry
	}
	return min(firstRetry<<max(attempt-1, 0), lastRetry)
}

// after says when a delivery is tried again whose attempt failed at now; false
// where that would be more than 24 hours behind the first.
func after(d Delivery, now time.Time) (time.Time, bool) {
	first := d.First
	if first.IsZero() {
		first = now
	}
	next := now.Add(retry(d.Attempt + 1))
	return next, !next.After(first.Add(giveUp))
}
