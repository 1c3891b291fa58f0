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
