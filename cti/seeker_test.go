package cti

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media"
)

// Before anything was dialled the outside leg is silent, and nothing falls.
func TestSeekerBeforeItDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := newSeeker([]Exit{{Device: "line:1/139", As: Number{Raw: "8888"}, Line: "line 1"}})
		if err != nil {
			t.Fatal(err)
		}
		if k.Device() != "line:1/139" || k.Origin().Line != "line 1" || k.Origin().Direction != Out {
			t.Errorf("device %s, origin %+v", k.Device(), k.Origin())
		}
		port := k.Media()
		port.Tap(nil)
		port.Send("1")
		if codec(port) != "PCMA" || port.Stats().Received != 0 || mos(port.Stats()) != nil {
			t.Errorf("law %v, stats %+v", port.Law(), port.Stats())
		}
		start := time.Now()
		if err := port.Play(t.Context(), media.NewPrompt("x", make([]int16, 8000))); err != nil || time.Since(start) != time.Second {
			t.Errorf("Play = %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, ErrNoAnswer)
		defer cancel()
		if err := port.Play(ctx, busyTone); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("Play of a loop = %v", err)
		}
		record := LegRecord{}
		record.close(k)
		k.Hangup(CauseCanceled)
		k.Hangup(CauseCanceled)
		select {
		case <-k.Done():
		default:
			t.Error("hung up, and not over")
		}
		dialled := false
		k.dial = func(Exit) (Leg, error) { dialled = true; return nil, ErrUnreachable }
		if err := k.Answer(t.Context()); err == nil || dialled {
			t.Errorf("Answer when over = %v, dialled %t", err, dialled)
		}
	})
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		err         error
		cause, side string
	}{
		{errors.Join(errors.New("486"), ErrBusy), CauseBusy, CallerSide},
		{ErrRejected, CauseBusy, CallerSide},
		{ErrNoAnswer, CauseNoAnswer, CallerSide},
		{ErrNotFound, CauseNotFound, LineSide},
		{ErrUnreachable, CauseCongestion, LineSide},
		{ErrLineLost, CauseLineLost, LineSide},
		{context.Canceled, CauseCanceled, BoxSide},
		{errAgentGone, CauseCanceled, AgentSide},
		{errors.New("what"), CauseError, BoxSide},
	} {
		if f := failureOf(tt.err); f.cause != tt.cause || f.side != tt.side {
			t.Errorf("%v: %s by %s, want %s by %s", tt.err, f.cause, f.side, tt.cause, tt.side)
		}
	}
}
