package acd_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"
)

// attendLine is a line beside agent 1's telephone; it rings, or was lifted to
// call out.
func attendLine(direction string) *ctitest.Line {
	return ctitest.NewLine(cti.Origin{Direction: direction, Device: "line:1", DID: "own", Line: "line 1", Attend: "1"})
}

// told are the events of the call that concern agent 1, in order.
func told(floor *acdtest.Floor) string {
	var out []string
	for _, e := range floor.Store.Events() {
		if e.AgentID == "1" && e.CallID != "" {
			out = append(out, e.Type)
		}
	}
	return strings.Join(out, " ")
}

func wantDesk(t *testing.T, floor *acdtest.Floor, state acd.State, busy bool) {
	t.Helper()
	synctest.Wait()
	if d := floor.Desk(t, "1"); d.State != state || (d.Call != "") != busy {
		t.Errorf("desk %+v, want %s, in a call %t", d, state, busy)
	}
}

// At the agent's own telephone: pop at ring, nothing else offered, busy while
// the set is up, wrap-up behind it, one record and one mixed recording.
func TestAttend(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		line := attendLine(cti.In)
		over := floor.Line(line)
		time.Sleep(2 * time.Second)
		pop := floor.Store.Events(cti.EventDelivered)
		if len(pop) != 1 || pop[0].AgentID != "1" || pop[0].Calling.Raw != "" || pop[0].UserData["attended"] != true {
			t.Fatalf("pops %+v", pop)
		}
		line.Tell("13800138000", "")
		caller := floor.Call(repair)
		wantDesk(t, floor, acd.Ready, false)
		if rings := floor.Phones.Rings(); len(rings) != 0 {
			t.Errorf("a queue's call rang at %v beside it", rings)
		}
		info := floor.Store.Events(cti.EventCallInformation)
		if len(info) != 1 || info[0].AgentID != "1" || info[0].Calling.E164 != "+8613800138000" {
			t.Errorf("the pop was completed by %+v", info)
		}
		line.Lift()
		wantDesk(t, floor, acd.Ready, true)
		id := floor.Desk(t, "1").Call
		_, err := floor.Server.Do(t.Context(), id, cti.Command{Name: cti.CmdClearConnection, By: "1"})
		if !errors.Is(err, cti.ErrWrongState) || !strings.Contains(err.Error(), "the agent's own") {
			t.Errorf("clearConnection = %v", err)
		}
		time.Sleep(time.Minute)
		line.Replace()
		<-over
		wantDesk(t, floor, acd.WorkingAfterCall, true)
		r := floor.Store.Record("own")
		if *r.Result != cti.ResultAnswered || r.HangupSide != cti.AgentSide || r.Agent.ID != "1" || r.From.E164 != "+8613800138000" || !r.Recording.Mixed {
			t.Errorf("record %+v", r)
		}
		if offers(r) != "1 answered" || len(r.Legs) != 1 || r.Legs[0].AnswerConfidence != "sure" || r.Legs[0].HangupDetect != "set" {
			t.Errorf("offers %s, legs %+v", offers(r), r.Legs)
		}
		want := "delivered callInformation agentBusy established connectionCleared agentWorkingAfterCall callCleared recordStopped"
		if got := told(floor); sorted(got) != sorted(want) {
			t.Errorf("events %s, want %s", got, want)
		}
		time.Sleep(wrapUp)
		synctest.Wait()
		if rings := floor.Phones.Rings(); len(rings) != 1 { // now the queue's call
			t.Errorf("rings %v", rings)
		}
		caller.HangUp()
	})
}

// sorted is for events of a call and its desk, which are two goroutines'.
func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

// Nobody lifts: a missed call, and the desk is free again.
func TestAttendMissed(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		line := attendLine(cti.In)
		over := floor.Line(line)
		time.Sleep(20 * time.Second)
		line.RemoteHangup()
		<-over
		r := floor.Store.Record("own")
		if *r.Result != cti.ResultAbandoned || r.Where != cti.WhereRinging || offers(r) != "1 noAnswer" || r.Agent != nil {
			t.Errorf("record %s where %s, offers %s, agent %v", *r.Result, r.Where, offers(r), r.Agent)
		}
		if r.Recording.State != cti.RecordingNone || !r.Times.CallerID.IsZero() {
			t.Errorf("recording %+v, caller id at %v", r.Recording, r.Times.CallerID)
		}
		wantDesk(t, floor, acd.Ready, false)
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Second})
		wantKind(t, floor.Call(repair), cti.Talked)
	})
}

// Whatever the desk does, the record is made; a desk in a call keeps it, one
// that is logged off stays so.
func TestAttendAnyState(t *testing.T) {
	for name, tt := range map[string]struct {
		state  acd.State
		behind acd.State // after wrap-up
		busy   bool
	}{
		"notReady":  {acd.NotReady, acd.NotReady, true},
		"loggedOff": {acd.LoggedOff, acd.LoggedOff, false},
		"wrap-up":   {acd.WorkingAfterCall, acd.Ready, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Set(t, "1", tt.state)
				line := attendLine(cti.In)
				over := floor.Line(line)
				synctest.Wait()
				line.Lift()
				wantDesk(t, floor, tt.state, tt.busy)
				time.Sleep(time.Minute)
				line.RemoteHangup()
				<-over
				time.Sleep(wrapUp + time.Second)
				wantDesk(t, floor, tt.behind, false)
				r := floor.Store.Record("own")
				if *r.Result != cti.ResultAnswered || r.HangupSide != cti.CallerSide || r.Agent.ID != "1" {
					t.Errorf("record %+v", r)
				}
				if a := floor.Store.Amendments(); len(a) != 1 || a[0].ACWEnd.IsZero() {
					t.Errorf("the record waits for a wrap-up: %+v", a)
				}
			})
		})
	}
}

func TestAttendBesideACall(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		first := floor.Call(repair)
		time.Sleep(time.Second)
		line := attendLine(cti.In)
		over := floor.Line(line)
		synctest.Wait()
		line.Lift()
		time.Sleep(time.Second)
		line.Replace()
		<-over
		if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Call == "" {
			t.Errorf("the first call's desk is %+v", d)
		}
		wantKind(t, first, cti.Talked)
	})
}

// The agent dials at the own telephone: busy at once, the number comes later.
func TestAttendOutgoing(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		line := attendLine(cti.Out)
		over := floor.Line(line)
		line.PickUp()
		wantDesk(t, floor, acd.Ready, true)
		line.Tell("", "13900139000")
		time.Sleep(time.Minute)
		line.Replace()
		<-over
		r := floor.Store.Record("own")
		if r.Direction != cti.Out || r.To.E164 != "+8613900139000" || *r.Result != cti.ResultAnswered || len(r.Offers) != 0 || r.Agent.ID != "1" || !r.Recording.Mixed {
			t.Errorf("record %+v", r)
		}
		pop := floor.Store.Events(cti.EventDelivered)
		if len(pop) != 1 || pop[0].UserData["direction"] != cti.Out {
			t.Errorf("pops %+v", pop)
		}
		wantDesk(t, floor, acd.WorkingAfterCall, true)
	})
}

const customer = "13900139000"

// abroad is the customer's phone as the floor's ways out reach it.
const abroad = "carrier/+8613900139000"

func TestOutgoing(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Set(t, "1", acd.NotReady)
		floor.Phones.Plan("1", acdtest.Phone{Alerts: time.Second, After: 2 * time.Second})
		floor.Abroad.Plan(abroad, acdtest.Phone{Alerts: time.Second, After: 5 * time.Second, Talk: time.Minute})
		made, err := floor.Make("1", customer)
		if err != nil || made.Direction != cti.Out || made.To.E164 != "+8613900139000" || made.Agent.Name != "agent 1" || made.Final() {
			t.Fatalf("Make = %+v, %v", made, err)
		}
		wantDesk(t, floor, acd.NotReady, false)
		time.Sleep(5 * time.Second) // the phone is picked up, the number rings
		wantDesk(t, floor, acd.NotReady, true)
		if n := len(floor.Store.Events(cti.EventEstablished)); n != 0 {
			t.Error("established before the customer answered")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		r := floor.Store.Record("")
		if *r.Result != cti.ResultAnswered || r.HangupSide != cti.CallerSide || r.Line != "carrier" || r.From.E164 != "+864001234567" || r.ID != made.ID {
			t.Errorf("record %+v", r)
		}
		if d := r.Times.Answer.Sub(r.Times.AgentAnswer.Time); d != 6*time.Second || r.Recording.State != cti.RecordingComplete {
			t.Errorf("answered %v after the agent, recording %+v", d, r.Recording)
		}
		if len(r.Legs) != 2 || r.Legs[0].Device != "trunk:"+abroad || r.Legs[1].Device != "sip:1" || len(r.Offers) != 0 {
			t.Errorf("legs %+v, offers %+v", r.Legs, r.Offers)
		}
		want := "offered delivered agentBusy established connectionCleared agentWorkingAfterCall callCleared recordStopped"
		if got := told(floor); sorted(got) != sorted(want) {
			t.Errorf("events %s, want %s", got, want)
		}
		if d := floor.Desk(t, "1"); d.State != acd.NotReady || d.Call != "" || d.Pending != "" {
			t.Errorf("afterwards the desk is %+v", d)
		}
		if a := floor.Store.Amendments(); len(a) != 1 || !a[0].ACWEnd.Equal(r.Times.Hangup.Add(wrapUp)) {
			t.Errorf("amendments %+v", a)
		}
	})
}

// What comes to nothing, and how the desk stands behind it: as before.
func TestOutgoingFails(t *testing.T) {
	for name, tt := range map[string]struct {
		agent, customer acdtest.Phone
		cause, side     string
		lasts           time.Duration
	}{
		"busy":               {acdtest.Phone{}, acdtest.Phone{Refuses: cti.ErrBusy}, cti.CauseBusy, cti.CallerSide, 3 * time.Second},
		"no answer":          {acdtest.Phone{}, acdtest.Phone{Never: true}, cti.CauseNoAnswer, cti.CallerSide, 93 * time.Second},
		"vacant":             {acdtest.Phone{}, acdtest.Phone{Refuses: cti.ErrNotFound}, cti.CauseNotFound, cti.LineSide, 3 * time.Second},
		"no way":             {acdtest.Phone{}, acdtest.Phone{Dead: cti.ErrUnreachable}, cti.CauseCongestion, cti.LineSide, 3 * time.Second},
		"line lost":          {acdtest.Phone{}, acdtest.Phone{Refuses: cti.ErrLineLost}, cti.CauseLineLost, cti.LineSide, 3 * time.Second},
		"agent gives up":     {acdtest.Phone{Talk: 9 * time.Second}, acdtest.Phone{Never: true}, cti.CauseCanceled, cti.AgentSide, 9 * time.Second},
		"agent not there":    {acdtest.Phone{Never: true}, acdtest.Phone{}, cti.CauseNoAnswer, cti.AgentSide, ringTimeout},
		"agent refuses":      {acdtest.Phone{Refuses: cti.ErrRejected}, acdtest.Phone{}, cti.CauseCanceled, cti.AgentSide, 0},
		"agent's phone fell": {acdtest.Phone{Dead: cti.ErrUnreachable}, acdtest.Phone{}, cti.CauseError, cti.BoxSide, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
				floor.Phones.Plan("1", tt.agent)
				floor.Abroad.Plan(abroad, tt.customer)
				start := time.Now()
				made, err := floor.Make("1", customer)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				r := floor.Store.Record("")
				if *r.Result != cti.ResultFailed || r.Cause != tt.cause || r.HangupSide != tt.side || r.ID != made.ID {
					t.Errorf("record %s %s, side %s", *r.Result, r.Cause, r.HangupSide)
				}
				if lasted := r.Times.Hangup.Sub(start); lasted != tt.lasts || r.Recording.State != cti.RecordingNone {
					t.Errorf("lasted %v, want %v, recording %s", lasted, tt.lasts, r.Recording.State)
				}
				if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Call != "" || d.Pending != "" {
					t.Errorf("afterwards the desk is %+v", d)
				}
				if n := floor.Phones.Live() + floor.Abroad.Live(); n != 0 {
					t.Errorf("%d phones are still in use", n)
				}
				if a := floor.Store.Amendments(); len(a) != 1 {
					t.Errorf("the record waits for a wrap-up: %+v", a)
				}
			})
		})
	}
}

func TestOutgoingIsCleared(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Abroad.Plan(abroad, acdtest.Phone{Never: true})
		made, err := floor.Make("1", customer)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := floor.Server.Do(t.Context(), made.ID, cti.Command{Name: cti.CmdClearConnection, By: "1"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r := floor.Store.Record(""); r.Cause != cti.CauseCanceled || r.HangupSide != cti.AgentSide {
			t.Errorf("record %s, side %s", r.Cause, r.HangupSide)
		}
		if n := floor.Abroad.Live(); n != 0 {
			t.Error("the number still rings")
		}
	})
}

// A way that is not there is passed over for the next one.
func TestOutgoingByTheNextWay(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Ways = []string{"first", "second", "carrier"}
		floor.Abroad.Plan("first/+8613900139000", acdtest.Phone{Dead: cti.ErrUnreachable})
		floor.Abroad.Plan("second/+8613900139000", acdtest.Phone{After: time.Second, Refuses: cti.ErrUnreachable})
		floor.Abroad.Plan(abroad, acdtest.Phone{Talk: time.Minute})
		if _, err := floor.Make("1", customer); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if r := floor.Store.Record(""); *r.Result != cti.ResultAnswered || r.Line != "carrier" || len(r.Legs) != 2 {
			t.Errorf("record %+v", r)
		}
	})
}

func TestOutgoingRefused(t *testing.T) {
	bubble(t, []string{"1", "2"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		want := func(agent, to string, want error) {
			t.Helper()
			if _, err := floor.Make(agent, to); !errors.Is(err, want) {
				t.Errorf("%s calls %q: %v, want %v", agent, to, err, want)
			}
		}
		want("nobody", customer, cti.ErrNotFound)
		for _, to := range []string{"", "abc", "12", "123456789012345678901", "88"} {
			want("1", to, cti.ErrBadNumber)
		}
		floor.Phones.Plug("2", false)
		floor.PhoneChanged("2")
		want("2", customer, cti.ErrUnreachable)
		floor.Set(t, "2", acd.LoggedOff)
		want("2", customer, cti.ErrWrongState)
		floor.Call(repair)
		synctest.Wait()
		want("1", customer, cti.ErrWrongState) // in a call
		time.Sleep(2 * time.Minute)
		floor.Ways = nil
		want("1", customer, cti.ErrWrongState) // nothing leads out
		if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Call != "" {
			t.Errorf("a refused wish left the desk %+v", d)
		}
		floor.Server.Drain(t.Context())
		want("1", customer, cti.ErrShutdown)
	})
}

// A queue's call does not come between the wish and the phone; a second wish
// neither.
func TestOutgoingReservesTheDesk(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Alerts: time.Second, After: time.Second})
		floor.Abroad.Plan(abroad, acdtest.Phone{Talk: time.Minute})
		if _, err := floor.Make("1", customer); err != nil {
			t.Fatal(err)
		}
		if _, err := floor.Make("1", customer); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("a second call at once: %v", err)
		}
		caller := floor.Call(repair)
		time.Sleep(time.Second)
		if rings := floor.Phones.Rings(); len(rings) != 1 {
			t.Errorf("rings %v", rings)
		}
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Second})
		wantKind(t, caller, cti.Talked) // after the talk and its wrap-up
	})
}

// Calling out of wrap-up ends the work after the call before; where nobody
// answers and the time of that wrap-up has passed, the agent is ready.
func TestOutgoingFromWrapUp(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		first := wantKind(t, floor.Call(repair), cti.Talked)
		time.Sleep(5 * time.Second)
		wantDesk(t, floor, acd.WorkingAfterCall, true)
		floor.Phones.Plan("1", acdtest.Phone{})
		floor.Abroad.Plan(abroad, acdtest.Phone{After: 20 * time.Second, Refuses: cti.ErrBusy})
		if _, err := floor.Make("1", customer); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a := floor.Store.Amendments(); len(a) != 1 || a[0].ACWEnd.Sub(first.Times.Hangup.Time) != 5*time.Second {
			t.Errorf("amendments %+v", a)
		}
		time.Sleep(22 * time.Second)
		wantDesk(t, floor, acd.WorkingAfterCall, true)
		time.Sleep(2 * time.Second)
		wantDesk(t, floor, acd.Ready, false)
	})
}

func TestDrainEndsOutgoingCalls(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Abroad.Plan(abroad, acdtest.Phone{Never: true})
		if _, err := floor.Make("1", customer); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		limit, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		floor.Server.Drain(limit)
		if r := floor.Store.Record(""); !r.Final() || *r.Result != cti.ResultFailed || r.HangupSide != cti.BoxSide {
			t.Errorf("record %+v", r)
		}
	})
}
