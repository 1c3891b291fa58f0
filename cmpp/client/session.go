package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/sms"
)

const (
	tries      = 3               // of a request on one connection
	drainLimit = 5 * time.Second // for open answers when a connection is to end
	leaveLimit = 3 * time.Second // for TERMINATE_RESP
	maxBatch   = 32 << 10        // bytes that are gathered for one write
	slowShare  = 4               // an answer is slow after this share of what it may take
)

// errEnding is why a connection sends no new message.
var errEnding = errors.New("connection is ending")

// session is one logged-in connection. Its loop alone touches the fields
// below the channels.
type session struct {
	c        *Client
	receiver sms.Receiver
	conn     net.Conn
	reader   *cmpp.Reader
	version  cmpp.Version
	log      *slog.Logger

	events chan event    // from the reader
	acks   chan ack      // from the workers
	done   chan struct{} // closed when the loop has ended
	inbox  *inbox

	phase    phase
	deadline time.Time // of the phase
	sequence uint32
	window   window
	queue    []*part    // to be sent, in order
	out      []byte     // to be written
	fresh    []*request // SUBMITs that stand in out for the first time
	shown    showing    // how the window stands in the client's counts
	testing  bool       // an ACTIVE_TEST is open
	heard    time.Time
}

// event is one message that came, or the reader's end.
type event struct {
	sequence uint32
	pdu      cmpp.PDU
	refusal  *cmpp.DeliverResp // instead of pdu, for a DELIVER that cannot be read
	err      error
}

func newSession(l *link, conn net.Conn, r *cmpp.Reader, v cmpp.Version) *session {
	return &session{
		c: l.c, receiver: l.receiver, conn: conn, reader: r, version: v, log: l.c.said.hushed(l.log),
		events: make(chan event, 64), acks: make(chan ack, maxDelivers), done: make(chan struct{}),
		inbox: newInbox(), sequence: 1, window: newWindow(l.c.cfg.Window, l.c.cfg.ResponseTimeout/slowShare),
		shown: showing{room: l.c.cfg.Window}, heard: time.Now(),
	}
}

// run serves the connection to its end. The error is nil when that was ctx's.
// When run returns, every message that the connection took has its outcome and
// the session's goroutines have returned.
func (s *session) run(ctx context.Context) (err error) {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	group := guard.Group{Log: s.log}
	defer group.Wait()
	defer stop()
	defer func() { _ = s.conn.Close() }()
	s.show(showing{limit: s.window.limit, room: s.c.cfg.Window})
	s.c.gate.rise()
	defer func() { s.abandon(err) }()
	defer close(s.done)
	group.Go("cmpp reader", s.read)
	s.inbox.start(&group, func(d deliver) { s.handle(work, d) })
	defer s.inbox.close()
	return s.loop(ctx)
}

// read hands what comes to the loop.
func (s *session) read() {
	for {
		e, ok := s.receive()
		if !ok {
			continue
		}
		if _, isDeliver := e.pdu.(*cmpp.Deliver); isDeliver && !s.inbox.reserve(s.done) {
			return
		}
		select {
		case s.events <- e:
		case <-s.done:
			return
		}
		if e.err != nil {
			return
		}
	}
}

// receive reads one frame; ok is false for one that is skipped.
func (s *session) receive() (e event, ok bool) {
	h, body, err := s.reader.Next()
	if err != nil {
		return event{err: err}, true
	}
	p, err := cmpp.Decode(s.version, h.Command, body)
	if err == nil {
		return event{sequence: h.Sequence, pdu: p}, true
	}
	s.log.Warn("message not understood", "command", h.Command.String(), "sequence", h.Sequence, "err", err)
	if h.Command != cmpp.CmdDeliver || len(body) < 8 {
		return event{}, false
	}
	id := cmpp.MsgID(binary.BigEndian.Uint64(body))
	return event{sequence: h.Sequence, refusal: &cmpp.DeliverResp{MsgID: id, Result: cmpp.ResultStructure}}, true
}

func (s *session) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		now := time.Now()
		if err := s.work(now); err != nil {
			return err
		}
		if s.phase == closed {
			return s.farewell(ctx)
		}
		timer.Reset(s.nap(now))
		var err error
		select {
		case <-stop:
			stop = nil
			s.move(stopAsked)
		case e := <-s.events:
			err = s.take(e)
		case m := <-s.offers(now):
			s.admit(m)
		case a := <-s.acks:
			s.acknowledge(a)
		case <-timer.C:
		}
		if err == nil {
			err = s.gather()
		}
		if err != nil {
			return err
		}
	}
}

// gather takes what else is there, so that one write carries it. The others get
// a turn before it believes that nothing is: under load a write then carries
// twice as much.
func (s *session) gather() error {
	for yielded := false; len(s.out) < maxBatch; {
		more, err := s.more()
		if err != nil || !more && yielded {
			return err
		}
		if yielded = !more; yielded {
			runtime.Gosched()
		}
	}
	return nil
}

// more takes what is there, if anything.
func (s *session) more() (bool, error) {
	now := time.Now()
	s.fill(now)
	select {
	case e := <-s.events:
		return true, s.take(e)
	case m := <-s.offers(now):
		s.admit(m)
	case a := <-s.acks:
		s.acknowledge(a)
	default:
		return false, nil
	}
	return true, nil
}

// farewell gives the reason of an orderly end.
func (s *session) farewell(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	return errDismissed
}

// work does all that is due and writes it.
func (s *session) work(now time.Time) error {
	if s.phase != open && !now.Before(s.deadline) {
		s.move(overdue)
	}
	if err := s.repeat(now); err != nil {
		return err
	}
	s.test(now)
	s.window.stall(now)
	if barred := s.c.gate.tick(now, s.c.pacer.paused(now)); barred != nil {
		s.returnUnsent(barred)
	}
	s.fill(now)
	if s.idle() {
		s.move(settled)
	}
	s.count()
	return s.flush()
}

// idle tells whether nothing is open in either direction.
func (s *session) idle() bool {
	return s.window.submits == 0 && len(s.queue) == 0 && s.inbox.empty()
}

// showing is what a connection adds to the client's counts: its window's
// limit while it is up, and how many messages it may have at a time.
type showing struct{ limit, room int }

// count keeps the client's counts true. What is open above a limit that fell
// still takes up room.
func (s *session) count() {
	s.show(showing{limit: s.window.limit, room: max(s.window.limit, s.window.submits)})
}

func (s *session) show(now showing) {
	if now == s.shown {
		return
	}
	s.c.limit.Add(int64(now.limit - s.shown.limit))
	s.c.room.Add(int64(now.room - s.shown.room))
	s.shown = now
}

// nap tells how long nothing is due.
func (s *session) nap(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if r := s.window.oldest(); r != nil {
		sooner(r.sent.Add(s.c.cfg.ResponseTimeout))
	}
	for _, t := range []time.Time{s.window.stalls(), s.c.gate.probe()} {
		if !t.IsZero() {
			sooner(t)
		}
	}
	if s.phase != open {
		sooner(s.deadline)
	} else if !s.testing {
		sooner(s.heard.Add(s.c.cfg.ActiveTest))
	}
	if wait := s.c.pacer.wait(now); wait > 0 {
		sooner(now.Add(wait))
	}
	return next.Sub(now)
}

// move follows the phase table and does what the new phase begins with.
func (s *session) move(h happening) {
	was := s.phase
	s.phase = was.next(h)
	if s.phase == was {
		return
	}
	s.log.Debug("connection moves on", "from", was.String(), "to", s.phase.String())
	if was == open {
		s.c.gate.fall(errEnding.Error())
		s.returnUnsent(errEnding)
	}
	switch s.phase {
	case dismissed:
		s.cut(errDismissed)
		s.deadline = time.Now().Add(drainLimit)
	case draining:
		s.deadline = time.Now().Add(drainLimit)
	case leaving:
		s.deadline = time.Now().Add(leaveLimit)
		s.request(&cmpp.Terminate{}, nil)
	}
}

// returnUnsent gives back the messages of which the gateway has nothing.
func (s *session) returnUnsent(cause error) {
	s.queue = slices.DeleteFunc(s.queue, func(g *part) bool {
		m := g.message
		if m.flying+m.took > 0 {
			return false
		}
		if m.queued--; m.queued == 0 {
			m.finish(m.unsent(cause))
		}
		return true
	})
}

// cut ends the queue: what is half sent stays so.
func (s *session) cut(cause error) {
	for _, g := range s.queue {
		g.message.cut = cause
		g.message.queued = 0
	}
	half := s.queue
	s.queue = nil
	for i, g := range half {
		if i == 0 || half[i-1].message != g.message {
			s.settle(g.message)
		}
	}
}

// take acts on one message.
func (s *session) take(e event) error {
	if e.err != nil {
		return s.ended(e.err)
	}
	s.heard = time.Now()
	if e.refusal != nil {
		s.answer(e.sequence, e.refusal)
		return nil
	}
	switch p := e.pdu.(type) {
	case *cmpp.SubmitResp:
		s.answered(e.sequence, p)
	case *cmpp.Deliver:
		s.inbox.put(deliver{e.sequence, p})
	case *cmpp.ActiveTest:
		s.answer(e.sequence, &cmpp.ActiveTestResp{})
	case *cmpp.ActiveTestResp:
		if s.window.remove(p.Command(), e.sequence, s.heard) != nil {
			s.testing = false
		}
	case *cmpp.Terminate:
		s.answer(e.sequence, &cmpp.TerminateResp{})
		s.move(terminated)
	case *cmpp.TerminateResp:
		if s.window.remove(p.Command(), e.sequence, s.heard) != nil {
			s.move(leaveAgreed)
		}
	default:
		s.log.Warn("unexpected message", "command", e.pdu.Command().String(), "sequence", e.sequence)
	}
	return nil
}

// ended takes the reader's error: after a TERMINATE the gateway may hang up.
func (s *session) ended(err error) error {
	if s.phase == dismissed || s.phase == leaving {
		s.phase = closed
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the gateway closed the connection")
	}
	return fmt.Errorf("read: %w", err)
}

// test sends an ACTIVE_TEST when nothing was heard for long enough.
func (s *session) test(now time.Time) {
	if s.phase == open && !s.testing && now.Sub(s.heard) >= s.c.cfg.ActiveTest {
		s.testing = true
		s.request(&cmpp.ActiveTest{}, nil)
	}
}

// repeat sends requests again whose answer is overdue, under the same
// sequence, and gives the connection up after the last try.
func (s *session) repeat(now time.Time) error {
	for {
		r := s.window.oldest()
		if r == nil || now.Sub(r.sent) < s.c.cfg.ResponseTimeout {
			return nil
		}
		if r.tries >= tries {
			return fmt.Errorf("no answer to %v %d after %d tries", r.pdu.Command(), r.sequence, r.tries)
		}
		s.log.Warn("sending again", "command", r.pdu.Command().String(), "sequence", r.sequence, "try", r.tries+1)
		s.answer(s.window.repeat(now).sequence, r.pdu)
	}
}

// answer queues the answer to one of the gateway's requests, or a request of
// ours once more.
func (s *session) answer(sequence uint32, p cmpp.PDU) {
	out, err := cmpp.Append(s.out, s.version, sequence, p)
	if err != nil {
		s.log.Error("message not sent", "command", p.Command().String(), "err", err)
		return
	}
	s.out = out
}

// request queues a request of ours. It stands in the window before its first
// byte is written.
func (s *session) request(p cmpp.PDU, g *part) {
	s.sequence++
	start := len(s.out)
	out, err := cmpp.Append(s.out, s.version, s.sequence, p)
	if err != nil {
		s.unsendable(g, err)
		return
	}
	s.out = out
	now := time.Now()
	r := &request{pdu: p, sequence: s.sequence, first: now, sent: now, tries: 1, part: g, offset: start}
	s.window.add(r)
	if g != nil {
		s.fresh = append(s.fresh, r)
		s.c.used.Add(1)
	}
}

// flush writes what is gathered. Of SUBMITs that did not get into the
// connection before an error nothing has left.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	n, err := s.conn.Write(s.out)
	for _, r := range s.fresh {
		if r.offset < n {
			r.left = true
			r.part.message.out++
		}
	}
	clear(s.fresh)
	s.out, s.fresh = s.out[:0], s.fresh[:0]
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// abandon ends every message that is still here.
func (s *session) abandon(cause error) {
	if cause == nil {
		cause = errors.New("connection ended")
	}
	if s.phase == open {
		s.c.gate.fall(cause.Error())
	}
	s.c.used.Add(-int64(s.window.submits))
	s.show(showing{room: s.c.cfg.Window})
	messages := map[*message]bool{}
	for _, g := range s.queue {
		messages[g.message] = true
	}
	for _, r := range s.window.open {
		if r.part != nil {
			messages[r.part.message] = true
		}
	}
	for m := range messages {
		m.finish(m.lost(cause))
	}
}
