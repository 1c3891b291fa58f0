package voicebox

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media"
	"callbox/cti/media/dsp"
)

// TestDigitUnderThePrompt: our own voice comes back at -10 dB.
func TestDigitUnderThePrompt(t *testing.T) {
	t.Parallel()
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		b.set(func() { b.echo = 0.316 })
		voice := speech(6 * time.Second)
		done := make(chan error, 1)
		go func() { done <- leg.Media().Play(t.Context(), media.NewPrompt("menu", voice)) }()
		time.Sleep(3 * time.Second)
		b.says(dsp.AppendDTMF(nil, "42", dsp.Keying{Level: -18, Twist: 2, On: 100 * time.Millisecond, Off: 100 * time.Millisecond}))
		<-done
		if got := pressed(leg); got != "42" {
			t.Errorf("digits %q, want 42", got)
		}
	})
}

// TestDoubleTalk: the caller is heard as loud as before while we speak.
func TestDoubleTalk(t *testing.T) {
	t.Parallel()
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		k := &tape{}
		leg.Media().Tap(k)
		b.set(func() { b.echo = 0.316 })
		done := make(chan error, 1)
		go func() { done <- leg.Media().Play(t.Context(), media.NewPrompt("menu", speech(5*time.Second))) }()
		time.Sleep(2 * time.Second)
		b.says(sine(1000, -12, 2*time.Second))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := k.level(8000); math.Abs(got+12) > 1.5 {
			t.Errorf("the caller is heard at %.1f dBm0, want -12", got)
		}
		<-done
	})
}
