package cmpptest

import (
	"slices"
	"time"

	"callbox/cmpp"
)

// deliverWindow is how many DELIVERs a connection may leave unanswered.
const deliverWindow = 16

// delivery is one DELIVER on its way to any connection of the account.
type delivery struct {
	id       cmpp.MsgID
	from, to string
	report   *cmpp.Report // nil: a text
	format   cmpp.Format
	segment  cmpp.Segment
	raw      *cmpp.Deliver // as it is, instead of all this

	spID    string // the account that it is for; "": any
	origin  int    // connection that brought the SUBMIT
	foreign bool   // not over that one, if there is another
	over    int    // this connection alone while it is there; 0: any
	main    bool   // the report that counts, no repetition

	on       *session
	sequence uint32
	tries    int
	due      time.Time // to be sent again
}

// again gives the same DELIVER a second time.
func (d *delivery) again() *delivery {
	same := *d
	same.main = false
	return &same
}

// InjectReport sends a report of any content to the access number.
func (c *Centre) InjectReport(to string, r cmpp.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan(0, &delivery{report: &r, from: r.DestTerminalID, to: to})
}

// InjectDeliver sends a DELIVER as it is; one without Msg_Id gets one.
func (c *Centre) InjectDeliver(p cmpp.Deliver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.MsgID == 0 {
		p.MsgID = c.nextID(1)
	}
	c.plan(0, &delivery{raw: &p, id: p.MsgID})
}

// plan sends d after a delay. The caller holds the lock.
func (c *Centre) plan(delay time.Duration, d *delivery) {
	if d.id == 0 {
		d.id = c.nextID(1)
	}
	c.pending++
	arrive := func() {
		if d.report != nil && c.faults.HoldReports {
			c.held = append(c.held, d)
			return
		}
		c.waiting = append(c.waiting, d)
		c.dispatch()
	}
	if delay <= 0 {
		arrive()
		return
	}
	c.later(delay, arrive)
}

// later has do run under the lock once d has passed.
func (c *Centre) later(d time.Duration, do func()) {
	c.agenda.after(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		do()
	})
}

// maxLook is how far dispatch looks behind a DELIVER that no connection may
// take now.
const maxLook = 64

// dispatch hands waiting DELIVERs to connections with room, in turn. The
// caller holds the lock.
func (c *Centre) dispatch() {
	for i := 0; i < min(len(c.waiting), maxLook); {
		d := c.waiting[i]
		s, room := c.pick(d)
		switch {
		case s != nil:
			c.take(i)
			s.assign(d)
		case !room:
			return
		default:
			i++
		}
	}
}

// take removes a waiting DELIVER, most often the first.
func (c *Centre) take(i int) {
	if i == 0 {
		c.waiting[0] = nil
		c.waiting = c.waiting[1:]
		return
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
}

// pick gives the connection whose turn it is to take d, and whether any has
// room for other ones.
func (c *Centre) pick(d *delivery) (s *session, room bool) {
	for i := range c.sessions {
		turn := (c.turn + i) % len(c.sessions)
		s := c.sessions[turn]
		if !s.loggedIn || s.leaving || len(s.open) >= deliverWindow {
			continue
		}
		room = true
		if c.suits(d, s) {
			c.turn = (turn + 1) % len(c.sessions)
			return s, true
		}
	}
	return nil, room
}

// suits tells whether d may go over a connection.
func (c *Centre) suits(d *delivery, s *session) bool {
	switch {
	case d.spID != "" && d.spID != s.spID:
		return false
	case d.over != 0 && d.over != s.number:
		return !c.serving(func(o *session) bool { return o.number == d.over })
	case d.foreign && d.origin == s.number:
		return !c.serving(func(o *session) bool { return o != s && o.spID == s.spID })
	}
	return true
}

// serving tells whether there is such a connection, logged in.
func (c *Centre) serving(such func(*session) bool) bool {
	return slices.ContainsFunc(c.sessions, func(s *session) bool { return s.loggedIn && !s.leaving && such(s) })
}

// assign gives d a place on the connection.
func (s *session) assign(d *delivery) {
	if d.report != nil && d.main && d.on == nil {
		delete(s.c.planned, d.report.MsgID)
		s.c.stats.Reports[string(d.report.Stat)]++
	}
	s.sequence++
	d.on, d.tries, d.sequence = s, 0, s.sequence
	s.open[d.sequence] = d
	s.deliver(d)
}

// deliver sends d on its connection.
func (s *session) deliver(d *delivery) {
	d.tries++
	d.due = time.Now().Add(s.c.cfg.ResponseTimeout)
	s.unanswered = append(s.unanswered, d)
	s.arm()
	s.c.stats.Delivers++
	before := len(s.out)
	s.send(d.sequence, s.c.frame(d, s.version))
	if s.c.faults.ShortLinkID && d.report != nil && len(s.out) > before {
		s.shorten(before)
	}
}

// arm has repeat run when the oldest DELIVER has waited for too long.
func (s *session) arm() {
	if s.armed || len(s.unanswered) == 0 {
		return
	}
	s.armed = true
	s.c.later(time.Until(s.unanswered[0].due), s.repeat)
}

// repeat sends again what was not answered in time.
func (s *session) repeat() {
	s.armed = false
	for s.forget(); len(s.unanswered) > 0 && time.Until(s.unanswered[0].due) <= 0; s.forget() {
		d := s.unanswered[0]
		s.unanswered = s.unanswered[1:]
		if d.tries >= tries {
			s.leave()
			return
		}
		s.deliver(d)
	}
	s.arm()
}

// forget drops the oldest DELIVERs that were answered.
func (s *session) forget() {
	for len(s.unanswered) > 0 && s.open[s.unanswered[0].sequence] != s.unanswered[0] {
		s.unanswered = s.unanswered[1:]
	}
}

// shorten cuts 11 bytes off the frame that begins at start, as one vendor's
// gateways do with reports.
func (s *session) shorten(start int) {
	s.out = s.out[:len(s.out)-11]
	length := len(s.out) - start
	s.out[start+2], s.out[start+3] = byte(length>>8), byte(length)
}

// frame makes the DELIVER in a connection's version.
func (c *Centre) frame(d *delivery, v cmpp.Version) *cmpp.Deliver {
	if d.raw != nil {
		return d.raw
	}
	p := &cmpp.Deliver{
		MsgID: d.id, DestID: d.to, SrcTerminalID: d.from, MsgFmt: d.format,
		MsgContent: d.segment.Content, TPUDHI: d.segment.TPUDHI(),
	}
	if p.TPUDHI == 1 && c.faults.UDHI40 {
		p.TPUDHI = 0x40
	}
	if d.report != nil {
		p.RegisteredDelivery, p.MsgContent = 1, c.reportBody(*d.report, v)
	}
	return p
}

func (c *Centre) reportBody(r cmpp.Report, v cmpp.Version) []byte {
	if r.DoneTime == "" {
		r.DoneTime = cmpp.ReportTime(c.cfg.Now())
	}
	if c.faults.SwappedIDs {
		r.MsgID = r.MsgID.Swapped()
	}
	if c.faults.NarrowReports {
		v = cmpp.V20
	}
	body, err := r.Append(nil, v)
	if err != nil {
		c.cfg.Log.Error("report not sent", "err", err)
	}
	return body
}

// acknowledge takes a DELIVER_RESP. A DELIVER that was refused comes again
// after the time of an unanswered one.
func (s *session) acknowledge(sequence uint32, p *cmpp.DeliverResp) {
	d := s.open[sequence]
	if d == nil {
		return
	}
	delete(s.open, sequence)
	s.forget()
	s.c.pending--
	if p.Result == cmpp.ResultOK && p.MsgID == d.id {
		s.c.stats.Acknowledged++
		if d.report == nil {
			s.c.stats.Incoming++
		}
	} else {
		s.c.plan(s.c.cfg.ResponseTimeout, d.again())
	}
	s.c.dispatch()
}

// requeue puts a closed connection's DELIVERs in front, in their order.
func (c *Centre) requeue(s *session) {
	back := make([]*delivery, 0, len(s.open))
	for _, d := range s.open {
		back = append(back, d)
	}
	slices.SortFunc(back, func(a, b *delivery) int { return int(int32(a.sequence - b.sequence)) })
	c.waiting = append(back, c.waiting...)
	clear(s.open)
}
