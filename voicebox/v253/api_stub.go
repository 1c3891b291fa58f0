package v253

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"
)

var (
	ErrSilent  = errors.New("the box does not answer")
	ErrNoVoice = errors.New("the box has no voice mode")
	ErrLost    = errors.New("the port is gone")
	ErrRefused = errors.New("the box answered ERROR")
	ErrEnded   = errors.New("the stream has ended")
)

// Config is how a box is opened.
type Config struct {
	Profile string       // auto (or ""), callbox, usr5637, cx930xx, si24xx
	Log     *slog.Logger // slog.Default when nil
}

// Identity is what a box says of itself.
type Identity struct{ Profile, Maker, Model, Version, Serial string }

// Modem is an open box. Its own goroutines read and write the port.
type Modem struct{}

func Open(ctx context.Context, port io.ReadWriteCloser, cfg Config) (*Modem, error) {
	return nil, ErrSilent
}
func (m *Modem) Done() <-chan struct{}                            { return nil } // closed when the port is gone or Close was called
func (m *Modem) Err() error                                       { return nil } // nil after Close, else ErrLost wrapped
func (m *Modem) Identity() Identity                               { return Identity{} }
func (m *Modem) Events() <-chan Event                             { return nil } // never closed, see Done
func (m *Modem) OffHook(ctx context.Context) error                { return ErrSilent }
func (m *Modem) OnHook(ctx context.Context) error                 { return ErrSilent } // ends a live stream first
func (m *Modem) Flash(ctx context.Context, d time.Duration) error { return ErrSilent }
func (m *Modem) Dial(ctx context.Context, digits string) error    { return ErrSilent }
func (m *Modem) Talk(ctx context.Context) (*Stream, error)        { return nil, ErrSilent }
func (m *Modem) Listen(ctx context.Context) (*Stream, error)      { return nil, ErrSilent }
func (m *Modem) Check(ctx context.Context) error                  { return ErrSilent } // AT, to see that the box lives; nil at once while audio flows
func (m *Modem) Reset(ctx context.Context) error                  { return ErrSilent }
func (m *Modem) Close() error                                     { return nil }

// Stream is audio in both directions (Talk) or from the box only (Listen).
type Stream struct{}

func (s *Stream) Frames() <-chan []int16        { return nil } // 160 samples each, the receiver's to keep; closed at the end
func (s *Stream) Write(frame []int16) error     { return ErrEnded }
func (s *Stream) End(ctx context.Context) error { return nil }
func (s *Stream) Clear()                        {}
