package cmpptest

import (
	"fmt"
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

	on       *session
	sequence uint32
	tries    int
	due      time.Time // to be sent again
}

// again gives the same DELIVER a second time.
func (d *delivery) again() *delivery {
	same := *d
	return &same
}

// Inject has a text come in from a phone to an access number; a long one comes
// in parts. It waits until a client is there to take it.
func (c *Centre) Inject(from, to, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ref++
	format, segments, err := cmpp.Encode(text, c.ref)
	if err != nil {
		return fmt.Errorf("text from %s: %w", from, err)
	}
	for _, segment := range segments {
		c.plan(0, &delivery{from: from, to: to, format: format, segment: segment})
	}
	return nil
}

// InjectReport sends a report of any content to the access number.
func (c *Centre) InjectReport(to string, r cmpp.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan(0, &delivery{report: &r, from: r.DestTerminalID, to: to})
}

// InjectDeliver sends a DELIVER as it is.
func (c *Centre) InjectDeliver(p cmpp.Deliver) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan(0, &delivery{raw: &p, id: p.MsgID})
}

// plan sends d after a delay. The caller holds the lock.
func (c *Centre) plan(delay time.Duration, d *delivery) {
	if d.id == 0 {
		d.id = c.nextID(1)
	}
	c.pending++
	arrive := func() {
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

// dispatch hands waiting DELIVERs to connections with room, in turn.
func (c *Centre) dispatch() {
	for len(c.waiting) > 0 {
		s := c.roomy()
		if s == nil {
			return
		}
		d := c.waiting[0]
		c.waiting = c.waiting[1:]
		d.on, d.tries = s, 0
		d.sequence = s.sequence + 1
		s.sequence++
		s.open[d.sequence] = d
		s.deliver(d)
	}
}

func (c *Centre) roomy() *session {
	for i := range c.sessions {
		s := c.sessions[(c.turn+i)%len(c.sessions)]
		if s.loggedIn && !s.leaving && len(s.open) < deliverWindow {
			c.turn = (c.turn + i + 1) % len(c.sessions)
			return s
		}
	}
	return nil
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
