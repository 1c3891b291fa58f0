package client

import (
	"errors"
	"slices"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

// offers gives the channel of new messages while one could be sent, else nil.
// One message at a time is in the queue, so its parts stay together and others
// go to the connection that has room.
func (s *session) offers(now time.Time) <-chan *message {
	if s.phase != open || len(s.queue) > 0 || !s.window.room(now) || s.c.pacer.wait(now) > 0 {
		return nil
	}
	return s.c.jobs
}

func (s *session) admit(m *message) { s.queue = append(s.queue, m.parts...) }

// fill sends from the queue while window and pace allow it.
func (s *session) fill(now time.Time) {
	if s.phase != open && s.phase != draining {
		return
	}
	for len(s.queue) > 0 && s.window.room(now) {
		g := s.queue[0]
		if !s.c.pacer.take(now) {
			return
		}
		if !g.message.begin() {
			s.unqueue(g.message) // Submit has returned
			continue
		}
		s.queue = slices.Delete(s.queue, 0, 1)
		g.message.queued--
		g.message.flying++
		s.request(&g.submit, g)
	}
}

// unqueue takes a message's parts from the queue.
func (s *session) unqueue(m *message) (taken []*part) {
	s.queue = slices.DeleteFunc(s.queue, func(g *part) bool {
		if g.message == m {
			taken = append(taken, g)
		}
		return g.message == m
	})
	m.queued = 0
	return taken
}

// unsendable ends a part that cannot be encoded.
func (s *session) unsendable(g *part, err error) {
	if g == nil {
		s.log.Error("request not sent", "err", err)
		return
	}
	g.message.flying--
	s.reject(g.message, &sms.Rejected{Code: int(cmpp.ResultStructure), Text: err.Error()})
	s.settle(g.message)
}

// reject ends a message: what was not sent of it stays here.
func (s *session) reject(m *message, fault *sms.Rejected) {
	m.fault = fault
	s.unqueue(m)
}

// answered takes a SUBMIT_RESP.
func (s *session) answered(sequence uint32, p *cmpp.SubmitResp) {
	now := time.Now()
	r := s.window.remove(p.Command(), sequence, now)
	if r == nil {
		s.log.Warn("answer to no open request", "sequence", sequence, "msg_id", p.MsgID.String())
		return
	}
	s.c.used.Add(-1)
	g := r.part
	g.message.flying--
	if r.left {
		g.message.out--
	}
	switch {
	case p.Result == cmpp.ResultOK:
		s.c.pacer.accepted(r.sent)
		if s.c.gate.serve(now) {
			s.log.Info("the gateway serves the account again")
		}
		g.message.accept(g, p.MsgID.String())
	case p.Result == cmpp.ResultDuplicate && r.tries > 1:
		g.message.accept(g, "") // the answer to the first try was lost
	case p.Result == cmpp.ResultThrottled:
		s.throttled(r, now)
	default:
		s.refused(g, p.Result, now)
	}
	s.count()
	s.settle(g.message)
}

// refused ends a message by a final result. Where several in a row blame the
// account, the message is given back: the account is tried again later.
func (s *session) refused(g *part, result cmpp.Result, now time.Time) {
	m, words := g.message, "refused by the gateway: result "+result.String()
	counted := m.fault != nil // a long message counts once
	s.reject(m, &sms.Rejected{Code: int(result), Text: words})
	if result == cmpp.ResultSrcID && m.extended {
		return // who added the digits knows what to do
	}
	if counted || !blamesAccount(result) {
		s.log.Warn("message refused", "message", m.id, "part", g.index+1, "result", result.String())
		return
	}
	given, alarm, again := s.c.gate.blame(now, result)
	if given {
		m.blame = errors.New(words)
	}
	switch {
	case alarm:
		s.log.Error("the gateway refuses the account: nothing is sent until it is mended", "result", result.String(), "in_a_row", runLength, "next_try_in", again)
	case again > 0:
		s.log.Warn("the gateway still refuses the account", "result", result.String(), "next_try_in", again)
	default:
		s.log.Warn("message refused", "message", m.id, "part", g.index+1, "result", result.String(), "given_back", given)
	}
}

// throttled pauses the account and keeps the part, and what follows it.
func (s *session) throttled(r *request, now time.Time) {
	if pause := s.c.pacer.throttled(now, r.sent); pause > 0 {
		s.log.Warn("throttled by the gateway", "pause", pause)
	}
	s.c.gate.tick(now, true)
	m := r.part.message
	m.hold(append(s.unqueue(m), r.part)...)
}

// settle ends a message when all is answered, or sends its throttled parts
// again when the others are accepted.
func (s *session) settle(m *message) {
	if m.flying > 0 || m.queued > 0 {
		return
	}
	again, err := m.settle()
	if len(again) == 0 {
		m.finish(err)
		return
	}
	if s.phase != open && m.took == 0 {
		m.finish(m.unsent(errEnding))
		return
	}
	m.queued = len(again)
	s.queue = append(again, s.queue...)
}
