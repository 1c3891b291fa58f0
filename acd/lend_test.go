package acd_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"
)

// office has extensions that differ from ids, and a second queue.
func office() acd.Config {
	return acd.Config{
		Queues: []acd.Queue{
			{ID: "repair", RingTimeout: ringTimeout, WrapUp: wrapUp},
			{ID: "parts", RingTimeout: 10 * time.Second, WrapUp: 5 * time.Second, Strategy: "linear"},
			{ID: "empty"},
		},
		Agents: []acd.Agent{
			{ID: "1", Name: "Wang", Extension: "801", Queues: []string{"repair", "parts"}},
			{ID: "2", Name: "Li", Extension: "802", Queues: []string{"repair", "parts"}},
			{ID: "3", Name: "Zhao", Extension: "1", Queues: []string{"repair"}},
			{ID: "boss", Name: "Chen", Extension: "900"},
			{ID: "clerk", Name: "Sun"},
		},
	}
}

func inOffice(t *testing.T, f func(t *testing.T, floor *acdtest.Floor)) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, office())
		floor.Seat(t, "1", "2", "3")
		f(t, floor)
	})
}

func lend(t *testing.T, floor *acdtest.Floor, to cti.Target, call string) cti.Desk {
	t.Helper()
	desk, err := floor.Lend(t.Context(), to, call)
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

func wantStands(t *testing.T, floor *acdtest.Floor, agent string, state acd.State, call string) acd.Desk {
	t.Helper()
	synctest.Wait()
	d := floor.Desk(t, agent)
	if d.State != state || d.Call != call {
		t.Errorf("desk of %s is %+v, want %s with call %q", agent, d, state, call)
	}
	return d
}

func TestFind(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		for word, want := range map[string]cti.Target{
			"802":    {Agent: "2"},
			"2":      {Agent: "2"},
			"1":      {Agent: "3"}, // an extension comes before an id
			"boss":   {Agent: "boss"},
			"clerk":  {Agent: "clerk"},
			"parts":  {Queue: "parts"},
			"":       {},
			"13800":  {},
			"Parts":  {},
			"repair": {Queue: "repair"},
		} {
			if got, ok := floor.Find(word); got != want || ok != (want != cti.Target{}) {
				t.Errorf("Find(%q) = %+v, %t, want %+v", word, got, ok, want)
			}
		}
		left := office().Agents[1]
		left.Queues = []string{"parts"}
		if err := floor.Configure([]acd.Agent{left}, office().Queues[1:]); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"801", "repair"} {
			if got, ok := floor.Find(word); ok {
				t.Errorf("%s is gone and is found: %+v", word, got)
			}
		}
	})
}

func TestSeatOfSupervisor(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		who, device, err := floor.Floor.Seat(t.Context(), "boss") // not logged on
		if err != nil || who != (cti.Ref{ID: "boss", Name: "Chen"}) || device != "sip:900" {
			t.Errorf("Seat = %+v, %s, %v", who, device, err)
		}
		wantStands(t, floor, "boss", acd.LoggedOff, "")
		floor.Phones.Plug("900", false)
		floor.PhoneChanged("900")
		for user, want := range map[string]error{
			"boss": cti.ErrUnreachable, "clerk": cti.ErrUnreachable, "nobody": cti.ErrNotFound,
		} {
			if _, _, err := floor.Floor.Seat(t.Context(), user); !errors.Is(err, want) {
				t.Errorf("Seat(%s) = %v, want %v", user, err, want)
			}
		}
	})
}

// A named agent, from being asked to being ready again; the desk is taken from
// the first moment and busy from the pick-up on.
func TestLendByName(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		desk := lend(t, floor, cti.Target{Agent: "1"}, "c1")
		if desk.Agent() != (cti.Ref{ID: "1", Name: "Wang"}) || desk.Device() != "sip:801" || desk.Ring() != ringTimeout {
			t.Errorf("lent %+v, %s, %v", desk.Agent(), desk.Device(), desk.Ring())
		}
		wantStands(t, floor, "1", acd.Ready, "")
		time.Sleep(ringTimeout)
		if !desk.Picked(t.Context()) {
			t.Fatal("the lease was lost while it could ring")
		}
		wantStands(t, floor, "1", acd.Ready, "c1")
		if e := floor.Store.Events(cti.EventAgentBusy); len(e) != 1 || e[0].AgentID != "1" || e[0].CallID != "c1" {
			t.Errorf("agentBusy %+v", e)
		}
		time.Sleep(time.Minute) // longer than any lease
		desk.Free(true)
		desk.Free(false)
		wantStands(t, floor, "1", acd.WorkingAfterCall, "c1")
		time.Sleep(wrapUp)
		wantStands(t, floor, "1", acd.Ready, "")
		if a := floor.Store.Amendments(); len(a) != 1 || !a[0].ACWEnd.Equal(time.Now()) {
			t.Errorf("amendments %+v", a)
		}
	})
}

func TestLendRefused(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		want := func(to cti.Target, call string, want error, word string) {
			t.Helper()
			if d, err := floor.Lend(t.Context(), to, call); d != nil || !errors.Is(err, want) || !strings.Contains(err.Error(), word) {
				t.Errorf("Lend(%+v) = %v, %v, want %v with %q", to, d, err, want, word)
			}
		}
		want(cti.Target{}, "c", cti.ErrNotFound, "")
		want(cti.Target{Number: "13800138000"}, "c", cti.ErrNotFound, "")
		want(cti.Target{Agent: "nobody"}, "c", cti.ErrNotFound, "agent nobody")
		want(cti.Target{Queue: "none"}, "c", cti.ErrNotFound, "queue none")
		want(cti.Target{Queue: "empty"}, "c", cti.ErrBusy, "nobody is free")
		want(cti.Target{Agent: "boss"}, "c", cti.ErrWrongState, "logged off")
		floor.Phones.Plug("802", false)
		floor.PhoneChanged("802")
		want(cti.Target{Agent: "2"}, "c", cti.ErrUnreachable, "no phone")

		lend(t, floor, cti.Target{Agent: "1"}, "c")
		want(cti.Target{Agent: "1"}, "c", cti.ErrWrongState, "in this call")
		want(cti.Target{Agent: "1"}, "other", cti.ErrWrongState, "in another call")
		want(cti.Target{Agent: "1"}, "other", cti.ErrBusy, "")
		want(cti.Target{Queue: "parts"}, "other", cti.ErrBusy, "") // 1 is lent, 2 has no phone
		if _, _, err := floor.Reserve(t.Context(), "1", "own"); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("a lent desk makes a call: %v", err)
		}
	})
}

// What an agent does when asked, and how the desk stands afterwards.
func TestLendAndGiveBack(t *testing.T) {
	for name, tt := range map[string]struct {
		state          acd.State
		picked, talked bool
		then, later    acd.State
		amended        int
	}{
		"ready, talked":            {acd.Ready, true, true, acd.WorkingAfterCall, acd.Ready, 1},
		"ready, picked up only":    {acd.Ready, true, false, acd.Ready, acd.Ready, 1},
		"ready, rang only":         {acd.Ready, false, false, acd.Ready, acd.Ready, 1},
		"notReady, talked":         {acd.NotReady, true, true, acd.WorkingAfterCall, acd.NotReady, 1},
		"notReady, picked up only": {acd.NotReady, true, false, acd.NotReady, acd.NotReady, 1},
		"notReady, rang only":      {acd.NotReady, false, false, acd.NotReady, acd.NotReady, 1},
		"wrap-up, talked":          {acd.WorkingAfterCall, true, true, acd.WorkingAfterCall, acd.Ready, 1},
		"wrap-up, picked up only":  {acd.WorkingAfterCall, true, false, acd.WorkingAfterCall, acd.WorkingAfterCall, 1},
		"wrap-up, rang only":       {acd.WorkingAfterCall, false, false, acd.WorkingAfterCall, acd.WorkingAfterCall, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				if _, err := floor.SetState(t.Context(), "1", tt.state, "lunch"); err != nil {
					t.Fatal(err)
				}
				desk := lend(t, floor, cti.Target{Agent: "1"}, "c1")
				time.Sleep(time.Second)
				if tt.picked && !desk.Picked(t.Context()) {
					t.Fatal("lease lost")
				}
				time.Sleep(time.Second)
				before := len(floor.Store.Events())
				desk.Free(tt.talked)
				synctest.Wait()
				d := floor.Desk(t, "1")
				if d.State != tt.then || (d.Call != "") != tt.talked {
					t.Errorf("at once the desk is %+v, want %s", d, tt.then)
				}
				if told := floor.Store.Events()[before:]; tt.picked && (len(told) == 0 || told[0].Type == cti.EventAgentBusy) {
					t.Errorf("screens learn of the end by %+v", told)
				}
				time.Sleep(wrapUp + 1)
				d = wantStands(t, floor, "1", tt.later, "")
				if d.Pending != "" || tt.later == acd.NotReady && d.Reason != "lunch" {
					t.Errorf("later the desk is %+v", d)
				}
				if a := floor.Store.Amendments(); len(a) != tt.amended {
					t.Errorf("amendments %+v, want %d", a, tt.amended)
				}
			})
		})
	}
}

// A wrap-up that a talk broke into is over, and its time does not end the next.
func TestLentFromWrapUp(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		first := lend(t, floor, cti.Target{Agent: "1"}, "c1")
		first.Picked(t.Context())
		first.Free(true)
		time.Sleep(wrapUp - time.Second)
		wantStands(t, floor, "1", acd.WorkingAfterCall, "c1")
		second := lend(t, floor, cti.Target{Agent: "1"}, "c2")
		if !second.Picked(t.Context()) {
			t.Fatal("lease lost")
		}
		at := wantStands(t, floor, "1", acd.WorkingAfterCall, "c2").Since
		time.Sleep(time.Minute)
		second.Free(true)
		if d := wantStands(t, floor, "1", acd.WorkingAfterCall, "c2"); !d.Since.Equal(at.Add(time.Minute + wrapUp - time.Second)) {
			t.Errorf("works after the second call since %v, that began before %v", d.Since, at)
		}
		if rows := floor.Store.Rows(); rows[0].Call != "c2" || !rows[0].Since.Equal(time.Now()) {
			t.Errorf("a restart would bring back %+v", rows[0])
		}
		time.Sleep(wrapUp - 1)
		wantStands(t, floor, "1", acd.WorkingAfterCall, "c2")
		time.Sleep(time.Nanosecond)
		wantStands(t, floor, "1", acd.Ready, "")
		if a := floor.Store.Amendments(); len(a) != 2 {
			t.Errorf("amendments %+v", a)
		}
	})
}

// Wrap-up may come to its end while another call rings: nothing changes before
// that is answered or given up, and a wish is kept until then.
func TestWrapUpEndsWhileItRings(t *testing.T) {
	for name, tt := range map[string]struct {
		wish        acd.State
		talked      bool
		then, later acd.State
	}{
		"rang only":              {"", false, acd.Ready, acd.Ready},
		"talked":                 {"", true, acd.WorkingAfterCall, acd.Ready},
		"going home, rang only":  {acd.LoggedOff, false, acd.LoggedOff, acd.LoggedOff},
		"going home, talked":     {acd.LoggedOff, true, acd.WorkingAfterCall, acd.LoggedOff},
		"more to do, rang only":  {acd.WorkingAfterCall, false, acd.WorkingAfterCall, acd.Ready},
		"not so fast, rang only": {acd.NotReady, false, acd.NotReady, acd.NotReady},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				first := lend(t, floor, cti.Target{Agent: "1"}, "c1")
				first.Picked(t.Context())
				first.Free(true)
				time.Sleep(wrapUp - 2*time.Second)
				second := lend(t, floor, cti.Target{Agent: "1"}, "c2")
				if tt.wish != "" {
					floor.Set(t, "1", tt.wish)
				}
				time.Sleep(5 * time.Second)
				if d := floor.Desk(t, "1"); d.State != acd.WorkingAfterCall {
					t.Errorf("while it rings the desk is %+v", d)
				}
				if tt.talked && !second.Picked(t.Context()) {
					t.Fatal("lease lost")
				}
				second.Free(tt.talked)
				synctest.Wait()
				if d := floor.Desk(t, "1"); d.State != tt.then {
					t.Errorf("then the desk is %+v, want %s", d, tt.then)
				}
				time.Sleep(wrapUp + 1)
				synctest.Wait()
				if d := floor.Desk(t, "1"); d.State != tt.later || d.Pending != "" {
					t.Errorf("later the desk is %+v, want %s", d, tt.later)
				}
				if ends := floor.Store.Ends("c1"); len(ends) != 1 {
					t.Errorf("the first wrap-up ended %v", ends)
				}
			})
		})
	}
}

// Whoever says "ready" in a talk that broke into notReady is ready behind it, also
// where there is no wrap-up.
func TestReadyOutOfALentTalk(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		floor.Seat(t, "boss") // serves no queue
		floor.Set(t, "boss", acd.NotReady)
		desk := lend(t, floor, cti.Target{Agent: "boss"}, "c1")
		desk.Picked(t.Context())
		floor.Set(t, "boss", acd.Ready)
		desk.Free(true)
		wantStands(t, floor, "boss", acd.Ready, "")
		if e := floor.Store.Events(cti.EventAgentReady); e[len(e)-1].AgentID != "boss" {
			t.Errorf("events %+v", e)
		}
	})
}

// Of a queue the strategy chooses; who is asked for in vain comes last for this
// call; nobody waits for a desk.
func TestLendFromQueue(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		parts := cti.Target{Queue: "parts"}
		asker := lend(t, floor, cti.Target{Agent: "3"}, "c1")
		asker.Picked(t.Context())
		first := lend(t, floor, parts, "c1")
		if first.Agent().ID != "1" || first.Ring() != 10*time.Second {
			t.Errorf("lent %+v for %v, want the first in order", first.Agent(), first.Ring())
		}
		second := lend(t, floor, parts, "c2")
		if second.Agent().ID != "2" {
			t.Errorf("lent %+v while 1 rings", second.Agent())
		}
		if _, err := floor.Lend(t.Context(), parts, "c3"); !errors.Is(err, cti.ErrBusy) {
			t.Errorf("a third: %v", err)
		}
		second.Free(false)
		first.Free(false) // refused, or the asker thought better of it
		if again := lend(t, floor, parts, "c1"); again.Agent().ID != "2" {
			t.Errorf("lent %+v again, want the one not yet tried", again.Agent())
		} else {
			again.Free(false)
		}
		if other := lend(t, floor, parts, "c4"); other.Agent().ID != "1" {
			t.Errorf("another call gets %+v", other.Agent())
		} else {
			other.Picked(t.Context())
			other.Free(true)
		}
		time.Sleep(5*time.Second - 1) // the wrap-up of parts, not of repair
		wantStands(t, floor, "1", acd.WorkingAfterCall, "c4")
		time.Sleep(time.Nanosecond)
		wantStands(t, floor, "1", acd.Ready, "")
	})
}

// notReady and away agents are asked by name only; who lets the queue's calls
// ring three times in a row is not there.
func TestLendFromQueueNotThere(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		floor.Set(t, "1", acd.NotReady)
		for range 4 { // somebody thinks better of it
			lend(t, floor, cti.Target{Queue: "parts"}, "c0").Free(false)
		}
		for n := range 4 {
			desk, err := floor.Lend(t.Context(), cti.Target{Queue: "parts"}, "c1")
			if n == 3 {
				if !errors.Is(err, cti.ErrBusy) {
					t.Errorf("after three misses: %v", err)
				}
				break
			}
			if err != nil || desk.Agent().ID != "2" {
				t.Fatalf("lent %v, %v", desk, err)
			}
			time.Sleep(desk.Ring())
			desk.Free(false)
		}
		if d := wantStands(t, floor, "2", acd.NotReady, ""); d.Reason != acd.ReasonNoAnswer {
			t.Errorf("desk %+v", d)
		}
		for range 4 { // by name it does not count
			desk := lend(t, floor, cti.Target{Agent: "3"}, "c1")
			time.Sleep(desk.Ring())
			desk.Free(false)
		}
		wantStands(t, floor, "3", acd.Ready, "")
	})
}

// A lease that nobody picks up ends by itself: at the last instant it is there,
// one later it is lost.
func TestLeaseEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		after time.Duration
		kept  bool
	}{
		"last instant": {ringTimeout + 5*time.Second - 1, true},
		"lost":         {ringTimeout + 5*time.Second + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				floor.Set(t, "1", acd.NotReady)
				desk := lend(t, floor, cti.Target{Agent: "1"}, "c1")
				time.Sleep(tt.after)
				if kept := desk.Picked(t.Context()); kept != tt.kept {
					t.Errorf("Picked = %t", kept)
				}
				if !tt.kept { // the desk is another call's by now, which a late Free leaves alone
					other := lend(t, floor, cti.Target{Agent: "1"}, "c2")
					other.Picked(t.Context())
					desk.Free(true)
					wantStands(t, floor, "1", acd.NotReady, "c2")
				}
			})
		})
	}
}

// Who asks and does not wait for the answer holds nothing.
func TestLendForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		floor := acdtest.Start(t, office(), func(d *acd.Deps) { d.Desks = slowDesks{d.Desks, slow} })
		limit, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := floor.Lend(limit, cti.Target{Agent: "1"}, "c1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lend = %v", err)
		}
		close(slow)
		lend(t, floor, cti.Target{Agent: "1"}, "c2").Free(false)
	})
}

// slowDesks lets the floor begin late, with agent 1 logged on.
type slowDesks struct {
	acd.Desks
	ready chan struct{}
}

func (s slowDesks) LoadDesks(context.Context) ([]acd.DeskRow, error) {
	<-s.ready
	return []acd.DeskRow{{Agent: "1", State: acd.Ready, Since: time.Now()}}, nil
}

func TestPickedAfterTheCallsEnd(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		ctx, cancel := context.WithCancel(t.Context())
		desk := lend(t, floor, cti.Target{Agent: "1"}, "c1")
		cancel()
		if desk.Picked(ctx) {
			t.Error("picked up for a call that is over")
		}
		desk.Free(false)
		wantStands(t, floor, "1", acd.Ready, "")
	})
}

// A lent desk comes back from a crash as one in a queue's call does.
func TestLentDeskSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, office())
		floor.Seat(t, "1", "2")
		lend(t, floor, cti.Target{Agent: "1"}, "c1").Picked(t.Context())
		lend(t, floor, cti.Target{Agent: "2"}, "c1") // rings
		synctest.Wait()
		again := acdtest.Start(t, office(), acdtest.WithDesks(floor.Store.Rows()...))
		wantStands(t, again, "1", acd.WorkingAfterCall, "c1")
		wantStands(t, again, "2", acd.Ready, "")
		time.Sleep(wrapUp)
		wantStands(t, again, "1", acd.Ready, "")
	})
}

// Two agents work on one call: the record learns of the last one's end, once.
func TestWrapUpsOfOneCall(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		first := lend(t, floor, cti.Target{Agent: "1"}, "c1")
		second := lend(t, floor, cti.Target{Agent: "2"}, "c1")
		first.Picked(t.Context())
		second.Picked(t.Context())
		first.Free(true) // transferred
		time.Sleep(time.Minute)
		wantStands(t, floor, "1", acd.Ready, "")
		if a := floor.Store.Amendments(); len(a) != 0 {
			t.Errorf("amended while the call goes on: %+v", a)
		}
		second.Free(true)
		time.Sleep(wrapUp)
		synctest.Wait()
		if a := floor.Store.Amendments(); len(a) != 1 || !a[0].ACWEnd.Equal(time.Now()) {
			t.Errorf("amendments %+v", a)
		}
	})
}

// inside is a router that sends every call to h.
type inside struct{ h cti.Handler }

func (r inside) Route(cti.Origin, cti.Target) (cti.Handler, error) { return r, nil }

func (r inside) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	return r.h.Handle(ctx, call)
}

// A call to one agent, that of another phone say: answered when the agent picks
// up, not before.
func TestCallToAnAgent(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		floor.Server.SetRouter(inside{floor.Agent("1")})
		floor.Phones.Plan("801", acdtest.Phone{Alerts: time.Second, After: 4 * time.Second, Talk: time.Minute})
		floor.Set(t, "1", acd.NotReady)
		leg := ctitest.Incoming("802", "801")
		over := floor.Line(leg)
		time.Sleep(5*time.Second - 1)
		select {
		case <-leg.Answered():
			t.Error("answered before the agent did")
		default:
		}
		time.Sleep(time.Second)
		if !wantBusy(t, floor, "1") {
			t.Error("not busy in the talk")
		}
		<-over
		r := floor.Store.Record("801")
		if *r.Result != cti.ResultAnswered || r.Agent.ID != "1" || offers(r) != "1 answered" || r.HangupSide != cti.AgentSide {
			t.Errorf("record %+v", r)
		}
		if d := r.Times.Answer.Sub(r.Times.Seize.Time); d != 5*time.Second {
			t.Errorf("answered after %v", d)
		}
		if n := len(floor.Store.Events(cti.EventDiverted, cti.EventQueued)); n != 0 {
			t.Error("a call to an agent was told of as one in a queue")
		}
		time.Sleep(wrapUp)
		wantStands(t, floor, "1", acd.NotReady, "")
	})
}

func wantBusy(t *testing.T, floor *acdtest.Floor, agent string) bool {
	t.Helper()
	synctest.Wait()
	return floor.Desk(t, agent).Call != ""
}

// Where the agent does not take it the outcome says why, and the desk is as
// before.
func TestCallToAnAgentFails(t *testing.T) {
	for name, tt := range map[string]struct {
		agent string
		phone acdtest.Phone
		cause string
		lasts time.Duration
		rang  string
	}{
		"no answer":  {"1", acdtest.Phone{Never: true}, cti.CauseNoAnswer, ringTimeout, "1 noAnswer"},
		"busy":       {"1", acdtest.Phone{Refuses: cti.ErrBusy}, cti.CauseBusy, 0, "1 busy"},
		"refused":    {"1", acdtest.Phone{Refuses: cti.ErrRejected}, cti.CauseBusy, 0, "1 rejected"},
		"phone fell": {"1", acdtest.Phone{Dead: cti.ErrUnreachable}, cti.CauseNoAnswer, 0, "1 failed"},
		"logged off": {"boss", acdtest.Phone{}, cti.CauseNoAnswer, 0, ""},
		"in a call":  {"2", acdtest.Phone{}, cti.CauseBusy, 0, ""},
		"nobody":     {"x", acdtest.Phone{}, cti.CauseNotFound, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				got := make(chan cti.Outcome, 1)
				to := floor.Agent(tt.agent)
				floor.Server.SetRouter(inside{handler(func(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
					out, err := to.Handle(ctx, call)
					got <- out
					return out, err
				})})
				floor.Phones.Plan("801", tt.phone)
				lend(t, floor, cti.Target{Agent: "2"}, "other").Picked(t.Context())
				start := time.Now()
				leg := ctitest.Incoming("13800138000", "in")
				<-floor.Line(leg)
				if lasted := time.Since(start); lasted != tt.lasts {
					t.Errorf("lasted %v", lasted)
				}
				if out := <-got; out.Kind != cti.Failed || out.Cause != tt.cause || out.Agent != tt.agent {
					t.Errorf("outcome %+v, want cause %s", out, tt.cause)
				}
				if r := floor.Store.Record("in"); offers(r) != tt.rang || !r.Times.Answer.IsZero() {
					t.Errorf("offers %s, record %+v", offers(r), r)
				}
				wantStands(t, floor, "1", acd.Ready, "")
			})
		})
	}
}

// Letting colleagues ring is no reason to be sent away from the queues.
func TestCallsToAnAgentAreNoMisses(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		floor.Server.SetRouter(inside{floor.Agent("1")})
		floor.Phones.Plan("801", acdtest.Phone{Never: true})
		for range 4 {
			<-floor.Line(ctitest.Incoming("802", "801"))
		}
		wantStands(t, floor, "1", acd.Ready, "")
	})
}

type handler func(context.Context, *cti.Call) (cti.Outcome, error)

func (h handler) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	return h(ctx, call)
}

// The caller gives up while the agent's phone rings, and in the very moment in
// which the agent picks up: neither leaves wrap-up behind.
func TestCallToAnAgentGivenUp(t *testing.T) {
	for name, answer := range map[string]func(context.Context){
		"ringing":         nil,
		"with the answer": func(ctx context.Context) { <-ctx.Done() },
		"just before":     func(context.Context) {},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				floor.Server.SetRouter(inside{floor.Agent("1")})
				floor.Phones.Plan("801", acdtest.Phone{After: 5 * time.Second})
				leg := &fickle{ctitest.Incoming("802", "801"), answer}
				over := floor.Line(leg)
				if answer == nil {
					time.Sleep(3 * time.Second)
					leg.RemoteHangup()
				}
				<-over
				r := floor.Store.Record("801")
				if *r.Result != cti.ResultAbandoned || r.Where != cti.WhereRinging || offers(r) != "1 canceled" || r.Agent != nil {
					t.Errorf("record %s where %s, offers %s, agent %v", *r.Result, r.Where, offers(r), r.Agent)
				}
				wantStands(t, floor, "1", acd.Ready, "")
				if n := floor.Phones.Live(); n != 0 {
					t.Error("the agent's phone is still up")
				}
			})
		})
	}
}

// fickle is a caller who hangs up in the moment of the answer.
type fickle struct {
	*ctitest.Leg
	answer func(context.Context)
}

func (f *fickle) Answer(ctx context.Context) error {
	time.AfterFunc(time.Millisecond, f.RemoteHangup)
	f.answer(ctx)
	return cti.ErrRemoteHangup
}

// A call that was answered before hears music until the agent does.
func TestTransferToAnAgentHearsMusic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &music{}
		floor := acdtest.Start(t, office(), acdtest.WithAnnouncer(m))
		floor.Seat(t, "1")
		to := floor.Agent("1")
		floor.Server.SetRouter(inside{handler(func(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
			if err := call.Answer(ctx); err != nil {
				return cti.Outcome{}, err
			}
			return to.Handle(ctx, call)
		})})
		floor.Phones.Plan("801", acdtest.Phone{After: 5 * time.Second, Talk: time.Minute})
		over := floor.Line(ctitest.Incoming("13800138000", "in"))
		time.Sleep(4 * time.Second)
		if m.playing.Load() != 1 {
			t.Error("silence while the agent's phone rings")
		}
		time.Sleep(2 * time.Second)
		if m.playing.Load() != 0 {
			t.Error("music in the talk")
		}
		<-over
	})
}

// A transfer to a queue waits there as any call does.
func TestTransferToAQueue(t *testing.T) {
	inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
		floor.Server.SetRouter(inside{floor.Queue("parts")})
		floor.Phones.Plan("801", acdtest.Phone{Talk: time.Minute})
		<-floor.Line(ctitest.Incoming("13800138000", "in"))
		if r := floor.Store.Record("in"); *r.Result != cti.ResultAnswered || r.Queue.ID != "parts" || offers(r) != "1 answered" {
			t.Errorf("record %+v", r)
		}
	})
}

// talks are ways for agent 1 to come to talk with somebody outside.
var talks = map[string]func(*testing.T, *acdtest.Floor) (call string){
	"of a queue's call": func(_ *testing.T, floor *acdtest.Floor) string {
		c := floor.Call(repair)
		time.Sleep(time.Second)
		id, _, _ := floor.Talking(c.DID)
		return id
	},
	"of an own call": func(t *testing.T, floor *acdtest.Floor) string {
		made, err := floor.Make("1", customer)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		return made.ID
	},
}

// Whoever sends a call on wraps it up at once, while others talk; its record
// waits for the last of them and learns of the end once.
func TestTransferFreesTheDesk(t *testing.T) {
	for name, talk := range talks {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				floor.Set(t, "2", acd.NotReady)
				floor.Set(t, "3", acd.NotReady)
				call := talk(t, floor)
				wantStands(t, floor, "1", acd.Ready, call)
				floor.Phones.Plan("802", acdtest.Phone{After: ringTimeout - time.Second, Talk: time.Minute})
				if err := floor.Ask(call, "1", cti.CmdSingleStepTransfer, "2"); err != nil {
					t.Fatal(err)
				}
				wantStands(t, floor, "1", acd.WorkingAfterCall, call)
				time.Sleep(wrapUp)
				wantStands(t, floor, "1", acd.Ready, "")
				time.Sleep(ringTimeout - wrapUp)
				wantStands(t, floor, "2", acd.NotReady, call)
				time.Sleep(time.Minute)
				wantStands(t, floor, "2", acd.WorkingAfterCall, call)
				if ends := floor.Store.Ends(call); len(ends) != 0 {
					t.Errorf("the record learned of an end at %v while 2 works", ends)
				}
				time.Sleep(wrapUp)
				wantStands(t, floor, "2", acd.NotReady, "")
				if ends := floor.Store.Ends(call); len(ends) != 1 {
					t.Errorf("wrap-up ended %v", ends)
				}
			})
		})
	}
}

// A call that was sent to a number outside may come back; until it is over its
// record does not learn that the agent's work is.
func TestTransferAway(t *testing.T) {
	for name, talk := range talks {
		t.Run(name, func(t *testing.T) {
			inOffice(t, func(t *testing.T, floor *acdtest.Floor) {
				floor.Set(t, "2", acd.NotReady)
				floor.Set(t, "3", acd.NotReady)
				floor.Abroad.Plan("carrier/+8613900139001", acdtest.Phone{After: time.Minute, Talk: time.Hour})
				call, left := talk(t, floor), time.Now()
				if err := floor.Ask(call, "1", cti.CmdSingleStepTransfer, "13900139001"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				wantStands(t, floor, "1", acd.Ready, "")
				if ends := floor.Store.Ends(call); len(ends) != 0 {
					t.Errorf("the record learned of an end at %v while the call runs", ends)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if ends := floor.Store.Ends(call); len(ends) != 1 || !ends[0].Equal(left.Add(wrapUp)) {
					t.Errorf("wrap-up ended %v", ends)
				}
			})
		})
	}
}
