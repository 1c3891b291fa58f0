package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

func still(c *Config) { c.ActiveTest = time.Hour }

// TestThrottledMessageIsTriedAgain by the same connection, behind pauses that
// double, and in the end fails with words.
func TestThrottledMessageIsTriedAgain(t *testing.T) {
	inBubble(t, still, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("1")
		last := time.Time{}
		for i := range maxHeld + 1 {
			f, _ := next[*cmpp.Submit](e)
			pause := min(time.Second<<max(i-1, 0), 30*time.Second)
			if i > 0 && f.at.Sub(last) != pause {
				t.Errorf("try %d after %v, want %v", i+1, f.at.Sub(last), pause)
			}
			last = f.at
			e.answer(f, cmpp.ResultThrottled)
			e.quiet()
			select {
			case <-b.client.Ready():
				t.Fatal("ready while throttled")
			default:
			}
		}
		o := <-done
		no, ok := errors.AsType[*sms.Rejected](o.err)
		if !ok || no.Code != 8 || !strings.Contains(no.Text, "31 times") {
			t.Errorf("%v", o.err)
		}
	})
}

func TestPauseStartsAgainAfterAnAcceptedOne(t *testing.T) {
	inBubble(t, still, func(t *testing.T, b *bubble) {
		e := b.accept()
		for range 2 {
			done := b.submit("1")
			for _, pause := range []time.Duration{1, 2} {
				f, _ := next[*cmpp.Submit](e)
				e.answer(f, cmpp.ResultThrottled)
				e.quiet()
				start := time.Now()
				<-b.client.Ready()
				if got := time.Since(start); got != pause*time.Second {
					t.Errorf("paused %v, want %v", got, pause*time.Second)
				}
			}
			f, _ := next[*cmpp.Submit](e)
			e.answer(f, cmpp.ResultOK)
			if o := <-done; o.err != nil {
				t.Error(o.err)
			}
		}
	})
}

// TestThrottlingIsOnePauseForABurst: what left before the pause began does not
// lengthen it, and all of it goes again in its order.
func TestThrottlingIsOnePauseForABurst(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Rate = 100 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		var open []frame
		for range 10 {
			b.submit("1")
		}
		for range 10 {
			f, _ := next[*cmpp.Submit](e)
			open = append(open, f)
		}
		for _, f := range open {
			e.answer(f, cmpp.ResultThrottled)
		}
		start := time.Now()
		var last time.Time
		for i := range 10 {
			f, _ := next[*cmpp.Submit](e)
			if i == 0 && f.at.Sub(start) != time.Second {
				t.Errorf("again after %v", f.at.Sub(start))
			}
			// Half of 100/s, a little more with each.
			if gap := f.at.Sub(last); i > 0 && (gap > 20*time.Millisecond || gap < 18*time.Millisecond) {
				t.Errorf("gap %d of %v", i, gap)
			}
			last = f.at
			e.answer(f, cmpp.ResultOK)
		}
	})
}

// TestRateHalvesAndRecovers with each burst of result 8.
func TestRateHalvesAndRecovers(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := newPacer(100)
	burst := func() {
		t.Helper()
		if pause := p.throttled(now, now); pause == 0 {
			t.Fatal("no pause")
		}
		if p.throttled(now, now) != 0 {
			t.Error("the same burst counted twice")
		}
		now = p.resume
		p.accepted(now)
	}
	want := func(rate float64) {
		t.Helper()
		if got := p.rate(now); got < rate-0.01 || got > rate+0.01 {
			t.Errorf("rate %v, want %v", got, rate)
		}
	}
	for _, rate := range []float64{50, 25, 12.5, 6.25, 3.125, 1.5625, 1, 1} {
		burst()
		want(rate)
	}
	now = now.Add(10 * time.Second)
	want(51)
	burst()
	want(25.5)
	now = now.Add(15 * time.Second)
	want(100)
	if p.slowed != 0 {
		t.Error("still slowed")
	}
}

// TestUnlimitedRateHalvesWhatWasSent: without a contract's rate there is only
// what was sent to go by.
func TestUnlimitedRateHalvesWhatWasSent(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := newPacer(0)
	for range 3000 {
		if !p.take(now) {
			t.Fatal("held back without a limit")
		}
		now = now.Add(time.Millisecond)
	}
	p.throttled(now, now)
	now = p.resume
	if got := p.rate(now); got < 490 || got > 510 {
		t.Errorf("rate %v after 1000/s", got)
	}
	now = now.Add(time.Minute)
	if got := p.rate(now); got != 0 {
		t.Errorf("limited to %v for ever", got)
	}
}

func TestThrottledPartOfAcceptedMessageGoesAgain(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window, c.Rate = 2, 100 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("一", "二", "三")
		one, _ := next[*cmpp.Submit](e)
		two, _ := next[*cmpp.Submit](e)
		e.answer(two, cmpp.ResultThrottled)
		e.quiet()
		e.send(one.sequence, &cmpp.SubmitResp{MsgID: 1})
		for i := range 2 {
			f, p := next[*cmpp.Submit](e)
			if wait := f.at.Sub(two.at); int(wait.Round(100*time.Millisecond).Seconds()) != 1 || int(p.PkNumber) != i+2 {
				t.Errorf("part %d after %v", p.PkNumber, wait)
			}
			e.send(f.sequence, &cmpp.SubmitResp{MsgID: cmpp.MsgID(i + 2)})
		}
		if o := <-done; o.err != nil || strings.Join(o.receipt.Parts, " ") != "0000000000000001 0000000000000002 0000000000000003" {
			t.Errorf("%+v", o)
		}
	})
}

// TestThrottledMessageIsGivenBack when its connection ends: nothing of it was
// taken.
func TestThrottledMessageIsGivenBack(t *testing.T) {
	for name, end := range map[string]func(b *bubble, e *end){
		"lost":       func(_ *bubble, e *end) { _ = e.conn.Close() },
		"stop":       func(b *bubble, _ *end) { b.stop() },
		"terminated": func(_ *bubble, e *end) { e.send(9, &cmpp.Terminate{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, still, func(t *testing.T, b *bubble) {
				e := b.accept()
				done := b.submit("一", "二")
				for range 2 {
					f, _ := next[*cmpp.Submit](e)
					e.answer(f, cmpp.ResultThrottled)
				}
				end(b, e)
				if o := <-done; !errors.Is(o.err, sms.ErrThrottled) || errors.Is(o.err, sms.ErrUncertain) {
					t.Error(o.err)
				}
			})
		})
	}
}
