package board_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/firmware/analog"
	"callbox/firmware/board"
)

// bare is a board of pipes: its lines go on for so long, then they stand still.
type bare struct {
	goesOn time.Duration
	opened atomic.Int32
	kicked atomic.Int32
	holds  bool // a line that stands still does not end either
	fails  error
}

func (b *bare) Lines() int   { return 1 }
func (b *bare) Ready() error { return b.fails }
func (b *bare) Kick()        { b.kicked.Add(1) }
func (b *bare) Close() error { return nil }

func (b *bare) Open(int) (board.Port, error) {
	b.opened.Add(1)
	here, there := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, there) }()
	return board.Port{Host: here, Line: &standing{until: time.Now().Add(b.goesOn), ended: make(chan struct{}), holds: b.holds}}, nil
}

type standing struct {
	until time.Time
	ended chan struct{}
	holds bool
}

func (s *standing) ReadLine(*analog.Line) error {
	if time.Now().Before(s.until) {
		time.Sleep(20 * time.Millisecond)
		return nil
	}
	<-s.ended
	if s.holds {
		time.Sleep(time.Hour)
	}
	return errors.New("ended")
}

func (s *standing) WriteBox(*analog.Box) error { return nil }
func (s *standing) Close() error               { close(s.ended); return nil }

func TestWatchdogRestartsALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bare{goesOn: 30 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- board.Run(ctx, b, slog.New(slog.DiscardHandler)) }()
		time.Sleep(49 * time.Second) // the line stood still for 19 s
		synctest.Wait()
		if n := b.opened.Load(); n != 1 {
			t.Fatalf("opened %d times, not once", n)
		}
		if n := b.kicked.Load(); n < 48 {
			t.Errorf("the board's watchdog was kicked %d times in 49 s", n)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if n := b.opened.Load(); n != 2 {
			t.Fatalf("opened %d times, not twice", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWatchdogGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bare{goesOn: time.Second, holds: true}
		if err := board.Run(t.Context(), b, slog.New(slog.DiscardHandler)); !errors.Is(err, board.ErrStuck) {
			t.Errorf("ended with %v", err)
		}
		time.Sleep(2 * time.Hour) // the line's own goroutine
	})
}

func TestBoardNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bare{goesOn: time.Hour, fails: errors.New("no room")}
		if err := board.Run(t.Context(), b, slog.New(slog.DiscardHandler)); !errors.Is(err, b.fails) {
			t.Errorf("ended with %v", err)
		}
	})
}
