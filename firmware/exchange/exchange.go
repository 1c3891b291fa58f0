// Package exchange is the telephone network at the far end of an analogue side:
// an exchange's line card, the caller behind it and the ordinary telephone
// beside the box.
//
// One goroutine, [Exchange.Run], owns the line and is its clock: it sends the
// box a frame, takes the answer, and between two frames does what the methods
// of an Exchange, called from other goroutines, ask for. All times are line
// time, counted in frames of 20 ms. The package knows no files, no serial port
// and nothing of what the box thinks of it all.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// What a caller of the methods may decide on.
var (
	ErrEnded    = errors.New("exchange: the line's clock stands still")
	ErrNoAnswer = errors.New("exchange: nobody answered")
	ErrInUse    = errors.New("exchange: the line is in use")
	ErrNotNow   = errors.New("exchange: not in this state of the line")
	ErrExpected = errors.New("exchange: not what was expected")
)

// Pace is how fast the line runs: so many times real time.
type Pace float64

// The paces with a name. A stepped line stands still while nobody waits in one
// of its methods, so that a test gets the same frames each time.
const (
	RealTime Pace = 0
	Fast     Pace = -1 // as fast as the box answers
	Stepped  Pace = -2 // likewise, and only while somebody waits
)

// Config is a line. The zero value is a quiet Chinese line in real time that
// answers whoever is dialled after one ringback tone.
type Config struct {
	Pace            Pace
	RingOn, RingOff time.Duration // 1 s and 4 s when 0
	Modulation      dsp.Modulation
	Level           float64    // dBm0 of caller ID, DTMF: of each tone; -13.5 when 0
	Prelude         Prelude    // before a caller ID in DTMF
	Keying          dsp.Keying // of what caller and telephone dial; dsp.DefaultKeying when zero
	Tones           dsp.Plan   // dsp.China when nil
	ToneLevel       float64    // dBm0 of the exchange's tones; -13 when 0
	Polarity        bool       // reversed from answer to release
	Drop            time.Duration
	Silent          bool    // after release no busy tone is heard
	Hybrid          float64 // echo return loss in dB of the box's own sound; 0: no echo
	Noise           float64 // dBm0 of the line's noise; 0: none
	Routes          map[string]Route
	Default         Route         // of numbers that Routes do not have
	Voice           func() Source // what somebody says whom the box reached; nil: nothing
	Log             *slog.Logger
}

// Prelude is what the exchange does before it sends a caller ID in DTMF.
type Prelude uint8

// The ways exchanges are known to begin.
const (
	NoPrelude Prelude = iota
	ReversalPrelude
	RingPrelude // a short burst
)

// Route is what becomes of a number that the box dialled. The zero value rings
// for 5 s and is answered.
type Route struct {
	Tone  string        // busy, congestion or vacant: refused so; "" rings
	After time.Duration // ringback until somebody lifts; 5 s when 0
	Never bool          // nobody lifts
}

// Exchange is the network on one line.
type Exchange struct {
	cfg    Config
	orders chan order
	ended  chan struct{}
	line   *line     // of the goroutine in Run alone
	queue  []*waiter // likewise
}

type order struct {
	do   func(*line)
	done chan struct{}
}

// waiter is somebody who waits for a state of the line.
type waiter struct {
	ctx  context.Context
	cond func(*line) bool
	done chan struct{}
}

// New makes the network on a line; [Exchange.Run] starts it. The error names
// every setting that makes no sense.
func New(cfg Config) (*Exchange, error) {
	cfg.fill()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Exchange{cfg: cfg, orders: make(chan order), ended: make(chan struct{}), line: newLine(&cfg)}, nil
}

func (c *Config) fill() {
	set(&c.RingOn, time.Second)
	set(&c.RingOff, 4*time.Second)
	set(&c.Level, -13.5)
	set(&c.ToneLevel, -13)
	set(&c.Default.After, firstRingback)
	set(&c.Keying, dsp.DefaultKeying)
	if c.Tones == nil {
		c.Tones = dsp.China()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

const firstRingback = 5 * time.Second

func set[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (c *Config) check() error {
	var faults []error
	bad := func(wrong bool, what string, v any) {
		if wrong {
			faults = append(faults, fmt.Errorf("exchange: %s: %v", what, v))
		}
	}
	bad(c.RingOn < tick || c.RingOn > time.Minute, "ring burst", c.RingOn)
	bad(c.RingOff < 5*tick || c.RingOff > time.Minute, "pause between bursts", c.RingOff)
	bad(c.Level > dsp.Full || c.Level < -60, "level of caller ID", c.Level)
	bad(c.ToneLevel > dsp.Full || c.ToneLevel < -60, "level of tones", c.ToneLevel)
	bad(c.Hybrid < 0 || c.Hybrid > 80, "echo return loss", c.Hybrid)
	bad(c.Noise > dsp.Full, "level of noise", c.Noise)
	bad(c.Pace < Stepped, "pace", float64(c.Pace))
	for _, name := range []string{"dial", "ringback", "busy", "congestion", "vacant"} {
		_, ok := c.Tones.Find(name)
		bad(!ok, "the plan lacks a tone", name)
	}
	for number, r := range c.Routes {
		bad(r.Tone != "" && !refusals[r.Tone], "route of "+number, r.Tone)
	}
	return errors.Join(faults...)
}

// refusals are the tones of a call that comes to nothing.
var refusals = map[string]bool{"busy": true, "congestion": true, "vacant": true}

// tick is the length of a frame.
const tick = analog.Samples * time.Second / dsp.Rate

// frames is the number of whole frames in d, at least one where d is not 0.
func frames(d time.Duration) int64 { return int64((d + tick - 1) / tick) }

// Run owns the line until ctx ends, which is no error, or the box is gone. It
// closes stream. It is called once.
func (e *Exchange) Run(ctx context.Context, stream io.ReadWriteCloser) error {
	defer close(e.ended)
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	defer stop()
	defer stream.Close()
	conn, clock := analog.NewConn(stream), newClock(e.cfg.Pace)
	defer clock.stop()
	for {
		if !e.between(ctx, clock) {
			return nil
		}
		if err := e.frame(conn); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("exchange: the box is gone: %w", err)
		}
		clock.next()
	}
}

func (e *Exchange) frame(conn *analog.Conn) error {
	l := e.line
	l.compose()
	if err := conn.WriteLine(&l.out); err != nil {
		return err
	}
	if err := conn.ReadBox(&l.in); err != nil {
		return err
	}
	l.take()
	return nil
}

// between does what others ask for until the next frame is due; false when ctx
// has ended.
func (e *Exchange) between(ctx context.Context, c *clock) bool {
	for {
		e.settle()
		select {
		case <-ctx.Done():
			return false
		case o := <-e.orders:
			e.obey(o)
			continue
		default:
		}
		due := c.due
		if c.pace == Stepped && len(e.queue) == 0 {
			due = nil
		}
		select {
		case <-ctx.Done():
			return false
		case o := <-e.orders:
			e.obey(o)
		case <-due:
			return true
		}
	}
}

func (e *Exchange) obey(o order) {
	o.do(e.line)
	close(o.done)
}

// settle wakes those whose wait is over and forgets those who gave up.
func (e *Exchange) settle() {
	still := e.queue[:0]
	for _, w := range e.queue {
		switch {
		case w.ctx.Err() != nil:
		case w.cond(e.line):
			close(w.done)
		default:
			still = append(still, w)
		}
	}
	clear(e.queue[len(still):])
	e.queue = still
}

// do has f done by the line's goroutine, between two frames.
func (e *Exchange) do(ctx context.Context, f func(*line)) error {
	o := order{f, make(chan struct{})}
	select {
	case e.orders <- o:
	case <-e.ended:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-o.done:
		return nil
	case <-e.ended:
		return ErrEnded
	}
}

// until has begin done and waits until cond holds.
func (e *Exchange) until(ctx context.Context, begin func(*line) error, cond func(*line) bool) error {
	w := &waiter{ctx: ctx, cond: cond, done: make(chan struct{})}
	var refused error
	err := e.do(ctx, func(l *line) {
		if refused = begin(l); refused == nil {
			e.queue = append(e.queue, w)
		}
	})
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	select {
	case <-w.done:
		return nil
	case <-e.ended:
		return ErrEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// order is do for what the line may refuse.
func (e *Exchange) order(ctx context.Context, f func(*line) error) error {
	var refused error
	err := e.do(ctx, func(l *line) { refused = f(l) })
	return errors.Join(err, refused)
}
