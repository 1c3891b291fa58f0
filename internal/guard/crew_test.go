package guard_test

import (
	"log/slog"
	"sync/atomic"
	"testing"

	"callbox/internal/guard"
)

func TestCrewGrowsWhileWaited(t *testing.T) {
	c := guard.Crew{Log: slog.New(slog.DiscardHandler)}
	<-c.Quiet()
	var ran atomic.Int32
	begin := make(chan struct{})
	c.Go("first", func() {
		<-begin
		c.Go("second", func() { ran.Add(1); panic("falls") })
		ran.Add(1)
	})
	quiet := c.Quiet()
	close(begin)
	<-quiet
	if n := ran.Load(); n != 2 {
		t.Errorf("%d goroutines ran, want 2", n)
	}
}
