package voicebox

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/voicebox/v253"
)

func TestNumberAfterTheFirstRing(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		want := cti.Origin{
			Direction: cti.In, Device: "line:line 1", Line: "line 1",
			To: cti.Number{Raw: "057188880001"}, DID: "057188880001",
		}
		if got := leg.Origin(); !reflect.DeepEqual(got, want) {
			t.Errorf("Origin = %+v, want %+v", got, want)
		}
		answered := answer(leg)
		time.Sleep(1800 * time.Millisecond)
		if b.isOffHook() {
			t.Fatal("off hook before the number is known")
		}
		b.identifies("013812345678")
		if err, took := within(t, time.Second, answered); err != nil || took > 100*time.Millisecond {
			t.Errorf("Answer = %v after %v, want at once when the number is known", err, took)
		}
		info := leg.(cti.Informer).Information()
		got, ok := <-info
		if want := (cti.Number{E164: "+8613812345678", Raw: "013812345678"}); !ok || got.Calling != want {
			t.Errorf("Information = %+v, want %+v", got.Calling, want)
		}
		if _, more := <-info; more {
			t.Error("the channel is open after the number, want it closed")
		}
		if want := []string{"on hook", "off hook", "talk"}; !slices.Equal(b.commands(), want) {
			t.Errorf("commands %q, want %q", b.commands(), want)
		}
	})
}

func TestNumberBeforeTheRing(t *testing.T) {
	for name, tt := range map[string]struct {
		before time.Duration
		want   string
	}{
		"last instant": {callerKept, "13812345678"},
		"too old":      {callerKept + 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneLine(), func(t *testing.T, r *rig) {
				b := r.box("line 1")
				b.identifies("13812345678")
				synctest.Wait()
				time.Sleep(tt.before)
				b.tells(v253.Ring)
				leg := r.leg()
				if got := leg.Origin().From.Raw; got != tt.want {
					t.Fatalf("From = %q, want %q", got, tt.want)
				}
				if tt.want == "" {
					return
				}
				if err, took := within(t, 5*time.Second, answer(leg)); err != nil || took > 0 {
					t.Errorf("Answer = %v after %v, want at once", err, took)
				}
			})
		})
	}
}

// TestNoNumber: Answer waits until none can come, and not longer.
func TestNoNumber(t *testing.T) {
	for name, tt := range map[string]struct {
		second time.Duration // from the first ring; 0: none
		want   time.Duration
	}{
		"one ring":                 {0, 4 * time.Second},
		"two rings":                {2500 * time.Millisecond, 3500 * time.Millisecond},
		"one ring, reported twice": {300 * time.Millisecond, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oneLine(), func(t *testing.T, r *rig) {
				b := r.box("line 1")
				b.tells(v253.Ring)
				leg, start := r.leg(), time.Now()
				answered := answer(leg)
				if tt.second > 0 {
					time.Sleep(tt.second)
					b.tells(v253.Ring)
				}
				err, _ := within(t, 10*time.Second, answered)
				if took := time.Since(start); err != nil || took != tt.want {
					t.Errorf("Answer = %v after %v, want after %v", err, took, tt.want)
				}
				r.noLeg()
			})
		})
	}
}

func TestWithheldAndAbsent(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		e := v253.Event{Kind: v253.CallerID}
		e.Caller.Private = true
		b.events <- e
		if got := <-leg.(cti.Informer).Information(); got.Calling.Raw != "anonymous" {
			t.Errorf("a withheld number is %+v, want anonymous", got.Calling)
		}
		time.Sleep(20 * time.Second)
		b.tells(v253.Ring)
		leg = r.leg()
		e.Caller.Private, e.Caller.Absent = false, true
		b.events <- e
		if got, ok := <-leg.(cti.Informer).Information(); ok {
			t.Errorf("an absent number is %+v, want nothing", got)
		}
	})
}

// TestTwoReports: a second caller ID of the same call changes nothing.
func TestTwoReports(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		b.identifies("13812345678")
		b.identifies("13812345678")
		b.identifies("1")
		synctest.Wait()
		var got []string
		for i := range leg.(cti.Informer).Information() {
			got = append(got, i.Calling.Raw)
		}
		if want := []string{"13812345678"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		time.Sleep(5 * time.Second)
		b.tells(v253.Ring)
		time.Sleep(ringGap - 1)
		if isOver(leg) {
			t.Fatal("over too early")
		}
		time.Sleep(time.Nanosecond)
		if !isOver(leg) {
			t.Fatal("not over 6 s after the last burst")
		}
		wantErr(t, leg.Err(), cti.ErrRemoteHangup)
		if err := leg.Answer(t.Context()); !errors.Is(err, cti.ErrRemoteHangup) {
			t.Errorf("Answer = %v, want the hang-up", err)
		}
		if b.isOffHook() || !slices.Equal(r.lines.Free(), []string{"line 1"}) {
			t.Error("the line is not idle again")
		}
		b.tells(v253.Ring)
		r.leg()
	})
}

// TestHalfARing: who gives up within the first burst is a call, too.
func TestHalfARing(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		r.box("line 1").tells(v253.Ring)
		leg := r.leg()
		if _, took := within(t, 10*time.Second, leg.Done()); took != ringGap {
			t.Errorf("over after %v, want %v", took, ringGap)
		}
		wantErr(t, leg.Err(), cti.ErrRemoteHangup)
	})
}

// TestRefused: a call that we do not want rings on, and is no new call.
func TestRefused(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		leg.Hangup(cti.CauseBusy)
		if !isOver(leg) || leg.Err() != nil {
			t.Fatalf("Err = %v, want nil and over", leg.Err())
		}
		for range 3 {
			time.Sleep(5 * time.Second)
			b.tells(v253.Ring)
			r.noLeg()
		}
		if len(r.lines.Free()) != 0 {
			t.Error("a line that rings is free")
		}
		time.Sleep(ringGap)
		synctest.Wait()
		if len(r.lines.Free()) != 1 || b.isOffHook() {
			t.Error("the line is not idle when the ringing has ended")
		}
		b.tells(v253.Ring)
		r.leg()
	})
}

func TestHangUpAndRest(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		leg.Hangup(cti.CauseNormal)
		if !isOver(leg) || !b.isOffHook() {
			t.Fatal("not over, or on hook before the exchange could take it for an answer")
		}
		time.Sleep(leastOffHook)
		synctest.Wait()
		if b.isOffHook() {
			t.Fatal("not on hook")
		}
		b.tells(v253.Ring, v253.Reversed, v253.LoopLost) // what a relay's click may look like
		r.noLeg()
		time.Sleep(restTime - leastOffHook - 1)
		synctest.Wait()
		if len(r.lines.Free()) != 0 {
			t.Error("free before the exchange has released the line")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(r.lines.Free()) != 1 {
			t.Error("not free after the pause")
		}
		if want := []string{"on hook", "off hook", "talk", "end", "on hook"}; !slices.Equal(b.commands(), want) {
			t.Errorf("commands %q, want %q", b.commands(), want)
		}
	})
}

// TestRingAfterACall: who calls while the line still rests is no less a caller.
func TestRingAfterACall(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b, leg := r.talks("line 1")
		leg.Hangup(cti.CauseNormal)
		time.Sleep(leastOffHook + clickTime)
		synctest.Wait()
		b.tells(v253.Ring)
		next := r.leg()
		b.identifies("13900000002")
		got := <-next.(cti.Informer).Information()
		if got.Calling.E164 != "+8613900000002" {
			t.Errorf("the next caller is %+v", got.Calling)
		}
	})
}

// TestAnotherCaller: one gives up and another rings before a pause tells so.
func TestAnotherCaller(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		first := r.leg()
		b.identifies("13900000001")
		synctest.Wait()
		time.Sleep(5 * time.Second)
		b.identifies("013900000001") // the same in another form
		synctest.Wait()
		if isOver(first) {
			t.Fatal("a second report ended the call")
		}
		b.tells(v253.Ring)
		b.identifies("13900000002")
		within(t, time.Second, first.Done())
		wantErr(t, first.Err(), cti.ErrRemoteHangup)
		if second := r.leg(); second.Origin().From.E164 != "+8613900000002" {
			t.Errorf("the second caller is %+v", second.Origin().From)
		}
	})
}

// TestTakenAtTheSet: somebody answers on a telephone in parallel.
func TestTakenAtTheSet(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		b := r.box("line 1")
		b.tells(v253.Ring)
		leg := r.leg()
		b.tells(v253.ExtensionLifted)
		if !isOver(leg) {
			t.Fatal("the call goes on")
		}
		wantErr(t, leg.Err(), cti.ErrRemoteHangup)
		if _, by := leg.(cti.Witness).Evidence(); by != BySet {
			t.Errorf("noticed by %q, want the set", by)
		}
		if len(r.lines.Free()) != 0 {
			t.Error("the line is free while somebody speaks")
		}
		b.tells(v253.ExtensionReplaced)
		time.Sleep(restTime)
		synctest.Wait()
		if len(r.lines.Free()) != 1 {
			t.Error("the line is not free afterwards")
		}
	})
}
