package voicebox

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/firmware/exchange"
	"callbox/voicebox/boxtest"
)

// TestRealPort is a call over a pseudo-terminal and the serial library, in real
// time, until the cable is torn out.
func TestRealPort(t *testing.T) {
	t.Parallel()
	bench := boxtest.Start(t, boxtest.Options{Pty: true})
	engine, err := media.New(media.Config{Log: quietLog()})
	ok(t, err)
	calls, journal := &taker{make(chan cti.Leg, 4)}, &notes{}
	lines := oneLine()
	lines[0].Port = bench.Path
	all, err := New(Config{Lines: lines, AreaCode: "0571", Log: quietLog()}, Deps{Engine: engine, Calls: calls, Journal: journal})
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = engine.Run(ctx) })
	wg.Go(func() { _ = all.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	c := &town{lines: all, calls: calls, journal: journal}
	c.inService(t, 1, 10*time.Second)
	ok(t, bench.Exchange.StartRinging(t.Context(), exchange.Call{Caller: dsp.CallerID{Number: "13812345678", Mode: "dtmf"}}))
	leg := c.leg(t)
	if got := leg.Origin().From.E164; got != "+8613812345678" {
		t.Errorf("the caller is %q", got)
	}
	if err, _ := within(t, 3*time.Second, answer(leg)); err != nil {
		t.Fatal(err)
	}
	ok(t, bench.Exchange.Answered(t.Context()))
	k := &tape{}
	leg.Media().Tap(k)
	ok(t, bench.Exchange.Play(t.Context(), exchange.Caller, exchange.Sound(sine(1000, -15, time.Second))))
	if got := k.level(2000); math.Abs(got+15) > 3 {
		t.Errorf("the caller is heard at %.1f dBm0, want -15", got)
	}
	if isClosed(leg.Done()) {
		t.Fatalf("over before: %v", leg.Err())
	}
	begin := time.Now()
	bench.Unplug()
	within(t, 2*time.Second, leg.Done())
	wantErr(t, leg.Err(), cti.ErrLineLost)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("lost after %v", took)
	} else {
		t.Logf("lost after %v", took)
	}
}
