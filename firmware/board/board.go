// Package board is what a box's program runs on: this machine, with
// pseudo-terminals and sockets in the place of wires (host), or an emulated
// ARM board with virtio ports (qemu). [Run] starts a goroutine a line, one
// that watches them, and the box's own; the boards start none. Wall-clock time
// ends here: the box counts samples of its line.
package board

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"callbox/firmware/box"
	"callbox/internal/guard"
)

// Board is the hardware under the firmware.
type Board interface {
	// Lines is how many lines there are.
	Lines() int
	// Open gives line n (from 1) afresh, also after a fault; what was open of
	// it before is closed.
	Open(n int) (Port, error)
	// Ready is called once, when every line works.
	Ready() error
	// Kick keeps the board's own watchdog quiet: every line goes on.
	Kick()
	// Close gives everything back.
	Close() error
}

// Port is the two sides of a line's box.
type Port struct {
	Serial string             // the serial number
	Host   io.ReadWriteCloser // to the host; Read gives an error only when the port is gone
	Line   box.Line           // to the line, and its clock
}

// Times of the watchdog.
const (
	stallLimit = 20 * time.Second // a line that did not go on for so long is restarted
	stuckLimit = 5 * time.Second  // and must have ended in so long
	watchEvery = time.Second
	reopenWait = time.Second
)

var (
	errStalled = errors.New("the line's clock or the commands stand still")
	// ErrStuck says that a box could not be restarted: the program should be.
	ErrStuck = errors.New("a box cannot be stopped")
)

// RunHost runs boxes on this machine until ctx ends: ports DIR/line1…N and
// analogue sides DIR/analog1…N, there when they are ready and gone at the end.
func RunHost(ctx context.Context, dir string, lines int, log *slog.Logger) error {
	b, err := Host(dir, lines, log)
	if err != nil {
		return err
	}
	return errors.Join(Run(ctx, b, log), b.Close())
}

// Run runs a box on each line of a board until ctx ends (nil). A box that ends
// or stalls is started again; the error is [ErrStuck] or the board's.
func Run(ctx context.Context, b Board, log *slog.Logger) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lines := make([]*line, b.Lines())
	for i := range lines {
		lines[i] = &line{n: i + 1, board: b, log: log.With("line", i+1)}
		if err := lines[i].open(); err != nil {
			return err
		}
	}
	wg := guard.Group{Log: log}
	for _, l := range lines {
		wg.Go(fmt.Sprintf("line %d", l.n), func() { stop(l.run(work)) })
	}
	wg.Go("watchdog", func() { watch(work, b, lines) })
	if err := b.Ready(); err != nil {
		stop(err)
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(work)
}

// line is one line's box and its watch.
type line struct {
	n       int
	board   Board
	log     *slog.Logger
	port    Port
	fed     atomic.Int64 // when it went on the last time
	restart atomic.Pointer[context.CancelCauseFunc]
}

func (l *line) open() (err error) {
	l.port, err = l.board.Open(l.n)
	if err != nil {
		return fmt.Errorf("opening line %d: %w", l.n, err)
	}
	return nil
}

// run keeps a box at work; its error ends all lines.
func (l *line) run(ctx context.Context) error {
	for {
		err := l.once(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrStuck) {
			return err
		}
		l.log.Error("box restarted", "err", err)
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(reopenWait):
			}
			if err := l.open(); err == nil {
				break
			} else {
				l.log.Error("line stays closed", "err", err)
			}
		}
	}
}

// once runs one box to its end, or gives it up when it does not end.
func (l *line) once(ctx context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l.feed()
	b := box.New(box.Config{Serial: l.port.Serial, Log: l.log, Feed: l.feed}, l.port.Host, l.port.Line)
	l.restart.Store(&stop)
	defer l.restart.Store(nil)
	ended := make(chan error, 1)
	guard.Go(fmt.Sprintf("box %d", l.n), l.log, func() { ended <- b.Run(work) })
	select {
	case err := <-ended:
		return errors.Join(err, stalled(work))
	case <-work.Done():
	}
	select {
	case err := <-ended:
		return errors.Join(err, stalled(work))
	case <-time.After(stuckLimit):
		return fmt.Errorf("line %d: %w", l.n, ErrStuck)
	}
}

func stalled(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, errStalled) {
		return err
	}
	return nil
}

func (l *line) feed() { l.fed.Store(time.Now().UnixNano()) }

// watch restarts a line that stands still, and kicks the board's watchdog while
// none does.
func watch(ctx context.Context, b Board, lines []*line) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		alive := true
		for _, l := range lines {
			alive = l.alive() && alive
		}
		if alive {
			b.Kick()
		}
	}
}

func (l *line) alive() bool {
	if time.Since(time.Unix(0, l.fed.Load())) < stallLimit {
		return true
	}
	if restart := l.restart.Load(); restart != nil {
		(*restart)(errStalled)
	}
	return false
}
