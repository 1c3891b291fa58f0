package cti

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/google/uuid"
)

// Exit is one way out for a call that we make.
type Exit struct {
	Device Device // line:LABEL/NUMBER, trunk:NAME/NUMBER
	As     Number // who calls, as the far side sees it
	Line   string // trunk name or line label
}

// seeker is the outside leg of a call that we make. Answer tries one exit after
// the other; until one was dialled nothing rings and there is no sound.
type seeker struct {
	id    string
	exits []Exit
	dial  func(Exit) (Leg, error)
	spent func(time.Duration) // told at the end how long the party was there
	sound chan media.Port     // of legs that are worth hearing before the answer

	alerting, done chan struct{}
	once           struct{ alerting, done sync.Once }

	mu       sync.Mutex // guards what follows
	leg      Leg        // the latest that was dialled
	exit     Exit       // its way
	answered time.Time
	over     bool
	err      error
}

func newSeeker(exits []Exit) (*seeker, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("leg id: %w", err)
	}
	return &seeker{
		id: id.String(), exits: exits, exit: exits[0], sound: make(chan media.Port, len(exits)),
		alerting: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// Answer dials and waits until the party picks up. Where an exit is not
// reachable it tries the next.
func (k *seeker) Answer(ctx context.Context) error {
	if k.isAnswered() {
		return nil
	}
	var err error
	for _, exit := range k.exits {
		if err = k.try(ctx, exit); err == nil {
			return nil
		}
		if !errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			break
		}
	}
	k.end(err)
	return err
}

// try takes one exit; a leg that fails is hung up.
func (k *seeker) try(ctx context.Context, exit Exit) error {
	select {
	case <-k.done:
		return ErrCanceled
	default:
	}
	leg, err := k.dial(exit)
	if err != nil {
		return fmt.Errorf("dial %s: %w", exit.Device.Scheme(), err)
	}
	if !k.adopt(leg, exit) {
		leg.Hangup(CauseCanceled)
		return ErrCanceled
	}
	guard.Go("way out", nil, func() { k.relay(leg) })
	if err := leg.Answer(ctx); err != nil {
		leg.Hangup(causeOf(err))
		return err
	}
	k.mu.Lock()
	k.answered = time.Now()
	k.mu.Unlock()
	select {
	case <-leg.Done(): // before relay could know that it was answered
		k.end(leg.Err())
	default:
	}
	return nil
}

// adopt makes leg the one behind the seeker; false when that is over.
func (k *seeker) adopt(leg Leg, exit Exit) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return false
	}
	k.leg, k.exit = leg, exit
	return true
}

// relay passes on what happens to leg, until it is over.
func (k *seeker) relay(leg Leg) {
	alerting, early := leg.Alerting(), earlyOf(leg)
	for {
		select {
		case <-alerting:
			alerting = nil
			k.once.alerting.Do(func() { close(k.alerting) })
		case <-early:
			early = nil
			k.sound <- leg.Media() // one an exit: there is room
		case <-leg.Done():
			if k.isAnswered() {
				k.end(leg.Err())
			}
			return
		}
	}
}

func earlyOf(leg Leg) <-chan struct{} {
	if e, ok := leg.(Early); ok {
		return e.Early()
	}
	if _, ok := leg.(Witness); ok {
		heard := make(chan struct{})
		close(heard)
		return heard
	}
	return nil
}

func (k *seeker) end(why error) {
	k.once.done.Do(func() {
		k.mu.Lock()
		k.over, k.err = true, why
		since := k.answered
		k.mu.Unlock()
		close(k.done)
		if !since.IsZero() && k.spent != nil {
			k.spent(time.Since(since))
		}
	})
}

func (k *seeker) isAnswered() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.answered.IsZero()
}

// now is the leg behind the seeker and its way; nil while there is none.
func (k *seeker) now() (Leg, Exit) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leg, k.exit
}

// ID is the seeker's own; it stays whatever leg is found.
func (k *seeker) ID() string { return k.id }

// Device is the exit's that is or was tried.
func (k *seeker) Device() Device {
	_, exit := k.now()
	return exit.Device
}

// Origin is an outgoing call's by the exit that is or was tried.
func (k *seeker) Origin() Origin {
	_, exit := k.now()
	return Origin{Direction: Out, Device: exit.Device, From: exit.As, Line: exit.Line}
}

// Alerting is closed when the party's telephone rings.
func (k *seeker) Alerting() <-chan struct{} { return k.alerting }

// Hangup ends the leg that was dialled, and the search.
func (k *seeker) Hangup(cause string) {
	k.end(nil)
	if leg, _ := k.now(); leg != nil {
		leg.Hangup(cause)
	}
}

// Media is the sound of the leg that was dialled, silence before.
func (k *seeker) Media() media.Port {
	if leg, _ := k.now(); leg != nil {
		return leg.Media()
	}
	return silence{}
}

// Done is closed when nothing was found, or what was found is over.
func (k *seeker) Done() <-chan struct{} { return k.done }

// Err says why.
func (k *seeker) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Evidence is that of the leg that was dialled.
func (k *seeker) Evidence() (answer, hangup string) {
	leg, _ := k.now()
	if w, ok := leg.(Witness); ok {
		return w.Evidence()
	}
	return "", ""
}

// silence is the sound of nobody.
type silence struct{}

// Play lasts as long as the prompt.
func (silence) Play(ctx context.Context, p media.Prompt) error {
	var end <-chan time.Time
	if !p.Loop {
		end = time.After(p.Duration())
	}
	select {
	case <-end:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (silence) Digits() <-chan rune { return nil }
func (silence) Send(string)         {}
func (silence) Tap(media.Sink)      {}
func (silence) Law() media.Law      { return media.PCMA }
func (silence) Stats() media.Stats  { return media.Stats{} }

// failure is how a call that we make comes to nothing.
type failure struct {
	why         error
	cause, side string
	tone        *media.Prompt // what the agent hears for a moment
}

// failures are in the order in which they are looked for: an exit that is not
// reachable may be so because its line was lost.
var failures = []failure{
	{errAgentGone, CauseCanceled, AgentSide, nil},
	{ErrBusy, CauseBusy, CallerSide, &busyTone},
	{ErrRejected, CauseBusy, CallerSide, &busyTone},
	{ErrWrongState, CauseNoAnswer, CallerSide, &busyTone}, // a colleague who is logged off
	{ErrNoAnswer, CauseNoAnswer, CallerSide, &busyTone},
	{ErrNotFound, CauseNotFound, LineSide, &vacantTone},
	{ErrLineLost, CauseLineLost, LineSide, &congestionTone},
	{ErrUnreachable, CauseCongestion, LineSide, &congestionTone},
	{ErrRemoteHangup, CauseCongestion, LineSide, &congestionTone},
	{ErrCanceled, CauseCanceled, BoxSide, nil},
	{context.Canceled, CauseCanceled, BoxSide, nil},
	{ErrShutdown, CauseCanceled, BoxSide, nil},
}

// failureOf finds what err means, an error of the box where nothing is known.
func failureOf(err error) failure {
	i := slices.IndexFunc(failures, func(f failure) bool { return errors.Is(err, f.why) })
	if i < 0 {
		return failure{err, CauseError, BoxSide, &congestionTone}
	}
	return failures[i]
}

func causeOf(err error) string { return failureOf(err).cause }
