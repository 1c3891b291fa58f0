package voicebox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"callbox/cti"
	"callbox/internal/number"
)

const dialToneLimit = 3 * time.Second

// outgoing is how far a call of ours is.
type outgoing struct {
	dialled  bool      // the digits are out
	key      time.Time // at the set, the last of them
	progress progress
}

// dialled is what goes to the exchange for a number: E.164 of China in its
// national form, without the area code that is our own, of other countries
// behind 00; all else as it is given. Mobiles get no 0 in front. "" is what
// cannot be dialled.
func dialled(wanted, area string) string {
	digits, abroad := strings.CutPrefix(number.Clean(wanted), "+")
	if digits == "" {
		digits = strings.TrimSpace(wanted) // * and # are no numbers, but can be dialled
	}
	switch {
	case abroad && strings.HasPrefix(digits, "86"):
		digits = number.National("+" + digits)
		if local, ours := strings.CutPrefix(digits, area); ours && area != "" {
			digits = local
		}
	case abroad:
		digits = "00" + digits
	}
	if len(digits) > 32 || strings.Trim(digits, "0123456789*#") != "" {
		return ""
	}
	return digits
}

// callOut takes a call that was queued for the line and goes off hook. When a
// ring was quicker, the caller has the line and our call needs another way.
func (s *session) callOut(leg *leg) {
	s.unclaim()
	if leg.done.isSet() || !s.move(dials) {
		leg.over(errInUse, "")
		leg.free()
		return
	}
	s.leg, s.out = leg, outgoing{}
	s.far = farEnd{polarity: s.cfg.Polarity, since: time.Now()}
	if s.offHook() && s.talk() {
		s.clock.set(dialToneDue, dialToneLimit)
	}
}

// glare is a ring that we answered by going off hook to dial: the caller is on
// the line and gets it.
func (s *session) glare() {
	if s.out.dialled {
		return // no ring comes through a closed loop: it was told late
	}
	leg, err := s.incoming()
	if err != nil {
		s.log.Error("a ring made no call", "err", err)
		return
	}
	s.move(rings)
	s.leg.over(errInUse, "")
	s.leg.free()
	s.leg = leg
	leg.untold()
	leg.pickUp("")
	s.all.accept(s.ctx, leg)
}

// dialTone lets the digits go. The box sends them: it is not disturbed when
// the host is late, which would double a digit.
func (s *session) dialTone() {
	if s.state != dialling || s.out.dialled {
		return
	}
	s.clock.stop(dialToneDue)
	s.out = outgoing{dialled: true, progress: progress{polarity: s.cfg.Polarity, limit: true}}
	s.quiet()
	digits := s.leg.digits
	err := s.command("dial", commandLimit+time.Duration(len(digits))*digitTime, func(ctx context.Context) error {
		return s.box.Dial(ctx, digits)
	})
	if err != nil {
		s.fail(err)
		return
	}
	s.far.since = time.Now()
	s.talk()
}

// supervise judges a call that we dialled by a frame.
func (s *session) supervise(h *heard) {
	if s.out.dialled {
		s.conclude(s.out.progress.hear(h))
		return
	}
	for _, t := range h.tones {
		switch {
		case t.Gone:
		case t.Name == "dial":
			s.dialTone()
			return
		case t.Name == "busy", t.Name == "congestion":
			s.finish(partyGone, fmt.Errorf("%w: no dial tone", cti.ErrUnreachable), ByBusyTone)
			return
		}
	}
}

// conclude does what follows from a verdict.
func (s *session) conclude(v verdict) {
	if v.alerts {
		s.leg.alerting.set()
	}
	switch {
	case v.failed != nil:
		s.finish(partyGone, v.failed, "")
	case v.answered != "":
		s.pickedUp(v.answered)
	}
}

// pickedUp says that the party answered; on a line that we attend the talk
// goes on as it was.
func (s *session) pickedUp(confidence string) {
	s.move(theyAnswer)
	s.leg.untold()
	s.leg.pickUp(confidence)
}
