package acd

import (
	"time"

	"callbox/cti"
)

// own.go is the floor's part in calls that come to a desk without a queue: those
// at an agent's own telephone, those that an agent makes, and those for which an
// agent is asked by name.

// borrow lends the desk of an agent whom somebody names, the agent too, until
// its phone is picked up or the lease ends.
func (b *board) borrow(t *ticket, d *desk, now time.Time) (offer, error) {
	switch {
	case d == nil || d.removed:
		return offer{}, cti.ErrNotFound
	case !d.loggedOn():
		return offer{}, errLoggedOff
	case d.ticket != nil && d.ticket.id == t.id:
		return offer{}, errInThis
	case d.ticket != nil:
		return offer{}, errInCall
	case d.phone == "":
		return offer{}, errNoPhone
	}
	return b.lease(t, d, "", now), nil
}

// lease lends a desk to a call until it is picked up, given back or, if neither
// comes, a while after its phone should have stopped ringing.
func (b *board) lease(t *ticket, d *desk, why string, now time.Time) offer {
	b.seize(t, d)
	lease, ring := d.lease, d.ring()
	if t.line != nil {
		ring = t.line.ring()
	}
	b.alarms.set(now.Add(ring+leaseMargin), func(now time.Time) { b.sweep(d, lease, now) })
	return offer{agent: d.ref(), device: d.phone, ring: ring, why: why}
}

// attend takes the desk whose own telephone rings, or calls out, where it is
// free; a desk that is not keeps what it has.
func (b *board) attend(t *ticket, d *desk) {
	if d.loggedOn() && d.ticket == nil {
		b.seize(t, d)
	}
}

// seize reserves a desk for a call.
func (b *board) seize(t *ticket, d *desk) {
	d.ticket, t.desk = t, d
	d.lease++
	b.touch(d)
}

// interrupt keeps for afterwards what a talk breaks into: the work after another
// call is over now, and notReady comes back.
func (b *board) interrupt(d *desk, now time.Time) {
	b.amend(d, now)
	if d.state == NotReady && d.pending == "" {
		d.pending, d.pendingReason = NotReady, d.reason
	}
}

// abort gives a desk back after a call that did not come to a talk: no wrap-up.
func (b *board) abort(t *ticket, now time.Time) {
	d := t.desk
	if d == nil {
		return
	}
	t.desk = nil
	if d.talking && d.pending == "" && !d.overdue {
		d.pending = d.state // the screens see it free again
	}
	d.talking = false
	b.release(d, now)
}

// ring is how long a desk's own phone rings: as in its first queue.
func (d *desk) ring() time.Duration {
	if len(d.seats) == 0 {
		return ringByItself
	}
	return d.seats[0].line.ring()
}

// wrapUp is a call's: its queue's, or of a call without one that of the agent's
// first queue. Where there is none, neither is wrap-up.
func (t *ticket) wrapUp(d *desk) time.Duration {
	switch {
	case t.line != nil:
		return t.line.WrapUp
	case len(d.seats) > 0:
		return d.seats[0].line.WrapUp
	}
	return 0
}
