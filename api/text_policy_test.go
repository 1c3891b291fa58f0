package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/sms"
)

// textRules are settings in memory that nobody checks.
type textRules struct {
	quiet  sms.QuietHours
	list   []sms.Listing
	routes []sms.Route
	codes  []sms.Code
}

func (r *textRules) QuietHours(context.Context) (sms.QuietHours, error) { return r.quiet, nil }
func (r *textRules) Blacklist(context.Context) ([]sms.Listing, error)   { return r.list, nil }
func (r *textRules) Routes(context.Context) ([]sms.Route, error)        { return r.routes, nil }
func (r *textRules) Codes(context.Context) ([]sms.Code, error)          { return r.codes, nil }
func (r *textRules) SetRoutes(_ context.Context, v []sms.Route) error   { r.routes = v; return nil }

func (r *textRules) SetCodes(_ context.Context, v []sms.Code) error { r.codes = v; return nil }

func (r *textRules) SetQuietHours(_ context.Context, v sms.QuietHours) error { r.quiet = v; return nil }

func (r *textRules) SetBlacklist(_ context.Context, v []sms.Listing) ([]sms.Listing, error) {
	r.list = v
	return v, nil
}

// places are the locations of a problem's faults.
func places(t *testing.T, body string) (all []string) {
	t.Helper()
	var p struct {
		Errors []struct{ Location string }
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, e := range p.Errors {
		all = append(all, e.Location)
	}
	slices.Sort(all)
	return all
}

func TestRulesOfTexts(t *testing.T) {
	w, db := onDisk(t)
	b := w.login("boss")
	for _, tt := range []struct{ path, body, get string }{
		{"quiet_hours", `{"from":"21:00","to":"08:00"}`, `{"from":"21:00","to":"08:00"}`},
		{"quiet_hours", `{}`, `{"from":"","to":""}`},
		{"routes", `{"items":[{"prefix":"+86138","accounts":["cmcc"]}]}`, `{"items":[{"prefix":"+86138","accounts":["cmcc"]}]}`},
		{"routes", `{"items":[]}`, `{"items":[]}`},
		{"codes", `{"items":[{"stat":"MB:0069","text":"停机"}]}`, `{"items":[{"stat":"MB:0069","text":"停机"}]}`},
		{"blacklist", `{"items":[]}`, `{"items":[]}`},
		{
			"blacklist", `["138 0013 8000",{"number":"13900139000","kind":"unsubscribed","why":"x","time":"2026-01-02T03:04:05Z"}]`,
			`"number":"+8613900139000","kind":"unsubscribed","why":"x","time":"2026-01-02T03:04:05.000Z"}]}`,
		},
		{"blacklist", `{"items":["13800138000"]}`, `"number":"+8613800138000","kind":"blocked"`},
	} {
		status, put := b.do("PUT", "/api/v1/sms/"+tt.path, tt.body)
		_, got := b.do("GET", "/api/v1/sms/"+tt.path, nil)
		if status != 200 || put != got || !strings.Contains(got, tt.get) {
			t.Errorf("PUT %s %s = %d %s, then GET %s", tt.path, tt.body, status, put, got)
		}
		if status, again := b.do("PUT", "/api/v1/sms/"+tt.path, got); status != 200 || again != got {
			t.Errorf("what GET gave of %s (%s) = %d %s", tt.path, got, status, again)
		}
	}
	for _, tt := range []struct {
		path, body string
		want       string
	}{
		{"quiet_hours", `{"from":"25:00"}`, "body.from body.to"},
		{"quiet_hours", `{"form":"21:00"}`, "body.form"},
		{"routes", `{"items":[{"prefix":"x","accounts":["nobody"]}]}`, "body.items[0].accounts[0] body.items[0].prefix"},
		{"codes", `{"items":[{"stat":"","text":""}]}`, "body.items[0].stat body.items[0].text"},
		{"blacklist", `{"items":["13800138000","10086"]}`, "body.items[1]"},
		{"blacklist", `["x"]`, "body.items[0]"},
		{"blacklist", `{"numbers":["13800138000"]}`, "body.items body.numbers"},
		{"blacklist", `{"items":[7,{"number":7,"color":"red","time":"never"}]}`, "body.items[0] body.items[1].color body.items[1].number body.items[1].time"},
		{"blacklist", `7`, "body.items"},
	} {
		status, body := b.do("PUT", "/api/v1/sms/"+tt.path, tt.body)
		if got := strings.Join(places(t, body), " "); status != 422 || got != tt.want {
			t.Errorf("PUT %s %s = %d %s", tt.path, tt.body, status, body)
		}
	}
	var audited int
	err := db.Reader().QueryRowContext(t.Context(), "SELECT count(*) FROM audit WHERE what = 'sms.put' AND who = 'boss'").Scan(&audited)
	if err != nil || audited != 16 {
		t.Errorf("%d changes in the audit log (%v), want 16", audited, err)
	}
}

// keyed is a browser's POST of jobs with a key that has limits.
func keyed(t *testing.T, limits sms.Limits) func(method, path, body string) (int, string) {
	w, db := onDisk(t)
	_, key, err := db.AddKey(t.Context(), "erp", []string{ScopeSMS}, limits)
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser()
	return func(method, path, body string) (int, string) {
		return b.do(method, "/api/v1/sms/jobs"+path, body, "Authorization", "Bearer "+key)
	}
}

func TestConfirmingAJob(t *testing.T) {
	do := keyed(t, sms.Limits{ConfirmOver: 1})
	read := func(body string) (job sms.Job) {
		t.Helper()
		if err := json.Unmarshal([]byte(body), &job); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return job
	}
	status, body := do("POST", "", `{"to":["13800138000","13900139000"],"text":"x"}`)
	job := read(body)
	if status != 202 || job.Status != sms.JobAwaitingConfirm || job.Counts[sms.Scheduled] != 2 {
		t.Fatalf("job = %d %s", status, body)
	}
	for range 2 {
		if status, body := do("POST", "/"+job.ID+"/confirm", ""); status != 200 || read(body).Status != sms.JobOpen {
			t.Errorf("confirm = %d %s", status, body)
		}
	}
	_, body = do("POST", "", `{"to":["13800138000"],"text":"x"}`)
	if status, body := do("POST", "/"+read(body).ID+"/confirm", ""); status != 409 || !strings.Contains(body, "awaits no confirmation") {
		t.Errorf("confirm of a job that waits for nothing = %d %s", status, body)
	}
	if status, _ := do("POST", "/none/confirm", ""); status != 404 {
		t.Errorf("confirm of no job = %d", status)
	}
}

func TestDedupAnswers202(t *testing.T) {
	do := keyed(t, sms.Limits{})
	const one = `{"to":["13800138000"],"text":"x","dedup":{"key":"disk","window":60}}`
	_, first := do("POST", "", one)
	if status, body := do("POST", "", one); status != 202 || body != first {
		t.Errorf("again = %d %s, want 202 %s", status, body, first)
	}
	const both = `{"to":["13900139000"],"text":"x","key":"k","dedup":{"key":"cpu","window":60}}`
	_, first = do("POST", "", both)
	if status, body := do("POST", "", both); status != 200 || body != first {
		t.Errorf("the same key again = %d %s", status, body)
	}
}

func TestAnAgentsKeyFindsNoOthersJob(t *testing.T) {
	w, _ := onDisk(t)
	one, two := w.login("1001"), w.login("1002")
	const body = `{"to":["13800138000"],"text":"x","key":"k"}`
	for _, tt := range []struct {
		who  *browser
		want int
	}{{one, 202}, {one, 200}, {two, 409}} {
		if status, got := tt.who.do("POST", "/api/v1/sms/jobs", body); status != tt.want || (status == 409 && strings.Contains(got, "+8613800138000")) {
			t.Errorf("%d %s, want %d", status, got, tt.want)
		}
	}
}

func TestOverTheLimitIs429(t *testing.T) {
	w, db := onDisk(t)
	_, key, err := db.AddKey(t.Context(), "erp", []string{ScopeSMS}, sms.Limits{PerDay: 1})
	if err != nil {
		t.Fatal(err)
	}
	var codes []int
	for i := range 2 {
		res := w.browser().send("POST", "/api/v1/sms/jobs", fmt.Sprintf(`{"to":["13800138000"],"text":"%d"}`, i), "Authorization", "Bearer "+key)
		res.Body.Close()
		codes = append(codes, res.StatusCode)
		if after := res.Header.Get("Retry-After"); i == 1 && (after == "" || after == "0" || res.Header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("header %v", res.Header)
		}
	}
	if !slices.Equal(codes, []int{202, 429}) {
		t.Errorf("answers %v", codes)
	}
}

// What does not fit the schema is told together with what is wrong otherwise.
func TestAllFaultsOfAJobInOneRound(t *testing.T) {
	do := keyed(t, sms.Limits{})
	past := time.Now().Add(-time.Hour).Format(time.RFC3339)
	for body, want := range map[string]string{
		`{"to":["13800138000","12"],"text":7,"colour":"red","class":"spam","valid_until":"` + past + `"}`: "body.class body.colour body.text body.to[1] body.valid_until",
		`{"to":"13800138000","dedup":{"key":"a","window":"x"},"priority":"12"}`:                           "body.dedup.window body.priority body.text body.to",
		`{"to":["13800138000"],"text":"x","send_at":"tomorrow","valid_until":7,"ref":7,"account":"no"}`:   "body.account body.ref body.send_at body.valid_until",
		`{"tiers":[{"to":["13800138000"],"colour":"red"}],"text":"x","priority":1e30}`:                    "body.priority body.tiers[0].colour",
		`{"Text":"x"}`: "body.Text body.text body.to",
		`[]`:           "body",
	} {
		status, got := do("POST", "", body)
		if status != 422 || strings.Join(slices.Compact(places(t, got)), " ") != want {
			t.Errorf("%s = %d %s, want %s", body, status, got, want)
		}
	}
	if status, _ := do("POST", "", `{`); status != 400 {
		t.Errorf("broken JSON = %d", status)
	}
	if status, _ := do("POST", "", ``); status != 400 {
		t.Errorf("no body = %d", status)
	}
}
