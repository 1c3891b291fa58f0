package acd

import "time"

// restore puts the desks back as they were. Who was in a call then comes back
// in workingAfterCall: the talk is over, its work perhaps not.
func (b *board) restore(rows []DeskRow, now time.Time) {
	for _, row := range rows {
		d := b.desks[row.Agent]
		if d == nil || d.state != LoggedOff || row.State == LoggedOff || moves[row.State] == nil {
			continue
		}
		d.state, d.reason, d.since, d.idleSince = row.State, row.Reason, row.Since, row.Since
		b.rewrap(d, row, now)
		b.logOffAt(d, row.Since.Add(LogOffAfter))
		b.socketGone(d, now)
		b.tell(d, "")
	}
}

// rewrap lets wrap-up end in its time, which begins anew for a talk that broke off.
func (b *board) rewrap(d *desk, row DeskRow, now time.Time) {
	if row.Call == "" {
		return
	}
	if d.state != WorkingAfterCall {
		d.state, d.reason, d.since = WorkingAfterCall, "", now
	}
	d.wrapFor, d.share = row.Call, d.wrapUp()
	at := d.since.Add(d.share)
	if row.State == WorkingAfterCall && !row.Until.IsZero() {
		at = row.Until
	}
	b.wrapUntil(d, at)
}

// wrapUp is the longest wrap-up of a desk's queues.
func (d *desk) wrapUp() time.Duration {
	var longest time.Duration
	for _, s := range d.seats {
		longest = max(longest, s.line.WrapUp)
	}
	return longest
}
