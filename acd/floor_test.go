package acd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"

	"github.com/google/go-cmp/cmp"
)

const (
	ringTimeout = 20 * time.Second
	wrapUp      = 15 * time.Second
	maxWait     = 300 * time.Second
)

func shop(agents ...string) acd.Config {
	cfg := acd.Config{Queues: []acd.Queue{{
		ID: "repair", Name: "报修", RingTimeout: ringTimeout, WrapUp: wrapUp, MaxWait: maxWait, MaxLength: 2,
	}}}
	for _, a := range agents {
		cfg.Agents = append(cfg.Agents, acd.Agent{ID: a, Name: "agent " + a, Extension: a, Queues: []string{"repair"}})
	}
	return cfg
}

var repair = cti.Wanted{Queue: "repair"}

// bubble runs f on synctest's clock with a floor of these agents, all ready.
func bubble(t *testing.T, agents []string, f func(t *testing.T, floor *acdtest.Floor)) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop(agents...))
		floor.Seat(t, agents...)
		f(t, floor)
	})
}

func wantKind(t *testing.T, c *acdtest.Caller, kind string) cti.CDR {
	t.Helper()
	out, cdr := c.Wait()
	if out.Kind != kind {
		t.Errorf("outcome %+v, want %s", out, kind)
	}
	return cdr
}

func offers(cdr cti.CDR) string {
	var out []string
	for _, o := range cdr.Offers {
		out = append(out, o.Agent+" "+o.Outcome)
	}
	return strings.Join(out, ", ")
}

func TestTalk(t *testing.T) {
	bubble(t, []string{"1", "2"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Alerts: time.Second, After: 3 * time.Second, Talk: time.Minute})
		start := time.Now()
		c := floor.Call(repair)
		time.Sleep(10 * time.Second)
		if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Call == "" {
			t.Errorf("in the talk the desk is %+v", d)
		}
		out, cdr := c.Wait()
		if out.Kind != cti.Talked || out.Agent != "1" || out.Side != cti.AgentSide {
			t.Errorf("outcome %+v", out)
		}
		if took := time.Since(start); took != time.Minute+4*time.Second {
			t.Errorf("took %v", took)
		}
		if offers(cdr) != "1 answered" || cdr.Offers[0].Why != "longest_idle: idle 0 s; not 2 (idle 0 s)" {
			t.Errorf("offers %+v", cdr.Offers)
		}
		synctest.Wait()
		if d := floor.Desk(t, "1"); d.State != acd.WorkingAfterCall || d.Call != cdr.ID {
			t.Errorf("after the talk the desk is %+v", d)
		}
	})
}

func TestEventsOfATalk(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Second})
		wantKind(t, floor.Call(repair), cti.Talked)
		time.Sleep(wrapUp)
		synctest.Wait()
		var got []string
		for _, e := range floor.Store.Events() {
			if e.AgentID != "" || e.Type == cti.EventQueueChanged || e.Type == cti.EventQueued {
				got = append(got, e.Type)
			}
		}
		want := []string{
			"agentLoggedOn", "agentNotReady", "agentReady", "queueChanged",
			"queued", "delivered", "agentBusy", "queueChanged", "diverted", "established",
			"connectionCleared", "agentWorkingAfterCall", "callCleared", "agentReady", "queueChanged",
		}
		slices.Sort(got) // the call's and the floor's are two goroutines
		slices.Sort(want)
		got = slices.DeleteFunc(got, func(s string) bool { return s == "recordStopped" })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if a := floor.Store.Amendments(); len(a) != 1 || !a[0].ACWEnd.Equal(time.Now()) {
			t.Errorf("amendments %+v", a)
		}
	})
}

// However fast a queue changes, its screens are told of it five times a second,
// and in the end as it stands.
func TestNewsOfABusyQueue(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		time.Sleep(time.Second)
		before := len(queueNews(floor))
		for i := range 41 { // in 2 s
			if _, err := floor.SetState(t.Context(), "1", []acd.State{acd.NotReady, acd.Ready}[i%2], ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second)
		news := queueNews(floor)[before:]
		if len(news) < 8 || len(news) > 12 { // a change at the very instant may come before or behind
			t.Errorf("%d news of 41 changes in 2 s", len(news))
		}
		for i := 1; i < len(news); i++ {
			if apart := news[i].Time.Sub(news[i-1].Time.Time); apart < 200*time.Millisecond {
				t.Errorf("two news within %v", apart)
			}
		}
		if last := news[len(news)-1].UserData; fmt.Sprint(last["waiting"], last["ready"]) != "0 0" {
			t.Errorf("in the end %v", last)
		}
	})
}

func queueNews(floor *acdtest.Floor) []cti.Event {
	return slices.DeleteFunc(slices.Clone(floor.Store.Events()), func(e cti.Event) bool { return e.Type != cti.EventQueueChanged })
}

func TestRingTimeout(t *testing.T) {
	for name, tt := range map[string]struct {
		picksUp time.Duration
		want    string
	}{
		"last instant": {ringTimeout - 1, "1 answered"},
		"too late":     {ringTimeout + 1, "1 noAnswer, 2 answered"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1", "2"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Phones.Plan("1", acdtest.Phone{After: tt.picksUp, Talk: time.Minute})
				floor.Phones.Plan("2", acdtest.Phone{Talk: time.Minute})
				if cdr := wantKind(t, floor.Call(repair), cti.Talked); offers(cdr) != tt.want {
					t.Errorf("offers %s, want %s", offers(cdr), tt.want)
				}
			})
		})
	}
}

func TestMaxWait(t *testing.T) {
	for name, tt := range map[string]struct {
		ready time.Duration
		want  string
	}{
		"last instant": {maxWait - 1, cti.Talked},
		"too late":     {maxWait + 1, cti.TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
				floor.Set(t, "1", acd.NotReady)
				c := floor.Call(repair)
				start := time.Now()
				time.Sleep(tt.ready)
				floor.Set(t, "1", acd.Ready)
				wantKind(t, c, tt.want)
				if took := time.Since(start); tt.want == cti.TimedOut && took > maxWait+time.Second {
					t.Errorf("timed out after %v", took)
				}
			})
		})
	}
}

// A phone that rings when max_wait ends rings on; after a miss the wait is over.
func TestMaxWaitWhileRinging(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Never: true})
		floor.Set(t, "1", acd.NotReady)
		c := floor.Call(repair)
		start := time.Now()
		time.Sleep(maxWait - time.Second)
		floor.Set(t, "1", acd.Ready)
		wantKind(t, c, cti.TimedOut)
		if took := time.Since(start); took != maxWait-time.Second+ringTimeout {
			t.Errorf("left after %v", took)
		}
	})
}

func TestWrapUp(t *testing.T) {
	for name, tt := range map[string]struct {
		at   time.Duration
		want acd.State
	}{
		"last instant": {wrapUp - 1, acd.WorkingAfterCall},
		"over":         {wrapUp + 1, acd.Ready},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
				wantKind(t, floor.Call(repair), cti.Talked)
				time.Sleep(tt.at)
				synctest.Wait()
				if d := floor.Desk(t, "1"); d.State != tt.want {
					t.Errorf("desk %+v, want %s", d, tt.want)
				}
			})
		})
	}
}

func TestAway(t *testing.T) {
	for name, tt := range map[string]struct {
		gone time.Duration
		away bool
	}{
		"last instant": {acd.AwayAfter - 1, false},
		"away":         {acd.AwayAfter + 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				floor := acdtest.Start(t, shop("1"))
				detach := floor.Attach("1")
				if _, err := floor.LogOn(t.Context(), "1"); err != nil {
					t.Fatal(err)
				}
				floor.Set(t, "1", acd.Ready)
				time.Sleep(time.Hour) // attached: never away
				detach()
				detach()
				time.Sleep(tt.gone)
				d, queues, err := floor.Snapshot("1")
				if err != nil || d.Away != tt.away || d.State != acd.Ready || queues[0].Ready != map[bool]int{true: 0, false: 1}[tt.away] {
					t.Errorf("desk %+v, queues %+v, %v", d, queues, err)
				}
				floor.Attach("1")
				if d := floor.Desk(t, "1"); d.Away || d.State != acd.Ready {
					t.Errorf("back again the desk is %+v", d)
				}
			})
		})
	}
}

func TestPending(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		c := floor.Call(repair)
		time.Sleep(time.Second)
		if d := floor.Set(t, "1", acd.NotReady); d.State != acd.Ready || d.Pending != acd.NotReady {
			t.Errorf("in the talk the desk is %+v", d)
		}
		c.HangUp()
		c.Wait()
		synctest.Wait()
		if d := floor.Desk(t, "1"); d.State != acd.WorkingAfterCall || d.Pending != acd.NotReady {
			t.Errorf("in wrap-up the desk is %+v", d)
		}
		time.Sleep(wrapUp + 1)
		if d := floor.Desk(t, "1"); d.State != acd.NotReady || d.Pending != "" {
			t.Errorf("after wrap-up the desk is %+v", d)
		}
	})
}

// The caller's hang-up frees the desk at once, whatever stage it was.
func TestCallerHangsUp(t *testing.T) {
	for name, tt := range map[string]struct {
		phone acdtest.Phone
		ready bool
		kind  string
		where string
		state acd.State
	}{
		"waiting":  {acdtest.Phone{}, false, cti.Gone, cti.WhereQueue, acd.NotReady},
		"dialling": {acdtest.Phone{Alerts: time.Minute}, true, cti.Gone, cti.WhereRinging, acd.Ready},
		"ringing":  {acdtest.Phone{Never: true}, true, cti.Gone, cti.WhereRinging, acd.Ready},
		"talking":  {acdtest.Phone{}, true, cti.Talked, "", acd.WorkingAfterCall},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Phones.Plan("1", tt.phone)
				if !tt.ready {
					floor.Set(t, "1", acd.NotReady)
				}
				c := floor.Call(repair)
				time.Sleep(5 * time.Second)
				at := time.Now()
				c.HangUp()
				cdr := wantKind(t, c, tt.kind)
				synctest.Wait()
				if !time.Now().Equal(at) || floor.Phones.Live() != 0 {
					t.Errorf("%v later %d phones are in use", time.Since(at), floor.Phones.Live())
				}
				if cdr.Where != tt.where {
					t.Errorf("given up at %q, want %q", cdr.Where, tt.where)
				}
				if d := floor.Desk(t, "1"); d.State != tt.state || (d.Call != "") != (tt.state == acd.WorkingAfterCall) {
					t.Errorf("desk %+v", d)
				}
			})
		})
	}
}

// lastWords is a store that lets a caller hang up while the floor takes note of
// the agent's answer.
type lastWords struct {
	acd.Desks
	hangUp func()
}

func (l lastWords) SaveDesk(row acd.DeskRow) {
	l.Desks.SaveDesk(row)
	if row.Call != "" && row.State == acd.Ready {
		l.hangUp()
		time.Sleep(time.Millisecond)
	}
}

// TestHangUpAgainstAnswer: the record says answered where the desk does.
func TestHangUpAgainstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callers := make(chan *acdtest.Caller, 1)
		floor := acdtest.Start(t, shop("1"), func(d *acd.Deps) {
			d.Desks = lastWords{d.Desks, func() { (<-callers).HangUp() }}
		})
		floor.Seat(t, "1")
		floor.Phones.Plan("1", acdtest.Phone{After: time.Second, Talk: time.Minute})
		c := floor.Call(repair)
		callers <- c
		_, cdr := c.Wait()
		synctest.Wait()
		if d := floor.Desk(t, "1"); d.State != acd.WorkingAfterCall || *cdr.Result != cti.ResultAnswered || offers(cdr) != "1 answered" {
			t.Errorf("desk %s, call %s, offers %s", d.State, *cdr.Result, offers(cdr))
		}
	})
}

func TestMissedDeskIsSkipped(t *testing.T) {
	bubble(t, []string{"1", "2", "3"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Refuses: cti.ErrRejected})
		floor.Phones.Plan("2", acdtest.Phone{Refuses: cti.ErrBusy})
		floor.Phones.Plan("3", acdtest.Phone{Never: true})
		c := floor.Call(repair)
		time.Sleep(ringTimeout * 3 / 2)
		floor.Phones.Plan("3", acdtest.Phone{Talk: time.Second})
		cdr := wantKind(t, c, cti.Talked)
		want := "1 rejected, 2 busy, 3 noAnswer, 1 rejected, 2 busy, 3 noAnswer, 1 rejected, 2 busy, 3 answered"
		if offers(cdr) != want {
			t.Errorf("offers %s, want %s", offers(cdr), want)
		}
	})
}

func TestThreeMissesInARow(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Never: true})
		c := floor.Call(repair)
		time.Sleep(3*ringTimeout - 1)
		if d := floor.Desk(t, "1"); d.State != acd.Ready {
			t.Errorf("before the third miss: %+v", d)
		}
		time.Sleep(2 * time.Nanosecond)
		if d := floor.Desk(t, "1"); d.State != acd.NotReady || d.Reason != acd.ReasonNoAnswer {
			t.Errorf("after the third miss: %+v", d)
		}
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Second})
		floor.Set(t, "1", acd.Ready)
		wantKind(t, c, cti.Talked)
	})
}

func TestNobodyLoggedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop("1"))
		wantKind(t, floor.Call(repair), cti.NoAgents)
		if _, err := floor.LogOn(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		c := floor.Call(repair)
		time.Sleep(time.Second)
		if _, err := floor.LogOff(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, c, cti.NoAgents)
	})
}

func TestFull(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		talks := floor.Call(repair)
		time.Sleep(time.Second)
		one, two := floor.Call(repair), floor.Call(repair)
		time.Sleep(time.Second)
		wantKind(t, floor.Call(repair), cti.Full)
		if q := floor.Queues(); q[0].Waiting != 2 || q[0].LongestWait != 1 {
			t.Errorf("queue %+v", q)
		}
		talks.HangUp()
		one.HangUp()
		time.Sleep(wrapUp + time.Second)
		two.HangUp()
		wantKind(t, two, cti.Talked)
	})
}

func TestOrderOfWaiting(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		floor.Set(t, "1", acd.NotReady)
		early := floor.Call(repair)
		time.Sleep(time.Second)
		vip := floor.Call(cti.Wanted{Queue: "repair", Priority: 5})
		time.Sleep(time.Second)
		floor.Set(t, "1", acd.Ready)
		time.Sleep(time.Second)
		if early.HangUp(); wantKind(t, early, cti.Gone).Where != cti.WhereQueue {
			t.Error("the VIP did not come first")
		}
		wantKind(t, vip, cti.Talked)
	})
}

func TestNoPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop("1"))
		floor.Phones.Plug("1", false)
		floor.PhoneChanged("1")
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Second})
		floor.Seat(t, "1")
		if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Phone {
			t.Errorf("desk %+v", d)
		}
		c := floor.Call(repair)
		time.Sleep(time.Minute)
		if len(floor.Phones.Rings()) != 0 {
			t.Error("a phone that is not there was rung")
		}
		floor.Phones.Plug("1", true)
		floor.PhoneChanged("1")
		wantKind(t, c, cti.Talked)
	})
}

func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := time.Now().Add(-time.Hour)
		floor := acdtest.Start(t, shop("1", "2", "3", "4"), acdtest.WithDesks(
			acd.DeskRow{Agent: "1", State: acd.Ready, Since: before, Call: "live"},
			acd.DeskRow{Agent: "2", State: acd.NotReady, Reason: "lunch", Since: before},
			acd.DeskRow{Agent: "3", State: acd.WorkingAfterCall, Since: time.Now().Add(-wrapUp + time.Second), Call: "wrapped"},
			acd.DeskRow{Agent: "5", State: acd.Ready, Since: before},
		))
		states := func() string {
			var out []string
			for _, d := range floor.Desks() {
				out = append(out, string(d.State)+d.Reason)
			}
			return strings.Join(out, " ")
		}
		if got := states(); got != "workingAfterCall notReadylunch workingAfterCall loggedOff" {
			t.Errorf("desks %s", got)
		}
		time.Sleep(wrapUp - 1)
		if got := states(); got != "workingAfterCall notReadylunch ready loggedOff" {
			t.Errorf("a little later: %s", got)
		}
		time.Sleep(2 * time.Nanosecond)
		if got := states(); got != "ready notReadylunch ready loggedOff" {
			t.Errorf("after wrap-up: %s", got)
		}
		time.Sleep(12 * time.Hour)
		if got := states(); got != "loggedOff loggedOff loggedOff loggedOff" {
			t.Errorf("the next day: %s", got)
		}
		if n := len(floor.Store.Amendments()); n != 2 {
			t.Errorf("%d wrap-ups ended", n)
		}
	})
}

// stuck is a phone whose leg does not obey before it is let go.
type stuck struct {
	cti.Leg
	letGo chan struct{}
}

func (s stuck) Answer(context.Context) error { <-s.letGo; return nil }

type stuckPhones struct {
	*acdtest.Phones
	letGo chan struct{}
}

func (p stuckPhones) Dial(ctx context.Context, d cti.Device, as cti.Number, id string) (cti.Leg, error) {
	leg, err := p.Phones.Dial(ctx, d, as, id)
	return stuck{leg, p.letGo}, err
}

// An offer that hangs somewhere loses the desk; a late pick-up gets nothing.
func TestSweep(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		letGo := make(chan struct{})
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		floor.Server.Register("sip", stuckPhones{floor.Phones, letGo})
		hangs := floor.Call(repair)
		time.Sleep(time.Second)
		floor.Server.Register("sip", floor.Phones)
		next := floor.Call(repair)
		time.Sleep(ringTimeout + 4*time.Second - 1)
		if d := floor.Desk(t, "1"); d.Call != "" || next.Over() {
			t.Errorf("before the lease ends: %+v", d)
		}
		time.Sleep(2 * time.Nanosecond)
		if d := floor.Desk(t, "1"); d.Call == "" {
			t.Errorf("after the lease the next caller has the desk: %+v", d)
		}
		close(letGo)
		wantKind(t, next, cti.Talked)
		if cdr := wantKind(t, hangs, cti.Talked); offers(cdr) != "1 failed, 1 answered" {
			t.Errorf("offers %s", offers(cdr))
		}
	})
}

func TestSetStateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop("1"))
		for name, tt := range map[string]struct {
			agent string
			state acd.State
			want  error
		}{
			"logged off":   {"1", acd.Ready, cti.ErrWrongState},
			"nobody":       {"9", acd.Ready, cti.ErrNotFound},
			"no such word": {"1", "asleep", acd.ErrBadState},
		} {
			if _, err := floor.SetState(t.Context(), tt.agent, tt.state, ""); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
	})
}

func TestLogOnTwice(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		if d, err := floor.LogOn(t.Context(), "1"); err != nil || d.State != acd.Ready {
			t.Errorf("a second log-on made it %+v, %v", d, err)
		}
	})
}

func TestConfigure(t *testing.T) {
	bubble(t, []string{"1", "2"}, func(t *testing.T, floor *acdtest.Floor) {
		c := floor.Call(repair)
		time.Sleep(time.Second)
		if err := floor.Configure(shop("3", "2").Agents, shop().Queues); err != nil {
			t.Fatal(err)
		}
		if d := floor.Desk(t, "2"); d.State != acd.Ready {
			t.Errorf("who stays is %+v", d)
		}
		if d := floor.Desk(t, "1"); d.Call == "" {
			t.Errorf("who goes talks on: %+v", d)
		}
		c.HangUp()
		c.Wait()
		time.Sleep(wrapUp + 1)
		if _, _, err := floor.Snapshot("1"); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("who went is still there: %v", err)
		}
		if err := floor.Configure(shop("1", "1").Agents, nil); err == nil {
			t.Error("a faulty configuration was taken")
		}
	})
}

// music counts who hears it.
type music struct{ playing atomic.Int32 }

func (m *music) Wait(ctx context.Context, _ *cti.Call, _ acd.Queue) error {
	m.playing.Add(1)
	<-ctx.Done()
	m.playing.Add(-1)
	return nil
}

func TestMusicEndsBeforeTheTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &music{}
		floor := acdtest.Start(t, shop("1"), acdtest.WithAnnouncer(m))
		floor.Phones.Plan("1", acdtest.Phone{After: 5 * time.Second, Talk: time.Minute})
		floor.Seat(t, "1")
		c := floor.Call(repair)
		time.Sleep(4 * time.Second)
		if m.playing.Load() != 1 {
			t.Error("no music while the phone rings")
		}
		time.Sleep(2 * time.Second)
		if m.playing.Load() != 0 {
			t.Error("music in the talk")
		}
		wantKind(t, c, cti.Talked)
	})
}

func TestStopSendsWaitingCallersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop("1"))
		floor.Seat(t, "1")
		floor.Set(t, "1", acd.NotReady)
		c := floor.Call(repair)
		time.Sleep(time.Second)
		floor.Stop()
		c.Wait()
	})
}
