package ctitest

import (
	"context"
	"sync"

	"callbox/cti"
)

// Line is a [Leg] as an analogue line's: its numbers may come late, it guesses
// how the far side answered and hung up, and on a line that is attended it is
// answered by the agent's own telephone, see Lift.
type Line struct {
	*Leg
	told chan cti.Information
	once sync.Once

	mu             sync.Mutex
	answer, hangup string
}

// NewLine makes a line's leg; a withheld or late number is an empty From.
func NewLine(o cti.Origin) *Line {
	return &Line{Leg: NewLeg(o, nil), told: make(chan cti.Information, 8)}
}

// Information implements [cti.Informer].
func (l *Line) Information() <-chan cti.Information { return l.told }

// Evidence implements [cti.Witness].
func (l *Line) Evidence() (answer, hangup string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer, l.hangup
}

// Tell is what the line learns; nothing comes after Told.
func (l *Line) Tell(calling, called string) {
	l.told <- cti.Information{Calling: cti.Number{Raw: calling}, Called: cti.Number{Raw: called}}
}

// Told says that no number comes any more.
func (l *Line) Told() { l.once.Do(func() { close(l.told) }) }

// Knows sets the evidence.
func (l *Line) Knows(answer, hangup string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer, l.hangup = answer, hangup
}

// Answer answers as a [Leg] does; on an attended line that rings it waits for
// Lift.
func (l *Line) Answer(ctx context.Context) error {
	if l.origin.Attend == "" || l.origin.Direction != cti.In {
		return l.Leg.Answer(ctx)
	}
	return l.wait(ctx)
}

// Lift is the agent lifting the telephone on the line.
func (l *Line) Lift() { l.PickUp() }

// Replace is the agent putting it down.
func (l *Line) Replace() {
	l.Knows("sure", "set")
	l.over(nil)
}
