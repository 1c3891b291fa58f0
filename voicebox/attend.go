package voicebox

import (
	"time"

	"callbox/cti"
	"callbox/internal/number"
)

// lastDigit is the pause after which a number is taken for dialled.
const lastDigit = 3 * time.Second

// lifted serves the ordinary telephone: somebody has lifted it.
func (s *session) lifted() {
	was, up := s.state, s.setUp
	s.setUp = true
	h := setTaken
	if s.cfg.Mode == ModeAttend {
		h = setAttended
	}
	if up && was != ringing || !s.move(h) {
		return
	}
	switch {
	case s.state == attended && was == ringing:
		s.attend()
	case s.state == attended:
		s.setCalls()
	case s.leg != nil: // taken at the set
		s.leg.over(cti.ErrRemoteHangup, BySet)
		s.leg.free()
		s.leg = nil
	}
}

// attend follows a call that the agent has answered at the set.
func (s *session) attend() {
	s.far = farEnd{polarity: s.cfg.Polarity, since: time.Now()}
	s.out = outgoing{}
	s.leg.untold()
	s.listen()
	s.leg.pickUp("")
}

// setCalls makes a call of the set's being lifted: the agent dials.
func (s *session) setCalls() {
	leg, err := newLeg(s.all.deps.Engine, s.log, cti.Origin{
		Direction: cti.Out, Device: cti.Device("line:" + s.cfg.Label), Line: s.cfg.Label,
		From: cti.Number{Raw: s.cfg.Number}, Attend: s.cfg.Desk,
	})
	if err != nil {
		s.log.Error("a lifted set made no call", "err", err)
		s.move(givenUp)
		return
	}
	s.leg, s.out = leg, outgoing{}
	s.far = farEnd{polarity: s.cfg.Polarity, since: time.Now()}
	s.listen()
	s.all.accept(s.ctx, leg)
}

// calling says that the agent calls somebody who has not answered yet.
func (s *session) calling() bool {
	return s.state == attended && s.leg.origin.Direction == cti.Out && !s.leg.answered.isSet()
}

// digit keeps what the agent dials at the set.
func (s *session) digit(key byte) {
	if s.calling() && !s.out.dialled && len(s.leg.digits) < 32 {
		s.leg.digits += string(rune(key))
		s.clock.set(digitsPause, lastDigit)
		s.out.key = time.Now()
	}
}

// dialled tells the number that the agent has dialled.
func (s *session) dialled() {
	if !s.calling() || s.out.dialled {
		return
	}
	s.out = outgoing{dialled: true, progress: progress{polarity: s.cfg.Polarity}}
	digits := s.leg.digits
	s.leg.tell(cti.Information{Called: cti.Number{E164: number.Normalize(digits, s.all.cfg.AreaCode), Raw: digits}})
	s.leg.untold()
}

// follow serves what is heard on a line that we attend.
func (s *session) follow(h *heard) {
	if !s.calling() {
		if by := s.far.hear(h); by != "" {
			s.finish(partyGone, cti.ErrRemoteHangup, by)
		}
		return
	}
	if !s.out.dialled && hasRingback(h) && time.Since(s.out.key) > burstTime+burstReport {
		s.dialled()
	}
	if s.out.dialled {
		s.conclude(s.out.progress.hear(h))
	}
}

// hasRingback says that no more digits will come, if none came since the burst
// began: a dial tone that the first digit ended looks like one.
func hasRingback(h *heard) bool {
	for _, t := range h.tones {
		if t.Name == "ringback" && !t.Gone {
			return true
		}
	}
	return false
}

// replaced serves the ordinary telephone: it is back on its hook.
func (s *session) replaced() {
	s.setUp = false
	if s.state == attended {
		s.finish(setReplaced, nil, BySet)
		return
	}
	s.move(setReplaced)
}
