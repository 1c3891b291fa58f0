package acd_test

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
)

// afterTalk is a floor whose agent 1 has just begun to wrap a call up.
func afterTalk(t *testing.T, wrap time.Duration, then func(*testing.T, *acdtest.Floor)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := shop("1")
		for i := range cfg.Queues {
			cfg.Queues[i].WrapUp = wrap
		}
		floor := acdtest.Start(t, cfg)
		floor.Seat(t, "1")
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		wantKind(t, floor.Call(repair), cti.Talked)
		synctest.Wait()
		then(t, floor)
	})
}

// The screens know when wrap-up ends, and it does end then.
func TestUntil(t *testing.T) {
	afterTalk(t, wrapUp, func(t *testing.T, floor *acdtest.Floor) {
		end := time.Now().Add(wrapUp)
		if d := floor.Desk(t, "1"); !d.Until.Equal(end) {
			t.Errorf("wrap-up ends at %v, want %v", d.Until, end)
		}
		told := floor.Store.Events(cti.EventAgentWorkingAfterCall)
		if len(told) != 1 || !told[0].UserData["until"].(cti.Time).Equal(end) {
			t.Errorf("the screens are told %+v", told)
		}
		time.Sleep(wrapUp + 1)
		if d := floor.Desk(t, "1"); d.State != acd.Ready || !d.Until.IsZero() {
			t.Errorf("behind it the desk is %+v", d)
		}
	})
}

// While somebody talks the desk says since when.
func TestBusySince(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		c := floor.Call(repair)
		start := time.Now()
		time.Sleep(time.Second)
		if d := floor.Desk(t, "1"); !d.BusySince.Equal(start) {
			t.Errorf("on the telephone since %v, want %v", d.BusySince, start)
		}
		c.Wait()
		synctest.Wait()
		if d := floor.Desk(t, "1"); !d.BusySince.IsZero() {
			t.Errorf("behind it %+v", d)
		}
	})
}

func TestExtend(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap, after time.Duration // what the queue allows, and when the agent asks
		times       int
		end         time.Duration // from the talk's end
	}{
		"once":             {time.Minute, 30 * time.Second, 1, 2 * time.Minute},
		"twice":            {time.Minute, 30 * time.Second, 2, 3 * time.Minute},
		"no further":       {time.Minute, time.Second, 20, time.Second + acd.ExtendTo},
		"never shorter":    {10 * time.Minute, time.Second, 1, 10 * time.Minute},
		"at the last":      {time.Minute, time.Minute - 1, 1, 2 * time.Minute},
		"too late, by now": {time.Minute, time.Minute + 1, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			afterTalk(t, tt.wrap, func(t *testing.T, floor *acdtest.Floor) {
				over := time.Now()
				time.Sleep(tt.after)
				for range tt.times {
					if d := floor.Set(t, "1", acd.WorkingAfterCall); !d.Since.Equal(over) || d.Call == "" {
						t.Errorf("an extension changes the desk to %+v", d)
					}
				}
				time.Sleep(time.Until(over.Add(tt.end - 1)))
				if d := floor.Desk(t, "1"); tt.times > 0 && (d.State != acd.WorkingAfterCall || !d.Until.Equal(over.Add(tt.end).Truncate(time.Millisecond))) {
					t.Errorf("at the last instant %+v", d)
				}
				time.Sleep(2 * time.Nanosecond)
				synctest.Wait()
				if d := floor.Desk(t, "1"); d.State != acd.Ready {
					t.Errorf("behind it %+v", d)
				}
			})
		})
	}
}

// What the agent wished for in the talk is not forgotten by an extension; work
// that no timer ends gets none by one.
func TestExtensionKeeps(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Talk: time.Minute})
		c := floor.Call(repair)
		time.Sleep(time.Second)
		floor.Set(t, "1", acd.NotReady)
		c.Wait()
		synctest.Wait()
		floor.Set(t, "1", acd.WorkingAfterCall)
		time.Sleep(2*wrapUp + 1)
		synctest.Wait()
		if d := floor.Desk(t, "1"); d.State != acd.NotReady {
			t.Errorf("behind the extension %+v", d)
		}
		floor.Set(t, "1", acd.WorkingAfterCall)
		if d := floor.Set(t, "1", acd.WorkingAfterCall); !d.Until.IsZero() {
			t.Errorf("the agent's own work ends at %v", d.Until)
		}
	})
}

// An extension outlives a restart.
func TestUntilIsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(3 * time.Minute)
		floor := acdtest.Start(t, shop("1"), acdtest.WithDesks(acd.DeskRow{
			Agent: "1", State: acd.WorkingAfterCall, Since: time.Now().Add(-time.Minute), Until: until, Call: "c1",
		}))
		if d := floor.Desk(t, "1"); d.State != acd.WorkingAfterCall || !d.Until.Equal(until) {
			t.Errorf("the desk comes back as %+v, want until %v", d, until)
		}
		if rows := floor.Store.Rows(); len(rows) != 1 || !rows[0].Until.Equal(until) {
			t.Errorf("kept is %+v", rows)
		}
	})
}

// A supervisor's word is carried out as the agent's own, and the screens learn
// whose it was.
func TestForce(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		d, err := floor.Force(t.Context(), "1", acd.NotReady, "meeting", "boss")
		if err != nil || d.State != acd.NotReady || d.Reason != "meeting" {
			t.Errorf("the desk is %+v, %v", d, err)
		}
		told := floor.Store.Events(cti.EventAgentNotReady)
		if by := told[len(told)-1].UserData["by"]; by != "boss" {
			t.Errorf("told as %v's", by)
		}
		floor.Set(t, "1", acd.Ready)
		told = floor.Store.Events(cti.EventAgentReady)
		if by := told[len(told)-1].UserData["by"]; by != nil {
			t.Errorf("the agent's own is told as %v's", by)
		}
		if _, err := floor.Force(t.Context(), "9", acd.Ready, "", "boss"); err == nil {
			t.Error("nobody was forced")
		}
	})
}

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		floor := acdtest.Start(t, shop("1"))
		floor.Seat(t, "1")
		floor.Set(t, "1", acd.NotReady)
		start := time.Now()
		floor.Call(cti.Wanted{Queue: "repair"})
		time.Sleep(time.Second)
		floor.Call(cti.Wanted{Queue: "repair", Priority: 5})
		time.Sleep(time.Second)
		list := floor.Waiting()
		if len(list) != 2 || list[0].Priority != 5 || list[0].Ringing || !list[1].Since.Equal(start) || list[1].Queue.ID != "repair" {
			t.Fatalf("waiting are %+v", list)
		}
		floor.Phones.Plan("1", acdtest.Phone{Never: true})
		floor.Set(t, "1", acd.Ready)
		synctest.Wait()
		if list := floor.Waiting(); len(list) != 2 || !list[0].Ringing || list[1].Ringing {
			t.Errorf("while the phone rings %+v", list)
		}
	})
}
