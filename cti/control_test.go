package cti_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
)

// in runs a story in a bubble, with the caller and 1001 talking.
func in(t *testing.T, story func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(t, talk(t)) })
}

func TestHold(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.heard(t, "caller", "1001", "1001", "caller")
		if mixed, bridges := h.mixer.count(); mixed != 0 || bridges != 1 {
			t.Errorf("two who talk: %d mixed, %d bridges", mixed, bridges)
		}
		h.must(t, "1001", cti.CmdHoldCall, nil)
		h.heard(t, "caller", "music", "1001", "")
		if _, err := h.do("1001", cti.CmdHoldCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("hold twice = %v", err)
		}
		h.must(t, "1001", cti.CmdRetrieveCall, nil)
		h.heard(t, "caller", "1001", "1001", "caller")
		h.caller.RemoteHangup()
		r := h.ends(t)
		if *r.Result != cti.ResultAnswered || r.HangupSide != cti.CallerSide || legs(r) != "outside agent:1001" {
			t.Errorf("record %+v", r)
		}
		if got, want := h.told("1001"), "established held retrieved connectionCleared callCleared recordStopped"; got != want {
			t.Errorf("events of 1001: %s, want %s", got, want)
		}
	})
}

func TestConsultThenTransfer(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.heard(t, "caller", "music", "1001", "")
		b := h.phone(t, "1002")
		b.Alert()
		h.heard(t, "1001", "ringback")
		pop, _ := h.ledger.event(cti.EventDelivered)
		if pop.AgentID != "1002" || pop.UserData["consulted_by"] != "1001" || pop.ConnectionID != b.ID() {
			t.Errorf("pop %+v", pop)
		}
		b.PickUp()
		h.heard(t, "caller", "music", "1001", "1002", "1002", "1001")
		h.must(t, "1001", cti.CmdTransferCall, nil)
		h.heard(t, "caller", "1002", "1002", "caller")
		h.must(t, "1002", cti.CmdGenerateDigits, map[string]any{"digits": "1"})
		if desk := h.desks[0]; desk.freed != 1 || !desk.talked {
			t.Error("who transferred is not free")
		}
		live := h.Calls()[0]
		if live.Agent.ID != "1002" || legs(live) != "outside agent:1001 agent:1002" || offers(live) != "1001 answered, 1002 answered" {
			t.Errorf("agent %v, legs %s, offers %s", live.Agent, legs(live), offers(live))
		}
		b.RemoteHangup()
		r := h.ends(t)
		if *r.Result != cti.ResultAnswered || r.HangupSide != cti.AgentSide || r.Agent.ID != "1002" {
			t.Errorf("record %+v", r)
		}
		if got, want := h.told("1002"), "delivered established transferred connectionCleared connectionCleared callCleared recordStopped"; got != want {
			t.Errorf("events of 1002: %s, want %s", got, want)
		}
		if got := h.told("1001"); !strings.HasSuffix(got, "established held established transferred connectionCleared") {
			t.Errorf("events of 1001: %s", got)
		}
	})
}

// Who was asked is lost, in three ways: the agent has the caller on hold then.
func TestConsultationLost(t *testing.T) {
	for name, tt := range map[string]struct {
		lose           func(h *house, t *testing.T)
		event, outcome string
	}{
		"hangs up": {func(h *house, t *testing.T) {
			h.phone(t, "1002").PickUp()
			synctest.Wait()
			h.phone(t, "1002").RemoteHangup()
		}, cti.EventConnectionCleared, cti.OfferAnswered},
		"is busy":         {func(h *house, t *testing.T) { h.phone(t, "1002").Refuse(cti.ErrBusy) }, cti.EventFailed, cti.OfferBusy},
		"does not answer": {func(h *house, _ *testing.T) { time.Sleep(20 * time.Second) }, cti.EventFailed, cti.OfferMissed},
		"lost its lease": {func(h *house, t *testing.T) {
			h.desks[1].lost = true
			h.phone(t, "1002").PickUp()
		}, cti.EventFailed, cti.OfferFailed},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
				tt.lose(h, t)
				h.heard(t, "caller", "music", "1001", "")
				if e, ok := h.ledger.event(tt.event); !ok || h.Calls()[0].Offers[1].Outcome != tt.outcome {
					t.Errorf("%s %+v; offers %s", tt.event, e, offers(h.Calls()[0]))
				}
				h.must(t, "1001", cti.CmdRetrieveCall, nil)
				h.heard(t, "caller", "1001", "1001", "caller")
				h.phone(t, "1001").RemoteHangup()
				h.ends(t)
			})
		})
	}
}

func TestAlternateAndReconnect(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		if _, err := h.do("1001", cti.CmdAlternateCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("alternate while it rings = %v", err)
		}
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdAlternateCall, nil)
		h.heard(t, "caller", "1001", "1001", "caller", "1002", "music")
		h.must(t, "1001", cti.CmdAlternateCall, nil)
		h.heard(t, "caller", "music", "1001", "1002", "1002", "1001")
		if _, err := h.do("1002", cti.CmdHoldCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("hold by who was asked = %v", err)
		}
		h.must(t, "1001", cti.CmdReconnectCall, nil)
		h.heard(t, "caller", "1001", "1001", "caller")
		if !h.desks[1].isFree() {
			t.Error("1002 is not free")
		}
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// Who is asked and not waited for is not rung any longer.
func TestConsultationGivenUp(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("sales")) // whoever is ready there
		h.must(t, "1001", cti.CmdReconnectCall, nil)
		if cause, hung := h.phone(t, "1004").Cause(); !hung || cause != cti.CauseCanceled {
			t.Errorf("hung up %t with %s", hung, cause)
		}
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdConferenceCall, nil)
		if _, err := h.do("1001", cti.CmdSingleStepTransfer, to("sales")); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("a conference to a queue = %v", err)
		}
		h.must(t, "1001", cti.CmdSingleStepTransfer, to("1003"))
		h.heard(t, "caller", "1002")
		h.phone(t, "1003").PickUp()
		h.heard(t, "caller", "1002 1003", "1003", "1002 caller")
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

func TestConference(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		for _, who := range []string{"1002", "13900139000"} {
			h.must(t, "1001", cti.CmdConsultationCall, to(who))
			h.phone(t, who).PickUp()
			synctest.Wait()
			if who == "13900139000" {
				h.heard(t, "caller", "1002", "1002", "caller", "1001", who, who, "1001")
			}
			h.must(t, "1001", cti.CmdConferenceCall, nil)
		}
		h.heard(t, "caller", "1001 1002 13900139000", "1001", "1002 13900139000 caller",
			"1002", "1001 13900139000 caller", "13900139000", "1001 1002 caller")
		h.must(t, "1002", cti.CmdHoldCall, nil)
		h.heard(t, "caller", "1001 13900139000", "1002", "")
		h.must(t, "1002", cti.CmdRetrieveCall, nil)
		h.must(t, "1001", cti.CmdClearConnection, nil) // the first agent leaves
		h.heard(t, "caller", "1002 13900139000")
		if a := h.Calls()[0].Agent; a.ID != "1002" {
			t.Errorf("agent %v", a)
		}
		if _, err := h.do("1001", cti.CmdHoldCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("hold by who left = %v", err)
		}
		h.phone(t, "13900139000").RemoteHangup()
		h.heard(t, "caller", "1002", "1002", "caller")
		if mixed, bridges := h.mixer.count(); mixed != 0 || bridges != 1 {
			t.Errorf("two are left: %d mixed, %d bridges", mixed, bridges)
		}
		h.phone(t, "1002").RemoteHangup()
		if r := h.ends(t); legs(r) != "outside agent:1001 agent:1002 number" {
			t.Errorf("legs %s", legs(r))
		}
	})
}

// Everybody in a conference commands the own part, the last who came, too.
func TestConferenceOfFour(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		for _, who := range []string{"1002", "1003"} {
			h.must(t, "1001", cti.CmdConsultationCall, to(who))
			h.phone(t, who).PickUp()
			synctest.Wait()
			h.must(t, "1001", cti.CmdConferenceCall, nil)
		}
		for _, who := range []string{"1003", "1002", "1001"} {
			h.must(t, who, cti.CmdHoldCall, nil)
			h.heard(t, who, "")
			h.must(t, who, cti.CmdRetrieveCall, nil)
		}
		if _, err := h.do("boss", cti.CmdHoldCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("hold in place of one of three = %v", err)
		}
		h.must(t, "1003", cti.CmdClearConnection, nil)
		h.heard(t, "caller", "1001 1002")
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// The last agent leaves two parties outside: they go on, at most for a while.
func TestPartiesOutsideGoOn(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("13900139000"))
		h.phone(t, "13900139000").PickUp()
		synctest.Wait()
		h.phone(t, "1001").RemoteHangup() // which is a transfer
		h.heard(t, "caller", "13900139000", "13900139000", "caller")
		time.Sleep(4*time.Hour - time.Second)
		h.heard(t, "caller", "13900139000")
		time.Sleep(2 * time.Second)
		if r := h.ends(t); r.HangupSide != cti.BoxSide || r.Cause != cti.CauseTimeout || r.Agent.ID != "1001" {
			t.Errorf("%s by %s, agent %v", r.Cause, r.HangupSide, r.Agent)
		}
	})
}

// A transfer while the phone still rings: the agent is free, the caller hears
// ringing, and is not lost where nobody picks up.
func TestTransferWhileItRings(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(h *house, t *testing.T)
		want func(h *house, t *testing.T)
	}{
		"picked up": {
			func(h *house, t *testing.T) { h.phone(t, "1002").PickUp() },
			func(h *house, t *testing.T) { h.heard(t, "caller", "1002") },
		},
		"back to who transferred": {
			func(h *house, t *testing.T) {
				h.phone(t, "1002").Refuse(cti.ErrBusy)
				h.phone(t, "1001").Alert()
				h.heard(t, "caller", "ringback")
				h.phone(t, "1001").PickUp()
			},
			func(h *house, t *testing.T) { h.heard(t, "caller", "1001", "1001", "caller") },
		},
		"back to the queue": {
			func(h *house, t *testing.T) {
				h.busy["1001"] = true
				h.phone(t, "1002").Refuse(cti.ErrBusy)
				h.phone(t, "1004").PickUp()
			},
			func(h *house, t *testing.T) {
				h.heard(t, "caller", "1004")
				if len(h.queued) != 1 || h.queued[0] != "repair" {
					t.Errorf("queued %v", h.queued)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
				h.phone(t, "1002").Alert()
				h.must(t, "1001", cti.CmdTransferCall, nil)
				h.heard(t, "caller", "ringback")
				if !h.desks[0].isFree() {
					t.Error("who transferred is not free")
				}
				tt.then(h, t)
				tt.want(h, t)
				h.caller.RemoteHangup()
				h.ends(t)
			})
		})
	}
}

func TestSingleStepTransfer(t *testing.T) {
	for name, tt := range map[string]struct{ to, phone string }{
		"agent":  {"1002", "1002"},
		"queue":  {"sales", "1004"},
		"number": {"13900139000", "13900139000"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				h.must(t, "1001", cti.CmdSingleStepTransfer, to(tt.to))
				if !h.desks[0].isFree() || !h.desks[0].talked {
					t.Error("who transferred is not free")
				}
				h.phone(t, tt.phone).PickUp()
				h.heard(t, "caller", tt.phone, tt.phone, "caller")
				if _, err := h.do("1001", cti.CmdClearConnection, nil); !errors.Is(err, cti.ErrWrongState) {
					t.Errorf("command of who transferred = %v", err)
				}
				h.phone(t, tt.phone).RemoteHangup()
				if r := h.ends(t); *r.Result != cti.ResultAnswered {
					t.Errorf("result %s", *r.Result)
				}
			})
		})
	}
}

// What cannot be done leaves everything as it was.
func TestRefusedTransfers(t *testing.T) {
	for name, tt := range map[string]struct {
		to   string
		want error
	}{
		"to nobody":           {"", cti.ErrBadArgs},
		"to oneself":          {"1001", cti.ErrWrongState},
		"to a busy agent":     {"1003", cti.ErrWrongState},
		"to a dead phone":     {"1005", cti.ErrUnreachable},
		"to no number":        {"hello", cti.ErrBadNumber},
		"to one that is dear": {"16812345", cti.ErrBarred},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				h.busy["1003"], h.dead["1005"] = true, true
				for _, cmd := range []string{cti.CmdSingleStepTransfer, cti.CmdConsultationCall} {
					if _, err := h.do("1001", cmd, to(tt.to)); !errors.Is(err, tt.want) {
						t.Errorf("%s = %v, want %v", cmd, err, tt.want)
					}
					h.heard(t, "caller", "1001", "1001", "caller")
				}
				h.caller.RemoteHangup()
				h.ends(t)
			})
		})
	}
}

// Nobody takes a transferred call and nobody takes it back: the caller is told
// by the end, the record by noAnswer.
func TestTransferComesToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.phone(t, "1001").RemoteHangup()
		h.ends(t)
		if _, err := h.Make(t.Context(), cti.Order{To: "13800138000", Agent: "1001"}); err != nil { // no queue to go back to
			t.Fatal(err)
		}
		h.phone(t, "1001").PickUp()
		h.phone(t, "13800138000").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdSingleStepTransfer, to("1002"))
		time.Sleep(19 * time.Second)
		if n := h.rings("1001"); n != 2 {
			t.Fatalf("1001 was rung %d times", n)
		}
		time.Sleep(2 * time.Second)
		if n := h.rings("1001"); n != 3 {
			t.Fatalf("1001 was rung %d times, want a recall", n)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if len(h.Calls()) != 0 {
			t.Fatal("the call is not over")
		}
		if r := h.ledger.final[1]; r.Cause != cti.CauseNoAnswer || r.HangupSide != cti.BoxSide || *r.Result != cti.ResultAnswered {
			t.Errorf("%s by %s, %s", r.Cause, r.HangupSide, *r.Result)
		}
	})
}

// An agent who hangs up with the caller on hold is rung again, once.
func TestHungUpWithTheCallerOnHold(t *testing.T) {
	for name, tt := range map[string]struct {
		picks bool
		hears string
	}{"picks up": {true, "1001"}, "is gone": {false, "1004"}} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				h.must(t, "1001", cti.CmdHoldCall, nil)
				h.phone(t, "1001").RemoteHangup()
				if n := h.rings("1001"); n != 2 || h.desks[0].isFree() {
					t.Fatalf("rung %d times, desk free %t", n, h.desks[0].isFree())
				}
				if tt.picks {
					h.phone(t, "1001").PickUp()
				} else {
					time.Sleep(20 * time.Second)
					h.phone(t, "1004").PickUp()
				}
				h.heard(t, "caller", tt.hears, tt.hears, "caller")
				h.phone(t, tt.hears).RemoteHangup()
				h.ends(t)
			})
		})
	}
}

func TestCallerLeavesAConsultation(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.caller.RemoteHangup()
		if r := h.ends(t); *r.Result != cti.ResultAnswered || r.HangupSide != cti.CallerSide {
			t.Errorf("%s by %s", *r.Result, r.HangupSide)
		}
	})
}

func TestGenerateDigits(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "1001", cti.CmdGenerateDigits, map[string]any{"digits": "12#"})
		h.must(t, "1001", cti.CmdGenerateDigits, map[string]any{"digits": "D", "connection_id": h.phone(t, "1001").ID()})
		if got := h.caller.Media().(*sounding).Sent(); got != "12#" {
			t.Errorf("the caller got %q", got)
		}
		for digits, ok := range map[string]bool{
			strings.Repeat("1", 64): true, strings.Repeat("1", 65): false, "": false, "a": false, "1 2": false,
		} {
			if _, err := h.do("1001", cti.CmdGenerateDigits, map[string]any{"digits": digits}); ok != (err == nil) || !ok && !errors.Is(err, cti.ErrBadArgs) {
				t.Errorf("%q: %v", digits, err)
			}
		}
		if _, err := h.do("1001", cti.CmdGenerateDigits, map[string]any{"digits": "1", "connection_id": "x"}); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("to nobody: %v", err)
		}
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// A recording that is paused runs again by command, after two minutes, and when
// who paused it leaves; the record tells when and by whom.
func TestPauseRecording(t *testing.T) {
	for name, tt := range map[string]struct {
		until func(h *house, t *testing.T)
		lasts time.Duration
	}{
		"by command": {func(h *house, t *testing.T) {
			time.Sleep(5 * time.Second)
			h.must(t, "1001", cti.CmdResumeRecording, nil)
		}, 5 * time.Second},
		"by itself": {func(*house, *testing.T) { time.Sleep(125 * time.Second) }, 120 * time.Second},
		"by a transfer": {func(h *house, t *testing.T) {
			time.Sleep(3 * time.Second)
			h.must(t, "1001", cti.CmdSingleStepTransfer, to("1002"))
		}, 3 * time.Second},
		"by the end": {func(h *house, _ *testing.T) {
			time.Sleep(7 * time.Second)
			h.caller.RemoteHangup()
		}, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				for range 2 { // the second changes nothing
					h.must(t, "1001", cti.CmdPauseRecording, map[string]any{"reason": "card"})
				}
				tt.until(h, t)
				synctest.Wait()
				if len(h.paused) != 2 || !h.paused[0] || h.paused[1] {
					t.Errorf("paused %v", h.paused)
				}
				h.caller.RemoteHangup()
				r := h.ends(t)
				p := r.Recording.Pauses
				if len(p) != 1 || p[0].Reason != "card" || p[0].By != "1001" || p[0].End.Sub(p[0].Start.Time) != tt.lasts {
					t.Errorf("pauses %+v", p)
				}
				e, _ := h.ledger.event(cti.EventRecordPaused)
				if e.UserData["reason"] != "card" || e.UserData["by"] != "1001" || e.AgentID != "1001" {
					t.Errorf("event %+v", e)
				}
			})
		})
	}
}

func mode(m string) map[string]any { return map[string]any{"mode": m} }

// A supervisor listens, whispers, barges in and takes over, with one ring.
func TestSupervise(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		before := h.told("1001")
		h.must(t, "2001", cti.CmdSupervise, mode("listen"))
		h.heard(t, "caller", "1001", "1001", "caller")
		h.phone(t, "2001").PickUp()
		h.heard(t, "caller", "1001", "1001", "caller", "2001", "1001 caller")
		h.must(t, "2001", cti.CmdSupervise, mode("whisper"))
		h.heard(t, "caller", "1001", "1001", "2001 caller", "2001", "1001 caller")
		if got := h.told("1001"); got != before {
			t.Errorf("1001 was told %s", strings.TrimPrefix(got, before))
		}
		for _, e := range h.ledger.events {
			if (e.AgentID == "2001") != e.Private {
				t.Errorf("%s for %q is private: %t", e.Type, e.AgentID, e.Private)
			}
		}
		h.must(t, "2001", cti.CmdSupervise, mode("barge"))
		h.heard(t, "caller", "1001 2001", "1001", "2001 caller", "2001", "1001 caller")
		if got := h.told("1001"); !strings.HasSuffix(got, "conferenced") {
			t.Errorf("1001 was told %s", got)
		}
		h.must(t, "2001", cti.CmdSupervise, mode("takeover"))
		h.heard(t, "caller", "2001", "2001", "caller")
		if h.rings("2001") != 1 || !h.desks[0].isFree() {
			t.Errorf("rung %d times, first desk free %t", h.rings("2001"), h.desks[0].isFree())
		}
		if live := h.Calls()[0]; live.Agent.ID != "2001" || live.Legs[2].Kind != "supervisor" || live.Legs[2].Mode != "takeover" {
			t.Errorf("agent %v, legs %+v", live.Agent, live.Legs)
		}
		h.must(t, "2001", cti.CmdHoldCall, nil)
		h.heard(t, "caller", "music")
		h.must(t, "2001", cti.CmdClearConnection, nil)
		h.ends(t)
	})
}

func TestSupervisorStops(t *testing.T) {
	for name, stop := range map[string]func(h *house, t *testing.T){
		"by command":  func(h *house, t *testing.T) { h.must(t, "2001", cti.CmdSupervise, mode("stop")) },
		"by the hook": func(h *house, t *testing.T) { h.phone(t, "2001").RemoteHangup() },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *house) {
				if _, err := h.do("2001", cti.CmdSupervise, mode("stop")); !errors.Is(err, cti.ErrWrongState) {
					t.Errorf("stop of nothing = %v", err)
				}
				if _, err := h.do("2001", cti.CmdSupervise, mode("sing")); !errors.Is(err, cti.ErrBadArgs) {
					t.Errorf("sing = %v", err)
				}
				if _, err := h.do("1001", cti.CmdSupervise, mode("listen")); !errors.Is(err, cti.ErrWrongState) {
					t.Errorf("listening to oneself = %v", err)
				}
				h.must(t, "2001", cti.CmdSupervise, mode("listen"))
				h.phone(t, "2001").PickUp()
				synctest.Wait()
				stop(h, t)
				h.heard(t, "caller", "1001", "1001", "caller")
				if mixed, _ := h.mixer.count(); mixed != 0 {
					t.Errorf("%d are still mixed", mixed)
				}
				h.phone(t, "1001").RemoteHangup()
				h.ends(t)
			})
		})
	}
}

// A supervisor alone keeps no caller.
func TestSupervisorIsNoAgent(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "2001", cti.CmdSupervise, mode("barge"))
		h.phone(t, "2001").PickUp()
		synctest.Wait()
		h.phone(t, "1001").RemoteHangup()
		if r := h.ends(t); legs(r) != "outside agent:1001 supervisor:2001" {
			t.Errorf("legs %s", legs(r))
		}
	})
}

func TestWhoMayCommand(t *testing.T) {
	in(t, func(t *testing.T, h *house) {
		h.must(t, "key:crm", cti.CmdHoldCall, nil) // a program acts for the one agent
		h.must(t, "1001", cti.CmdRetrieveCall, nil)
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		synctest.Wait()
		h.must(t, "1001", cti.CmdConferenceCall, nil)
		if _, err := h.do("key:crm", cti.CmdHoldCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("for one of two agents = %v", err)
		}
		h.must(t, "1002", cti.CmdClearConnection, map[string]any{"connection_id": h.phone(t, "1001").ID()})
		h.heard(t, "caller", "1002")
		if _, err := h.do("1002", cti.CmdAnswerCall, nil); !errors.Is(err, cti.ErrWrongState) || !strings.Contains(err.Error(), "lift the phone") {
			t.Errorf("answerCall = %v", err)
		}
		h.must(t, "1002", cti.CmdClearConnection, map[string]any{"connection_id": h.caller.ID()})
		h.ends(t)
	})
}
