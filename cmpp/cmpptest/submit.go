package cmpptest

import (
	"time"

	"callbox/cmpp"
)

// verdict is what becomes of one SUBMIT.
type verdict struct {
	resp      cmpp.SubmitResp
	repeated  bool // a resent one, accepted before
	silent    bool // no answer
	cutBefore bool
	cutAfter  bool
	delay     time.Duration
}

// takeSubmit answers a SUBMIT and tells whether the connection goes on. What
// the texts it completed call for happens without the lock.
func (s *session) takeSubmit(sequence uint32, p *cmpp.Submit) bool {
	texts, alive := s.submit(sequence, p)
	if s.c.cfg.OnText == nil {
		return alive
	}
	for _, t := range texts {
		reply, after := s.c.cfg.OnText(t.To, t.Text)
		if reply == "" {
			continue
		}
		s.c.agenda.after(after, func() {
			if err := s.c.Inject(t.To, t.From, reply); err != nil {
				s.c.cfg.Log.Error("answer not sent", "err", err)
			}
		})
	}
	return alive
}

func (s *session) submit(sequence uint32, p *cmpp.Submit) (texts []Submit, alive bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if !s.loggedIn {
		return nil, false
	}
	s.submits++
	s.total++
	s.most = max(s.most, s.submits)
	s.c.stats.Submits++
	s.c.stats.MaxOpen = max(s.c.stats.MaxOpen, s.submits)
	v := s.judge(sequence, p)
	if v.resp.Result != cmpp.ResultOK || v.repeated {
		s.answer(sequence, v)
		return nil, true
	}
	fates := s.c.fates(p)
	texts = s.c.keep(s, sequence, p, v.resp.MsgID, fates)
	s.remember(sequence, v.resp)
	s.report(p, v.resp.MsgID, fates, true, 0)
	s.answer(sequence, v)
	s.report(p, v.resp.MsgID, fates, false, v.delay)
	return texts, true
}

// judge decides by the faults, the window and what was seen before.
func (s *session) judge(sequence uint32, p *cmpp.Submit) (v verdict) {
	f := &s.c.faults
	v.delay = f.ResponseDelay.Duration() + s.c.jitter(f.ResponseJitter)
	if before, ok := s.seen[sequence]; ok {
		s.c.stats.Resent++
		v.resp, v.repeated = before, true
		if f.Duplicate {
			v.resp = cmpp.SubmitResp{Result: cmpp.ResultDuplicate}
		}
		v.silent = spend(&f.DropResponses)
		return v
	}
	switch {
	case !sane(p, s.c.cfg.Now()):
		s.c.stats.Rejected++
		v.resp.Result = cmpp.ResultStructure
	case s.submits > s.c.cfg.Window:
		s.c.stats.WindowExceeded++
		v.resp.Result = cmpp.ResultThrottled
	case spend(&f.Throttle):
		s.c.stats.Throttled++
		v.resp.Result = cmpp.ResultThrottled
	case f.Rate > 0 && !s.c.meter(s.spID).admit(s.c.cfg.Now(), len(p.DestTerminalID), f.Rate):
		s.c.stats.RateExceeded++
		v.resp.Result = cmpp.ResultThrottled
	case spend(&f.Reject):
		s.c.stats.Rejected++
		v.resp.Result = f.RejectResult
	default:
		v.resp.MsgID = s.c.nextID(len(p.DestTerminalID))
		v.silent = spend(&f.DropResponses)
		v.cutBefore = !v.silent && spend(&f.CutBefore)
		v.cutAfter = !v.silent && !v.cutBefore && spend(&f.CutAfter)
	}
	if v.resp.Result == cmpp.ResultThrottled {
		s.c.stats.FlowControl++
	}
	return v
}

// sane tells whether the times of a SUBMIT can be read.
func sane(p *cmpp.Submit, now time.Time) bool {
	_, err := cmpp.ParseTime(p.ValidTime, now)
	_, fault := cmpp.ParseTime(p.AtTime, now)
	return err == nil && fault == nil
}

func (s *session) remember(sequence uint32, resp cmpp.SubmitResp) {
	s.seen[sequence] = resp
	s.order = append(s.order, sequence)
	if len(s.order) > maxSeen {
		delete(s.seen, s.order[0])
		s.order = s.order[1:]
	}
}

// answer sends a SUBMIT_RESP, now or later or, cut off, never.
func (s *session) answer(sequence uint32, v verdict) {
	switch {
	case v.cutBefore:
		s.out = s.out[:0]
		s.leave()
	case v.silent:
		s.submits--
	case v.delay <= 0:
		s.respond(sequence, v)
	default:
		s.c.later(v.delay, func() { s.respond(sequence, v) })
	}
}

func (s *session) respond(sequence uint32, v verdict) {
	s.submits--
	s.send(sequence, &v.resp)
	if v.cutAfter || s.dismissed && s.submits == 0 {
		s.leave()
	}
}
