package guard_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"callbox/internal/guard"
)

func TestGroupSurvivesPanic(t *testing.T) {
	var log bytes.Buffer
	before := guard.Panics()
	g := guard.Group{Log: slog.New(slog.NewTextHandler(&log, nil))}
	done := false
	g.Go("falls", func() { panic("fell") })
	g.Go("stands", func() { done = true })
	g.Wait()
	if !done {
		t.Error("the other goroutine did not run")
	}
	if got := guard.Panics() - before; got != 1 {
		t.Errorf("Panics rose by %d, want 1", got)
	}
	if !strings.Contains(log.String(), "goroutine=falls") {
		t.Errorf("log does not name the goroutine: %s", log.String())
	}
}

func TestCall(t *testing.T) {
	if err := guard.Call(func() {}); err != nil {
		t.Errorf("Call = %v, want nil", err)
	}
	err := guard.Call(func() { panic("oops") })
	if err == nil || err.Error() != "panic: oops" {
		t.Errorf("Call = %v, want panic: oops", err)
	}
}
