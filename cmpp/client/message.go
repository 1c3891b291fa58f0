package client

import (
	"fmt"
	"slices"
	"sync/atomic"

	"callbox/cmpp"
	"callbox/sms"
)

// maxHeld is how often the throttled parts of a message, others of which the
// gateway has accepted, are sent before it is given up.
const maxHeld = 30

// message is a submission on its way. The connection that took it alone
// touches it until done is closed, but for started.
type message struct {
	id       string
	segments []*segment
	started  atomic.Int32 // see begin and withdraw
	done     chan struct{}

	queued int        // segments in the connection's queue
	flying int        // segments that wait for their answer
	held   []*segment // throttled ones, and those behind them
	holds  int        // how often
	left   bool       // bytes of it were written
	took   int        // segments that were accepted
	ids    []string
	fault  *sms.Rejected
	cut    error // why some segments will never be sent
	err    error
}

// segment is one part, to be one SUBMIT.
type segment struct {
	message *message
	index   int
	submit  *cmpp.Submit
}

const (
	waiting = iota
	begun
	withdrawn
)

// begin tells whether the message may be sent; from then on it cannot be
// withdrawn.
func (m *message) begin() bool {
	return m.started.CompareAndSwap(waiting, begun) || m.started.Load() == begun
}

// withdraw takes the message back, unless it has begun.
func (m *message) withdraw() bool { return m.started.CompareAndSwap(waiting, withdrawn) }

func (m *message) finish(err error) {
	m.err = err
	close(m.done)
}

func (m *message) receipt() (sms.Receipt, error) {
	if m.err != nil {
		return sms.Receipt{}, m.err
	}
	return sms.Receipt{Parts: m.ids}, nil
}

// accept notes a segment's id.
func (m *message) accept(g *segment, id string) {
	m.ids[g.index] = id
	m.took++
}

// hold keeps throttled segments for later, in order.
func (m *message) hold(gs ...*segment) {
	m.held = append(m.held, gs...)
	slices.SortFunc(m.held, func(a, b *segment) int { return a.index - b.index })
}

// settle decides what is next once nothing of the message is queued or on its
// way: again gives segments to send again; without any, the message has
// ended with err.
func (m *message) settle() (again []*segment, err error) {
	switch {
	case m.fault != nil:
		return nil, m.fault
	case m.cut != nil:
		return nil, m.lost(m.cut)
	case len(m.held) == 0:
		return nil, nil
	case m.took == 0:
		return nil, fmt.Errorf("%w: result %v", sms.ErrThrottled, cmpp.ResultThrottled)
	case m.holds >= maxHeld:
		return nil, fmt.Errorf("%w: %d parts accepted, the others throttled %d times", sms.ErrUncertain, m.took, m.holds)
	}
	m.holds++
	again, m.held = m.held, nil
	return again, nil
}

// lost gives the outcome when the connection ends before all was answered.
func (m *message) lost(cause error) error {
	switch {
	case m.fault != nil:
		return m.fault
	case m.left:
		return fmt.Errorf("%w: %w", sms.ErrUncertain, cause)
	}
	return fmt.Errorf("%w: %w", sms.ErrNotSent, cause)
}

// compose makes the SUBMITs of a submission. What no gateway could take is
// rejected here.
func (c *Client) compose(s sms.Submission) (*message, error) {
	if err := c.refuse(s); err != nil {
		return nil, err
	}
	m := &message{id: s.ID, done: make(chan struct{}), ids: make([]string, len(s.Parts)), queued: len(s.Parts)}
	for i := range s.Parts {
		p, err := c.submit(s, i)
		if err != nil {
			return nil, &sms.Rejected{Code: int(cmpp.ResultTooLong), Text: err.Error()}
		}
		m.segments = append(m.segments, &segment{m, i, p})
	}
	return m, nil
}

func (c *Client) refuse(s sms.Submission) error {
	reject := func(r cmpp.Result, text string) error { return &sms.Rejected{Code: int(r), Text: text} }
	switch {
	case len(s.Parts) == 0 || len(s.Parts) > 255:
		return reject(cmpp.ResultTooLong, fmt.Sprintf("%d parts", len(s.Parts)))
	case s.To == "" || len(s.To) > 21:
		return reject(cmpp.ResultDestTerminalID, fmt.Sprintf("number of %d characters", len(s.To)))
	case len(c.cfg.SrcID)+len(s.Extension) > 21:
		return reject(cmpp.ResultSrcID, fmt.Sprintf("access number %s%s is longer than 21 digits", c.cfg.SrcID, s.Extension))
	}
	return nil
}

func (c *Client) submit(s sms.Submission, i int) (*cmpp.Submit, error) {
	total := len(s.Parts)
	p := &cmpp.Submit{
		PkTotal: uint8(total), PkNumber: uint8(i + 1), RegisteredDelivery: 1, MsgLevel: 1,
		ServiceID: c.cfg.ServiceID, FeeUserType: c.cfg.FeeUserType, MsgFmt: cmpp.UCS2, MsgSrc: c.cfg.MsgSrc,
		FeeType: c.cfg.FeeType, FeeCode: c.cfg.FeeCode, SrcID: c.cfg.SrcID + s.Extension, DestTerminalID: []string{s.To},
	}
	var err error
	switch {
	case total > 1:
		p.TPUDHI = 1
		p.MsgContent, err = cmpp.Part(s.Parts[i], cmpp.Concat{Ref: uint16(s.Reference), Total: p.PkTotal, Number: p.PkNumber})
	case c.cfg.UCS2 && cmpp.Units(s.Parts[i]) <= cmpp.MaxUnits:
		p.MsgContent = cmpp.AppendUCS2(nil, s.Parts[i])
	default:
		p.MsgFmt, p.MsgContent, err = cmpp.Single(s.Parts[i])
	}
	return p, err
}
