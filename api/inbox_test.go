package api

import (
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/sms"
)

// withInbox has an unmatched row, one that answers a program's job, and one
// from nobody's number.
func withInbox(t *testing.T) *world {
	w := newWorld(t)
	w.jobs["job-1"], w.signers["job-1"] = sms.Job{ID: "job-1"}, "id-sms"
	w.inbox = []sms.Incoming{
		{ID: "in-1", From: "+8613800138000"},
		{ID: "in-2", From: "+8613800138000", Job: "job-1"},
		{ID: "in-3", Raw: "10086"},
	}
	return w
}

func TestInboxIsWorkedOn(t *testing.T) {
	w := withInbox(t)
	one, two, boss := w.login("1001"), w.login("1002"), w.login("supervisor")
	program := bearerOf("sms")
	for _, tt := range []struct {
		what   string
		who    *browser
		method string
		path   string
		body   string
		status int
		words  string
	}{
		{"take", one, "POST", "in-1/claim", "", 200, `"claimed_by":"1001"`},
		{"take again", one, "POST", "in-1/claim", "", 200, `"claimed_by":"1001"`},
		{"take another's", two, "POST", "in-1/claim", "", 409, "claimed by 1001"},
		{"take another's as a supervisor", boss, "POST", "in-1/claim", "", 409, "claimed by 1001"},
		{"take what is not his", one, "POST", "in-2/claim", "", 404, "incoming text"},
		{"take nothing", one, "POST", "in-9/claim", "", 404, "incoming text"},
		{"take as a program", nil, "POST", "in-2/claim", "", 200, `"claimed_by":"sms"`},
		{"answer another's", two, "POST", "in-1/answer", `{"text":"x"}`, 409, "claimed by 1001"},
		{"answer", one, "POST", "in-1/answer", `{"text":"马上到"}`, 202, `"id":"job-answer"`},
		{"answer another's as a supervisor", boss, "POST", "in-1/answer", `{"text":"x"}`, 202, "job-answer"},
		{"answer with nothing", one, "POST", "in-1/answer", `{"text":""}`, 422, "body.text"},
		{"answer nobody's number", one, "POST", "in-3/answer", `{"text":"x"}`, 422, "body.from"},
		{"match with no job", one, "POST", "in-1/match", `{"job":"none"}`, 422, "body.job"},
		{"match", one, "POST", "in-1/match", `{"job":"job-1"}`, 200, `"match":1`},
		{"match what is not his", two, "POST", "in-1/match", `{"job":"job-1"}`, 404, "incoming text"},
		{"match nothing", boss, "POST", "in-9/match", `{"job":"job-1"}`, 404, "incoming text"},
	} {
		who, headers := tt.who, []string(nil)
		if who == nil {
			who, headers = w.browser(), program
		}
		var body any
		if tt.body != "" {
			body = tt.body
		}
		status, got := who.do(tt.method, "/api/v1/sms/inbox/"+tt.path, body, headers...)
		if status != tt.status || !strings.Contains(got, tt.words) {
			t.Errorf("%s = %d %s, want %d with %q", tt.what, status, got, tt.status, tt.words)
		}
	}
	if status, body := one.do("GET", "/api/v1/sms/inbox", nil); status != 200 || !strings.Contains(body, "in-1") || strings.Contains(body, "in-2") {
		t.Errorf("the agent's inbox = %d %s, want what he claimed and nothing of the program's", status, body)
	}
}

func TestAnswerIsTheCallers(t *testing.T) {
	w := withInbox(t)
	if status, body := w.login("1001").do("POST", "/api/v1/sms/inbox/in-1/answer", `{"text":"好"}`); status != 202 {
		t.Fatal(status, body)
	}
	want := sms.Answering{Row: "in-1", Text: "好", By: "1001", Yield: true, Signer: "user:1001"}
	if w.answered != want {
		t.Errorf("an agent's answer = %+v, want %+v", w.answered, want)
	}
	w.browser().do("POST", "/api/v1/sms/inbox/in-1/answer", `{"text":"好"}`, bearerOf("sms")...)
	want = sms.Answering{Row: "in-1", Text: "好", By: "sms", Signer: "id-sms"}
	if w.answered != want {
		t.Errorf("a program's answer = %+v, want %+v", w.answered, want)
	}
}

func TestInboxFilters(t *testing.T) {
	w := withInbox(t)
	w.login("1001").do("GET", "/api/v1/sms/inbox?since=2026-11-21T08:00:00%2B08:00&matched=false&limit=7", nil)
	f := w.askedInbox
	if f.Signer != "user:1001" || f.Claimer != "1001" || f.Limit != 7 || f.Matched == nil || *f.Matched ||
		!f.Since.Equal(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("an agent's filter = %+v", f)
	}
	w.login("supervisor").do("GET", "/api/v1/sms/inbox?matched=true", nil)
	if f = w.askedInbox; f.Signer != "" || f.Claimer != "" || f.Matched == nil || !*f.Matched {
		t.Errorf("a supervisor's filter = %+v", f)
	}
	if status, body := w.login("admin").do("GET", "/api/v1/sms/inbox?matched=maybe", nil); status != 422 {
		t.Errorf("matched=maybe = %d %s, want 422", status, body)
	}
}

// What answers no job concerns everybody at the desk.
func TestUnmatchedTextsAreEverybodys(t *testing.T) {
	w := withInbox(t)
	w.signers["job-1001"] = "user:1001"
	me := w.login("1001").dial("")
	me.next()
	for _, e := range []cti.Event{
		{Type: cti.EventSMSReceived, UserData: map[string]any{"job": "job-1"}},
		{Type: cti.EventSMSInbox, UserData: map[string]any{"job": "job-1"}},
		{Type: cti.EventSMSLate, UserData: map[string]any{"job": "job-1"}},
		{Type: cti.EventSMSLate},
	} {
		w.note(e)
	}
	seen := []cti.Event{
		{Type: cti.EventSMSReceived, UserData: map[string]any{"job": ""}},
		{Type: cti.EventSMSInbox, UserData: map[string]any{"job": ""}},
		{Type: cti.EventSMSInbox, UserData: map[string]any{"job": "job-1001"}},
		{Type: cti.EventSMSLate, UserData: map[string]any{"job": "job-1001"}},
	}
	for i, e := range seen {
		w.note(e)
		if got := me.next(); got["seq"] != float64(5+i) {
			t.Errorf("the agent got %v, want event %d, %s", got, 5+i, e.Type)
		}
	}
}
