package voicebox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/voicebox/v253"
)

func TestValidate(t *testing.T) {
	good := oneLine()[0]
	var many []Line
	for i := range MaxLines + 1 {
		l := good
		l.Label, l.Port = fmt.Sprint("line ", i), fmt.Sprint("/dev/ttyACM", i)
		many = append(many, l)
	}
	changed := func(change func(*Line)) []Line {
		l := good
		change(&l)
		return []Line{l}
	}
	for want, lines := range map[string][]Line{
		"at most 16":       many,
		"label: missing":   changed(func(l *Line) { l.Label = "" }),
		"no / in it":       changed(func(l *Line) { l.Label = "a/b" }),
		"port or serial":   changed(func(l *Line) { l.Port = "" }),
		"want answer or":   changed(func(l *Line) { l.Mode = "" }),
		"some agent's":     changed(func(l *Line) { l.Mode = ModeAttend }),
		"taken by another": {good, good},
	} {
		if err := (Config{Lines: lines}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
	if err := (Config{Lines: many[:MaxLines]}).Validate(); err != nil {
		t.Errorf("Validate = %v of 16 lines", err)
	}
}

// TestWithoutLines: a shop that has none is served until it closes.
func TestWithoutLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Config{Log: quietLog()}, Deps{})
		ok(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		time.Sleep(time.Hour)
		select {
		case err := <-ended:
			t.Fatalf("Run ended by itself: %v", err)
		default:
		}
		stop()
		ok(t, <-ended)
	})
}

// TestSixteenLines: all ring at once, each with its number, and each is
// answered as soon as that is known.
func TestSixteenLines(t *testing.T) {
	var lines []Line
	for i := range MaxLines {
		lines = append(lines, Line{Port: fmt.Sprint("/dev/ttyACM", i), Label: fmt.Sprint("line ", i), Mode: ModeAnswer})
	}
	inBubble(t, lines, func(t *testing.T, r *rig) {
		for _, l := range lines {
			r.box(l.Label).tells(v253.Ring)
		}
		legs := map[string]cti.Leg{}
		for range lines {
			leg := r.leg()
			legs[leg.Origin().Line] = leg
		}
		for i, l := range lines {
			r.box(l.Label).identifies(fmt.Sprintf("138000000%02d", i))
		}
		for i, l := range lines {
			leg := legs[l.Label]
			if err, took := within(t, time.Second, answer(leg)); err != nil || took > 0 {
				t.Errorf("%s: Answer = %v after %v", l.Label, err, took)
			}
			got := (<-leg.(cti.Informer).Information()).Calling.Raw
			if want := fmt.Sprintf("138000000%02d", i); got != want {
				t.Errorf("%s: number %q, want %q", l.Label, got, want)
			}
		}
	})
}

// TestStates: what others see, and what the journal gets.
func TestStates(t *testing.T) {
	inBubble(t, oneLine(), func(t *testing.T, r *rig) {
		s := r.lines.States()[0]
		want := State{
			Label: "line 1", Number: "057188880001", Port: "/dev/ttyACM0", State: InService,
			Since: s.Since, Box: v253.Identity{Profile: "callbox", Model: "fake", Serial: "42"},
		}
		if s != want {
			t.Errorf("State = %+v, want %+v", s, want)
		}
		time.Sleep(time.Hour)
		r.plug(false)
		r.box("line 1").lose(fmt.Errorf("read: %w", v253.ErrLost))
		synctest.Wait()
		s = r.lines.States()[0]
		if s.State != OutOfService || time.Since(s.Since) > time.Second || !strings.Contains(s.Why, "gone") || s.Busy {
			t.Errorf("State = %+v after the loss", s)
		}
		time.Sleep(time.Hour) // absent for long: told once
		synctest.Wait()
		r.plug(true)
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		got := r.journal.states()
		if len(got) != 3 || got[0] != "inService " || !strings.HasPrefix(got[1], "outOfService read: ") || got[2] != "inService " {
			t.Errorf("noted %q", got)
		}
		e := r.journal.all[0]
		if e.Type != cti.EventLineState || e.Line != "line 1" || e.UserData["number"] != "057188880001" {
			t.Errorf("event %+v", e)
		}
	})
}
