package voicebox

import (
	"context"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/cti/media"
)

// frame serves a frame of the line's sound.
func (s *session) frame(in []int16, ok bool) {
	if !ok {
		s.sound = nil
		s.clock.stop(starved)
		s.fail(fmt.Errorf("%w: it ended the sound by itself", errSilent))
		return
	}
	s.misses = 0
	s.clock.set(starved, starvedAfter)
	h := s.sound.frame(in, len(s.sound.stream.Frames()), s.leg, s.state == talking)
	s.hearKeys(h)
	switch s.state {
	case dialling:
		s.supervise(h)
	case talking:
		s.judge(h)
	case attended:
		s.follow(h)
	}
}

// hearKeys takes the keys of a frame, ours and theirs.
func (s *session) hearKeys(h *heard) {
	now := time.Now()
	for _, d := range h.sent {
		s.keys.sent(d.Key, now)
	}
	for _, d := range h.keys {
		if s.keys.hears(d.Key, now) {
			s.pressed(d.Key)
		}
	}
}

// pressed serves a key: of the caller, or of the agent at the set.
func (s *session) pressed(key byte) {
	if s.state != talking {
		s.digit(key)
		return
	}
	if port, ok := s.leg.port.(media.Presser); ok {
		port.Press(string(rune(key)))
	}
}

// flashTime is how long the loop is open, as Chinese telephones do it.
const flashTime = 600 * time.Millisecond

// flash opens the loop for a moment; the sound is begun anew behind it.
func (s *session) flash() error {
	if s.state != talking {
		return cti.ErrWrongState
	}
	s.quiet()
	err := s.command("flash", commandLimit, func(ctx context.Context) error { return s.box.Flash(ctx, flashTime) })
	s.talk()
	return err
}

// judge serves what is heard in a talk.
func (s *session) judge(h *heard) {
	if by := s.far.hear(h); by != "" {
		s.finish(partyGone, cti.ErrRemoteHangup, by)
	}
}

// reversed serves a change of polarity.
func (s *session) reversed() {
	switch {
	case !s.cfg.Polarity:
	case s.state == dialling && s.out.dialled, s.calling():
		s.far.reversed = true
		s.pickedUp(Sure)
	case s.state == talking, s.state == attended:
		if s.far.turned(time.Now()) {
			s.finish(partyGone, cti.ErrRemoteHangup, ByPolarity)
		}
	}
}

// busy serves a report of busy tone by the box.
func (s *session) busy() {
	if s.state == talking && s.far.busy(time.Now()) {
		s.finish(partyGone, cti.ErrRemoteHangup, ByBusyTone)
	}
}
