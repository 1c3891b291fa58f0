package client

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sync/atomic"

	"callbox/cmpp"
	"callbox/internal/segment"
	"callbox/sms"
)

// maxHeld is how often the throttled parts of a message are sent again before
// it is given up.
const maxHeld = 30

// message is a submission on its way. The connection that took it alone
// touches it until done is closed, but for started.
type message struct {
	id       string
	extended bool // digits behind the access number
	parts    []*part
	started  atomic.Int32 // see begin and withdraw
	done     chan struct{}

	queued int     // parts in the connection's queue
	flying int     // parts that wait for their answer
	held   []*part // throttled ones, and those behind them
	holds  int     // how often
	out    int     // parts that were written, in part at least, and wait for their answer
	took   int     // parts that were accepted
	ids    []string
	fault  *sms.Rejected
	blame  error // fault is the account's: this is why the message is given back
	cut    error // why some parts will never be sent
	err    error
}

// part is one of its parts, to be one SUBMIT.
type part struct {
	message *message
	index   int
	submit  cmpp.Submit
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

// accept notes a part's id.
func (m *message) accept(g *part, id string) {
	m.ids[g.index] = id
	m.took++
}

// hold keeps throttled parts for later, in order.
func (m *message) hold(gs ...*part) {
	m.held = append(m.held, gs...)
	slices.SortFunc(m.held, func(a, b *part) int { return a.index - b.index })
}

// settle decides what is next once nothing of the message is queued or on its
// way: again gives parts to send again; without any, the message has
// ended with err.
func (m *message) settle() (again []*part, err error) {
	switch {
	case m.fault != nil:
		return nil, m.refused()
	case m.cut != nil:
		return nil, m.lost(m.cut)
	case len(m.held) == 0:
		return nil, nil
	case m.holds >= maxHeld:
		return nil, &sms.Rejected{Code: int(cmpp.ResultThrottled), Text: fmt.Sprintf(
			"throttled by the gateway %d times, %d of %d parts accepted: given up", m.holds+1, m.took, len(m.parts))}
	}
	m.holds++
	again, m.held = m.held, nil
	return again, nil
}

// lost gives the outcome when the connection ends before all was answered.
func (m *message) lost(cause error) error {
	switch {
	case m.fault != nil && m.out == 0:
		return m.refused()
	case m.fault != nil && m.blame == nil:
		return m.fault
	case m.took+m.out > 0:
		return fmt.Errorf("%w: %w", sms.ErrUncertain, cause)
	}
	return m.unsent(cause)
}

// refused is the outcome of a fault.
func (m *message) refused() error {
	if m.blame != nil && m.took == 0 {
		return m.unsent(m.blame)
	}
	return m.fault
}

// unsent is the outcome of a message of which the gateway has taken nothing.
func (m *message) unsent(cause error) error {
	if m.holds > 0 {
		return fmt.Errorf("%w: %w", sms.ErrThrottled, cause)
	}
	return fmt.Errorf("%w: %w", sms.ErrNotSent, cause)
}

// compose makes the SUBMITs of a submission. What no gateway could take is
// rejected here.
func (c *Client) compose(s sms.Submission) (*message, error) {
	if err := c.refuse(s); err != nil {
		return nil, err
	}
	f, contents, err := c.encode(s)
	if err != nil {
		return nil, &sms.Rejected{Code: int(cmpp.ResultTooLong), Text: err.Error()}
	}
	n := len(contents)
	m := &message{
		id: s.ID, extended: s.Extension != "", done: make(chan struct{}), ids: make([]string, n),
		parts: make([]*part, n), queued: n,
	}
	to, src := []string{s.To}, c.cfg.SrcID+s.Extension
	for i, content := range contents {
		m.parts[i] = &part{m, i, cmpp.Submit{
			PkTotal: content.Total, PkNumber: content.Number, RegisteredDelivery: 1, MsgLevel: 1,
			ServiceID: c.cfg.ServiceID, FeeUserType: c.cfg.FeeUserType, TPUDHI: content.TPUDHI(), MsgFmt: f,
			MsgSrc: c.cfg.MsgSrc, FeeType: c.cfg.FeeType, FeeCode: c.cfg.FeeCode, SrcID: src, DestTerminalID: to,
			MsgContent: content.Content,
		}}
	}
	return m, nil
}

func (c *Client) refuse(s sms.Submission) error {
	reject := func(r cmpp.Result, text string) error { return &sms.Rejected{Code: int(r), Text: text} }
	switch {
	case s.To == "" || len(s.To) > 21:
		return reject(cmpp.ResultDestTerminalID, fmt.Sprintf("number of %d characters", len(s.To)))
	case len(c.cfg.SrcID)+len(s.Extension) > 21:
		return reject(cmpp.ResultSrcID, fmt.Sprintf("access number %s%s is longer than 21 digits", c.cfg.SrcID, s.Extension))
	}
	return nil
}

// Most octets of a content.
const (
	mostASCII  = 159 // Msg_Length is below 160
	mostOctets = 140
)

// encode gives the contents of a submission's parts in the alphabet that they
// were cut for.
func (c *Client) encode(s sms.Submission) (cmpp.Format, []cmpp.Segment, error) {
	alphabet := s.Alphabet
	if alphabet == "" {
		alphabet = c.cfg.Style.Choose(s.Parts, 0)
	}
	f, err := cmpp.FormatOf(string(alphabet))
	if err != nil {
		return 0, nil, err
	}
	octets, err := alphabet.Encode(s.Parts)
	if err != nil {
		return 0, nil, err
	}
	contents, err := cmpp.Segments(octets, c.reference(s), c.cfg.Style.Wide())
	if err != nil {
		return 0, nil, err
	}
	most := mostOctets
	if alphabet == segment.ASCII {
		most = mostASCII
	}
	for i, content := range contents {
		if len(content.Content) > most {
			return 0, nil, fmt.Errorf("part %d has %d octets, at most %d", i+1, len(content.Content), most)
		}
	}
	return f, contents, nil
}

// reference is the number that joins a long message's parts. Where it has 16
// bits, the upper eight come from the message's id.
func (c *Client) reference(s sms.Submission) uint16 {
	if !c.cfg.Style.Wide() {
		return uint16(s.Reference)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.ID))
	return uint16(h.Sum32())<<8 | uint16(s.Reference)
}
