package cmpptest

import "time"

const (
	meterSlot  = 10 * time.Millisecond
	meterSlots = int64(time.Second / meterSlot)
)

// meter counts what an account submitted within the last second.
type meter struct {
	slots [meterSlots]int
	last  int64 // number of the newest slot
	sum   int
}

// meter gives the account's; the caller holds the lock.
func (c *Centre) meter(spID string) *meter {
	m := c.meters[spID]
	if m == nil {
		m = new(meter)
		c.meters[spID] = m
	}
	return m
}

// admit counts n more at a time, unless the second before would hold more than
// limit. What alone is more than limit may pass after a second of silence.
func (m *meter) admit(now time.Time, n, limit int) bool {
	m.advance(now.UnixNano() / int64(meterSlot))
	if m.sum+n > limit && m.sum > 0 {
		return false
	}
	m.slots[m.last%meterSlots] += n
	m.sum += n
	return true
}

// advance forgets what is older than a second.
func (m *meter) advance(to int64) {
	if to-m.last >= meterSlots || to < m.last {
		*m = meter{last: to}
		return
	}
	for m.last < to {
		m.last++
		m.sum -= m.slots[m.last%meterSlots]
		m.slots[m.last%meterSlots] = 0
	}
}
