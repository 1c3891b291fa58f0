//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// hook is a ticket system that takes notices and checks their signatures.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	notices []map[string]any
	bad     []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(h.take))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if fault := unsigned(r.Header.Get("Callbox-Signature"), body); fault != "" {
		h.bad = append(h.bad, fault)
	}
	var n map[string]any
	if err := json.Unmarshal(body, &n); err != nil {
		h.bad = append(h.bad, err.Error())
	}
	n["_id"], n["_attempt"] = r.Header.Get("Callbox-Event-Id"), r.Header.Get("Callbox-Attempt")
	h.notices = append(h.notices, n)
}

func unsigned(signature string, body []byte) string {
	stamp, sum, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte("hook-secret"))
	mac.Write([]byte(stamp + "." + string(body)))
	if !ok || hex.EncodeToString(mac.Sum(nil)) != sum {
		return "wrong signature " + signature
	}
	return ""
}

// events are the names of the notices whose data has this key and value.
func (h *hook) events(key, value string) (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.notices {
		if data, ok := n["data"].(map[string]any); ok && data[key] == value {
			names = append(names, fmt.Sprint(n["event"]))
		}
	}
	return names
}

// newCentre starts `callbox sim smsc` and gives its address and control URL.
func newCentre(t *testing.T, args ...string) (p *process, address, control string) {
	t.Helper()
	p = launch(t, t.TempDir(), absolute(t, program), append([]string{
		"sim", "smsc", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--sp-id", "901234", "--secret", "shared",
	}, args...)...)
	m := p.line(`ready cmpp=(\S+) control=(http://\S+)`)
	return p, m[1], m[2]
}

func TestWorkOrderGoesRound(t *testing.T) {
	t.Parallel()
	_, centre, control := newCentre(t)
	h := newHook(t)
	b := newBox(t, layout{smsc: centre, webhook: h.URL})
	var job struct {
		ID       string
		Messages []struct {
			ID, To, Status string
			Parts          int
		}
	}
	body := map[string]any{
		"to": []string{"13800138000"}, "template": "work_order", "ref": "WO-1", "key": "k1",
		"vars": map[string]string{"engineer": "赵工", "ref": "WO-1", "customer": "安顺物业", "address": "杭州市西湖区文三路100号3号楼", "fault": "电梯运行异响并且门关不上,困人报警一次"},
	}
	if status := b.call("POST", "/api/v1/sms/jobs", body, &job); status != 202 {
		t.Fatalf("jobs: %d", status)
	}
	if len(job.Messages) != 1 || job.Messages[0].To != "+8613800138000" || job.Messages[0].Parts != 2 {
		t.Errorf("job = %+v", job)
	}
	id := job.ID
	if status := b.call("POST", "/api/v1/sms/jobs", body, &job); status != 200 || job.ID != id {
		t.Errorf("same key again: %d %s, want 200 %s", status, job.ID, id)
	}
	b.delivered(id)
	resp, err := http.Post(control+"/mo", "application/json", strings.NewReader(`{"from":"13800138000","to":"10690000","text":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var inbox struct{ Items []map[string]any }
	wait(t, "the answer", func() bool {
		b.call("GET", "/api/v1/sms/inbox", nil, &inbox)
		return len(inbox.Items) == 1
	})
	if got := inbox.Items[0]; got["ref"] != "WO-1" || got["job"] != id || got["keyword"] != "接单" || got["from"] != "+8613800138000" {
		t.Errorf("inbox = %v", got)
	}
	wait(t, "the notices", func() bool { return len(h.events("ref", "WO-1")) >= 3 })
	if got := fmt.Sprint(h.events("ref", "WO-1")); got != "[sms.status sms.status sms.received]" {
		t.Errorf("notices = %s", got)
	}
	if len(h.bad) > 0 {
		t.Errorf("bad notices: %v", h.bad)
	}
	checkCentre(t, control)
}

// delivered waits until all of a job's messages are on the phones.
func (b *box) delivered(id string) {
	b.t.Helper()
	wait(b.t, "delivery", func() bool {
		var job struct {
			Status   string
			Messages []struct {
				Status string
				Times  map[string]any
			}
		}
		b.call("GET", "/api/v1/sms/jobs/"+id, nil, &job)
		for _, m := range job.Messages {
			if m.Status != "delivered" || m.Times["submitted"] == nil {
				return false
			}
		}
		return job.Status == "done"
	})
}

// checkCentre looks at what came over the wire: one long text, whole, signed.
func checkCentre(t *testing.T, control string) {
	t.Helper()
	resp, err := http.Get(control + "/submits")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(raw), "【安顺维保】赵工,您有新工单WO-1") || !strings.Contains(string(raw), "回复1接单 2到达 3完成") {
		t.Errorf("submits = %s", raw)
	}
}

func TestBadJobsStoreNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{smsc: "127.0.0.1:1"})
	for name, tt := range map[string]struct {
		body   any
		status int
		words  string
	}{
		"bad number":       {map[string]any{"to": []string{"13800138000", "12"}, "text": "x"}, 422, "to[1]"},
		"no text":          {map[string]any{"to": []string{"13800138000"}}, 422, "text"},
		"unknown key":      {map[string]any{"to": []string{"13800138000"}, "text": "x", "colour": "red"}, 422, "colour"},
		"over already":     {map[string]any{"to": []string{"13800138000"}, "text": "x", "valid_until": "2020-01-01T00:00:00Z"}, 422, "valid_until"},
		"no such template": {map[string]any{"to": []string{"13800138000"}, "template": "nope"}, 422, "template"},
	} {
		var problem string
		if status := b.call("POST", "/api/v1/sms/jobs", tt.body, &problem2{&problem}); status != tt.status {
			t.Errorf("%s: %d, want %d", name, status, tt.status)
		}
		if text := b.problem("POST", "/api/v1/sms/jobs", tt.body); !strings.Contains(text, tt.words) {
			t.Errorf("%s: %s does not say %q", name, text, tt.words)
		}
	}
	var list struct{ Items []any }
	b.call("GET", "/api/v1/sms/messages", nil, &list)
	if len(list.Items) != 0 {
		t.Errorf("%d messages stored, want none", len(list.Items))
	}
}

// problem is the body of a refused request.
func (b *box) problem(method, path string, body any) string {
	b.t.Helper()
	raw, _ := json.Marshal(body)
	req, _ := http.NewRequest(method, b.http+path, strings.NewReader(string(raw)))
	req.Header.Set("Authorization", "Bearer "+b.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		b.t.Errorf("%s %s: content type %q", method, path, kind)
	}
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// TestOutageLosesNothing takes jobs while the centre is away; all leave when it
// is back.
func TestOutageLosesNothing(t *testing.T) {
	centre, address, _ := newCentre(t)
	b := newBox(t, layout{smsc: address})
	centre.end(15)
	const jobs, each = 100, 100
	for i := range jobs {
		to := make([]string, each)
		for j := range to {
			to[j] = fmt.Sprintf("139%08d", i*each+j)
		}
		if status := b.call("POST", "/api/v1/sms/jobs", map[string]any{"to": to, "text": "测试", "class": "notice"}, nil); status != 202 {
			t.Fatalf("job %d: %d", i, status)
		}
	}
	again := launch(t, t.TempDir(), absolute(t, program), "sim", "smsc", "--listen", address, "--control", "127.0.0.1:0", "--sp-id", "901234", "--secret", "shared")
	control := again.line(`ready cmpp=\S+ control=(http://\S+)`)[1]
	begin := time.Now()
	left := -1
	for end := time.Now().Add(2 * time.Minute); left != 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		left = b.waiting()
	}
	if left != 0 {
		t.Fatalf("%d messages still wait after %v", left, time.Since(begin))
	}
	t.Logf("%d messages left in %v", jobs*each, time.Since(begin))
	resp, err := http.Get(control + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var count struct{ Accepted int }
	if err := json.NewDecoder(resp.Body).Decode(&count); err != nil || count.Accepted != jobs*each {
		t.Errorf("the centre took %d, want %d (%v)", count.Accepted, jobs*each, err)
	}
}

// waiting counts messages that did not leave yet.
func (b *box) waiting() int {
	for _, status := range []string{"queued", "submitted", "unknown", "failed"} {
		var list struct{ Items []any }
		b.call("GET", "/api/v1/sms/messages?limit=1&status="+status, nil, &list)
		if len(list.Items) > 0 {
			return len(list.Items)
		}
	}
	return 0
}
