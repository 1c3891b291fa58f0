package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"callbox/cmpp"
)

const (
	backoffFirst = time.Second
	backoffMost  = time.Minute
	// A refused log-in is not tried again soon: operators lock accounts.
	refusedFirst = time.Minute
	refusedMost  = 10 * time.Minute
	// healthyAfter is how long a connection must live to start from the
	// beginning.
	healthyAfter = time.Minute
	dismissedFor = 5 * time.Second
)

// errDismissed says that the gateway ended the connection by TERMINATE.
var errDismissed = errors.New("the gateway sent TERMINATE")

// errOlder says that the gateway wants a lower version, which is tried next.
var errOlder = errors.New("the gateway speaks a lower version")

// refusedError is a CONNECT_RESP that says no.
type refusedError struct{ status cmpp.ConnectStatus }

func (e *refusedError) Error() string { return fmt.Sprintf("log-in refused: status %v", e.status) }

// backoff tells how long to stay away.
type backoff struct{ failures, refusals int }

// next gives the time before the next try after one that ended with err, its
// connection having lived for so long: 1 s, doubling to 60 s; 60 s doubling to
// 10 min for a refused log-in. What is added at random comes on top, see
// jitter.
func (b *backoff) next(err error, lived time.Duration) time.Duration {
	if lived >= healthyAfter {
		*b = backoff{}
	}
	if _, ok := errors.AsType[*refusedError](err); ok {
		b.refusals++
		return doubled(refusedFirst, refusedMost, b.refusals)
	}
	b.refusals = 0
	b.failures++
	wait := doubled(backoffFirst, backoffMost, b.failures)
	if errors.Is(err, errDismissed) {
		return max(wait, dismissedFor)
	}
	return wait
}

func doubled(first, most time.Duration, n int) time.Duration {
	return min(first<<min(n-1, 20), most)
}

// jitter spreads d by a fifth: to both sides, or upwards only where d is the
// least that may be.
func jitter(d time.Duration, least bool) time.Duration {
	share := rand.Float64()*0.4 - 0.2
	if least && share < 0 {
		share = -share
	}
	return d + time.Duration(share*float64(d))
}
