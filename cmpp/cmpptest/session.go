package cmpptest

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"callbox/cmpp"
)

const (
	writeLimit = 10 * time.Second
	maxUnread  = 4 << 20 // bytes a client may leave unread
	slowBuffer = 4 << 10 // bytes of the socket that is read slowly
	maxSeen    = 4096    // sequences remembered for resent SUBMITs
	tries      = 3       // of a DELIVER or ACTIVE_TEST on one connection
)

// session is one connection. Its fields are guarded by the centre's lock,
// apart from those that never change.
type session struct {
	c      *Centre
	conn   net.Conn
	number int
	since  time.Time
	kick   chan struct{} // something to write, or to close

	version    cmpp.Version
	spID       string
	loggedIn   bool
	leaving    bool // close when out is written
	closed     bool
	out        []byte
	sequence   uint32
	dismissed  bool                 // the client agreed to end
	open       map[uint32]*delivery // DELIVERs without an answer
	unanswered []*delivery          // the same and some answered ones, oldest first
	armed      bool                 // repeat is on the agenda
	submits    int                  // SUBMITs without an answer
	most       int                  // of them ever
	total      int                  // SUBMITs ever
	seen       map[uint32]cmpp.SubmitResp
	order      []uint32 // keys of seen, oldest first
	heard      time.Time
	tests      int // ACTIVE_TESTs without an answer
}

// read is the connection's reader. When it returns, the connection is closed.
func (s *session) read(ctx context.Context) {
	defer s.close()
	r := cmpp.NewReader(&slowReader{ctx: ctx, s: s})
	for {
		h, body, err := r.Next()
		if errors.Is(err, cmpp.ErrFrameLength) {
			s.malformed(h, err)
		}
		if err != nil || !s.unstalled(ctx) {
			return
		}
		p, err := cmpp.Decode(s.layout(), h.Command, body)
		if errors.Is(err, cmpp.ErrCommand) {
			continue
		}
		if err != nil {
			s.malformed(h, err)
			_, _ = io.Copy(io.Discard, s.conn) // until the writer has closed it
			return
		}
		if !s.take(h.Sequence, p) {
			return
		}
	}
}

// malformed ends a connection behind a frame that lies about its length. A
// SUBMIT still gets its answer, for whoever wonders at the other end.
func (s *session) malformed(h cmpp.Header, err error) {
	s.c.cfg.Log.Warn("frame ends the connection", "connection", s.number, "command", h.Command.String(), "length", h.Length, "err", err)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.stats.Malformed++
	if h.Command == cmpp.CmdSubmit && s.loggedIn && !errors.Is(err, cmpp.ErrFrameLength) {
		s.send(h.Sequence, &cmpp.SubmitResp{Result: cmpp.ResultStructure})
	}
	s.leave()
}

// slowReader reads a connection as fast as the fault read_rate allows.
type slowReader struct {
	ctx    context.Context
	s      *session
	narrow bool // the socket's buffer has been made small
}

func (r *slowReader) Read(b []byte) (int, error) {
	rate := r.s.c.readRate()
	if rate <= 0 {
		return r.s.conn.Read(b)
	}
	if conn, ok := r.s.conn.(*net.TCPConn); ok && !r.narrow {
		r.narrow = true
		_ = conn.SetReadBuffer(slowBuffer) // or the kernel reads for us
	}
	n, err := r.s.conn.Read(b[:min(len(b), max(1, rate/10))])
	pause := time.NewTimer(time.Duration(n) * time.Second / time.Duration(rate))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.ctx.Done():
	}
	return n, err
}

func (s *session) unstalled(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.c.movement():
			return true
		}
	}
}

func (s *session) layout() cmpp.Version {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.heard = time.Now()
	return s.version
}

// take acts on one message and tells whether the connection goes on.
func (s *session) take(sequence uint32, p cmpp.PDU) bool {
	if submit, ok := p.(*cmpp.Submit); ok {
		return s.takeSubmit(sequence, submit)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch p := p.(type) {
	case *cmpp.Connect:
		s.login(sequence, p)
	case *cmpp.Query:
		s.send(sequence, s.c.counts(p))
	case *cmpp.Cancel:
		s.send(sequence, s.c.cancel(p.MsgID))
	case *cmpp.ActiveTest:
		s.c.stats.ActiveTests++
		if !s.c.faults.Mute {
			s.send(sequence, &cmpp.ActiveTestResp{})
		}
	case *cmpp.ActiveTestResp:
		s.tests = 0
	case *cmpp.DeliverResp:
		s.acknowledge(sequence, p)
	case *cmpp.Terminate:
		s.send(sequence, &cmpp.TerminateResp{})
		s.leave()
	case *cmpp.TerminateResp:
		s.loggedIn, s.dismissed = false, true
		if s.submits == 0 {
			s.leave()
		}
	}
	return true
}

func (s *session) login(sequence uint32, p *cmpp.Connect) {
	status := s.c.admit(p)
	s.version = min(p.Version, s.c.cfg.Version)
	resp := &cmpp.ConnectResp{Status: status, Version: s.c.cfg.Version}
	if status == cmpp.ConnectOK && !s.c.faults.WrongAuth {
		resp.Auth = cmpp.ISMGAuthenticator(status, p.Auth, s.c.cfg.Secret, s.version)
	}
	s.send(sequence, resp)
	if status != cmpp.ConnectOK {
		s.c.stats.LoginsRefused++
		s.leave()
		return
	}
	s.c.stats.Logins++
	s.spID, s.loggedIn = p.SourceAddr, true
	s.watch()
	s.c.dispatch()
}

// admit decides on a log-in; the caller holds the lock.
func (c *Centre) admit(p *cmpp.Connect) cmpp.ConnectStatus {
	busy := 0
	for _, s := range c.sessions {
		if s.loggedIn {
			busy++
		}
	}
	switch {
	case c.faults.RefuseLogin != cmpp.ConnectOK:
		return c.faults.RefuseLogin
	case c.cfg.RefuseNewer && p.Version.Wide() && !c.cfg.Version.Wide():
		return cmpp.ConnectTooHigh
	case c.cfg.SPID != "" && p.SourceAddr != c.cfg.SPID:
		return cmpp.ConnectSource
	case c.cfg.Secret != "" && p.Auth != cmpp.Authenticator(p.SourceAddr, c.cfg.Secret, p.Timestamp, c.cfg.Unpadded):
		return cmpp.ConnectAuth
	case c.cfg.MaxConns > 0 && busy >= c.cfg.MaxConns:
		return cmpp.ConnectOtherFault
	}
	return cmpp.ConnectOK
}

// watch sends an ACTIVE_TEST each time the client was silent for so long.
func (s *session) watch() {
	if s.c.cfg.ActiveTest <= 0 {
		return
	}
	s.c.later(s.c.cfg.ActiveTest, func() {
		if s.closed || s.leaving {
			return
		}
		if time.Since(s.heard) >= s.c.cfg.ActiveTest {
			s.test()
		}
		s.watch()
	})
}

func (s *session) test() {
	if s.tests++; s.tests > tries {
		s.leave()
		return
	}
	s.request(&cmpp.ActiveTest{})
}

// request sends a message under the session's next sequence.
func (s *session) request(p cmpp.PDU) uint32 {
	s.sequence++
	s.send(s.sequence, p)
	return s.sequence
}

// send queues a message for the writer; the caller holds the lock.
func (s *session) send(sequence uint32, p cmpp.PDU) {
	if s.closed || s.leaving {
		return
	}
	out, err := cmpp.Append(s.out, s.version, sequence, p)
	if err != nil {
		s.c.cfg.Log.Error("message not sent", "connection", s.number, "err", err)
		return
	}
	s.out = out
	if len(s.out) > maxUnread {
		s.leave()
	}
	s.wake()
}

// leave closes the connection once what waits is written.
func (s *session) leave() {
	s.leaving, s.loggedIn = true, false
	s.wake()
}

func (s *session) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// write is the connection's writer.
func (s *session) write() {
	defer s.close()
	var spare []byte
	for range s.kick {
		batch, last := s.swap(spare)
		_ = s.conn.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := s.conn.Write(batch); err != nil || last {
			return
		}
		spare = batch[:0]
	}
}

// swap takes what is to be written and leaves an empty buffer. last says that
// the connection ends behind it.
func (s *session) swap(spare []byte) (batch []byte, last bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	batch, s.out = s.out, spare
	return batch, s.leaving || s.closed
}

// close ends the connection at once; its DELIVERs wait for another one.
func (s *session) close() {
	_ = s.conn.Close()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.loggedIn = true, false
	s.wake()
	s.c.sessions = slices.DeleteFunc(s.c.sessions, func(o *session) bool { return o == s })
	s.c.requeue(s)
	s.c.dispatch()
}
