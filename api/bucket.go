package api

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// bucket lets each key do something burst times at once and then once in every
// gap.
type bucket struct {
	burst int
	gap   time.Duration

	mu   sync.Mutex
	full map[string]time.Time // when a key has all its tries again
}

func newBucket(burst int, gap time.Duration) *bucket {
	return &bucket{burst: burst, gap: gap, full: map[string]time.Time{}}
}

// wait is how long key has to wait for its next try; 0: it need not.
func (b *bucket) wait(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.missing(key, now)
}

// spend uses one try up, unless key has to wait.
func (b *bucket) spend(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait = b.missing(key, now); wait > 0 {
		return wait
	}
	if len(b.full) >= manyTries {
		b.tidy(now)
	}
	from := now
	if full := b.full[key]; full.After(now) {
		from = full
	}
	b.full[key] = from.Add(b.gap)
	return 0
}

func (b *bucket) missing(key string, now time.Time) time.Duration {
	owed := max(0, b.full[key].Sub(now))
	return max(0, owed-time.Duration(b.burst-1)*b.gap)
}

// tidy forgets those who have all their tries; all of them where none has.
func (b *bucket) tidy(now time.Time) {
	for key, full := range b.full {
		if !full.After(now) {
			delete(b.full, key)
		}
	}
	if len(b.full) >= manyTries {
		clear(b.full)
	}
}

// network is where a request comes from as far as it counts for limits: an IPv4
// address, or the 64 bits of IPv6 that one subscriber has.
func network(r *http.Request) string {
	from := address(r)
	addr, err := netip.ParseAddr(from)
	if err != nil || addr.Unmap().Is4() {
		return from
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return from
	}
	return p.String()
}
