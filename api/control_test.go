package api

import (
	"fmt"
	"strings"
	"testing"

	"callbox/cti"
)

// A supervisor listens in under the eyes of the audit log; others do not.
func TestSupervise(t *testing.T) {
	w := newWorld(t)
	w.live["c1"] = cti.CDR{ID: "c1", Agent: &cti.Ref{ID: "1001"}}
	boss, agent := w.login("supervisor"), w.login("1001")
	for _, tt := range []struct {
		from    *browser
		body    string
		status  int
		words   string
		headers []string
	}{
		{boss, `{"mode":"listen"}`, 200, "{}", nil},
		{boss, `{"mode":"shout"}`, 422, "body.mode", nil},
		{boss, `{}`, 422, "body.mode", nil},
		{agent, `{"mode":"listen"}`, 403, "", nil},
		{w.browser(), `{"mode":"listen"}`, 403, "no phone", bearerOf("calls")},
	} {
		status, body := tt.from.do("POST", "/api/v1/calls/c1/supervise", tt.body, tt.headers...)
		if status != tt.status || !strings.Contains(body, tt.words) {
			t.Errorf("%s = %d %s, want %d %s", tt.body, status, body, tt.status, tt.words)
		}
	}
	if fmt.Sprint(w.done) != "[supervisor supervise c1]" {
		t.Errorf("commands = %v", w.done)
	}
	if n := len(w.audit); n != 1 || !strings.Contains(w.audit[0], "call.supervise c1") {
		t.Errorf("audit = %+v, want the one that was let in", w.audit)
	}
}

// A supervisor or a program controls a call in its agent's name.
func TestControlInAnAgentsName(t *testing.T) {
	w := newWorld(t)
	w.live["c1"] = cti.CDR{ID: "c1", Agent: &cti.Ref{ID: "1001"}}
	w.login("supervisor").do("POST", "/api/v1/calls/c1/holdCall", `{}`)
	w.browser().do("POST", "/api/v1/calls/c1/retrieveCall", `{}`, bearerOf("calls")...)
	if fmt.Sprint(w.done) != "[1001 holdCall c1 1001 retrieveCall c1]" {
		t.Errorf("commands = %v", w.done)
	}
}

// An agent's record does not tell who listened in; a supervisor's does.
func TestListenersAreNotShownToAgents(t *testing.T) {
	w := newWorld(t)
	w.live["c1"] = cti.CDR{ID: "c1", Agent: &cti.Ref{ID: "1001"}, Legs: []cti.LegRecord{
		{ID: "l1", Kind: "outside"},
		{ID: "l2", Kind: "agent", Agent: "1001"},
		{ID: "l3", Kind: "supervisor", Mode: cti.ModeListen},
		{ID: "l4", Kind: "supervisor", Mode: cti.ModeBarge},
	}}
	for user, want := range map[string]bool{"1001": false, "supervisor": true} {
		b := w.login(user)
		_, body := b.do("GET", "/api/v1/calls/c1", nil)
		if got := strings.Contains(body, `"l3"`); got != want || !strings.Contains(body, `"l4"`) {
			t.Errorf("%s sees the listener: %v, want %v: %s", user, got, want, body)
		}
		s := b.dial("")
		raw := fmt.Sprint(s.next())
		if got := strings.Contains(raw, "l3"); got != want {
			t.Errorf("%s's snapshot has the listener: %v, want %v", user, got, want)
		}
	}
}
