package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// noMissed is an empty list.
type noMissed struct{}

func (noMissed) Missed(context.Context, storage.MissedFilter) ([]storage.Missed, string, error) {
	return nil, "", nil
}

func (noMissed) ClaimMissed(context.Context, string, cti.Ref) (storage.Missed, error) {
	return storage.Missed{}, storage.ErrNotFound
}

func (noMissed) ReleaseMissed(context.Context, string, cti.Ref, bool) (storage.Missed, error) {
	return storage.Missed{}, storage.ErrNotFound
}

func (noMissed) FinishMissed(context.Context, string, cti.Ref, bool, string, string) (storage.Missed, error) {
	return storage.Missed{}, storage.ErrNotFound
}

// withMissed has three calls that nobody took: m-1 and m-3 for repair, where
// 1001 and 1002 work, m-2 for sales. m-3 left a message.
func withMissed(t *testing.T) *world {
	db := storagetest.Open(t)
	for _, id := range []string{"1001", "1002"} {
		if err := db.PutUser(t.Context(), storage.Agent{ID: id, Extension: id, Queues: []string{"repair"}}, true); err != nil {
			t.Fatal(err)
		}
	}
	for n, queue := range []string{"repair", "sales", "repair"} {
		result := cti.ResultAbandoned
		c := cti.CDR{
			ID: fmt.Sprint("m-", n+1), Direction: cti.In, Result: &result, Queue: &cti.Ref{ID: queue, Name: "Q"},
			From: cti.Number{Raw: fmt.Sprint("1380013800", n)}, Customer: &cti.Ref{ID: "c1", Name: "安顺物业"},
		}
		c.Times.Seize = stamp.At(time.Now().Add(time.Duration(n) * time.Second))
		if n == 2 {
			c.Recording.Voicemail = &cti.VoiceMessage{From: 3, Seconds: 8}
		}
		if err := db.Journal().Close(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return newWorld(t, func(_ *Config, d *Deps) { d.Missed = db })
}

func TestMissedAreWorkedOn(t *testing.T) {
	w := withMissed(t)
	one, two, boss, auditor := w.login("1001"), w.login("1002"), w.login("supervisor"), w.login("auditor")
	program := w.browser()
	for _, tt := range []struct {
		what   string
		who    *browser
		path   string
		body   string
		status int
		words  string
	}{
		{"claim", one, "m-1/claim", "", 200, `"claimed":{"by":"1001","name":"A 1001"`},
		{"claim again", one, "m-1/claim", "", 200, `"by":"1001"`},
		{"claim another's", two, "m-1/claim", "", 409, `"claimed":{"by":"1001","name":"A 1001"`},
		{"claim another's", two, "m-1/claim", "", 409, `claimed by A 1001`},
		{"claim another's as a supervisor", boss, "m-1/claim", "", 409, "claimed by A 1001"},
		{"claim another queue's", one, "m-2/claim", "", 404, "missed call"},
		{"claim nothing", boss, "m-9/claim", "", 404, "missed call"},
		{"claim to read", auditor, "m-1/claim", "", 403, ""},
		{"release another's", two, "m-1/release", "", 409, "claimed by A 1001"},
		{"release another's as a supervisor", boss, "m-1/release", "", 200, `"claimed":null`},
		{"odd outcome", one, "m-1/done", `{"outcome":"later"}`, 422, "body.outcome"},
		{"no outcome", one, "m-1/done", `{}`, 422, "body.outcome"},
		{"done", one, "m-1/done", `{"outcome":"unreachable","note":"三次无人接"}`, 200, `"outcome":"unreachable","note":"三次无人接"}`},
		{"done again", two, "m-1/done", `{"outcome":"reached"}`, 409, "done by A 1001"},
		{"another queue's", one, "m-2/done", `{"outcome":"reached"}`, 404, "missed call"},
		{"a program's", program, "m-2/done", `{"outcome":"nothing"}`, 200, `"by":"calls"`},
	} {
		headers := []string(nil)
		if tt.who == program {
			headers = bearerOf("calls")
		}
		var body any
		if tt.body != "" {
			body = tt.body
		}
		status, got := tt.who.do("POST", "/api/v1/missed/"+tt.path, body, headers...)
		if status != tt.status || !strings.Contains(got, tt.words) {
			t.Errorf("%s = %d %s, want %d with %q", tt.what, status, got, tt.status, tt.words)
		}
	}
	want := "1001 missed.claim m-1;1001 missed.claim m-1;supervisor missed.release m-1;1001 missed.done m-1;calls missed.done m-2"
	if got := strings.Join(w.audited("missed."), ";"); got != want {
		t.Errorf("audited %s", got)
	}
}

// audited are the entries of a kind, oldest first.
func (w *world) audited(kind string) (out []string) {
	defer w.locked()()
	for _, e := range w.audit {
		if strings.Contains(e, " "+kind) {
			out = append(out, e)
		}
	}
	return out
}

func TestMissedAreListed(t *testing.T) {
	w := withMissed(t)
	for _, tt := range []struct{ who, query, want string }{
		{"supervisor", "", "m-3 m-2 m-1"},
		{"auditor", "?queue=sales", "m-2"},
		{"1001", "", "m-3 m-1"},
		{"1001", "?queue=sales", ""},
		{"1002", "?kind=voicemail", "m-3"},
		{"admin", "?state=done", ""},
		{"admin", "?state=open&limit=1", "m-3"},
	} {
		status, body := w.login(tt.who).do("GET", "/api/v1/missed"+tt.query, nil)
		var list struct {
			Items []storage.Missed
			Next  string
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
			t.Fatalf("%s %s: %d %s", tt.who, tt.query, status, body)
		}
		var ids []string
		for _, m := range list.Items {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.who, tt.query, got, tt.want)
		}
		if strings.Contains(tt.query, "limit") == (list.Next == "") {
			t.Errorf("%s %s: next %q", tt.who, tt.query, list.Next)
		}
	}
	if status, body := w.login("admin").do("GET", "/api/v1/missed?state=new", nil); status != 422 || !strings.Contains(body, "query.state") {
		t.Errorf("an odd state: %d %s", status, body)
	}
}

func TestMissedChangedIsSeen(t *testing.T) {
	boss := sight{all: true, calls: true}
	one := sight{calls: true, agent: "1001", queues: []string{"repair"}}
	texts := sight{all: true, texts: true}
	for name, tt := range map[string]struct {
		event              cti.Event
		boss, agent, texts bool
	}{
		"own queue":     {cti.Event{Queue: &cti.Ref{ID: "repair"}}, true, true, false},
		"another queue": {cti.Event{Queue: &cti.Ref{ID: "sales"}}, true, false, false},
		"everybody's":   {cti.Event{}, true, true, false},
		"own telephone": {cti.Event{AgentID: "1001"}, true, true, false},
		"another's":     {cti.Event{AgentID: "1002"}, true, false, false},
	} {
		tt.event.Type = cti.EventMissedChanged
		if got := [3]bool{boss.sees(&tt.event, nil, ""), one.sees(&tt.event, nil, ""), texts.sees(&tt.event, nil, "")}; got != [3]bool{tt.boss, tt.agent, tt.texts} {
			t.Errorf("%s: seen %v", name, got)
		}
	}
}
