package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// templates are none.
type templates struct{}

func (templates) Template(context.Context, string) (sms.Template, error) {
	return sms.Template{}, sms.ErrNotFound
}

// carrier takes nothing.
type carrier struct{}

func (carrier) Name() string            { return "cmcc" }
func (carrier) Capacity() int           { return 1 }
func (carrier) Ready() <-chan struct{}  { return make(chan struct{}) }
func (carrier) State() sms.CarrierState { return sms.CarrierState{} }

func (carrier) Submit(context.Context, sms.Submission) (sms.Receipt, error) {
	return sms.Receipt{}, sms.ErrNotSent
}
func (carrier) Run(ctx context.Context, _ sms.Receiver) error { <-ctx.Done(); return nil }

// onDisk is a world whose users, keys, sessions, journal, records and texts are
// on a real database.
func onDisk(t *testing.T) (*world, *storage.DB) {
	t.Helper()
	db := storagetest.Open(t)
	store := db.SMS()
	gateway, err := sms.New(sms.Config{Accounts: []sms.Account{{Name: "cmcc", Numbers: []string{"*"}}}, AreaCode: "0571", Templates: templates{}}, store, carrier{})
	if err != nil {
		t.Fatal(err)
	}
	for id, role := range map[string]string{"1001": "agent", "1002": "agent", "boss": "supervisor", "root": "admin"} {
		a := storage.Agent{ID: id, Name: id, Role: role, PasswordHash: secretHash}
		if role == "agent" {
			a.Extension = id
		}
		if err := db.AddUser(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, func(_ *Config, d *Deps) {
		d.Users, d.Keys, d.Sessions, d.Records, d.Recordings, d.Audit = db, db, db.Sessions(), db, db, db
		d.Journal, d.Ledger, d.Texter, d.Texts, d.Dead, d.Site, d.Desk, d.Editor, d.TextRules = db.Journal(), db.Journal(), gateway, store, db.Notices(), db, db, db, gateway
	})
	return w, db
}

func TestTextsOnDisk(t *testing.T) {
	w, db := onDisk(t)
	_, key, err := db.AddKey(t.Context(), "erp", []string{ScopeSMS}, sms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	auth := []string{"Authorization", "Bearer " + key}
	b := w.browser()
	status, body := b.do("POST", "/api/v1/sms/jobs", `{"to":["13800138000"],"text":"hello","ref":"WO-1","key":"a"}`, auth...)
	var job sms.Job
	if err := json.Unmarshal([]byte(body), &job); err != nil || status != 202 || job.Messages[0].To != "+8613800138000" {
		t.Fatalf("job = %d %s", status, body)
	}
	if status, _ := b.do("POST", "/api/v1/sms/jobs", `{"to":["13800138000"],"text":"other","key":"a"}`, auth...); status != 409 {
		t.Errorf("the key with another body = %d, want 409", status)
	}
	agent := w.login("1001")
	if status, body := agent.do("POST", "/api/v1/sms/jobs", `{"to":["13900139000"],"text":"mine"}`); status != 202 {
		t.Fatalf("an agent's job = %d %s", status, body)
	}
	for who, want := range map[*browser]int{agent: 1, w.login("1002"): 0, w.login("boss"): 2} {
		var list struct{ Items []sms.Message }
		if _, body := who.do("GET", "/api/v1/sms/messages", nil); json.Unmarshal([]byte(body), &list) != nil || len(list.Items) != want {
			t.Errorf("sees %s, want %d", body, want)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/sms/jobs/" + job.ID: 200, "/api/v1/sms/jobs/none": 404, "/api/v1/sms/inbox?matched=true": 200,
		"/api/v1/sms/messages?to=138+0013+8000&status=queued&ref=WO-1": 200, "/api/v1/sms/messages?status=good": 422, "/api/v1/webhooks/dead": 403,
	} {
		if status, body := b.do("GET", path, nil, auth...); status != want {
			t.Errorf("%s = %d %s, want %d", path, status, body, want)
		}
	}
	if status, body := b.do("DELETE", "/api/v1/sms/jobs?ref=WO-1", nil, auth...); status != 200 || !strings.Contains(body, `"canceled"`) {
		t.Errorf("cancel = %d %s", status, body)
	}
	if status, _ := w.login("root").do("POST", "/api/v1/webhooks/dead/7/replay", nil); status != 404 {
		t.Error("an unknown dead letter was replayed")
	}
}

func TestSiteOnDisk(t *testing.T) {
	w, _ := onDisk(t)
	b := w.login("boss")
	for _, object := range [][2]string{
		{"queues/repair", `{"name":"报修","strategy":"longest_idle","ring_timeout":20,"wrap_up":15}`},
		{"customers/c1", `{"id":"c1","name":"王","numbers":["13800138000"],"floor":7}`},
		{"templates/work", `{"class":"dispatch","text":"{ref}"}`},
		{"flows/hotline", `{"start":"bye","nodes":{"bye":{"hangup":{}}}}`},
		{"routes/400", `{"flow":"hotline"}`},
		{"agents/1003", `{"name":"李","extension":"1003","password":"x","queues":["repair"]}`},
	} {
		path, doc := object[0], object[1]
		status, body := b.do("PUT", "/api/v1/"+path, doc)
		if status != 200 {
			t.Errorf("PUT %s = %d %s", path, status, body)
			continue
		}
		_, got := b.do("GET", "/api/v1/"+path, nil)
		if status, body := b.do("PUT", "/api/v1/"+path, got); status != 200 {
			t.Errorf("%s: what GET gave (%s) = %d %s", path, got, status, body)
		}
		if strings.Contains(got, "password") || strings.Contains(got, "hash") {
			t.Errorf("%s shows secrets: %s", path, got)
		}
		kind, _, _ := strings.Cut(path, "/")
		if status, body := b.do("GET", "/api/v1/"+kind+"?limit=1", nil); status != 200 || strings.Contains(body, `"items":[]`) {
			t.Errorf("list of %s = %d %s", kind, status, body)
		}
		if status, body := b.do("PUT", "/api/v1/"+path, `{"colour":1}`); kind != "customers" && kind != "flows" && status != 422 {
			t.Errorf("%s with a wrong key = %d %s, want 422", path, status, body)
		}
	}
	if status, _ := w.browser().do("POST", "/api/v1/login", `{"user":"1003","password":"x"}`); status != 200 {
		t.Errorf("the new agent's log-in = %d", status)
	}
}

// TestScreenFollowsTheJournalOnDisk resumes from what is on disk.
// TestSiteHoldsTogetherOnDisk: what is named stays, and nothing names what is
// not there.
func TestSiteHoldsTogetherOnDisk(t *testing.T) {
	w, _ := onDisk(t)
	b := w.login("boss")
	for _, step := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "queues/repair", `{"id":"repair","name":"报修"}`, 200, ""},
		{"PUT", "agents/1001", `{"id":"1001","name":"王芳","role":"agent","extension":"1001","queues":["repair"]}`, 200, ""},
		{"PUT", "agents/1001", `{"id":"1001","name":"王芳","role":"agent","extension":"1001","queues":["sale"]}`, 422, "queue sale"},
		{"DELETE", "queues/repair", "", 409, "agent 1001"},
		{"PUT", "agents/1001", `{"id":"1001","name":"王芳","role":"agent","extension":"1001","queues":[]}`, 200, ""},
		{"DELETE", "queues/repair", "", 204, ""},
	} {
		var body any
		if step.body != "" {
			body = step.body
		}
		status, text := b.do(step.method, "/api/v1/"+step.path, body)
		if status != step.status || !strings.Contains(text, step.says) {
			t.Errorf("%s %s = %d %s, want %d naming %q", step.method, step.path, status, text, step.status, step.says)
		}
	}
}

// TestRemovedAgentsScreenEndsOnDisk: whose log-in is gone sees nothing more.
func TestRemovedAgentsScreenEndsOnDisk(t *testing.T) {
	w, _ := onDisk(t)
	boss := w.login("boss")
	if status, body := boss.do("PUT", "/api/v1/agents/1003", `{"id":"1003","role":"agent","extension":"1003","password":"secret"}`); status != 200 {
		t.Fatalf("PUT = %d %s", status, body)
	}
	w.login("1003").dial("").next()
	socket := w.api.hub.all()[0]
	if status, body := boss.do("DELETE", "/api/v1/agents/1003", nil); status != 204 {
		t.Fatalf("DELETE = %d %s", status, body)
	}
	if socket.ending.Load() != sessionOver {
		t.Error("the screen of a removed agent goes on")
	}
}

func TestScreenFollowsTheJournalOnDisk(t *testing.T) {
	w, db := onDisk(t)
	ctx := context.Background()
	call := cti.CDR{ID: "c1", Direction: cti.In, Offers: []cti.Offer{{Agent: "1001", Start: stamp.At(time.Now().Add(-time.Second))}}}
	if err := db.Journal().Open(ctx, call); err != nil {
		t.Fatal(err)
	}
	b := w.login("1001")
	s := b.dial("")
	start := int64(s.next()["seq"].(float64))
	note := func(kind string) {
		if err := db.Journal().Note(ctx, cti.Event{Type: kind, CallID: "c1", Call: &call}); err != nil {
			t.Fatal(err)
		}
	}
	note(cti.EventOffered)
	if got := s.next(); got["seq"] != float64(start+1) || got["type"] != cti.EventOffered || got["v"] != 1.0 || got["id"] == "" {
		t.Errorf("live = %v", got)
	}
	s.conn.Close()
	note(cti.EventHeld)
	waitFor(t, "on disk", func() bool { return db.Journal().Durable() == start+2 })
	s = b.dial("?since=" + digits(start))
	if got := s.next(); got["type"] != "resumed" {
		t.Fatalf("greeting = %v", got)
	}
	for i := int64(1); i <= 2; i++ {
		if got := s.next(); got["seq"] != float64(start+i) {
			t.Errorf("= %v, want event %d", got, start+i)
		}
	}
	if status, body := b.do("GET", "/api/v1/calls/c1", nil); status != http.StatusOK {
		t.Errorf("call = %d %s", status, body)
	}
	if status, _ := w.login("1002").do("GET", "/api/v1/calls/c1", nil); status != http.StatusNotFound {
		t.Errorf("another agent's call = %d, want 404", status)
	}
	if status, body := b.do("GET", "/api/v1/calls?cursor=rubbish", nil); status != 422 || !strings.Contains(body, "query.cursor") {
		t.Errorf("a wrong cursor = %d %s", status, body)
	}
}

func digits(n int64) string { b, _ := json.Marshal(n); return string(b) }
