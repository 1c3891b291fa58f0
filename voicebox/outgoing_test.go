package voicebox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media/dsp"
	"callbox/voicebox/v253"
)

func TestDialledDigits(t *testing.T) {
	for wanted, want := range map[string]string{
		"+8613800138000":                    "13800138000",
		"+8657188880001":                    "88880001", // our own area
		"+862588880001":                     "02588880001",
		"+864001234567":                     "4001234567",
		"+14155552671":                      "0014155552671",
		"13800138000":                       "13800138000",
		"013800138000":                      "013800138000",
		"057188880001":                      "057188880001",
		"0571-8888 0001":                    "057188880001",
		"10086":                             "10086",
		"*57#":                              "*57#",
		"":                                  "",
		"+":                                 "",
		"1001;ATH":                          "",
		"1380013800x":                       "",
		"anonymous":                         "",
		"1,2":                               "",
		"!":                                 "",
		"12345678901234567890123456789012":  "12345678901234567890123456789012",
		"123456789012345678901234567890123": "",
	} {
		if got := dialled(wanted, "0571"); got != want {
			t.Errorf("dialled(%q) = %q, want %q", wanted, got, want)
		}
	}
}

// dials lets a call go out as far as its digits.
func (r *rig) dials(t *testing.T) (*fakeBox, cti.Leg) {
	t.Helper()
	b := r.box("line 1")
	b.hums("dial")
	leg, err := r.lines.Dial(t.Context(), "line:line 1/+8613800138000", cti.Number{}, "call")
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		time.Sleep(100 * time.Millisecond)
		if synctest.Wait(); slices.Contains(b.commands(), "dial 13800138000") {
			b.hums("")
			return b, leg
		}
	}
	t.Fatalf("nothing was dialled: %q", b.commands())
	return nil, nil
}

func TestDialOut(t *testing.T) {
	t.Parallel()
	type want struct {
		err        error
		confidence string
		alerts     bool
		from, to   time.Duration
	}
	polar := oneLine()
	polar[0].Polarity = true
	ringTwice := func(b *fakeBox) {
		b.hums("ringback")
		time.Sleep(7 * time.Second)
		b.hums("")
	}
	for name, tt := range map[string]struct {
		lines   []Line
		happens func(b *fakeBox)
		want    want
	}{
		"busy": {oneLine(), func(b *fakeBox) { b.hums("busy") }, want{err: cti.ErrBusy, to: 3 * time.Second}},
		"congestion": {
			oneLine(), func(b *fakeBox) { b.hums("congestion") },
			want{err: cti.ErrUnreachable, to: 4 * time.Second},
		},
		"vacant": {oneLine(), func(b *fakeBox) { b.hums("vacant") }, want{err: cti.ErrNotFound, to: 4 * time.Second}},
		"nobody answers": {
			oneLine(), func(b *fakeBox) { b.hums("ringback") },
			want{err: cti.ErrNoAnswer, alerts: true, from: answerLimit - time.Second, to: answerLimit + time.Second},
		},
		"a voice after ringback": {oneLine(), func(b *fakeBox) {
			ringTwice(b)
			b.says(speech(3 * time.Second))
		}, want{confidence: Likely, alerts: true, from: 7 * time.Second, to: 8500 * time.Millisecond}},
		"ringback that is gone": {
			oneLine(), ringTwice,
			want{confidence: Likely, alerts: true, from: 10500 * time.Millisecond, to: 12 * time.Second},
		},
		"a voice without any tone": {oneLine(), func(b *fakeBox) {
			b.says(speech(15 * time.Second))
		}, want{confidence: Guess, alerts: true, from: toneless - time.Second, to: toneless + time.Second}},
		"polarity": {polar, func(b *fakeBox) {
			ringTwice(b)
			b.tells(v253.Reversed)
		}, want{confidence: Sure, alerts: true, from: 7 * time.Second, to: 7 * time.Second}},
		"with polarity a voice is music": {polar, func(b *fakeBox) {
			ringTwice(b)
			b.says(speech(3 * time.Second))
			time.Sleep(10 * time.Second)
			b.tells(v253.Reversed)
		}, want{confidence: Sure, alerts: true, from: 17 * time.Second, to: 17 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tt.lines, func(t *testing.T, r *rig) {
				b, leg := r.dials(t)
				start, answered := time.Now(), answer(leg)
				go tt.happens(b)
				err, _ := within(t, 90*time.Second, answered)
				took := time.Since(start)
				if !errors.Is(err, tt.want.err) || took < tt.want.from || took > tt.want.to {
					t.Errorf("Answer = %v after %v, want %v after %v to %v", err, took, tt.want.err, tt.want.from, tt.want.to)
				}
				if got, _ := leg.(cti.Witness).Evidence(); got != tt.want.confidence {
					t.Errorf("confidence %q, want %q", got, tt.want.confidence)
				}
				if alerted := leg.Alerting(); tt.want.alerts != isClosed(alerted) {
					t.Errorf("alerting %v, want %v", !tt.want.alerts, tt.want.alerts)
				}
				if over := isOver(leg); over != (err != nil) || b.isOffHook() == over {
					t.Errorf("over %v and off hook %v after %v", over, b.isOffHook(), err)
				}
			})
		})
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestReversalAfterAnswer: polarity that went back is a hang-up.
func TestReversalAfterAnswer(t *testing.T) {
	lines := oneLine()
	lines[0].Polarity = true
	inBubble(t, lines, func(t *testing.T, r *rig) {
		b, leg := r.dials(t)
		b.tells(v253.Reversed)
		if err, _ := within(t, time.Second, answer(leg)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		b.tells(v253.Reversed)
		if !isOver(leg) {
			t.Fatal("not over")
		}
		if confidence, by := leg.(cti.Witness).Evidence(); confidence != Sure || by != ByPolarity {
			t.Errorf("evidence %q, %q", confidence, by)
		}
	})
}

// TestEarlySound: ringback is heard by who waits, and nobody is heard before
// the answer.
func TestEarlySound(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.dials(t)
		k := &tape{}
		leg.Media().Tap(k)
		go func() { _ = leg.Media().Play(t.Context(), loud()) }()
		b.hums("ringback")
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		if got := k.level(4000); got < -20 {
			t.Errorf("ringback is heard at %.1f dBm0", got)
		}
		if got := dsp.Level(b.written()); got > -60 {
			t.Errorf("%.1f dBm0 are sent before the answer", got)
		}
		leg.Hangup(cti.CauseCanceled)
	})
}

func TestNoDialTone(t *testing.T) {
	for name, hum := range map[string]string{"silence": "", "busy tone": "busy"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneLine(), func(t *testing.T, r *rig) {
				b := r.box("line 1")
				b.hums(hum)
				leg, err := r.lines.Dial(t.Context(), "line:line 1/10086", cti.Number{}, "")
				if err != nil {
					t.Fatal(err)
				}
				err, took := within(t, 10*time.Second, answer(leg))
				if !errors.Is(err, cti.ErrUnreachable) || took > dialToneLimit {
					t.Errorf("Answer = %v after %v", err, took)
				}
				synctest.Wait()
				if b.isOffHook() || slices.Contains(b.commands(), "dial 10086") {
					t.Errorf("commands %q", b.commands())
				}
			})
		})
	}
}

// TestGlare: whoever rings as we go off hook gets the line.
func TestGlare(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		out, err := r.lines.Dial(t.Context(), "line:line 1/10086", cti.Number{}, "")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.tells(v253.Ring)
		in := r.leg()
		if !isOver(out) || !errors.Is(out.Err(), errInUse) {
			t.Errorf("our call: %v, want that the line is in use", out.Err())
		}
		if err, took := within(t, time.Second, answer(in)); err != nil || took > 0 {
			t.Errorf("Answer = %v after %v, want at once: we are off hook", err, took)
		}
		b.says(sine(1000, -12, time.Second))
		time.Sleep(time.Second)
		in.Hangup(cti.CauseNormal)
		if !isOver(in) || b.isOffHook() {
			t.Error("not on hook")
		}
	})
}

func TestRingBeforeTheDial(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		r.box("line 1").tells(v253.Ring)
		r.leg()
		if _, err := r.lines.Dial(t.Context(), "line:line 1/10086", cti.Number{}, ""); !errors.Is(err, errInUse) {
			t.Errorf("Dial = %v, want that it is in use", err)
		}
	})
}

func TestDialRefused(t *testing.T) {
	lines := append(oneLine(), Line{Port: "/dev/ttyACM1", Label: "desk", Mode: ModeAttend, Desk: "1001"})
	inBubble(t, lines, func(t *testing.T, r *rig) {
		for device, want := range map[cti.Device]error{
			"line:line 9/10086": cti.ErrNotFound,
			"line:line 1/":      cti.ErrNotFound,
			"line:line 1/wang":  cti.ErrNotFound,
			"line:line 1":       cti.ErrNotFound,
			"line:desk/10086":   cti.ErrUnreachable,
		} {
			if _, err := r.lines.Dial(t.Context(), device, cti.Number{}, ""); !errors.Is(err, want) {
				t.Errorf("Dial(%s) = %v, want %v", device, err, want)
			}
		}
		if got, want := r.lines.Free(), []string{"line 1"}; !slices.Equal(got, want) {
			t.Errorf("Free = %q, want %q", got, want)
		}
		r.plug(false)
		r.box("line 1").lose(errors.New("gone"))
		synctest.Wait()
		if _, err := r.lines.Dial(t.Context(), "line:line 1/10086", cti.Number{}, ""); !errors.Is(err, cti.ErrUnreachable) {
			t.Errorf("Dial = %v on a lost line, want not reachable", err)
		}
	})
}

// TestHangUpWhileDialling: the line is on hook, wherever the call stands.
func TestHangUpWhileDialling(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		for _, after := range []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second} {
			b := r.box("line 1")
			b.hums("dial")
			leg, err := r.lines.Dial(t.Context(), "line:line 1/10086", cti.Number{}, "")
			if err != nil {
				t.Fatalf("after %v: %v", after, err)
			}
			time.Sleep(after)
			leg.Hangup(cti.CauseCanceled)
			if !isOver(leg) {
				t.Errorf("after %v: not over", after)
			}
			time.Sleep(leastOffHook) // a call given up at once may have gone off hook already
			synctest.Wait()
			if b.isOffHook() {
				t.Errorf("after %v: still off hook", after)
			}
			if err := leg.Answer(context.Background()); !errors.Is(err, cti.ErrCleared) {
				t.Errorf("after %v: Answer = %v", after, err)
			}
			time.Sleep(restTime)
			synctest.Wait()
		}
	})
}

// TestFreeLines: the least used first, then the one idle longest.
func TestFreeLines(t *testing.T) {
	var lines []Line
	for _, label := range []string{"a", "b", "c"} {
		lines = append(lines, Line{Port: "/dev/" + label, Label: label, Mode: ModeAnswer})
	}
	inBubble(t, lines, func(t *testing.T, r *rig) {
		use := func(label string) {
			r.box(label).tells(v253.Ring)
			r.leg()
			time.Sleep(ringGap)
			synctest.Wait()
		}
		want := func(labels ...string) {
			t.Helper()
			if got := r.lines.Free(); !slices.Equal(got, labels) {
				t.Errorf("Free = %q, want %q", got, labels)
			}
		}
		want("a", "b", "c")
		use("a")
		want("b", "c", "a")
		use("c")
		want("b", "a", "c")
		use("a")
		want("b", "c", "a")
		leg, err := r.lines.Dial(t.Context(), "line:b/10086", cti.Number{}, "")
		if err != nil {
			t.Fatal(err)
		}
		want("c", "a") // also before the line has taken it
		leg.Hangup(cti.CauseNormal)
	})
}
