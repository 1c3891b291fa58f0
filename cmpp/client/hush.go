package client

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	hushAfter = 5                // lines of the same words in
	hushSpan  = 10 * time.Second // are logged
)

// hush passes a log on, of warnings in the same words only some: a gateway that
// goes wrong does so for every message. The next line says how many were left
// out. Errors always pass.
type hush struct {
	slog.Handler
	said *said
}

// said is what was logged lately, by the words.
type said struct {
	mu    sync.Mutex
	words map[string]*count
}

type count struct {
	since   time.Time
	lines   int
	leftOut int
}

func newSaid() *said { return &said{words: map[string]*count{}} }

// hushed gives log with its warnings hushed; said is shared by all connections
// of an account.
func (s *said) hushed(log *slog.Logger) *slog.Logger { return slog.New(hush{log.Handler(), s}) }

// turn tells whether another line may be logged, and how many were left out
// before it.
func (s *said) turn(words string, at time.Time) (ok bool, leftOut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.words[words]
	if c == nil {
		c = &count{since: at}
		s.words[words] = c
	}
	if at.Sub(c.since) >= hushSpan {
		c.since, c.lines = at, 0
	}
	if c.lines >= hushAfter {
		c.leftOut++
		return false, 0
	}
	c.lines++
	leftOut, c.leftOut = c.leftOut, 0
	return true, leftOut
}

// Handle implements [slog.Handler].
func (h hush) Handle(ctx context.Context, r slog.Record) error {
	if r.Level != slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	ok, leftOut := h.said.turn(r.Message, r.Time)
	if !ok {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h hush) WithAttrs(attrs []slog.Attr) slog.Handler {
	return hush{h.Handler.WithAttrs(attrs), h.said}
}

// WithGroup implements [slog.Handler].
func (h hush) WithGroup(name string) slog.Handler { return hush{h.Handler.WithGroup(name), h.said} }
