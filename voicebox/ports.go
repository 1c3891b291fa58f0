package voicebox

import (
	"context"
	"io"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/voicebox/v253"
)

// Calls takes what comes in on a line.
type Calls interface {
	// Accept serves a ringing leg and returns when the call is over.
	Accept(ctx context.Context, leg cti.Leg) error
}

// Journal is told how the lines are: event lineState.
type Journal interface {
	Note(ctx context.Context, e cti.Event) error
}

// Deps are the parts that the lines work with.
type Deps struct {
	Engine  media.Engine
	Calls   Calls
	Journal Journal
	// Open opens a serial port; nil opens the operating system's. Its Read may
	// give 0, io.EOF for "nothing yet".
	Open func(port string) (io.ReadWriteCloser, error)
}

// box is a line's box as [v253.Modem] drives it. Commands end with their
// context at the latest, and with an error when the port is gone.
type box interface {
	Identity() v253.Identity
	Events() <-chan v253.Event
	// Done is closed when the port is gone; Err says why.
	Done() <-chan struct{}
	Err() error
	OffHook(ctx context.Context) error
	OnHook(ctx context.Context) error
	Flash(ctx context.Context, d time.Duration) error
	Dial(ctx context.Context, digits string) error
	// Talk lets sound flow both ways, Listen only towards us and without going
	// off hook.
	Talk(ctx context.Context) (sound, error)
	Listen(ctx context.Context) (sound, error)
	// Check asks whether anybody is there.
	Check(ctx context.Context) error
	Reset(ctx context.Context) error
	Close() error
}

// sound is a line's sound while it flows, see [v253.Stream].
type sound interface {
	// Frames gives 20 ms each at the line's own beat; closed at the end.
	Frames() <-chan []int16
	Write(frame []int16) error
	End(ctx context.Context) error
}

// modem is a [v253.Modem] as a box.
type modem struct{ *v253.Modem }

func (m modem) Talk(ctx context.Context) (sound, error) {
	s, err := m.Modem.Talk(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (m modem) Listen(ctx context.Context) (sound, error) {
	s, err := m.Modem.Listen(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}
