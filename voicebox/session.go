package voicebox

import (
	"context"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/voicebox/v253"
)

// Limits of what a box may take for its answers.
const (
	commandLimit = 1800 * time.Millisecond
	onHookLimit  = 4 * time.Second        // nobody waits for it
	digitTime    = 200 * time.Millisecond // for each digit that it dials
	starvedAfter = 1500 * time.Millisecond
	pingEvery    = 5 * time.Second
	maxMisses    = 2
	restTime     = 2 * time.Second        // after a call, before anything else is done
	leastOffHook = 600 * time.Millisecond // less an exchange does not take for an answer, and rings on
)

// session is a line while its box answers. The line's goroutine owns it: its
// methods and what they change need no locks.
type session struct {
	*line
	ctx      context.Context
	box      box
	clock    *clock
	state    state
	failed   error     // the box is of no more use as it is
	misses   int       // of the sign of life
	off      bool      // we are off hook
	onHookAt time.Time // when we were not any more
	setUp    bool      // the ordinary telephone is

	leg    *leg
	wanted bool   // the leg is to be answered
	sound  *audio // nil while none flows
	caller caller
	from   cti.Number // of the call that rings
	bell   bell
	out    outgoing
	far    farEnd
	keys   keypad
}

func newSession(ctx context.Context, l *line, b box) *session {
	return &session{line: l, ctx: ctx, box: b, clock: newClock()}
}

// serve works until the box fails (the error says how) or ctx ends (nil). The
// call on the line is over then.
func (s *session) serve() (err error) {
	defer s.clock.timer.Stop()
	gone := error(cti.ErrLineLost) // also when it falls
	defer func() { s.abandon(gone) }()
	if err := s.command("go on hook", commandLimit, s.box.OnHook); err != nil {
		return err
	}
	s.publish(idle, idle)
	s.clock.set(keepAlive, pingEvery)
	for s.failed == nil {
		select {
		case <-s.ctx.Done():
			gone = cti.ErrShutdown
			s.shut()
			return nil
		case <-s.box.Done():
			return s.box.Err()
		case e := <-s.box.Events():
			s.event(e)
		case leg := <-s.outs:
			s.callOut(leg)
		case <-s.askedFor():
			s.wanted = true
			s.tryLift()
		case done := <-s.flashes():
			done <- s.flash()
		case <-s.hungUp():
			s.finish(givenUp, nil, "")
		case in, ok := <-s.frames():
			s.frame(in, ok)
		case <-s.clock.timer.C:
			s.ring()
		}
	}
	return s.failed
}

// askedFor tells that an incoming call is to be answered.
func (s *session) askedFor() <-chan struct{} {
	if s.state != ringing || s.wanted || s.cfg.Mode != ModeAnswer {
		return nil
	}
	return s.leg.asked.c
}

func (s *session) hungUp() <-chan struct{} {
	if s.leg == nil {
		return nil
	}
	return s.leg.hung.c
}

func (s *session) flashes() <-chan chan<- error {
	if s.leg == nil {
		return nil
	}
	return s.leg.flash
}

func (s *session) frames() <-chan []int16 {
	if s.sound == nil {
		return nil
	}
	return s.sound.stream.Frames()
}

// event serves what the box tells.
func (s *session) event(e v253.Event) {
	s.misses = 0
	switch e.Kind {
	case v253.Ring:
		s.rang()
	case v253.CallerID:
		s.identified(e.Caller)
	case v253.SetLifted:
		s.lifted()
	case v253.ExtensionLifted:
		if !s.state.offHook() { // a box may take our own going off hook for one
			s.lifted()
		}
	case v253.SetReplaced, v253.ExtensionReplaced:
		s.replaced()
	case v253.Reversed:
		s.reversed()
	case v253.LoopLost:
		s.loopLost()
	case v253.Busy:
		s.busy()
	case v253.DialTone:
		s.dialTone()
	case v253.Underrun:
		if s.sound != nil && !s.sound.only {
			s.sound.dry()
		}
	case v253.DigitBegan:
		if s.keys.tells(e.Digit, time.Now()) {
			s.pressed(e.Digit)
		}
	}
}

// ring serves the alarms that are due.
func (s *session) ring() {
	for a, ok := s.clock.next(); ok && s.failed == nil; a, ok = s.clock.next() {
		switch a {
		case stateLimit:
			s.overdue()
		case ringSilence:
			s.silent()
		case numberWait:
			s.tryLift()
		case dialToneDue:
			s.finish(partyGone, fmt.Errorf("%w: no dial tone", cti.ErrUnreachable), "")
		case digitsPause:
			s.dialled()
		case hookDue:
			s.onHook()
		case restOver:
			s.rested()
		case keepAlive:
			s.ping()
		case starved:
			s.fail(fmt.Errorf("%w: no sound from the line", errSilent))
		}
	}
}

// move lets h happen; false where it has no place.
func (s *session) move(h happening) bool {
	was := s.state
	to, ok := was.next(h)
	if !ok {
		return false
	}
	s.log.Debug("line moves", "from", was, "to", to, "because", h)
	s.state = to
	s.publish(was, to)
	s.clock.stop(stateLimit, ringSilence, numberWait, dialToneDue, digitsPause, restOver)
	if limit, ok := limits[to]; ok {
		s.clock.set(stateLimit, limit)
	}
	switch to {
	case resting:
		s.clock.set(restOver, restTime)
	case ignored:
		s.clock.set(ringSilence, ringGap)
	}
	return true
}

// finish ends the call on the line by h and puts the line into the state that
// follows.
func (s *session) finish(h happening, why error, noticed string) {
	leg := s.leg
	if leg == nil || !s.move(h) {
		return
	}
	s.leg, s.wanted = nil, false
	leg.over(why, noticed)
	leg.free()
	s.quiet()
	if early := leastOffHook - time.Since(s.far.since); h == givenUp && s.off && early > 0 {
		s.clock.set(hookDue, early)
		return
	}
	s.onHook()
}

// loopLost serves a break of the loop current while we hold the line.
func (s *session) loopLost() {
	switch {
	case s.state == dialling && !s.out.dialled:
		s.finish(partyGone, fmt.Errorf("%w: the line is dead", cti.ErrUnreachable), "")
	case s.state.offHook():
		s.finish(partyGone, cti.ErrRemoteHangup, ByLoop)
	}
}

// overdue ends what has lasted too long.
func (s *session) overdue() {
	s.log.Warn("the line was too long in one state", "state", s.state)
	why := cti.ErrNoAudio
	switch s.state {
	case ringing:
		why = cti.ErrRemoteHangup
	case dialling:
		why = cti.ErrNoAnswer
	}
	if s.leg == nil {
		s.move(tooLong)
		return
	}
	s.finish(tooLong, why, "")
}

// rested is the end of the pause after a call. Somebody may telephone without
// us by then.
func (s *session) rested() {
	s.move(rested)
	if s.setUp {
		s.move(setTaken)
	}
}

// ping asks an unused box for a sign of life.
func (s *session) ping() {
	s.clock.set(keepAlive, pingEvery)
	if s.sound != nil || s.state == ringing {
		return
	}
	if err := s.command("sign of life", commandLimit, s.box.Check); err != nil {
		s.misses++
		if s.misses >= maxMisses {
			s.fail(err)
		}
		return
	}
	s.misses = 0
}

func (s *session) fail(err error) {
	if s.failed == nil {
		s.failed = err
	}
}

// command lets the box do something within a limit.
func (s *session) command(what string, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, limit, errSilent)
	defer cancel()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (s *session) offHook() bool {
	s.off = true // also when nobody knows
	if err := s.command("go off hook", commandLimit, s.box.OffHook); err != nil {
		s.fail(err)
		return false
	}
	return true
}

func (s *session) onHook() {
	if !s.off {
		return
	}
	if err := s.command("go on hook", onHookLimit, s.box.OnHook); err != nil {
		s.fail(err)
		return
	}
	s.off, s.onHookAt = false, time.Now()
}

// talk lets sound flow both ways.
func (s *session) talk() bool {
	var stream sound
	err := s.command("talk", commandLimit, func(ctx context.Context) (err error) {
		stream, err = s.box.Talk(ctx)
		return err
	})
	if err != nil {
		s.fail(err)
		return false
	}
	s.hear(newAudio(stream, s.cfg.Tones, false))
	return true
}

// listen lets us hear what is on the line, which the box may not be able to.
func (s *session) listen() {
	var stream sound
	err := s.command("listen", commandLimit, func(ctx context.Context) (err error) {
		stream, err = s.box.Listen(ctx)
		return err
	})
	if err != nil {
		s.log.Error("the line cannot be heard", "err", err)
		return
	}
	s.hear(newAudio(stream, s.cfg.Tones, true))
}

func (s *session) hear(a *audio) {
	s.sound = a
	s.clock.set(starved, starvedAfter)
}

// quiet ends the sound.
func (s *session) quiet() {
	if s.sound == nil {
		return
	}
	stream := s.sound.stream
	s.sound = nil
	s.clock.stop(starved)
	if err := s.command("end the sound", commandLimit, stream.End); err != nil {
		s.fail(err)
	}
}

// abandon ends what is left of a session.
func (s *session) abandon(why error) {
	if s.leg != nil {
		s.leg.over(why, "")
		s.leg.free()
		s.leg = nil
	}
	for _, leg := range s.close() {
		leg.over(why, "")
		leg.free()
	}
}

// shut puts the line on hook after ctx's end.
func (s *session) shut() {
	s.ctx = context.WithoutCancel(s.ctx)
	if s.leg != nil {
		s.finish(givenUp, cti.ErrShutdown, "")
	}
	s.onHook()
}
