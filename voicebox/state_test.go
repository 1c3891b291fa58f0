package voicebox

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"callbox/cti"
	"callbox/cti/media/dsp"
	"callbox/voicebox/v253"
)

const (
	states     = resting + 1
	happenings = tooLong + 1
)

// TestNoStateIsForEver: every state but idle has a limit, and its end leads to
// idle.
func TestNoStateIsForEver(t *testing.T) {
	for s := range states {
		if s == idle {
			continue
		}
		if limits[s] <= 0 {
			t.Errorf("%v has no limit", s)
		}
		seen := map[state]bool{}
		for at := s; at != idle; {
			if seen[at] {
				t.Errorf("%v: tooLong leads round in a circle", s)
				break
			}
			seen[at] = true
			to, ok := at.next(tooLong)
			if at == resting {
				to, ok = at.next(rested)
			}
			if !ok {
				t.Errorf("%v: nothing happens when it lasts too long", at)
				break
			}
			at = to
		}
	}
}

// TestAttendedLineIsNeverSeized: on the way through the states that the set
// leads to, our side is never off hook.
func TestAttendedLineIsNeverSeized(t *testing.T) {
	reach := map[state]bool{idle: true}
	for range states {
		for s := range reach {
			for h := range happenings {
				if h == weLift || h == dials {
					continue // asked for in mode answer only
				}
				if to, ok := s.next(h); ok {
					reach[to] = true
				}
			}
		}
	}
	for s := range reach {
		if s.offHook() {
			t.Errorf("%v can be reached", s)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for s := range states {
		seen[s.String()] = true
	}
	for h := range happenings {
		seen[h.String()] = true
	}
	if len(seen) != int(states)+int(happenings) {
		t.Errorf("%d names for %d states and %d happenings", len(seen), states, happenings)
	}
}

// TestAnyEvents: whatever a box tells in whatever order, the line is idle
// again afterwards and takes a call.
func TestAnyEvents(t *testing.T) {
	for name, lines := range map[string]func() []Line{"answer": oneLine, "attend": oneSet} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 25).Draw(rt, "steps")
				polarity := rapid.Bool().Draw(rt, "polarity")
				inBubble(t, lines(), func(t *testing.T, r *rig) {
					r.lines.lines[0].cfg.Polarity = polarity
					for _, s := range steps {
						s.take(r)
					}
					r.settles(rt, steps)
				})
			})
		})
	}
}

// step is one thing that happens and a pause behind it.
type step struct {
	Kind  v253.Kind // or beyond: one of ours
	Pause time.Duration
}

const (
	hangsUp = v253.Underrun + 1 + iota
	callsOut
	loses
	hums
)

func drawStep(t *rapid.T) step {
	return step{
		Kind:  v253.Kind(rapid.IntRange(0, int(hums)).Draw(t, "kind")),
		Pause: time.Duration(rapid.SampledFrom([]int{0, 1, 100, 1000, 2100, 3100}).Draw(t, "ms")) * time.Millisecond,
	}
}

func (s step) take(r *rig) {
	b := r.box("line 1")
	switch s.Kind {
	case hangsUp:
		r.each(func(leg cti.Leg) { leg.Hangup(cti.CauseNormal) })
	case callsOut:
		if leg, err := r.lines.Dial(r.t.Context(), "line:line 1/10086", cti.Number{}, ""); err == nil {
			r.calls.legs <- leg
		}
	case loses:
		b.lose(errGone)
	case hums:
		b.hums("dial")
	case v253.CallerID:
		b.events <- v253.Event{Kind: s.Kind, Caller: dsp.CallerID{Number: "13812345678"}}
	default:
		b.events <- v253.Event{Kind: s.Kind, Digit: '5'}
	}
	synctest.Wait()
	r.each(func(leg cti.Leg) { answer(leg) })
	time.Sleep(s.Pause)
	synctest.Wait()
}

// each does something with the calls that came, which stay.
func (r *rig) each(do func(cti.Leg)) {
	for range len(r.calls.legs) {
		leg := <-r.calls.legs
		do(leg)
		r.calls.legs <- leg
	}
}

func (r *rig) settles(t *rapid.T, steps []step) {
	r.each(func(leg cti.Leg) { leg.Hangup(cti.CauseNormal) })
	r.box("line 1").tells(v253.SetReplaced)
	time.Sleep(20 * time.Second)
	synctest.Wait()
	s := r.lines.States()[0]
	if s.State != InService || s.Busy || r.box("line 1").isOffHook() {
		t.Errorf("after %v: %+v, off hook %v", steps, s, r.box("line 1").isOffHook())
	}
	for len(r.calls.legs) > 0 {
		if leg := <-r.calls.legs; !isOver(leg) {
			t.Errorf("after %v a call is left: %+v", steps, leg.Origin())
		}
	}
	r.box("line 1").tells(v253.Ring)
	r.leg()
}
