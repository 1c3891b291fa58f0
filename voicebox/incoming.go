package voicebox

import (
	"time"

	"callbox/cti"
	"callbox/cti/media/dsp"
	"callbox/internal/number"
)

// Times of ringing (YD/T 1277.1: 1 s on, 4 s off, ±10 %).
const (
	sameBurst  = 2 * time.Second // reports this near each other are of one burst
	burstTime  = time.Second
	numberTime = 3 * time.Second        // caller ID comes at most so long after the first burst
	ringGap    = 6 * time.Second        // no burst for so long: the caller has given up
	callerKept = 6 * time.Second        // from a caller ID to the ring that it belongs to
	clickTime  = 500 * time.Millisecond // after going on hook a relay may look like a ring
)

// caller is a caller ID that came before the first ring.
type caller struct {
	number cti.Number
	at     time.Time
}

// bell counts the bursts of a call.
type bell struct {
	first, second, last time.Time
}

// burst counts a report; a box may report one burst twice.
func (b *bell) burst(now time.Time) {
	switch {
	case b.first.IsZero():
		b.first = now
	case b.second.IsZero() && now.Sub(b.last) >= sameBurst:
		b.second = now
	}
	b.last = now
}

// settled is when no caller ID can come any more: 3 s after the first burst,
// or the end of the second.
func (b *bell) settled() time.Time {
	at := b.first.Add(burstTime + numberTime)
	if second := b.second.Add(burstTime); !b.second.IsZero() && second.Before(at) {
		return second
	}
	return at
}

// numberOf is a caller ID as a number.
func (l *Lines) numberOf(id dsp.CallerID) cti.Number {
	if id.Private {
		return cti.Number{Raw: "anonymous"}
	}
	return cti.Number{E164: number.Normalize(id.Number, l.cfg.AreaCode), Raw: id.Number, Name: id.Name}
}

// rang serves a burst of ringing.
func (s *session) rang() {
	switch s.state {
	case idle, inUse:
		s.seize()
	case resting:
		if !s.off && time.Since(s.onHookAt) >= clickTime {
			s.seize()
		}
	case ringing:
		s.bell.burst(time.Now())
		s.clock.set(ringSilence, ringGap)
		if due := time.Until(s.bell.settled()); due > 0 {
			s.clock.set(numberWait, due)
		}
	case ignored:
		s.clock.set(ringSilence, ringGap)
	case dialling:
		s.glare()
	}
}

// seize makes a call of the first ring.
func (s *session) seize() {
	leg, err := s.incoming()
	if err != nil {
		s.log.Error("a ring made no call", "err", err)
		return
	}
	s.move(rings)
	s.setUp = false // or it would not ring
	s.leg, s.wanted, s.bell, s.from = leg, false, bell{}, leg.origin.From
	s.bell.burst(time.Now())
	s.clock.set(ringSilence, ringGap)
	s.clock.set(numberWait, time.Until(s.bell.settled()))
	s.all.accept(s.ctx, leg)
}

// incoming is a leg from outside, with the number where that came first.
func (s *session) incoming() (*leg, error) {
	o := cti.Origin{
		Direction: cti.In, Device: cti.Device("line:" + s.cfg.Label), Line: s.cfg.Label,
		To: cti.Number{Raw: s.cfg.Number}, DID: s.cfg.Number,
	}
	if s.cfg.Mode == ModeAttend {
		o.Attend = s.cfg.Desk
	}
	known := time.Since(s.caller.at) <= callerKept && s.caller.number != (cti.Number{})
	if known {
		o.From = s.caller.number
	}
	s.caller = caller{}
	leg, err := newLeg(s.all.deps.Engine, s.log, o)
	if err == nil && known {
		leg.untold()
	}
	return leg, err
}

// identified serves a caller ID, before the ring or while it rings. The second
// report of one call says nothing new.
func (s *session) identified(id dsp.CallerID) {
	from := s.all.numberOf(id)
	switch s.state {
	case idle, resting, inUse:
		s.caller = caller{from, time.Now()}
	case ringing:
		if s.another(from) {
			return
		}
		if from != (cti.Number{}) {
			s.from = from
			s.leg.tell(cti.Information{Calling: from})
		}
		s.leg.untold()
		s.tryLift()
	}
}

// another says whether a number is of another caller than the one whose call it
// rings for: that one has given up, and the line rang on without a longer pause.
func (s *session) another(from cti.Number) bool {
	if !s.leg.told || from.E164 == "" || s.from.E164 == "" || from.E164 == s.from.E164 {
		return false
	}
	s.finish(ringingEnds, cti.ErrRemoteHangup, "")
	s.caller = caller{from, time.Now()}
	s.seize()
	return true
}

// tryLift answers the call if that is wanted and its number is known or will
// not come.
func (s *session) tryLift() {
	if s.state != ringing || s.cfg.Mode != ModeAnswer {
		return
	}
	if time.Now().Before(s.bell.settled()) && !s.leg.told {
		return
	}
	s.leg.untold()
	if s.wanted && !s.leg.done.isSet() {
		s.lift()
	}
}

// lift goes off hook to answer.
func (s *session) lift() {
	s.move(weLift)
	s.far = farEnd{polarity: s.cfg.Polarity, since: time.Now()}
	if s.offHook() && s.talk() {
		s.leg.pickUp("")
	}
}

// silent says that no burst came for a while.
func (s *session) silent() {
	if s.state == ignored {
		s.move(ringingEnds)
		return
	}
	s.finish(ringingEnds, cti.ErrRemoteHangup, "")
}
