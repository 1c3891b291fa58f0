// Package box is the voice box itself: a telephone line's end that speaks ITU-T
// V.253 to its host over a serial port. README.md one folder up is the contract.
//
// [Box.Run] starts four goroutines. One owns the modem, whose functions are
// plain and wait for nothing; the others only carry bytes from and to the host
// and frames from and to the line. Time is counted in samples of the line: the
// package reads no clock and sets no timer. It knows neither ptys nor sockets
// nor virtio (that is firmware/board), and nothing of callbox's daemon.
package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"callbox/firmware/analog"
	"callbox/internal/guard"
)

// Config is what a box is told at its making.
type Config struct {
	Serial  string // AT+GSN
	Version string // ATI3, AT+GMR; "1.0" when empty
	Log     *slog.Logger
	Feed    func() // the watchdog: called each time the line's clock and the commands went on; may be nil
}

// Box is one line's box.
type Box struct {
	cfg   Config
	host  io.ReadWriter
	line  Line
	modem *modem
	out   *outbox
}

// New makes a box between a host and a line; nothing runs yet.
func New(cfg Config, host io.ReadWriter, line Line) *Box {
	if cfg.Version == "" {
		cfg.Version = "1.0"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Feed == nil {
		cfg.Feed = func() {}
	}
	out := newOutbox()
	return &Box{cfg: cfg, host: host, line: line, out: out, modem: newModem(cfg, out)}
}

// Run works until ctx ends (nil) or host or line fail. A host and a line that
// are io.Closers are closed at the end, whichever it is: nothing else wakes
// who reads from them.
func (b *Box) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c := &carrier{Box: b, typed: make(chan []byte), frames: make(chan *analog.Line), answers: make(chan *analog.Box)}
	wg := guard.Group{Log: b.cfg.Log}
	for name, part := range map[string]func(context.Context) error{
		"modem": c.own, "from host": c.fromHost, "to host": c.toHost, "line": c.clock, "end": c.end,
	} {
		wg.Go("box "+name, func() {
			defer stop(errStopped) // a panic ends the box too
			if err := part(work); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(work)
}

var errStopped = errors.New("a part of the box ended")

// carrier holds the channels between the goroutines of one Run.
type carrier struct {
	*Box
	typed   chan []byte
	frames  chan *analog.Line
	answers chan *analog.Box
}

// own is the goroutine of the modem. While the modem takes no more bytes (its
// transmit buffer is full), the host's are left where they are: flow control.
func (c *carrier) own(ctx context.Context) error {
	var (
		pending []byte
		answer  analog.Box
	)
	for {
		typed := c.typed
		if len(pending) > 0 {
			typed = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case pending = <-typed:
		case in := <-c.frames:
			c.modem.frame(in, &answer)
			c.cfg.Feed()
			select {
			case <-ctx.Done():
				return nil
			case c.answers <- &answer:
			}
		}
		pending = pending[c.modem.typed(pending):]
	}
}

// fromHost reads into two buffers in turn: when one was taken, the other is used up.
func (c *carrier) fromHost(ctx context.Context) error {
	var buffers [2][1024]byte
	for i := 0; ; i ^= 1 {
		n, err := c.host.Read(buffers[i][:])
		if n > 0 {
			select {
			case <-ctx.Done():
				return nil
			case c.typed <- buffers[i][:n]:
			}
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	}
}

func (c *carrier) toHost(ctx context.Context) error {
	var spare []byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.out.ready:
		}
		if spare = c.out.take(spare); len(spare) == 0 {
			continue // it went with what was before
		}
		if _, err := c.host.Write(spare); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
}

func (c *carrier) clock(ctx context.Context) error {
	var in analog.Line
	for {
		if err := c.line.ReadLine(&in); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case c.frames <- &in:
		}
		select {
		case <-ctx.Done():
			return nil
		case out := <-c.answers:
			if err := c.line.WriteBox(out); err != nil {
				return err
			}
		}
	}
}

// end wakes who waits for host or line.
func (c *carrier) end(ctx context.Context) error {
	<-ctx.Done()
	for _, part := range []any{c.host, c.line} {
		if closer, ok := part.(io.Closer); ok {
			_ = closer.Close() // nothing is lost that somebody waited for
		}
	}
	return nil
}
