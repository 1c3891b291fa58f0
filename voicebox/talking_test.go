package voicebox

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/voicebox/v253"
)

// tape keeps what a port's party says.
type tape struct {
	mu    sync.Mutex
	sound []byte
}

func (k *tape) Sound(side media.Side, _ int64, payload []byte) {
	if side != media.Received {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sound = append(k.sound, payload...)
}

// level of the last samples of n.
func (k *tape) level(n int) float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	n = min(n, len(k.sound))
	samples := make([]int16, n)
	media.Decode(law, samples, k.sound[len(k.sound)-n:])
	return dsp.Level(samples)
}

func (k *tape) len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sound)
}

func sine(hz, level float64, d time.Duration) []int16 { return dsp.AppendTone(nil, hz, level, d) }

func TestSoundBothWays(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		k := &tape{}
		leg.Media().Tap(k)
		err := leg.Media().Play(t.Context(), media.NewPrompt("welcome", sine(600, -10, 2*time.Second)))
		if err != nil {
			t.Fatal(err)
		}
		b.says(sine(1000, -12, 2*time.Second))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := k.level(8000); math.Abs(got+12) > 1 {
			t.Errorf("the caller is heard at %.1f dBm0, want -12", got)
		}
		if got := dsp.Level(b.written()[8000:14000]); math.Abs(got+10) > 1 {
			t.Errorf("the prompt is sent at %.1f dBm0, want -10", got)
		}
		heard, sent := k.len(), len(b.written())
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got, want := k.len()-heard, 4*dsp.Rate; got != want {
			t.Errorf("%d samples heard in 4 s, want %d", got, want)
		}
		if got, want := len(b.written())-sent, 4*dsp.Rate; got != want {
			t.Errorf("%d samples sent in 4 s, want %d", got, want)
		}
	})
}

// TestOneForOne: as much is written as was read, behind the head start.
func TestOneForOne(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, _ := r.talks("line 1")
		for n := range 100 {
			time.Sleep(frameTime)
			synctest.Wait()
			if got, want := len(b.written())/media.FrameSamples, headStart+n+1; got != want {
				t.Fatalf("after %d frames %d are written, want %d", n+1, got, want)
			}
		}
	})
}

// TestHostIsLate: after a stall the box has no more in hand than before, so
// that nobody hears the other later for the rest of the call.
func TestHostIsLate(t *testing.T) {
	t.Parallel()
	for _, stall := range []time.Duration{40, 80, 200, 500, 900} {
		inBubble(t, oneLine(), func(t *testing.T, r *rig) {
			b, leg := r.talks("line 1")
			time.Sleep(time.Second)
			for range 5 {
				b.set(func() { b.stall = stall * time.Millisecond })
				time.Sleep(3 * time.Second)
			}
			b.inHand(t, stall*time.Millisecond)
			if isOver(leg) {
				t.Error(leg.Err())
			}
		})
	}
}

// TestFramesAreLost: on their way from the box; it has as much in hand as
// before soon afterwards.
func TestFramesAreLost(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, _ := r.talks("line 1")
		for range 5 {
			time.Sleep(3 * time.Second)
			b.set(func() { b.drop = headStart })
		}
		time.Sleep(3 * time.Second)
		b.inHand(t, 0)
		b.set(func() { b.dry = 0 })
		time.Sleep(10 * time.Second)
		if synctest.Wait(); b.dry > 0 {
			t.Errorf("ran dry %d times with no loss any more", b.dry)
		}
	})
}

// inHand checks what the box has to play.
func (b *fakeBox) inHand(t *testing.T, stall time.Duration) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	got := (len(b.stream.sent) - b.stream.played) / media.FrameSamples
	if got < headStart-1 || got > headStart+1 {
		t.Errorf("after stalls of %v the box has %d frames in hand, want about %d", stall, got, headStart)
	}
	if waiting := len(b.stream.frames); waiting > 1 {
		t.Errorf("after stalls of %v %d frames wait to be read", stall, waiting)
	}
}

// TestBargeIn: of a prompt that is cut off at most 100 ms are still heard.
func TestBargeIn(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		ctx, cut := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- leg.Media().Play(ctx, media.NewPrompt("long", sine(600, -10, 10*time.Second))) }()
		time.Sleep(3*time.Second + 7*time.Millisecond)
		synctest.Wait()
		played := len(b.written()) - headStart*media.FrameSamples // the box has the rest in hand
		cut()
		<-done
		time.Sleep(time.Second)
		synctest.Wait()
		after := b.written()[played:]
		last := 0
		for i, v := range after {
			if v > 100 || v < -100 {
				last = i
			}
		}
		if got := time.Duration(last) * time.Second / dsp.Rate; got > 100*time.Millisecond {
			t.Errorf("%v of the prompt are heard behind the cut, want at most 100ms", got)
		}
		if dsp.Level(b.written()[played-800:played]) < -12 {
			t.Error("the prompt was not heard before the cut")
		}
	})
}

func TestDigits(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		b.says(dsp.AppendDTMF(nil, "159#", dsp.DefaultKeying))
		time.Sleep(time.Second)
		b.tells(v253.DialTone)              // no key
		for _, key := range []byte("77*") { // the box tells what it took out of the sound
			b.events <- v253.Event{Kind: v253.DigitBegan, Digit: key}
			b.events <- v253.Event{Kind: v253.DigitEnded, Digit: key}
			time.Sleep(150 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := pressed(leg); got != "159#77*" {
			t.Errorf("digits %q, want 159#77*", got)
		}
	})
}

// TestDigitsToldAndHeard are one press each, also where we send some that the
// box hears.
func TestDigitsToldAndHeard(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		b.says(dsp.AppendDTMF(nil, "1155", dsp.DefaultKeying))
		for _, key := range []byte("1155") {
			time.Sleep(100 * time.Millisecond)
			b.events <- v253.Event{Kind: v253.DigitBegan, Digit: key}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		leg.Media().Send("8")
		time.Sleep(250 * time.Millisecond)
		b.events <- v253.Event{Kind: v253.DigitBegan, Digit: '8'}
		time.Sleep(time.Second)
		if got := pressed(leg); got != "1155" {
			t.Errorf("digits %q, want 1155", got)
		}
	})
}

func pressed(leg cti.Leg) string {
	synctest.Wait()
	var keys []rune
	for {
		select {
		case k := <-leg.Media().Digits():
			keys = append(keys, k)
		default:
			return string(keys)
		}
	}
}

func TestFarEndHangsUp(t *testing.T) {
	polar := oneLine()
	polar[0].Polarity = true
	for name, tt := range map[string]struct {
		lines    []Line
		happens  func(b *fakeBox)
		by       string
		from, to time.Duration
	}{
		"busy tone":       {oneLine(), func(b *fakeBox) { b.hums("busy") }, ByBusyTone, 2 * time.Second, 3 * time.Second},
		"congestion tone": {oneLine(), func(b *fakeBox) { b.hums("congestion") }, ByBusyTone, 3 * time.Second, 5 * time.Second},
		"dial tone":       {oneLine(), func(b *fakeBox) { b.hums("dial") }, ByBusyTone, 3 * time.Second, 4 * time.Second},
		"howler":          {oneLine(), func(b *fakeBox) { b.hums("howler") }, ByBusyTone, 2 * time.Second, 4 * time.Second},
		"loop drop":       {oneLine(), func(b *fakeBox) { b.tells(v253.LoopLost) }, ByLoop, 0, 0},
		"reversal and back": {polar, func(b *fakeBox) {
			b.tells(v253.Reversed)
			synctest.Wait()
			time.Sleep(5 * time.Second)
			b.tells(v253.Reversed)
		}, ByPolarity, 5 * time.Second, 5 * time.Second},
		"busy reports of the box": {oneLine(), func(b *fakeBox) {
			for range busyReports {
				time.Sleep(700 * time.Millisecond)
				b.tells(v253.Busy)
			}
		}, ByBusyTone, 2800 * time.Millisecond, 2800 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tt.lines, func(t *testing.T, r *rig) {
				b, leg := r.talks("line 1")
				start := time.Now()
				tt.happens(b)
				within(t, 3*time.Minute, leg.Done())
				took := time.Since(start)
				wantErr(t, leg.Err(), cti.ErrRemoteHangup)
				if took < tt.from || took > tt.to {
					t.Errorf("noticed after %v, want %v to %v", took, tt.from, tt.to)
				}
				if _, by := leg.(cti.Witness).Evidence(); by != tt.by {
					t.Errorf("noticed by %q, want %q", by, tt.by)
				}
				synctest.Wait()
				if b.isOffHook() {
					t.Error("still off hook")
				}
			})
		})
	}
}

// TestNoHangUp: what is none.
func TestNoHangUp(t *testing.T) {
	polar := oneLine()
	polar[0].Polarity = true
	for name, tt := range map[string]struct {
		lines   []Line
		happens func(b *fakeBox)
	}{
		"a reversal that belongs to the answer": {polar, func(b *fakeBox) {
			b.tells(v253.Reversed)
		}},
		"a late reversal without one at answer": {polar, func(b *fakeBox) {
			time.Sleep(reverseAtMost + time.Second)
			b.tells(v253.Reversed)
		}},
		"reversals without polarity": {oneLine(), func(b *fakeBox) {
			b.tells(v253.Reversed, v253.Reversed, v253.Reversed)
		}},
		"two cadences of busy tone": {oneLine(), func(b *fakeBox) {
			b.hums("busy")
			time.Sleep(1400 * time.Millisecond)
			b.hums("")
			time.Sleep(time.Second)
		}},
		"busy reports far apart": {oneLine(), func(b *fakeBox) {
			for range 3 * busyReports {
				time.Sleep(busyApart + time.Millisecond)
				b.tells(v253.Busy)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tt.lines, func(t *testing.T, r *rig) {
				b, leg := r.talks("line 1")
				tt.happens(b)
				if isOver(leg) {
					_, by := leg.(cti.Witness).Evidence()
					t.Errorf("over by %q: %v", by, leg.Err())
				}
			})
		})
	}
}

func TestFlash(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		flash := leg.(interface {
			Flash(ctx context.Context) error
		}).Flash
		if err := flash(t.Context()); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("Flash while it rings = %v", err)
		}
		b.identifies("13812345678")
		if err, _ := within(t, time.Second, answer(leg)); err != nil {
			t.Fatal(err)
		}
		if err := flash(t.Context()); err != nil {
			t.Errorf("Flash = %v", err)
		}
		if want := []string{"on hook", "off hook", "talk", "end", "flash", "talk"}; !slices.Equal(b.commands(), want) {
			t.Errorf("commands %q, want %q", b.commands(), want)
		}
		time.Sleep(time.Second)
		if isOver(leg) {
			t.Errorf("over: %v", leg.Err())
		}
		leg.Hangup(cti.CauseNormal)
		if err := flash(t.Context()); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("Flash after the end = %v", err)
		}
	})
}

// TestSilence: only silence in both directions, without a pause, is a hang-up.
func TestSilence(t *testing.T) {
	none := heard{n: media.FrameSamples}
	voice, ours, key := none, none, none
	voice.voice, ours.ours, key.keys = true, true, []dsp.Digit{{Key: '1'}}
	const frames = int(silenceLimit / frameTime)
	for name, tt := range map[string]struct {
		polarity bool
		at       int   // of the only frame that is not silent
		sound    heard // there
		length   int
		want     string
	}{
		"last instant":     {false, 0, none, frames - 1, ""},
		"too long":         {false, 0, none, frames, BySilence},
		"polarity":         {true, 0, none, 10 * frames, ""},
		"a word":           {false, 10, voice, frames + 10, ""},
		"our music":        {false, 10, ours, frames + 10, ""},
		"a key":            {false, 10, key, frames + 10, ""},
		"silence after it": {false, 10, voice, frames + 11, BySilence},
	} {
		f, got := farEnd{polarity: tt.polarity}, ""
		for i := range tt.length {
			h := none
			if i == tt.at {
				h = tt.sound
			}
			got = f.hear(&h)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestShortAnswer: a flow that ends at once still holds the line for as long as
// an exchange needs to see the answer; a party that is gone is not held.
func TestShortAnswer(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		leg.Hangup(cti.CauseNormal)
		time.Sleep(leastOffHook - 10*time.Millisecond)
		synctest.Wait()
		if !b.isOffHook() {
			t.Error("on hook before the exchange saw the answer")
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if b.isOffHook() {
			t.Error("still off hook")
		}
	})
}

// TestDeadLine: no loop current before the first digit means another way out.
func TestDeadLine(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		leg, err := r.lines.Dial(t.Context(), "line:line 1/13800138000", cti.Number{}, "c")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.tells(v253.LoopLost)
		within(t, time.Second, leg.Done())
		wantErr(t, leg.Err(), cti.ErrUnreachable)
	})
}

// TestBoxFails: whatever happens to the box, the call ends within 2 s and the
// line is in service again within 10 s of the box's coming back.
func TestBoxFails(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(r *rig, b *fakeBox)
		states  int // more than the first inService
	}{
		"unplugged": {func(r *rig, b *fakeBox) { r.plug(false); b.lose(errors.New("read: input/output error")) }, 2},
		"no sound":  {func(_ *rig, b *fakeBox) { b.set(func() { b.silent = true }) }, 2},
		"it ends the sound by itself": {func(_ *rig, b *fakeBox) {
			b.set(func() { b.stream.stop() })
		}, 0},
		"a command panics": {func(_ *rig, b *fakeBox) {
			b.set(func() { b.fall = true })
			b.tells(v253.LoopLost)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneLine(), func(t *testing.T, r *rig) {
				b, leg := r.talks("line 1")
				lost := time.Now()
				tt.happens(r, b)
				within(t, 2*time.Second, leg.Done())
				if name != "a command panics" { // the far side has hung up there
					wantErr(t, leg.Err(), cti.ErrLineLost)
				}
				r.waitState(t, name == "unplugged", lost)
				back := time.Now()
				r.plug(true)
				for len(r.lines.Free()) == 0 {
					time.Sleep(100 * time.Millisecond)
					if time.Since(back) > 10*time.Second {
						t.Fatalf("not in service within 10 s: %+v", r.lines.States())
					}
				}
				if got := len(r.journal.states()) - 1; got != tt.states {
					t.Errorf("states noted %q, want %d", r.journal.states(), tt.states)
				}
				_, leg = r.talks("line 1")
				leg.Hangup(cti.CauseNormal)
			})
		})
	}
}

// waitState waits for the alarm, at most 5 s after the loss.
func (r *rig) waitState(t *testing.T, alarm bool, lost time.Time) {
	t.Helper()
	for alarm && r.lines.States()[0].State != OutOfService {
		time.Sleep(10 * time.Millisecond)
		if time.Since(lost) > 5*time.Second {
			t.Fatal("no alarm within 5 s")
		}
	}
	if alarm {
		time.Sleep(30 * time.Second) // it stays unplugged
		synctest.Wait()
	}
}

// TestIdleBoxFallsSilent: two signs of life are missed, then it is reset.
func TestIdleBoxFallsSilent(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if b.checks != 12 {
			t.Errorf("%d signs of life in a minute, want 12", b.checks)
		}
		b.set(func() { b.silent = true })
		time.Sleep(2*pingEvery + 2*commandLimit + resetLimit + retryEvery + time.Second)
		synctest.Wait()
		if r.box("line 1") == b {
			t.Fatal("the port was not opened anew")
		}
		want := []string{"inService ", "outOfService", "inService "}
		if got := r.journal.states(); len(got) != 3 || got[2] != want[2] {
			t.Errorf("states %q, want %q", got, want)
		}
	})
}

// TestResetHelps: a box that a reset brings back keeps the line in service.
func TestResetHelps(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.set(func() { b.silent = true })
		time.Sleep(2*pingEvery + 2*commandLimit + time.Second) // the reset waits
		b.set(func() { b.silent = false })
		_ = b
		time.Sleep(resetLimit + 5*time.Second)
		synctest.Wait()
		if len(r.lines.Free()) != 1 {
			t.Errorf("not in service: %+v", r.lines.States())
		}
	})
}

// TestShutdown: at the end of Run calls are over and lines on hook.
func TestShutdown(t *testing.T) {
	var b *fakeBox
	var leg cti.Leg
	inBubble(t, oneLine(), func(_ *testing.T, r *rig) { b, leg = r.talks("line 1") })
	wantErr(t, leg.Err(), cti.ErrShutdown)
	if b.isOffHook() {
		t.Error("off hook after the end")
	}
	if want := []string{"on hook", "off hook", "talk", "end", "on hook"}; !slices.Equal(b.commands(), want) {
		t.Errorf("commands %q, want %q", b.commands(), want)
	}
}
