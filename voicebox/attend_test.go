package voicebox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/voicebox/v253"
)

func loud() media.Prompt { return media.NewPrompt("loud", sine(600, -10, time.Second)) }

// untouched checks that nothing was ever started on the line.
func untouched(t *testing.T, b *fakeBox) {
	t.Helper()
	for _, c := range b.commands() {
		if c == "off hook" || c == "talk" || strings.HasPrefix(c, "dial") {
			t.Errorf("the line was touched: %q", b.commands())
		}
	}
	if got := b.written(); len(got) > 0 {
		t.Errorf("%d samples were sent", len(got))
	}
}

func TestAgentAnswersAtTheSet(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		if got := leg.Origin(); got.Attend != "1001" || got.Direction != cti.In || got.DID != "057188880001" {
			t.Errorf("Origin = %+v", got)
		}
		answered := answer(leg)
		time.Sleep(time.Second)
		b.identifies("13812345678")
		if got := <-leg.(cti.Informer).Information(); got.Calling.Raw != "13812345678" {
			t.Errorf("told %+v", got)
		}
		time.Sleep(3500 * time.Millisecond) // longer than a line of our own would wait
		select {
		case err := <-answered:
			t.Fatalf("answered by nobody: %v", err)
		default:
		}
		b.tells(v253.SetLifted)
		if err, took := within(t, time.Second, answered); err != nil || took > 0 {
			t.Errorf("Answer = %v after %v", err, took)
		}
		k := &tape{}
		leg.Media().Tap(k)
		b.says(sine(1000, -12, time.Second))
		_ = leg.Media().Play(t.Context(), loud())
		synctest.Wait()
		if got := k.level(4000); got < -14 {
			t.Errorf("the talk is heard at %.1f dBm0", got)
		}
		b.tells(v253.SetReplaced)
		if !isOver(leg) {
			t.Fatal("not over")
		}
		wantErr(t, leg.Err(), nil)
		if _, by := leg.(cti.Witness).Evidence(); by != BySet {
			t.Errorf("noticed by %q", by)
		}
		untouched(t, b)
		time.Sleep(restTime)
		b.tells(v253.Ring)
		r.leg()
	})
}

func TestMissedAtTheSet(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		answered := answer(leg)
		time.Sleep(5 * time.Second)
		b.tells(v253.Ring)
		if err, took := within(t, 10*time.Second, answered); !errors.Is(err, cti.ErrRemoteHangup) || took != ringGap {
			t.Errorf("Answer = %v after %v, want the hang-up after %v", err, took, ringGap)
		}
		untouched(t, b)
	})
}

// TestCallerHangsUpFirst: the agent's set is still up, and the line not idle.
func TestCallerHangsUpFirst(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		b.tells(v253.SetLifted)
		time.Sleep(time.Second)
		b.hums("busy")
		within(t, 5*time.Second, leg.Done())
		wantErr(t, leg.Err(), cti.ErrRemoteHangup)
		if err := leg.Answer(t.Context()); err != nil {
			t.Errorf("Answer of a call that was answered = %v", err)
		}
		synctest.Wait()
		if s := r.lines.States()[0]; !s.Busy {
			t.Errorf("not busy while the set is up: %+v", s)
		}
		b.tells(v253.SetReplaced)
		time.Sleep(restTime)
		synctest.Wait()
		if s := r.lines.States()[0]; s.Busy {
			t.Errorf("busy for ever: %+v", s)
		}
		r.noLeg()
		untouched(t, b)
	})
}

// TestHangupLeavesTheSetAlone: what callbox ends goes on at the set.
func TestHangupLeavesTheSetAlone(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		b.tells(v253.SetLifted)
		synctest.Wait()
		leg.Hangup(cti.CauseNormal)
		if !isOver(leg) {
			t.Fatal("not over")
		}
		time.Sleep(time.Minute)
		b.tells(v253.SetReplaced)
		time.Sleep(restTime)
		b.tells(v253.Ring)
		r.leg()
		untouched(t, b)
	})
}

// TestAgentDials: a lifted set is a call out, whose number comes as dialled.
func TestAgentDials(t *testing.T) {
	for name, tt := range map[string]struct {
		happens    func(b *fakeBox)
		err        error
		confidence string
	}{
		"answered": {func(b *fakeBox) {
			b.hums("ringback")
			time.Sleep(6500 * time.Millisecond)
			b.hums("")
			b.says(speech(2 * time.Second))
		}, nil, Likely},
		"busy": {func(b *fakeBox) { b.hums("busy") }, cti.ErrBusy, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneSet(), func(t *testing.T, r *rig) {
				b := r.box("line 1")
				b.hums("dial")
				b.tells(v253.SetLifted)
				leg := r.leg()
				if got := leg.Origin(); got.Direction != cti.Out || got.Attend != "1001" || got.From.Raw != "057188880001" {
					t.Errorf("Origin = %+v", got)
				}
				answered := answer(leg)
				time.Sleep(2 * time.Second)
				b.hums("")
				b.says(dsp.AppendDTMF(nil, "013800138000", dsp.DefaultKeying))
				time.Sleep(2500 * time.Millisecond)
				go tt.happens(b)
				info, _ := within(t, 8*time.Second, leg.(cti.Informer).Information())
				if want := (cti.Number{E164: "+8613800138000", Raw: "013800138000"}); info.Called != want {
					t.Errorf("Called = %+v, want %+v", info.Called, want)
				}
				if err, _ := within(t, 15*time.Second, answered); !errors.Is(err, tt.err) {
					t.Errorf("Answer = %v, want %v", err, tt.err)
				}
				if got, _ := leg.(cti.Witness).Evidence(); got != tt.confidence {
					t.Errorf("confidence %q, want %q", got, tt.confidence)
				}
				b.tells(v253.SetReplaced)
				if !isOver(leg) {
					t.Error("not over")
				}
				untouched(t, b)
			})
		})
	}
}

// TestShortDialTone: one that the first key ends after a second is no ringback,
// also where only the box hears the keys.
func TestShortDialTone(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.SetLifted)
		leg := r.leg()
		b.says(sine(450, -15, time.Second))
		time.Sleep(1500 * time.Millisecond)
		for _, key := range []byte("13900001111") {
			b.events <- v253.Event{Kind: v253.DigitBegan, Digit: key}
			time.Sleep(220 * time.Millisecond)
		}
		info, _ := within(t, 8*time.Second, leg.(cti.Informer).Information())
		if info.Called.Raw != "13900001111" {
			t.Errorf("Called = %+v", info.Called)
		}
		b.tells(v253.SetReplaced)
		untouched(t, b)
	})
}

// TestSetLiftedForNothing: no digits, and down again.
func TestSetLiftedForNothing(t *testing.T) {
	inBubble(t, oneSet(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.SetLifted, v253.SetLifted)
		leg := r.leg()
		time.Sleep(10 * time.Second)
		b.tells(v253.SetReplaced, v253.SetReplaced)
		if err := leg.Answer(context.Background()); !errors.Is(err, cti.ErrCleared) {
			t.Errorf("Answer = %v", err)
		}
		if _, more := <-leg.(cti.Informer).Information(); more {
			t.Error("a number was told")
		}
		r.noLeg()
	})
}

func TestShutdownLeavesTheSetAlone(t *testing.T) {
	var b *fakeBox
	inBubble(t, oneSet(), func(_ *testing.T, r *rig) {
		b = r.box("line 1")
		b.tells(v253.Ring)
		r.leg()
		b.tells(v253.SetLifted)
		synctest.Wait()
	})
	if want := []string{"on hook", "listen", "end"}; !slices.Equal(b.commands(), want) {
		t.Errorf("commands %q, want %q", b.commands(), want)
	}
}
