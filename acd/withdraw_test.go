package acd_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
)

// An agent who asked for a call takes it back while the own phone rings.
func TestOutgoingIsWithdrawn(t *testing.T) {
	bubble(t, []string{"1"}, func(t *testing.T, floor *acdtest.Floor) {
		floor.Phones.Plan("1", acdtest.Phone{Alerts: time.Second, Never: true})
		made, err := floor.Make("1", customer)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		clear := cti.Command{Name: cti.CmdClearConnection, By: "1"}
		if _, err := floor.Server.Do(t.Context(), made.ID, clear); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r := floor.Store.Record("")
		if *r.Result != cti.ResultFailed || r.Cause != cti.CauseCanceled || r.HangupSide != cti.AgentSide {
			t.Errorf("record %s %s, side %s", *r.Result, r.Cause, r.HangupSide)
		}
		if lasted := r.Times.Hangup.Sub(r.Times.Seize.Time); lasted != 3*time.Second {
			t.Errorf("lasted %v", lasted)
		}
		if d := floor.Desk(t, "1"); d.State != acd.Ready || d.Call != "" {
			t.Errorf("afterwards the desk is %+v", d)
		}
		if n := floor.Phones.Live() + floor.Abroad.Live(); n != 0 {
			t.Errorf("%d phones are still in use", n)
		}
		if _, err := floor.Server.Do(t.Context(), made.ID, clear); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("a second time: %v", err)
		}
	})
}
