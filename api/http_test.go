package api

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/storage"
)

func TestJobs(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	post := func(body string) (int, string) { return b.do("POST", "/api/v1/sms/jobs", body, bearerOf("sms")...) }
	const good = `{"to":["13800138000"],"text":"hello","ref":"WO-1","key":"k1","priority":9}`
	status, body := post(good)
	var job struct {
		ID       string
		Messages []struct {
			ID, To, Status string
			Parts          int
		}
	}
	if err := json.Unmarshal([]byte(body), &job); err != nil || status != 202 || job.ID != "job-k1" || len(job.Messages) != 1 {
		t.Errorf("job = %d %s %v", status, body, err)
	}
	if w.asked.Signer != "id-sms" || w.asked.Priority != "9" || w.asked.Ref != "WO-1" {
		t.Errorf("asked = %+v", w.asked)
	}
	if status, body := post(good); status != 200 || !strings.Contains(body, "job-k1") {
		t.Errorf("again = %d %s, want 200", status, body)
	}
	for _, tt := range []struct {
		body   string
		status int
		words  string
	}{
		{`{"to":["13800138000","12"],"text":"x"}`, 422, `"location":"body.to[1]"`},
		{`{"to":["13800138000"],"text":"x","colour":"red"}`, 422, "body.colour"},
		{`{"to":["13800138000"],"text":"x","send_at":"tomorrow"}`, 422, "body.send_at"},
		{`{"to":"13800138000","text":"x"}`, 422, "body.to"},
		{`{"to":[7],"text":"x"}`, 422, "body.to[0]"},
		{`{"to":["13800138000"],"text":"x","priority":{}}`, 422, "body.priority"},
		{`{"to":["13800138000"],"text":"x"`, 400, "body"},
		{`{"to":["13800138000"],"text":"x"} {}`, 400, "body"},
	} {
		if status, body := post(tt.body); status != tt.status || !strings.Contains(body, tt.words) {
			t.Errorf("%s = %d %s, want %d %s", tt.body, status, body, tt.status, tt.words)
		}
	}
}

func TestProblemsAreProblems(t *testing.T) {
	w := newWorld(t)
	b := w.login("admin")
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "/api/v1/sms/jobs", `{"colour":1}`},
		{"POST", "/api/v1/sms/jobs", `{`},
		{"GET", "/api/v1/calls/none", ""},
		{"GET", "/api/v1/nothing", ""},
		{"POST", "/api/v1/calls", `{}`},
		{"GET", "/api/v1/calls?colour=1", ""},
		{"POST", "/api/v1/calls/none/dispose", `{"call_id":"other"}`},
		{"POST", "/api/v1/calls/none/dispose", `null`},
		{"POST", "/api/v1/calls/none/dispose", `{`},
	} {
		var payload any
		if tt.body != "" {
			payload = tt.body
		}
		resp := b.send(tt.method, tt.path, payload)
		var problem struct {
			Status        int
			Title, Detail string
		}
		if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
		}
		resp.Body.Close()
		if kind := resp.Header.Get("Content-Type"); kind != "application/problem+json" || problem.Status != resp.StatusCode || problem.Title == "" || problem.Detail == "" {
			t.Errorf("%s %s = %d %s %+v", tt.method, tt.path, resp.StatusCode, kind, problem)
		}
	}
}

// A text in another encoding is refused, not sent with what UTF-8 makes of it.
func TestBodiesAreUTF8(t *testing.T) {
	b := newWorld(t).login("admin")
	gbk := "{\"to\":[\"13800138000\"],\"text\":\"\xc4\xe3\xba\xc3\"}"
	if status, body := b.do("POST", "/api/v1/sms/jobs", gbk); status != 400 || !strings.Contains(body, "UTF-8") {
		t.Errorf("a text in GBK = %d %s, want 400", status, body)
	}
}

func TestAgentSeesHisOwnTextsOnly(t *testing.T) {
	w := newWorld(t)
	mine, other := w.login("1001"), w.login("1002")
	if status, body := mine.do("POST", "/api/v1/sms/jobs", `{"to":["13800138000"],"text":"x","key":"a"}`); status != 202 {
		t.Fatal(status, body)
	}
	for b, want := range map[*browser]int{mine: 200, other: 404, w.login("supervisor"): 200} {
		if status, body := b.do("GET", "/api/v1/sms/jobs/job-a", nil); status != want {
			t.Errorf("= %d %s, want %d", status, body, want)
		}
	}
	if status, _ := other.do("DELETE", "/api/v1/sms/jobs/job-a", nil); status != 404 {
		t.Errorf("another's cancel = %d, want 404", status)
	}
	if status, _ := mine.do("POST", "/api/v1/sms/jobs", `{"to":["13800138000"],"text":"x","callback_url":"http://x"}`); status != 422 {
		t.Errorf("callback of a person = %d, want 422", status)
	}
}

func TestCallFilters(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", "")
	w.recordFile("c2", "1002", "")
	b := w.login("1001")
	status, body := b.do("GET", "/api/v1/calls?since=2026-11-21T08:00:00%2B08:00&number=138+0013+8000&agent=1001&queue=repair&result=answered&limit=7&cursor=x", nil)
	q := w.query
	if status != 200 || q.VisibleTo != "1001" || q.Number != "138 0013 8000" || q.Limit != 7 || q.Cursor != "x" || !q.Since.Equal(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("= %d %s, query %+v", status, body, q)
	}
	var list struct {
		Items []cti.CDR
		Next  *string
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Items) != 1 || list.Next == nil {
		t.Errorf("list = %s", body)
	}
	for _, query := range []string{"since=yesterday", "limit=0", "limit=x", "limit=5000", "result=good", "colour=1"} {
		name, _, _ := strings.Cut(query, "=")
		if status, body := b.do("GET", "/api/v1/calls?"+query, nil); status != 422 || !strings.Contains(body, "query."+name) {
			t.Errorf("%s = %d %s, want 422 naming it", query, status, body)
		}
	}
	for id, want := range map[string]int{"c1": 200, "c2": 404, "c3": 404} {
		if status, _ := b.do("GET", "/api/v1/calls/"+id, nil); status != want {
			t.Errorf("call %s = %d, want %d", id, status, want)
		}
	}
}

func TestEmptyListIsAList(t *testing.T) {
	w := newWorld(t)
	if _, body := w.login("admin").do("GET", "/api/v1/calls", nil); strings.TrimSpace(body) != `{"items":[],"next":""}` {
		t.Errorf("= %s", body)
	}
}

func TestAudio(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", "RIFFsound")
	b := w.login("1001")
	resp := b.send("GET", "/api/v1/recordings/c1/audio", nil)
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "audio/wav" || resp.ContentLength != 9 {
		t.Errorf("= %d %s %d", resp.StatusCode, resp.Header.Get("Content-Type"), resp.ContentLength)
	}
	status, body := b.do("GET", "/api/v1/recordings/c1/audio", nil, "Range", "bytes=4-8")
	if status != http.StatusPartialContent || body != "sound" {
		t.Errorf("range = %d %q", status, body)
	}
	if status, _ := b.do("GET", "/api/v1/recordings/c1/audio", nil, "Range", "bytes=100-"); status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range behind the end = %d", status)
	}
	if status, _ := w.login("1002").do("GET", "/api/v1/recordings/c1/audio", nil); status != 404 {
		t.Errorf("another agent = %d, want 404", status)
	}
	want := []string{"1001 recording.listen c1", "1001 recording.listen c1", "1001 recording.listen c1"}
	if !slices.Equal(w.audit, want) {
		t.Errorf("audit = %q", w.audit)
	}
}

// TestAudioStaysOnTheShelf: neither ids nor rows lead out of the folder.
func TestAudioStaysOnTheShelf(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.recordFile("link", "1001", "")
	link := filepath.Join(w.api.cfg.Recordings, "2026", "link.wav")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	for id, path := range map[string]string{"up": "../secret", "absolute": outside, "gone": "2026/gone.wav"} {
		w.recordFile(id, "1001", "x")
		w.files[id] = storage.RecordingRow{Path: path}
	}
	if err := os.Remove(filepath.Join(w.api.cfg.Recordings, "2026", "gone.wav")); err != nil {
		t.Fatal(err)
	}
	b := w.login("supervisor")
	for _, id := range []string{"link", "up", "absolute", "gone", "..%2f..%2fsecret", "%2e%2e", "a%00b", "..%5csecret"} {
		if status, body := b.do("GET", "/api/v1/recordings/"+id+"/audio", nil); status < 400 || strings.Contains(body, "secret") {
			t.Errorf("%s = %d %s", id, status, body)
		}
	}
	if status, _ := b.do("GET", "/api/v1/recordings/gone/audio", nil); status != 404 {
		t.Errorf("gone = %d, want 404", status)
	}
}

func TestSite(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	status, body := b.do("PUT", "/api/v1/queues/repair", `{"id":"repair","name":"报修","wrap_up":15}`)
	if status != 200 || !strings.Contains(body, "报修") {
		t.Errorf("put = %d %s", status, body)
	}
	_, one := b.do("GET", "/api/v1/queues/repair", nil)
	if status, _ := b.do("PUT", "/api/v1/queues/repair", one); status != 200 {
		t.Errorf("what GET gave = %d, want 200", status)
	}
	if status, body := b.do("PUT", "/api/v1/queues/repair", `{"id":"other"}`); status != 422 || !strings.Contains(body, "body.id") {
		t.Errorf("another id = %d %s", status, body)
	}
	if status, body := b.do("PUT", "/api/v1/queues/repair", `{"colour":1}`); status != 422 || !strings.Contains(body, "body.colour") {
		t.Errorf("wrong document = %d %s", status, body)
	}
	if status, _ := b.do("DELETE", "/api/v1/queues/repair", nil); status != 204 {
		t.Errorf("delete = %d", status)
	}
	if status, _ := b.do("DELETE", "/api/v1/queues/repair", nil); status != 404 {
		t.Errorf("delete again = %d", status)
	}
	if status, body := b.do("POST", "/api/v1/customers:batch", `{"items":[{"id":"c1"},{"id":"c2"}]}`); status != 200 || !strings.Contains(body, "2") {
		t.Errorf("batch = %d %s", status, body)
	}
	if !slices.Contains(w.audit, "supervisor queues.put repair") {
		t.Errorf("audit = %q", w.audit)
	}
}

func TestAgentsShowTheirDesks(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	w.login("1001")
	if status, body := b.do("PUT", "/api/v1/agents/1001", `{"id":"1001","name":"王芳","role":"agent"}`); status != 200 {
		t.Fatal(status, body)
	}
	_, body := b.do("GET", "/api/v1/agents/1001", nil)
	if !strings.Contains(body, `"state":"notReady"`) || !strings.Contains(body, "王芳") {
		t.Errorf("agent = %s", body)
	}
	if status, body := b.do("PUT", "/api/v1/agents/1001", body); status != 200 {
		t.Errorf("what GET gave = %d %s, want 200", status, body)
	}
	if doc := string(w.docs["agents"]["1001"]); strings.Contains(doc, "state") {
		t.Errorf("kept %s, want no desk in it", doc)
	}
}

func TestOnlyAnAdminMakesMoreThanAgents(t *testing.T) {
	w := newWorld(t)
	for name, as := range map[string]struct {
		*browser
		headers []string
	}{
		"supervisor": {w.login("supervisor"), nil},
		"program":    {w.browser(), []string{"Authorization", "Bearer key-config"}},
	} {
		for path, body := range map[string]string{"/api/v1/agents/new": `{"role":"admin"}`, "/api/v1/agents/admin": `{"password":"mine"}`} {
			if status, got := as.do("PUT", path, body, as.headers...); status != 403 {
				t.Errorf("%s: %s = %d %s, want 403", name, path, status, got)
			}
		}
		if status, _ := as.do("DELETE", "/api/v1/agents/admin", nil, as.headers...); status != 403 {
			t.Errorf("a %s removed the admin", name)
		}
		if status, got := as.do("PUT", "/api/v1/agents/new", `{"role":"agent"}`, as.headers...); status != 200 {
			t.Errorf("a %s could not make an agent: %d %s", name, status, got)
		}
	}
	if status, _ := w.login("admin").do("PUT", "/api/v1/agents/new", `{"role":"supervisor"}`); status != 200 {
		t.Error("an admin could not make a supervisor")
	}
}

func TestReadOnlySite(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Editor = nil })
	for _, path := range []string{"/api/v1/queues/x", "/api/v1/calendars/x"} {
		if status, _ := w.login("admin").do("PUT", path, `{}`); status != 501 {
			t.Errorf("PUT %s = %d, want 501", path, status)
		}
	}
}

// ledger keeps nothing.
type ledger struct{ cti.Ledger }

func (ledger) Close(context.Context, cti.CDR) error { return nil }

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	m := w.api.metrics
	result := cti.ResultAnswered
	ended := cti.CDR{ID: "c1", Result: &result, Legs: []cti.LegRecord{{MOS: new(float64)}}}
	if err := m.Ledger(ledger{}).Close(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	m.Commit(time.Millisecond)
	m.Account("idle")
	for i := range 100 {
		m.Submit("cmcc", time.Duration(i)*time.Millisecond)
		m.Delivery("cmcc", time.Duration(i)*time.Second)
		m.Answer("cmcc", time.Millisecond)
	}
	m.Message("cmcc", "delivered")
	_, body := w.browser().do("GET", "/metrics", nil)
	for _, want := range []string{
		"callbox_calls_active 3", `callbox_calls_total{result="answered"} 1`, "callbox_call_setup_seconds", "callbox_screen_pop_seconds",
		`callbox_queue_waiting{queue="repair"} 2`, "callbox_queue_longest_wait_seconds", `callbox_rtp_packets_total{dir="in"}`,
		"callbox_rtp_lost_total", "callbox_leg_mos", "callbox_recordings_active", "callbox_recording_lag_seconds", "callbox_recording_errors_total",
		`callbox_sms_messages_total{account="cmcc",status="delivered"} 1`, "callbox_sms_queue_depth",
		`callbox_sms_submit_seconds{account="cmcc",quantile="0.5"} 0.0`, `callbox_sms_submit_seconds{account="cmcc",quantile="0.95"} 0.09`,
		`callbox_sms_delivery_seconds{account="cmcc",quantile="0.95"} 9`, `callbox_sms_delivery_seconds_count{account="cmcc"} 100`,
		`callbox_sms_answer_seconds_count{account="cmcc"} 100`, `callbox_sms_submit_seconds_count{account="idle"} 0`,
		"callbox_sms_orphan_reports 4", "callbox_pages 6", "callbox_sms_turned_reports_total 5", "callbox_webhook_pending", "callbox_journal_seq", "callbox_db_commit_seconds_count 1",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestMetricsFromElsewhereNeedAKey(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	proxied := []string{"X-Forwarded-For", "203.0.113.9"}
	if status, _ := b.do("GET", "/metrics", nil, proxied...); status != 401 {
		t.Errorf("through a proxy = %d, want 401", status)
	}
	if status, _ := b.do("GET", "/metrics", nil, append(proxied, bearerOf("metrics")...)...); status != 200 {
		t.Errorf("with a key = %d, want 200", status)
	}
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	if status, body := w.browser().do("GET", "/readyz", nil); status != 200 || !strings.Contains(body, `"sip":{"ok":true,"since":null}`) {
		t.Errorf("= %d %s", status, body)
	}
}
