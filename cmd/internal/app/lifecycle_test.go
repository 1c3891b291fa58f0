package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestStopsBackwardsAlsoAfterAFailure(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	l := lifecycle{log: slog.New(slog.DiscardHandler), fail: fail}
	var order []string
	part := func(name string) {
		l.start(name, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name)
			return ctx.Err()
		})
	}
	part("storage")
	part("calls")
	l.onStop("socket", func() error { return errors.New("still open") })
	l.start("sip", func(context.Context) error { return errors.New("port in use") })
	<-ctx.Done()
	if got := context.Cause(ctx).Error(); got != "sip: port in use" {
		t.Errorf("cause = %q", got)
	}
	err := l.stop()
	if err == nil || !strings.Contains(err.Error(), "stop socket: still open") {
		t.Errorf("stop = %v", err)
	}
	if got := strings.Join(order, " "); got != "calls storage" {
		t.Errorf("stopped in the order %q, want the last first", got)
	}
}

func TestAPanicOfAPartBringsTheDaemonDown(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	l := lifecycle{log: slog.New(slog.DiscardHandler), fail: fail}
	l.start("floor", func(context.Context) error { panic("x") })
	<-ctx.Done()
	if got := context.Cause(ctx).Error(); got != "floor: ended by a panic" {
		t.Errorf("cause = %q", got)
	}
	if err := l.stop(); err == nil {
		t.Error("stop = nil, want the panic told")
	}
}
