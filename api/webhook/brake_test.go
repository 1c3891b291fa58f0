package webhook

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTwoMachinesStop: a receiver answers every text, and the phone answers each
// of these answers.
func TestTwoMachinesStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &replies{}
		s := New(Config{Replies: r, Log: slog.New(slog.NewTextHandler(&log, nil))}, newMemory())
		answer := func(from string) {
			d := Delivery{Endpoint: "hook", Trusted: true, Format: FormatTwilio, Body: about(smsReceived, strings.Replace(received, "+8613800138000", from, 1))}
			s.heard(t.Context(), d, []byte("<Response><Message>ok</Message></Response>"))
		}
		check := func(when string, answers, warnings int) {
			t.Helper()
			if got := strings.Count(log.String(), "level=WARN"); len(r.got) != answers || got != warnings {
				t.Errorf("%s: %d answers, want %d; %d warnings, want %d", when, len(r.got), answers, got, warnings)
			}
		}
		for range 20 {
			answer("+8613800138000")
		}
		check("at once", 5, 1)
		answer("+8613900139000")
		check("another number", 6, 1)
		time.Sleep(10*time.Minute - time.Nanosecond)
		answer("+8613800138000")
		check("too early", 6, 1)
		time.Sleep(time.Nanosecond)
		for range 20 {
			answer("+8613800138000")
		}
		check("after 10 minutes", 11, 2)
		if strings.Contains(log.String(), "13800138000") {
			t.Errorf("the number is in the log: %s", log.String())
		}
		time.Sleep(10 * time.Minute)
		answer("+8613900139000")
		if len(s.brake.numbers) != 1 {
			t.Errorf("%d numbers are kept", len(s.brake.numbers))
		}
	})
}

// TestSlowMachines: a loop with pauses gets no more than the limit in any ten
// minutes.
func TestSlowMachines(t *testing.T) {
	var b brake
	var given []time.Time
	start := time.Now()
	for i := range 100 {
		now := start.Add(time.Duration(i) * 47 * time.Second)
		if ok, _ := b.take("+8613800138000", now); ok {
			given = append(given, now)
		}
	}
	for i := answersMost; i < len(given); i++ {
		if span := given[i].Sub(given[i-answersMost]); span < answersIn {
			t.Errorf("%d answers within %v", answersMost+1, span)
		}
	}
	if len(given) < 35 {
		t.Errorf("%d answers in 78 minutes", len(given))
	}
}
