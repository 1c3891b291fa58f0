package sip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
	"callbox/internal/guard"
)

// journal keeps what it is told of trunks.
type journal struct {
	mu  sync.Mutex
	all []cti.Event
}

func (j *journal) Note(_ context.Context, e cti.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, e)
	return nil
}

// states are what was told of line, in order.
func (j *journal) states(t testing.TB, line string) []cti.Line {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []cti.Line
	for _, e := range j.all {
		l, err := e.Changed()
		if err != nil || e.Type != cti.EventLineState {
			t.Errorf("%+v: %v", e, err)
		}
		if l.Label == line {
			all = append(all, l)
		}
	}
	return all
}

// watched is a trunk's health in a bubble: ask answers its probes, told is what
// was told, with when.
type watched struct {
	sip.Watched
	told []string
}

func watch(t *testing.T, each time.Duration, ask func(context.Context) error) *watched {
	w := &watched{Watched: sip.NewWatched()}
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	var g guard.Group
	g.Go("watch", func() {
		w.Watch(ctx, func(up bool, why string) {
			w.told = append(w.told, fmt.Sprint(time.Since(began).Round(time.Second), " ", up, " ", why))
		})
	})
	if each > 0 {
		g.Go("probe", func() { w.Probe(ctx, each, ask) })
	}
	t.Cleanup(func() { cancel(); g.Wait() })
	return w
}

var errDead = errors.New("no answer")

// F9: a dead trunk is down after two probes without an answer, within 20 s of
// its death, and up after two answers.
func TestDeadTrunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 10 * time.Second
		began, dies, lives := time.Now(), 100*time.Second, 200*time.Second
		var asked, missed atomic.Int32
		w := watch(t, each, func(ctx context.Context) error {
			asked.Add(1)
			if at := time.Since(began); at < dies || at > lives {
				return nil
			}
			missed.Add(1)
			<-ctx.Done()
			return errDead
		})
		time.Sleep(dies)
		synctest.Wait()
		if up, _, why := w.Now(); !up || why != "" || asked.Load() < 9 || asked.Load() > 11 {
			t.Errorf("up %v (%s) after %d probes", up, why, asked.Load())
		}
		for up := true; up; up, _, _ = w.Now() {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if time.Since(began) > dies+30*time.Second {
				t.Fatal("not down")
			}
		}
		if took := time.Since(began) - dies; took > 20*time.Second || missed.Load() != 2 {
			t.Errorf("down after %v and %d probes", took, missed.Load())
		}
		time.Sleep(lives - time.Since(began))
		if up, _, why := w.Now(); up || why != errDead.Error() {
			t.Errorf("still up (%v) or without a word (%s)", up, why)
		}
		time.Sleep(25 * time.Second)
		if up, _, why := w.Now(); !up || why != "" {
			t.Errorf("not up again, %s", why)
		}
		synctest.Wait()
		if len(w.told) != 3 || !strings.HasSuffix(w.told[0], "s true ") || !strings.HasSuffix(w.told[1], "false no answer") || !strings.HasSuffix(w.told[2], "true ") {
			t.Errorf("told %q", w.told)
		}
	})
}

// One lost datagram is no death.
func TestOneMissedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		w := watch(t, time.Second, func(context.Context) error {
			if n++; n%2 == 0 {
				return errDead
			}
			return nil
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if up, _, _ := w.Now(); !up || len(w.told) != 1 {
			t.Errorf("up %v, told %q", up, w.told)
		}
	})
}

// F10: a trunk that flaps is told of no more than once in 30 s, and shown as it
// is in the end.
func TestFlappingTrunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		dead := func() bool { at := time.Since(began); return at < 10*time.Minute && at/(5*time.Second)%2 == 0 }
		w := watch(t, time.Second, func(context.Context) error {
			if dead() {
				return errDead
			}
			return nil
		})
		var changes []time.Duration
		last := true
		for time.Since(began) < 10*time.Minute {
			time.Sleep(100 * time.Millisecond)
			if up, _, _ := w.Now(); up != last {
				changes, last = append(changes, time.Since(began)), up
			}
		}
		for i := 1; i < len(changes); i++ {
			if gap := changes[i] - changes[i-1]; gap < 30*time.Second-100*time.Millisecond {
				t.Errorf("two changes within %v", gap)
			}
		}
		if len(changes) < 10 || len(changes) > 21 {
			t.Errorf("%d changes in 10 min: %v", len(changes), changes)
		}
		time.Sleep(time.Minute)
		if up, _, _ := w.Now(); !up {
			t.Error("alive, and not shown")
		}
	})
}

// A registration that is refused puts the trunk down whatever OPTIONS says; one
// that came to nothing does not, and is told of.
func TestRefusedRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, 10*time.Second, func(context.Context) error { return nil })
		expect := func(up, registered bool, why string) {
			t.Helper()
			synctest.Wait()
			if u, r, y := w.Now(); u != up || r != registered || !strings.Contains(y, why) || (why == "") != (y == "") {
				t.Errorf("up %v registered %v %q, want %v %v %q", u, r, y, up, registered, why)
			}
		}
		expect(true, false, "")
		w.Enrolled(time.Now().Add(time.Minute), nil)
		expect(true, true, "")
		w.Enrolled(time.Now(), errDead)
		expect(true, true, "")
		time.Sleep(time.Minute)
		expect(true, false, "not registered: no answer")
		w.Enrolled(time.Now(), fmt.Errorf("%w (403)", sip.ErrTurnedAway))
		expect(false, false, "403")
		w.Enrolled(time.Now().Add(time.Minute), nil)
		time.Sleep(31 * time.Second)
		expect(true, true, "")
		w.Enrolled(time.Now(), sip.ErrConnectionLost)
		expect(true, false, "connection")
	})
}

// options answers the box's OPTIONS with code, until the test ends; 0 says
// nothing.
func (w *raw) options(code func() int) {
	done := make(chan struct{})
	var g guard.Group
	g.Go("carrier", func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			m := w.next(20 * time.Millisecond)
			if m == nil || m.Method() != "OPTIONS" || m.Code() != 0 {
				continue
			}
			if c := code(); c != 0 {
				w.reply(m, c, "uas")
			}
		}
	})
	w.t.Cleanup(func() { close(done); g.Wait() })
}

// OPTIONS on the wire: any answer but "I am not there" is a sign of life; what a
// trunk's state comes to is noted.
func TestTrunkHealth(t *testing.T) {
	for code, up := range map[int]bool{200: true, 404: true, 486: true, 501: true, 408: false, 503: false, 0: false} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			w := carrierSocket(t)
			r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Health = time.Second })
			w.options(func() int { return code })
			state := func() sip.TrunkState { return r.Trunks()[1] }
			if up {
				eventually(t, "noted as up", func() bool { return len(r.journal.states(t, "out")) == 1 })
				if s := state(); !s.Up || s.Why != "" || r.journal.states(t, "out")[0].State != cti.InService {
					t.Errorf("%+v", s)
				}
				return
			}
			eventually(t, "down", func() bool { return !state().Up })
			eventually(t, "noted", func() bool { return len(r.journal.states(t, "out")) == 1 })
			if l := r.journal.states(t, "out")[0]; l.State != cti.OutOfService || l.Why == "" {
				t.Errorf("%+v", l)
			}
			leg, err := r.Dial(t.Context(), "trunk:out/139", cti.Number{}, "")
			if err != nil { // it may be the only way
				t.Fatalf("Dial = %v", err)
			}
			leg.Hangup(cti.CauseCanceled)
		})
	}
}

// OPTIONS find the address that is alive, and calls go there first.
func TestHealthFindsTheOtherAddress(t *testing.T) {
	silent, alive := carrierSocket(t), carrierSocket(t)
	r := start(t, silent.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Health = time.Second })
	r.SetAddresses("out", silent.addr(), alive.addr())
	var once sync.Once
	var invite *ctitest.Message
	for end := time.Now().Add(patience); time.Now().Before(end) && invite == nil; {
		m := alive.next(time.Until(end))
		switch {
		case m == nil:
			t.Fatal("nothing came")
		case m.Method() == "OPTIONS":
			alive.reply(m, 200, "uas")
			once.Do(func() {
				eventually(t, "noted as up", func() bool { return len(r.journal.states(t, "out")) == 1 })
				leg := r.dial("trunk:out/139")
				t.Cleanup(func() { leg.Hangup(cti.CauseCanceled) })
			})
		case m.Method() == "INVITE":
			invite = m
		}
	}
	if !r.Trunks()[1].Up {
		t.Error("down")
	}
	for m := silent.next(10 * time.Millisecond); m != nil; m = silent.next(10 * time.Millisecond) {
		if m.Method() == "INVITE" {
			t.Error("the silent address was called first")
		}
	}
}
