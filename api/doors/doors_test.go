package doors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"callbox/internal/number"
	"callbox/internal/stamp"
	"callbox/sms"
)

const (
	secret   = "k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1"
	metrics  = "k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2k2" // lacks the scope
	sid      = "AC0123456789abcdef0123456789abcdef"
	service  = "MG0123456789abcdef0123456789abcdef"
	firstID  = "0198a5d0-0000-7001-8000-000000000000"
	firstSM  = "SM0198a5d0000070018000000000000000"
	phone    = "+8613800138000"
	agreedAt = "2026-08-01T01:30:05Z"
)

var (
	beijing = time.FixedZone("", 8*3600)
	agreed  = time.Date(2026, 8, 1, 1, 30, 5, 0, time.UTC)
)

// house stands for everything behind the doors.
type house struct {
	got      []sms.Request
	err      error // of Accept
	messages []sms.Message
	signers  map[string]string
	filter   Filter
	next     string
	canceled []string
}

func (h *house) Key(_ context.Context, text string) (Key, error) {
	switch text {
	case secret:
		return Key{ID: "id-erp", Name: "erp", Texts: true, Limits: sms.Limits{PerDay: 9}}, nil
	case metrics:
		return Key{ID: "id-prom", Name: "prom"}, nil
	case "broken":
		return Key{}, errors.New("disk on fire at /var/lib")
	}
	return Key{}, ErrNoKey
}

// Accept makes a message of each number, one part each.
func (h *house) Accept(_ context.Context, r sms.Request) (sms.Job, bool, error) {
	h.got = append(h.got, r)
	if h.err != nil {
		return sms.Job{}, false, h.err
	}
	job := sms.Job{ID: "j1", Status: sms.JobOpen}
	var faults sms.Invalid
	for i, raw := range r.To {
		to := number.Normalize(raw, "")
		if to == "" {
			faults = append(faults, &sms.FieldError{Field: fmt.Sprintf("to[%d]", i), Err: fmt.Errorf("%q is no number", raw)})
			continue
		}
		job.Messages = append(job.Messages, sms.Message{
			ID: fmt.Sprintf("0198a5d0-0000-7%03x-8000-000000000000", i+1), Job: "j1", To: to, Raw: raw, Text: "【X】" + r.Text,
			Status: sms.Queued, Parts: 1, Account: first(r.Account, "cmcc"), Times: map[sms.Status]stamp.Time{sms.Queued: stamp.At(agreed)},
		})
	}
	if faults != nil {
		return sms.Job{}, false, faults
	}
	return job, true, nil
}

func (h *house) Cancel(_ context.Context, job string) (sms.Job, error) {
	h.canceled = append(h.canceled, job)
	for i := range h.messages {
		if h.messages[i].Status == sms.Queued {
			h.messages[i].Status = sms.Canceled
		}
	}
	return sms.Job{ID: job, Messages: h.messages}, nil
}

func (h *house) Message(_ context.Context, id string) (sms.Message, string, error) {
	for _, m := range h.messages {
		if m.ID == id {
			return m, h.signers[id], nil
		}
	}
	return sms.Message{}, "", sms.ErrNotFound
}

func (h *house) Messages(_ context.Context, f Filter) ([]sms.Message, string, error) {
	h.filter = f
	if f.Cursor == "garbage" {
		return nil, "", ErrCursor
	}
	return h.messages, h.next, nil
}

// serve puts the doors on the paths they are reached by.
func serve(h *house) http.Handler {
	d := New(Config{
		Accounts: []Account{{"cmcc", "10690000"}, {"cucc", "10690001"}}, Zone: beijing,
	}, Deps{h, h, h})
	mux := http.NewServeMux()
	const messages = "/2010-04-01/Accounts/{sid}/Messages"
	for pattern, f := range map[string]http.HandlerFunc{
		"POST " + messages + ".json": d.TwilioSend, "GET " + messages + ".json": d.TwilioList,
		"GET " + messages + "/{message}": d.TwilioGet, "POST " + messages + "/{message}": d.TwilioChange,
		"POST " + messages: d.TwilioXML, "/2010-04-01/": d.TwilioUnknown,
		"POST /api/v1/sms/alerts": d.Alerts, "/http_api/send_sms": d.EagleHTTP, "POST /jsonrpc/sms": d.EagleRPC,
		"POST /api/v2/messages/sms": d.EagleV2, "/cgi-bin/sendsms": d.Kannel, "GET /massenversand/send": d.Zammad,
	} {
		mux.HandleFunc(pattern, f)
	}
	return mux
}

// ask is one request: headers are name: value, and user and password with a
// blank between them for Basic.
type ask struct {
	method, path string
	body         string
	headers      []string
	basic        string
}

const formType = "Content-Type: application/x-www-form-urlencoded"

func (a ask) do(t *testing.T, h *house) *http.Response {
	t.Helper()
	r := httptest.NewRequest(a.method, a.path, strings.NewReader(a.body))
	for _, line := range a.headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	if user, password, ok := strings.Cut(a.basic, " "); ok {
		r.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	serve(h).ServeHTTP(w, r)
	return w.Result()
}

// check asks and compares status, body and what the gateway was asked for.
func check(t *testing.T, h *house, a ask, status int, body string, want ...sms.Request) *http.Response {
	t.Helper()
	res := a.do(t, h)
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status || !same(body, strings.TrimSuffix(string(got), "\n")) {
		t.Errorf("%s %s = %d %s\nwant %d %s", a.method, a.path, res.StatusCode, got, status, body)
	}
	for i := range want {
		want[i].Signer, want[i].Limits = "id-erp", sms.Limits{PerDay: 9}
	}
	if diff := cmp.Diff(want, h.got, cmpopts.EquateApproxTime(5*time.Second)); diff != "" {
		t.Errorf("%s %s asked for\n%s", a.method, a.path, diff)
	}
	return res
}

// same compares JSON by what it says, anything else by its bytes.
func same(want, got string) bool {
	var a, b any
	if json.Unmarshal([]byte(want), &a) == nil && json.Unmarshal([]byte(got), &b) == nil {
		return cmp.Equal(a, b)
	}
	return want == got
}

// TestNobodyLearnsNames: a wrong key, a wrong name and nothing are one answer
// at each door; a key without the scope is told so; no answer has the key in it.
func TestNobodyLearnsNames(t *testing.T) {
	for name, tt := range map[string]struct {
		ask func(user, key string) ask
		not int // status for who has no key
		may int // status for who lacks the scope
	}{
		"twilio": {func(_, key string) ask {
			return ask{"POST", "/2010-04-01/Accounts/" + sid + "/Messages.json", "To=1", []string{formType}, sid + " " + key}
		}, 401, 403},
		"alerts basic": {func(user, key string) ask {
			return ask{"POST", "/api/v1/sms/alerts?to=1", "{}", nil, user + " " + key}
		}, 401, 403},
		"eagle": {func(user, key string) ask {
			return ask{"GET", "/http_api/send_sms?login=" + user + "&pass=" + key, "", nil, ""}
		}, 401, 403},
		"eagle rpc": {func(user, key string) ask {
			return ask{"POST", "/jsonrpc/sms", `{"method":"sms.send_sms","params":{"login":"` + user + `","pass":"` + key + `"}}`, nil, ""}
		}, 401, 403},
		"eagle v2": {func(_, key string) ask {
			return ask{"POST", "/api/v2/messages/sms", "{}", []string{"access-token: " + key}, ""}
		}, 401, 403},
		"kannel": {func(user, key string) ask {
			return ask{"GET", "/cgi-bin/sendsms?username=" + user + "&password=" + key, "", nil, ""}
		}, 403, 403},
		"zammad": {func(_, key string) ask {
			return ask{"GET", "/massenversand/send?authToken=" + key, "", nil, ""}
		}, 401, 403},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]bool{}
			for _, user := range []string{"erp", "nobody", ""} {
				for _, key := range []string{"wrong", ""} {
					res := tt.ask(user, key).do(t, &house{})
					body, _ := io.ReadAll(res.Body)
					answers[fmt.Sprint(res.StatusCode, string(body), res.Header)] = true
					if res.StatusCode != tt.not {
						t.Errorf("%q %q = %d %s, want %d", user, key, res.StatusCode, body, tt.not)
					}
				}
			}
			if len(answers) != 1 {
				t.Errorf("%d different answers: %v", len(answers), answers)
			}
			res := tt.ask("prom", metrics).do(t, &house{})
			if body, _ := io.ReadAll(res.Body); res.StatusCode != tt.may || strings.Contains(string(body), metrics) {
				t.Errorf("without the scope = %d %s, want %d", res.StatusCode, body, tt.may)
			}
			res = tt.ask("erp", "broken").do(t, &house{})
			if body, _ := io.ReadAll(res.Body); res.StatusCode < 500 || strings.Contains(string(body), "fire") {
				t.Errorf("a fault of ours = %d %s, want 5xx without details", res.StatusCode, body)
			}
		})
	}
	for _, a := range []ask{ // another's name beside a good key
		{"GET", "/cgi-bin/sendsms?username=prom&password=" + secret, "", nil, ""},
		{"GET", "/http_api/send_sms?login=prom&pass=" + secret, "", nil, ""},
		{"POST", "/api/v1/sms/alerts?to=1", "{}", nil, "prom " + secret},
		{"POST", "/2010-04-01/Accounts/" + sid + "/Messages.json", "", nil, strings.Replace(sid, "0", "1", 1) + " " + secret},
	} {
		if res := a.do(t, &house{}); res.StatusCode != 401 && res.StatusCode != 403 {
			t.Errorf("%s %s = %d", a.method, a.path, res.StatusCode)
		}
	}
}

// TestLimitsInEachForm: what the gateway says of the key's limits and of the
// disk, at every door.
func TestLimitsInEachForm(t *testing.T) {
	const to = "13800138000"
	doors := map[string]ask{
		"twilio": {"POST", "/2010-04-01/Accounts/" + sid + "/Messages.json", "To=" + to + "&From=10690000&Body=x", []string{formType}, sid + " " + secret},
		"alerts": {"POST", "/api/v1/sms/alerts?to=" + to, `{"title":"x"}`, []string{"Authorization: Bearer " + secret}, ""},
		"eagle":  {"GET", "/http_api/send_sms?access_token=" + secret + "&message=x&to=" + to, "", nil, ""},
		"kannel": {"GET", "/cgi-bin/sendsms?username=erp&password=" + secret + "&text=x&to=" + to, "", nil, ""},
		"zammad": {"GET", "/massenversand/send?authToken=" + secret + "&msg=x&receiver=" + to, "", nil, ""},
	}
	over := &sms.OverLimit{Limit: "9 messages a day", Wait: 61 * time.Second}
	full := fmt.Errorf("accept job: %w", ErrUnavailable)
	for _, tt := range []struct {
		door   string
		err    error
		status int
		body   string
		after  string
	}{
		{"twilio", over, 429, `{"code":20429,"message":"over the key's limit of 9 messages a day","more_info":"https://www.twilio.com/docs/errors/20429","status":429}`, "61"},
		{"twilio", full, 503, `{"code":20503,"message":"the box cannot write it down now","more_info":"https://www.twilio.com/docs/errors/20503","status":503}`, "5"},
		{"alerts", over, 429, `{"title":"Too Many Requests","status":429,"detail":"over the key's limit of 9 messages a day"}`, "61"},
		{"alerts", full, 503, `{"title":"Service Unavailable","status":503,"detail":"the box cannot write it down now"}`, "5"},
		{"eagle", over, 429, "over the key's limit of 9 messages a day", "61"},
		{"eagle", full, 503, "the box cannot write it down now", "5"},
		{"kannel", over, 503, "Temporal failure, try again later.", "61"},
		{"kannel", full, 503, "Temporal failure, try again later.", "5"},
		{"zammad", over, 429, "ERROR: too many texts, try again later", "61"},
		{"zammad", full, 503, "ERROR: try again later", "5"},
	} {
		res := doors[tt.door].do(t, &house{err: tt.err})
		body, _ := io.ReadAll(res.Body)
		got := strings.TrimSuffix(string(body), "\n")
		if res.StatusCode != tt.status || !same(tt.body, got) || res.Header.Get("Retry-After") != tt.after {
			t.Errorf("%s, %v = %d %s after %s", tt.door, tt.err, res.StatusCode, got, res.Header.Get("Retry-After"))
		}
	}
}

// TestBodiesAreBounded sends more than a door takes.
func TestBodiesAreBounded(t *testing.T) {
	much := strings.Repeat("x", maxAlert+1)
	for _, a := range []ask{
		{"POST", "/2010-04-01/Accounts/" + sid + "/Messages.json", "To=1&From=10690000&Body=" + much, []string{formType}, sid + " " + secret},
		{"POST", "/api/v1/sms/alerts?to=1", `{"title":"` + much + `"}`, []string{"Authorization: Bearer " + secret}, ""},
		{"POST", "/http_api/send_sms?access_token=" + secret, "to=1&message=" + much, []string{formType}, ""},
		{"POST", "/jsonrpc/sms", `{"x":"` + much + `"}`, nil, ""},
		{"POST", "/api/v2/messages/sms", `{"text":"` + much + `"}`, []string{"access-token: " + secret}, ""},
		{"POST", "/cgi-bin/sendsms?username=erp&password=" + secret, "to=1&text=" + much, []string{formType}, ""},
	} {
		h := &house{}
		if res := a.do(t, h); res.StatusCode != 400 || len(h.got) > 0 {
			t.Errorf("%s %s = %d, asked for %d, want 400 and nothing", a.method, a.path, res.StatusCode, len(h.got))
		}
	}
}

func TestEagleID(t *testing.T) {
	var last int64
	for _, id := range []string{
		"0198a5d0-0000-7001-8000-000000000000", "0198a5d0-0000-7002-8000-000000000000",
		"0198a5d0-0000-7fff-8000-ffffffffffff", "0198a5d0-0001-7000-8000-000000000000", "036cd9bb-0000-7fff-8000-000000000000",
	} {
		got := eagleID(sms.Message{ID: id})
		if got <= last || got >= 1<<53 {
			t.Errorf("eagleID(%s) = %d, behind %d", id, got, last)
		}
		last = got
	}
	if got := eagleID(sms.Message{ID: "nothing"}); got != 0 {
		t.Errorf("eagleID of no id = %d", got)
	}
}

// TestRefusalsOfZammadHaveNoOK: Zammad takes any answer with OK in it for good.
func TestRefusalsOfZammadHaveNoOK(t *testing.T) {
	for _, words := range zammadWords {
		if strings.Contains(words, "OK") {
			t.Errorf("%q", words)
		}
	}
	for _, path := range []string{
		"?authToken=OK&msg=OK&receiver=OK", "?authToken=" + secret + "&msg=OK&receiver=OK", "?authToken=" + secret + "&receiver=OK",
		"?authToken=" + secret + "&msg=OK", "?authToken=" + secret + "&msg=%zzOK&receiver=OK",
	} {
		res := ask{method: "GET", path: "/massenversand/send" + path}.do(t, &house{})
		if body, _ := io.ReadAll(res.Body); res.StatusCode == 200 || strings.Contains(string(body), "OK") {
			t.Errorf("%s = %d %s", path, res.StatusCode, body)
		}
	}
	faulty := &house{err: sms.Invalid{{Field: "OK", Err: errors.New("OK")}}}
	res := ask{method: "GET", path: "/massenversand/send?authToken=" + secret + "&msg=a&receiver=1"}.do(t, faulty)
	if body, _ := io.ReadAll(res.Body); regexp.MustCompile("OK").Match(body) {
		t.Errorf("%s", body)
	}
}
