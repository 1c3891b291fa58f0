package cti_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
)

// standings are the parts of a record that go on, and for how many seconds they
// have stood where they stand.
func standings(r cti.CDR) string {
	var all []string
	for _, l := range r.Legs {
		if l.Standing != "" {
			name := l.Device.Address()
			name = name[strings.LastIndex(name, "/")+1:]
			all = append(all, fmt.Sprintf("%s %s %.0f", name, l.Standing, time.Since(l.StandingSince.Time).Seconds()))
		}
	}
	return strings.Join(all, ", ")
}

// stands checks where the parts of the running call stand; a second passes.
func (h *house) stands(t *testing.T, want string) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	if got := standings(h.Calls()[0]); got != want {
		t.Errorf("stand at %q, want %q", got, want)
	}
}

// Whoever looks at a running call anew is told where everybody stands, and since
// when. What changes nothing leaves the times alone.
func TestRecordTellsWhereAllStand(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.stands(t, "1001 talking 1")
		h.must(t, "1001", cti.CmdHoldCall, nil)
		_, _ = h.do("1001", cti.CmdHoldCall, nil) // refused
		h.stands(t, "1001 holding 1")
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.stands(t, "1001 asking 1")
		h.phone(t, "1002").PickUp()
		h.stands(t, "1001 consulting 1, 1002 asked 1")
		h.must(t, "1001", cti.CmdAlternateCall, nil)
		h.stands(t, "1001 alternated 1, 1002 asked 2")
		h.must(t, "1001", cti.CmdAlternateCall, nil)
		h.phone(t, "1002").RemoteHangup()
		h.stands(t, "1001 holding 1")
		h.must(t, "1001", cti.CmdRetrieveCall, nil)
		h.must(t, "1001", cti.CmdConsultationCall, to("13900139000"))
		h.phone(t, "13900139000").PickUp()
		h.stands(t, "1001 consulting 1, 13900139000 asked 1")
		h.must(t, "1001", cti.CmdConferenceCall, nil)
		h.stands(t, "1001 talking 1, 13900139000 talking 1")
		h.must(t, "1001", cti.CmdGenerateDigits, map[string]any{"digits": "1"})
		h.stands(t, "1001 talking 2, 13900139000 talking 2")
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

func TestRecordTellsWhoStandsAfterATransfer(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdTransferCall, nil)
		h.stands(t, "1002 talking 1")
		h.must(t, "1002", cti.CmdSingleStepTransfer, to("1003"))
		h.stands(t, "")
		h.phone(t, "1003").PickUp()
		h.stands(t, "1003 talking 1")
		h.must(t, "1003", cti.CmdHoldCall, nil)
		h.phone(t, "1003").RemoteHangup() // and is rung again
		h.stands(t, "")
		h.phone(t, "1003").PickUp()
		h.stands(t, "1003 talking 1")
		h.phone(t, "1003").RemoteHangup()
		h.ends(t)
	})
}

func TestRecordTellsHowSupervisorsStand(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "2001", cti.CmdSupervise, mode("listen"))
		h.phone(t, "2001").PickUp()
		h.stands(t, "1001 talking 1, 2001 listening 1")
		h.must(t, "2001", cti.CmdSupervise, mode("barge"))
		h.stands(t, "1001 talking 2, 2001 listening 2")
		h.must(t, "2001", cti.CmdSupervise, mode("takeover"))
		h.stands(t, "2001 talking 1")
		h.must(t, "2001", cti.CmdClearConnection, nil)
		h.ends(t)
	})
}

// The agent's phone is up and the number still rings: nobody talks yet.
func TestNobodyStandsBeforeTheTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.phone(t, "1001").RemoteHangup()
		h.ends(t)
		if _, err := h.Make(t.Context(), cti.Order{To: "13800138000", Agent: "1001"}); err != nil {
			t.Fatal(err)
		}
		h.phone(t, "1001").PickUp()
		h.stands(t, "")
		h.phone(t, "13800138000").PickUp()
		h.stands(t, "1001 talking 1")
		h.phone(t, "1001").RemoteHangup()
		synctest.Wait()
	})
}

// A snapshot that has an event's number has what the event tells: the record is
// ahead, never behind. Nothing beside the events is told.
func TestRecordIsAheadOfEvents(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdAlternateCall, nil)
		h.must(t, "1001", cti.CmdConferenceCall, nil)
		h.caller.RemoteHangup()
		h.ends(t)
		var got []string
		for _, e := range h.ledger.events {
			if e.AgentID == "1001" && e.Type != cti.EventConnectionCleared {
				got = append(got, e.Type+": "+standings(*e.Call))
			}
		}
		want := []string{
			"established: 1001 talking 0",
			"held: 1001 asking 0",
			"established: 1001 consulting 0, 1002 asked 0",
			"held: 1001 alternated 0, 1002 asked 0",
			"retrieved: 1001 alternated 0, 1002 asked 0",
			"conferenced: 1001 talking 0, 1002 talking 0",
			"callCleared: ",
			"recordStopped: ",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A standing is in the record as long as there is one, and so is a pause that
// goes on.
func TestStandingInTheDocument(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdPauseRecording, map[string]any{"reason": "card"})
		time.Sleep(time.Second)
		live := document(t, h.Calls()[0])
		for _, word := range []string{`"standing":"talking","standing_since":"2000-01-01T00:00:0`, `"pauses":[{"start":"2000-01-01T00:00:0`, `"end":null,"reason":"card"`} {
			if !strings.Contains(live, word) {
				t.Errorf("no %s in %s", word, live)
			}
		}
		h.caller.RemoteHangup()
		if over := document(t, h.ends(t)); strings.Contains(over, "standing") {
			t.Errorf("standing in %s", over)
		}
	})
}

func document(t *testing.T, r cti.CDR) string {
	t.Helper()
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
