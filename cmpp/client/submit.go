package client

import (
	"slices"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

// offers gives the channel of new messages while one could be sent, else nil.
// One message at a time is in the queue, so its parts stay together and others
// go to the connection that has room.
func (s *session) offers(now time.Time) <-chan *message {
	if s.phase != open || len(s.queue) > 0 || !s.window.room() || s.c.pacer.wait(now) > 0 {
		return nil
	}
	return s.c.jobs
}

func (s *session) admit(m *message) { s.queue = append(s.queue, m.segments...) }

// fill sends from the queue while window and pace allow it.
func (s *session) fill(now time.Time) {
	if s.phase != open && s.phase != draining {
		return
	}
	for len(s.queue) > 0 && s.window.room() {
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
		s.request(g.submit, g)
	}
}

// unqueue takes a message's segments from the queue.
func (s *session) unqueue(m *message) (taken []*segment) {
	s.queue = slices.DeleteFunc(s.queue, func(g *segment) bool {
		if g.message == m {
			taken = append(taken, g)
		}
		return g.message == m
	})
	m.queued = 0
	return taken
}

// unsendable ends a segment that cannot be encoded.
func (s *session) unsendable(g *segment, err error) {
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
	r := s.window.remove(p.Command(), sequence)
	if r == nil {
		s.log.Warn("answer to no open request", "sequence", sequence, "msg_id", p.MsgID.String())
		return
	}
	s.c.used.Add(-1)
	g := r.segment
	g.message.flying--
	switch {
	case p.Result == cmpp.ResultOK:
		s.c.pacer.accepted(r.sent)
		g.message.accept(g, p.MsgID.String())
	case p.Result == cmpp.ResultDuplicate && r.tries > 1:
		g.message.accept(g, "") // the answer to the first try was lost
	case p.Result == cmpp.ResultThrottled:
		s.throttled(r)
	default:
		s.log.Warn("message refused", "message", g.message.id, "part", g.index+1, "result", p.Result.String())
		s.reject(g.message, &sms.Rejected{Code: int(p.Result), Text: refusal(p.Result)})
	}
	s.settle(g.message)
}

func refusal(r cmpp.Result) string { return "refused by the gateway: result " + r.String() }

// throttled pauses the account and keeps the segment, and what follows it.
func (s *session) throttled(r *request) {
	now := time.Now()
	if pause := s.c.pacer.throttled(now, r.sent); pause > 0 {
		s.log.Warn("throttled by the gateway", "pause", pause)
	}
	s.c.gate.pause(true)
	m := r.segment.message
	m.hold(append(s.unqueue(m), r.segment)...)
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
	m.queued = len(again)
	s.queue = append(again, s.queue...)
}
