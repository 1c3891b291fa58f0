package acd

import "time"

// ExtendTo is how far from now an agent can push the end of wrap-up.
const ExtendTo = 5 * time.Minute

// wrapUntil lets wrap-up end by itself, at a time that the screens are told of.
func (b *board) wrapUntil(d *desk, at time.Time) {
	d.untimed()
	d.until = at
	wrap := d.wrap
	b.alarms.set(at, func(now time.Time) {
		switch {
		case d.wrap != wrap || d.state != WorkingAfterCall:
		case d.ticket != nil:
			b.amend(d, now)
			d.overdue, d.until = true, time.Time{}
		default:
			b.wrapped(d, now)
		}
	})
}

// untimed leaves the end of wrap-up to the agent.
func (d *desk) untimed() {
	d.wrap++
	d.until = time.Time{}
}

// extend pushes the end of wrap-up on by as much as the queue allows for it, to
// [ExtendTo] from now at most. One that no timer ends stays as it is. The caller
// tells the screens.
func (b *board) extend(d *desk, now time.Time) {
	from := d.until
	switch {
	case d.overdue:
		from = now
	case from.IsZero():
		return
	}
	at := from.Add(d.share)
	if last := now.Add(ExtendTo); at.After(last) {
		at = last
	}
	if !at.After(d.until) {
		return
	}
	d.overdue = false
	b.wrapUntil(d, at)
}
