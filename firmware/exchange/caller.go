package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/cti/media/dsp"
)

// Party is one of the people on a line.
type Party uint8

// The caller, who is also whom the box reaches when it dials, and who has the
// ordinary telephone beside the box.
const (
	Caller Party = iota
	Set
)

func (l *line) mouth(p Party) *mouth {
	if p == Set {
		return &l.set
	}
	return &l.caller
}

// Ring calls the line and waits until box or telephone is lifted. The error is
// [ErrNoAnswer] when the caller gave up after call.Bursts, [ErrInUse] when the
// line is busy, or ctx's: then the caller gives up, too.
func (e *Exchange) Ring(ctx context.Context, call Call) error {
	var became State
	err := e.until(ctx, func(l *line) error { return l.call(call) }, func(l *line) bool {
		became = l.state
		return became != Alerting
	})
	switch {
	case err != nil && ctx.Err() != nil:
		_ = e.do(context.WithoutCancel(ctx), (*line).giveUp) // or the line is gone
		return err
	case err != nil:
		return err
	case became != Talking:
		return ErrNoAnswer
	}
	return nil
}

// RingFor calls a free line and waits until it was answered, or so many bursts
// were heard; then it rings on.
func (e *Exchange) RingFor(ctx context.Context, call Call, bursts int) error {
	err := e.Reach(ctx, Idle)
	if err != nil {
		return err
	}
	begin := func(l *line) error { return l.call(call) }
	return e.until(ctx, begin, func(l *line) bool {
		return l.state != Alerting || l.ringing.heard(l.age(), int64(bursts))
	})
}

// RingWhenFree is Ring by a caller who gets busy tone as long as the line is in
// use and tries again.
func (e *Exchange) RingWhenFree(ctx context.Context, call Call) error {
	for {
		err := e.Ring(ctx, call)
		if !errors.Is(err, ErrInUse) {
			return err
		}
		e.cfg.Log.Info("the caller finds the line in use", "err", err)
		if err := e.Reach(ctx, Idle); err != nil {
			return err
		}
	}
}

func (l *line) giveUp() {
	if l.state == Alerting {
		l.event(released)
	}
}

// StartRinging is Ring for who does not wait for the answer.
func (e *Exchange) StartRinging(ctx context.Context, call Call) error {
	return e.order(ctx, func(l *line) error { return l.call(call) })
}

func (l *line) call(call Call) error {
	if l.state != Idle {
		return fmt.Errorf("%w: %v", ErrInUse, l.state)
	}
	l.ringing = newRinging(l.cfg, call)
	l.event(called)
	return nil
}

// Answered waits until two are connected.
func (e *Exchange) Answered(ctx context.Context) error { return e.Reach(ctx, Talking) }

// Reach waits until the line is in one of the states.
func (e *Exchange) Reach(ctx context.Context, states ...State) error {
	return e.until(ctx, nothing, func(l *line) bool { return slices.Contains(states, l.state) })
}

func nothing(*line) error { return nil }

// Wait waits for d of line time.
func (e *Exchange) Wait(ctx context.Context, d time.Duration) error {
	var end int64
	return e.until(ctx, func(l *line) error { end = l.now + frames(d); return nil }, func(l *line) bool { return l.now >= end })
}

// Say makes somebody speak from now on; nil makes them silent. The caller is
// heard while connected, the telephone while lifted.
func (e *Exchange) Say(ctx context.Context, who Party, voice Source) error {
	return e.do(ctx, func(l *line) { l.mouth(who).voice = voice })
}

// Said waits until somebody has said all, or is not connected any more.
func (e *Exchange) Said(ctx context.Context, who Party) error {
	return e.until(ctx, nothing, func(l *line) bool { return l.said(who) })
}

func (l *line) said(who Party) bool {
	return !l.connected(who) || !l.mouth(who).speaks()
}

func (l *line) connected(who Party) bool {
	if who == Set {
		return l.setOff
	}
	return l.state == Talking
}

// Play is Say and Said.
func (e *Exchange) Play(ctx context.Context, who Party, voice Source) error {
	begin := func(l *line) error { l.mouth(who).voice = voice; return nil }
	return e.until(ctx, begin, func(l *line) bool { return l.said(who) })
}

// Press has somebody dial DTMF digits and waits until they are sent. The error
// is [ErrNotNow] when they are not connected.
func (e *Exchange) Press(ctx context.Context, who Party, digits string) error {
	sound := Sound(dsp.AppendDTMF(nil, digits, e.cfg.Keying))
	begin := func(l *line) error {
		if !l.connected(who) {
			return fmt.Errorf("%w: digits while %v", ErrNotNow, l.state)
		}
		l.mouth(who).voice = sound
		return nil
	}
	return e.until(ctx, begin, func(l *line) bool { return l.said(who) })
}

// Listen gives what the caller hears to sink, until stop is called.
func (e *Exchange) Listen(ctx context.Context, sink Sink) (stop func(), err error) {
	err = e.do(ctx, func(l *line) { l.sinks = append(l.sinks, sink) })
	stop = func() {
		_ = e.do(context.WithoutCancel(ctx), func(l *line) { // the end of the line ends it, too
			l.sinks = slices.DeleteFunc(l.sinks, func(s Sink) bool { return s == sink })
		})
	}
	return stop, err
}

// Tape is a sink that keeps what it hears, up to a limit in samples.
type Tape struct {
	Sound []int16
	Limit int // 0: none
}

// Take is Sink's.
func (t *Tape) Take(samples []int16) {
	if t.Limit == 0 || len(t.Sound)+len(samples) <= t.Limit {
		t.Sound = append(t.Sound, samples...)
	}
}

// Hear gives what the caller hears for d.
func (e *Exchange) Hear(ctx context.Context, d time.Duration) ([]int16, error) {
	tape := &Tape{}
	stop, err := e.Listen(ctx, tape)
	if err != nil {
		return nil, err
	}
	err = e.Wait(ctx, d)
	stop()
	return tape.Sound, err
}

// Digits gives the digits that came from box or telephone since the call began
// and that no Expect has taken.
func (e *Exchange) Digits(ctx context.Context) (string, error) {
	var digits string
	err := e.do(ctx, func(l *line) { digits = string(l.digits) })
	return digits, err
}

// Expect waits for these digits from box or telephone and takes them. The error
// is [ErrExpected] as soon as others come, or when they are not there within
// that time.
func (e *Exchange) Expect(ctx context.Context, digits string, within time.Duration) error {
	var end int64
	err := e.until(ctx, func(l *line) error { end = l.now + frames(within); return nil }, func(l *line) bool {
		got := string(l.digits)
		return l.now >= end || len(got) >= len(digits) || !strings.HasPrefix(digits, got)
	})
	if err != nil {
		return err
	}
	return e.order(ctx, func(l *line) error {
		if rest, ok := strings.CutPrefix(string(l.digits), digits); ok {
			l.digits = []byte(rest)
			return nil
		}
		return fmt.Errorf("%w: digits %q, not %q within %v", ErrExpected, l.digits, digits, within)
	})
}

// ExpectHangUp waits until the box has hung up, at most for that time.
func (e *Exchange) ExpectHangUp(ctx context.Context, within time.Duration) error {
	return e.expect(ctx, "that the box hangs up", within, func(l *line) bool { return !l.loop })
}

// ExpectFlash waits for a hook flash of the box and takes it.
func (e *Exchange) ExpectFlash(ctx context.Context, within time.Duration) error {
	err := e.expect(ctx, "a hook flash", within, func(l *line) bool { return l.flashes > 0 })
	if err != nil {
		return err
	}
	return e.do(ctx, func(l *line) { l.flashes-- })
}

func (e *Exchange) expect(ctx context.Context, what string, within time.Duration, cond func(*line) bool) error {
	var end int64
	met := false
	err := e.until(ctx, func(l *line) error { end = l.now + frames(within); return nil }, func(l *line) bool {
		met = cond(l)
		return met || l.now >= end
	})
	if err == nil && !met {
		return fmt.Errorf("%w: %s within %v", ErrExpected, what, within)
	}
	return err
}

// HangUp has the caller hang up: ringing ends; in a talk busy tone follows and
// what else Config says of a release.
func (e *Exchange) HangUp(ctx context.Context) error {
	return e.do(ctx, func(l *line) { l.event(released) })
}

// HangUpSilently is a release that the box cannot hear.
func (e *Exchange) HangUpSilently(ctx context.Context) error {
	return e.do(ctx, func(l *line) {
		l.event(released)
		l.tone = nil
	})
}

// Drop takes the feed away for d.
func (e *Exchange) Drop(ctx context.Context, d time.Duration) error {
	return e.do(ctx, func(l *line) { l.feedAt = l.now + frames(d) })
}

// Reverse turns the polarity round and leaves it so.
func (e *Exchange) Reverse(ctx context.Context) error {
	return e.do(ctx, func(l *line) { l.reversed = !l.reversed })
}

// Lift lifts the telephone beside the box.
func (e *Exchange) Lift(ctx context.Context) error {
	return e.do(ctx, func(l *line) { l.setOff, l.setUntil = true, 0 })
}

// Replace puts the telephone beside the box down.
func (e *Exchange) Replace(ctx context.Context) error {
	return e.do(ctx, func(l *line) { l.setOff, l.setUntil, l.set.voice = false, 0, nil })
}

// Flash is a short break: of the telephone's loop where it is lifted, else of
// the feed from the exchange.
func (e *Exchange) Flash(ctx context.Context, d time.Duration) error {
	return e.do(ctx, func(l *line) {
		if l.setOff {
			l.setOff, l.setUntil = false, l.now+frames(d)
			return
		}
		l.feedAt = l.now + frames(d)
	})
}

// Await waits until the box, or the telephone, has dialled number, or any when
// it is empty, at most for that time (0: without end), and gives what was
// dialled. From now on routes do not count: [Exchange.Treat] and
// [Exchange.PickUp] say what becomes of the call. Another number, or none in
// time, is [ErrExpected].
func (e *Exchange) Await(ctx context.Context, number string, within time.Duration) (string, error) {
	var dialled string
	var end int64
	came := false
	begin := func(l *line) error {
		l.manual, l.await, end = true, number, l.now+frames(within)
		return nil
	}
	err := e.until(ctx, begin, func(l *line) bool {
		dialled, came = l.dialled, l.state == Proceeding
		return came || within > 0 && l.now >= end
	})
	switch {
	case err != nil:
		return "", err
	case !came:
		return dialled, fmt.Errorf("%w: no call from the box within %v, dialled %q", ErrExpected, within, dialled)
	case number != "" && dialled != number:
		return dialled, fmt.Errorf("%w: %q was dialled, not %q", ErrExpected, dialled, number)
	}
	return dialled, nil
}

// Manual says whether routes count: true leaves it to Treat and PickUp what
// becomes of numbers that are dialled.
func (e *Exchange) Manual(ctx context.Context, on bool) error {
	return e.do(ctx, func(l *line) { l.manual = on })
}

// Treat gives a call that the box made a tone: ringback, busy, congestion or
// vacant.
func (e *Exchange) Treat(ctx context.Context, name string) error {
	return e.order(ctx, func(l *line) error {
		switch {
		case l.state != Proceeding:
			return fmt.Errorf("%w: %s while %v", ErrNotNow, name, l.state)
		case name == "ringback":
			l.deal(Route{Never: true})
		case refusals[name]:
			l.deal(Route{Tone: name})
		default:
			return fmt.Errorf("%w: no such tone: %s", ErrNotNow, name)
		}
		return nil
	})
}

// PickUp answers a call that the box made.
func (e *Exchange) PickUp(ctx context.Context) error {
	return e.order(ctx, func(l *line) error {
		if l.state != Proceeding {
			return fmt.Errorf("%w: pick up while %v", ErrNotNow, l.state)
		}
		l.event(answered)
		return nil
	})
}

// Leave ends what there is in a way that the box notices: the caller hangs up,
// the box has so long to hang up as well, then the feed breaks for 500 ms.
func (e *Exchange) Leave(ctx context.Context, patience time.Duration) error {
	if err := errors.Join(e.HangUp(ctx), e.Replace(ctx)); err != nil {
		return err
	}
	err := e.ExpectHangUp(ctx, patience)
	if !errors.Is(err, ErrExpected) {
		return err
	}
	const gone = 500 * time.Millisecond
	return errors.Join(e.Drop(ctx, gone), e.Wait(ctx, gone))
}

// Status is the line at one moment.
type Status struct {
	State             State
	At                time.Duration // line time
	Since             time.Duration // when State began
	BoxOff, SetOff    bool
	Reversed, Feed    bool
	Dialled           string
	Flashes           int
	Digits            string
	CallerTalks, Loop bool
}

// Status tells how the line is.
func (e *Exchange) Status(ctx context.Context) (Status, error) {
	var s Status
	err := e.do(ctx, func(l *line) {
		s = Status{
			State: l.state, At: time.Duration(l.now) * tick, Since: time.Duration(l.since) * tick,
			BoxOff: l.in.OffHook, SetOff: l.setOff, Reversed: l.out.Reversed, Feed: l.out.Feed,
			Dialled: l.dialled, Flashes: l.flashes, Digits: string(l.digits),
			CallerTalks: l.caller.speaks(), Loop: l.loop,
		}
	})
	return s, err
}
