package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// emptyDesk keeps nothing.
type emptyDesk struct{}

func (emptyDesk) CallNote(context.Context, string, string) (n storage.Note, err error) { return n, nil }

func (emptyDesk) PutCallNote(context.Context, storage.Note) error { return nil }

func (emptyDesk) Staff(context.Context) ([]storage.Agent, error) { return nil, nil }

func (emptyDesk) AddNumber(context.Context, string, string) error { return nil }

func (emptyDesk) Urge(context.Context, storage.Urge) (string, error) { return "", nil }

func (emptyDesk) Chats(context.Context, string, string, storage.Page) (list []storage.Chat, next string, err error) {
	return nil, "", nil
}

func (emptyDesk) Customers(context.Context, storage.CustomerFilter) (docs []json.RawMessage, next string, err error) {
	return nil, "", nil
}

// deskWorld is a world whose site, notes, chats and customers are on a real
// database; 1001 has had call c1 of customer k1.
func deskWorld(t *testing.T, change ...func(*Config, *Deps)) (*world, *storage.DB) {
	t.Helper()
	db := storagetest.Open(t)
	if err := db.ApplySite(t.Context(), storage.Site{
		Agents: []storage.Agent{{ID: "1001", Name: "A 1001", Extension: "8001"}, {ID: "1002", Name: "A 1002", Extension: "8002"}},
		Templates: []sms.Template{
			{ID: "hurry", Text: "催办{ref} {customer} {number} {agent} {title}"},
			{ID: "late", Text: "{engineer}"},
		},
		Customers: []cti.Customer{
			{ID: "k1", Name: "安顺", Numbers: []string{"13800138000"}, OpenTickets: []map[string]any{
				{"ref": "WO-1", "title": "电梯异响", "engineer_phone": "13900139000"},
				{"ref": "WO-2", "title": "漏水"},
			}},
			{ID: "k2", Name: "湖滨", Numbers: []string{"13800138000"}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	changes := append([]func(*Config, *Deps){func(_ *Config, d *Deps) {
		d.Site, d.Editor, d.Desk, d.Ledger, d.Journal = db, db, db, db.Journal(), db.Journal()
	}}, change...)
	w := newWorld(t, changes...)
	w.records["c1"] = cti.CDR{
		ID: "c1", Direction: cti.In, Agent: &cti.Ref{ID: "1001"}, Customer: &cti.Ref{ID: "k1", Name: "安顺"},
		From: cti.Number{E164: "+8613800138000", Raw: "013800138000"},
	}
	if err := db.Journal().Open(t.Context(), w.records["c1"]); err != nil {
		t.Fatal(err)
	}
	return w, db
}

func TestDeskSettings(t *testing.T) {
	w, _ := deskWorld(t)
	boss, agent := w.login("supervisor"), w.login("1001")
	_, body := agent.do("GET", "/api/v1/desk", nil)
	var s storage.DeskSettings
	if err := json.Unmarshal([]byte(body), &s); err != nil || len(s.Reasons) != 4 || len(s.Kinds) != 4 || s.Pop.Open != "none" || strings.Contains(body, "null") {
		t.Errorf("without settings = %s, %v", body, err)
	}
	if status, again := boss.do("PUT", "/api/v1/desk", body); status != 200 || again != body {
		t.Errorf("what GET gives = %d %s, want\n%s", status, again, body)
	}
	const all = `{"reasons":[{"code":"lunch","name":"午餐","limit":1800}],"dispositions":[{"code":"r","name":"报修","children":[{"code":"r1","name":"电梯"}]}],` +
		`"kinds":[{"code":"repair","name":"报修","url":"https://t.example/new?call={call_id}"}],"pop":{"url":"https://t.example/{number}","open":"frame"},` +
		`"urge":{"template":"hurry","to":"13700137000"},"texts":["hurry","late"],"embed_origins":["https://t.example"]}`
	status, body := boss.do("PUT", "/api/v1/desk", all)
	if status != 200 || strings.TrimSpace(body) != strings.ReplaceAll(all, "=", "=") {
		t.Errorf("put = %d %s", status, body)
	}
	if _, seen := agent.do("GET", "/api/v1/desk", nil); seen != body {
		t.Errorf("the agent sees %s", seen)
	}
	if status, body := boss.do("PUT", "/api/v1/desk", `{"reasons":[]}`); status != 200 || !strings.Contains(body, `"reasons":[]`) || !strings.Contains(body, `"code":"complaint"`) {
		t.Errorf("no reasons = %d %s", status, body)
	}
	if !slices.Contains(w.audit, "supervisor desk.put ") {
		t.Errorf("audit = %q", w.audit)
	}
	for body, where := range map[string]string{
		`{"colour":1}`: "body.colour", `{"reasons":[{"code":"x","name":"x","colour":1}]}`: "body.reasons[0].colour",
		`{"reasons":[{"name":"x"}]}`:                                           "body.reasons[0].code",
		`{"reasons":[{"code":"x","name":"x","limit":-1}]}`:                     "body.reasons[0].limit",
		`{"dispositions":[{"code":"x","name":"x","children":[{"code":"y"}]}]}`: "body.dispositions[0].children[0].name",
		`{"pop":"https://t"}`:                                                  "body.pop",
		`{"urge":{"template":"none"}}`:                                         "body.urge.template",
		`{"urge":{"template":"late"}}`:                                         "{engineer}",
		`{"texts":["hurry","none","gone"]}`:                                    `body.texts[2]`,
		`{"kinds":[{"code":"repair","url":7}]}`:                                "body.kinds[0].url",
	} {
		if status, answer := boss.do("PUT", "/api/v1/desk", body); status != 422 || !strings.Contains(answer, where) {
			t.Errorf("%s = %d %s, want 422 at %s", body, status, answer, where)
		}
	}
}

// Faults that the configuration's checks find are named in the body.
func TestDeskFaults(t *testing.T) {
	w, _ := deskWorld(t, func(_ *Config, d *Deps) { d.Editor = strictEditor{d.Editor} })
	if status, body := w.login("supervisor").do("PUT", "/api/v1/desk", `{"pop":{"url":"x"}}`); status != 422 || !strings.Contains(body, "body.pop.url") {
		t.Errorf("= %d %s", status, body)
	}
}

type strictEditor struct{ Editor }

func (strictEditor) PutDocuments(context.Context, string, []json.RawMessage) error {
	return Faults{{"pop.url", "is no URL"}}
}

func TestNotes(t *testing.T) {
	w, db := deskWorld(t)
	const path = "/api/v1/calls/c1/note"
	mine, other, boss := w.login("1001"), w.login("1002"), w.login("supervisor")
	if status, body := mine.do("GET", path, nil); status != 200 || strings.TrimSpace(body) != `{"by":"","text":"","time":null}` {
		t.Errorf("none = %d %s", status, body)
	}
	long := strings.Repeat("字", 4000)
	for text, want := range map[string]int{long + "字": 422, long: 200, "电梯": 200} {
		status, body := mine.do("PUT", path, map[string]string{"text": text})
		if status != want || want == 422 && !strings.Contains(body, "body.text") {
			t.Errorf("%d characters = %d %.200s", len(text)/3, status, body)
		}
	}
	if status, body := mine.do("PUT", path, map[string]string{"text": "电梯"}); status != 200 || !strings.Contains(body, `"by":"1001"`) {
		t.Errorf("put = %d %s", status, body)
	}
	for _, b := range []*browser{mine, boss} {
		if status, body := b.do("GET", path, nil); status != 200 || !strings.Contains(body, "电梯") {
			t.Errorf("get = %d %s", status, body)
		}
	}
	for _, try := range [][2]string{{"GET", path}, {"PUT", path}, {"GET", "/api/v1/calls/none/note"}} {
		if status, _ := other.do(try[0], try[1], map[string]string{"text": "x"}); status != 404 {
			t.Errorf("%s of another's = %d, want 404", try[0], status)
		}
	}
	if status, body := mine.do("PUT", path, `{"text":"x","colour":1}`); status != 422 || !strings.Contains(body, "body.colour") {
		t.Errorf("colour = %d %s", status, body)
	}
	if status, body := mine.do("POST", "/api/v1/calls/c1/dispose", map[string]any{"code": "r1", "note": long, "kind": "repair", "solved": false}); status != 200 || !strings.Contains(body, `"kind":"repair","solved":false`) {
		t.Errorf("dispose = %d %.200s", status, body)
	}
	if n, err := db.CallNote(t.Context(), "c1", "1001"); err != nil || n.Text != "" {
		t.Errorf("the draft is left: %+v, %v", n, err)
	}
	if c, err := db.Call(t.Context(), "c1"); err != nil || c.Disposition.Kind != "repair" || c.Disposition.Solved == nil || *c.Disposition.Solved || c.Disposition.Note != long {
		t.Errorf("record = %+v, %v", c.Disposition, err)
	}
	for body, where := range map[string]string{
		`{"code":"x","kind":"other"}`: "body.kind", `{"code":"x","note":"` + long + `x"}`: "body.note", `{"code":"x","solved":"yes"}`: "solved",
	} {
		if status, answer := mine.do("POST", "/api/v1/calls/c1/dispose", body); status != 422 || !strings.Contains(answer, where) {
			t.Errorf("dispose %.60s = %d %s", body, status, answer)
		}
	}
}

func TestUrge(t *testing.T) {
	w, db := deskWorld(t)
	if err := db.Notices().Replace([]storage.Endpoint{{URL: "http://hook/", Events: []string{"*"}}}); err != nil {
		t.Fatal(err)
	}
	mine := w.login("1001")
	var got struct{ Job, Event string }
	urge := func(body string) (int, string) {
		t.Helper()
		got.Job, got.Event = "", ""
		status, answer := mine.do("POST", "/api/v1/calls/c1/urge", body)
		_ = json.Unmarshal([]byte(answer), &got) // a problem has neither
		return status, answer
	}
	if status, body := urge(`{"ticket":"WO-1"}`); status != 202 || got.Job != "" || got.Event == "" || len(w.asked.To) != 0 {
		t.Errorf("without a template = %d %s", status, body)
	}
	set := func(doc string) {
		t.Helper()
		if err := db.PutDocuments(t.Context(), "desk", []json.RawMessage{json.RawMessage(doc)}); err != nil {
			t.Fatal(err)
		}
	}
	set(`{"urge":{"template":"hurry"}}`)
	if status, body := urge(`{"ticket":"WO-2"}`); status != 202 || got.Job != "" || got.Event == "" {
		t.Errorf("to nobody = %d %s", status, body)
	}
	set(`{"urge":{"template":"hurry","to":"13700137000"}}`)
	for _, tt := range []struct{ body, to, title string }{
		{`{"ticket":"WO-1"}`, "13900139000", "电梯异响"},
		{`{"ticket":"WO-2"}`, "13700137000", "漏水"},
		{`{"ticket":"WO-9"}`, "13700137000", ""},
		{`{"ticket":"WO-1","to":"13600136000","title":"别的"}`, "13600136000", "别的"},
	} {
		status, body := urge(tt.body)
		vars := map[string]any{"ref": w.asked.Ref, "customer": "安顺", "number": "13800138000", "agent": "A 1001", "title": tt.title}
		if status != 202 || got.Job == "" || got.Event == "" || w.asked.To[0] != tt.to || fmt.Sprint(w.asked.Vars) != fmt.Sprint(vars) ||
			w.asked.Template != "hurry" || w.asked.Signer != "user:1001" || w.asked.Dedup == nil {
			t.Errorf("%s = %d %s, asked %+v", tt.body, status, body, w.asked)
		}
	}
	var raw string
	if err := db.Reader().QueryRow("SELECT body FROM notices WHERE id = ?", got.Event).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"event":"ticket.urge"`, `"call_id":"c1"`, `"ticket":"WO-1"`, `"customer":{"id":"k1","name":"安顺"}`, `"e164":"+8613800138000"`,
		`"agent":{"id":"1001","name":"A 1001"}`, `"job":"` + got.Job + `"`,
	} {
		if !strings.Contains(raw, part) {
			t.Errorf("no %s in %s", part, raw)
		}
	}
	if !slices.Contains(w.audit, "1001 ticket.urge WO-1") {
		t.Errorf("audit = %q", w.audit)
	}
	for body, where := range map[string]string{
		`{}`: "body.ticket", `{"ticket":""}`: "body.ticket", `{"ticket":"x","to":"12"}`: `"body.to"`, `{"ticket":"x","colour":1}`: "body.colour",
	} {
		if status, answer := urge(body); status != 422 || !strings.Contains(answer, where) {
			t.Errorf("%s = %d %s", body, status, answer)
		}
	}
	if status, _ := w.login("1002").do("POST", "/api/v1/calls/c1/urge", `{"ticket":"WO-1"}`); status != 404 {
		t.Errorf("another's call = %d, want 404", status)
	}
}

func TestPreview(t *testing.T) {
	w, _ := onDisk(t)
	b := w.login("1001")
	for body, want := range map[string]string{
		`{"text":"好","to":"13800138000"}`: `{"text":"好","parts":1,"characters":1,"encoding":"ucs2"}`,
		`{"text":"ok"}`:                   `{"text":"ok","parts":1,"characters":2,"encoding":"ascii"}`,
		`{"text":"ok","to":"12"}`:         `"location":"body.to"`,
		`{"template":"none"}`:             `"location":"body.template"`,
		`{"text":""}`:                     `"location":"body.text"`,
		`{"text":"x","colour":1}`:         "body.colour",
	} {
		status, answer := b.do("POST", "/api/v1/sms/preview", body)
		if !strings.Contains(answer, want) || (status == 200) != strings.HasPrefix(want, `{"text"`) {
			t.Errorf("%s = %d %s, want %s", body, status, answer, want)
		}
	}
}

func TestThread(t *testing.T) {
	w, db := onDisk(t)
	agent, other, boss := w.login("1001"), w.login("1002"), w.login("boss")
	for i := range 3 {
		if status, body := other.do("POST", "/api/v1/sms/jobs", fmt.Sprintf(`{"to":["13800138000"],"text":"out%d"}`, i)); status != 202 {
			t.Fatal(status, body)
		}
		if err := w.api.deps.Texter.(*sms.Gateway).Incoming(t.Context(), sms.Text{Account: "cmcc", From: "8613800138000", To: "106", Text: fmt.Sprintf("in%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if status, body := other.do("POST", "/api/v1/sms/jobs", `{"to":["13900139000"],"text":"elsewhere"}`); status != 202 {
			t.Fatal(status, body)
		}
	}
	if _, body := boss.do("GET", "/api/v1/sms/thread?number=13900139000&limit=1", nil); strings.Contains(body, `"next":""`) {
		t.Errorf("the second text of two is not asked for: %s", body)
	}
	read := func(b *browser, limit int) (texts []string) {
		t.Helper()
		for cursor, pages := "", 0; pages < 10; pages++ {
			status, body := b.do("GET", fmt.Sprintf("/api/v1/sms/thread?number=138+0013+8000&limit=%d&cursor=%s", limit, cursor), nil)
			var page struct {
				Items []textLine
				Next  string
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 {
				t.Fatal(status, body)
			}
			for _, l := range page.Items {
				texts = append(texts, l.Text)
				if l.Time.IsZero() || (l.Direction == "out") != (l.By == "1002" && l.Status == sms.Queued && l.Parts == 1) {
					t.Errorf("line = %+v", l)
				}
			}
			if cursor = page.Next; cursor == "" {
				return texts
			}
		}
		t.Error("the thread has no end")
		return texts
	}
	want := "in2 out2 in1 out1 in0 out0"
	for limit := 1; limit < 7; limit++ {
		for _, b := range []*browser{other, boss} {
			if got := strings.Join(read(b, limit), " "); got != want {
				t.Errorf("%d a page: %s, want %s", limit, got, want)
			}
		}
	}
	if got := read(agent, 50); slices.Contains(got, "out0") {
		t.Errorf("an agent who never spoke to the number sees %q", got)
	}
	call := cti.CDR{ID: "c9", Agent: &cti.Ref{ID: "1001"}, From: cti.Number{E164: "+8613800138000"}, Times: cti.Times{Seize: stamp.Now()}}
	if err := db.Journal().Open(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the call is on disk", func() bool { _, err := db.Call(t.Context(), "c9"); return err == nil })
	if got := strings.Join(read(agent, 50), " "); got != want {
		t.Errorf("after a call the agent sees %q", got)
	}
	for _, query := range []string{"", "number=", "number=1&cursor=x", "number=1&colour=1"} {
		if status, body := boss.do("GET", "/api/v1/sms/thread?"+query, nil); status != 422 {
			t.Errorf("%q = %d %s, want 422", query, status, body)
		}
	}
}

func TestPeople(t *testing.T) {
	w, _ := deskWorld(t)
	w.desks["1001"] = acd.Desk{ID: "1001", Name: "A 1001", State: acd.NotReady, Reason: "lunch", Since: stamp.Now(), Device: "browser", Call: "c2", Queues: []string{"repair"}}
	w.live["c2"] = cti.CDR{ID: "c2", Agent: &cti.Ref{ID: "1001"}}
	people := func() (found []person) {
		t.Helper()
		status, body := w.login("auditor").do("GET", "/api/v1/people", nil)
		var list struct{ Items []person }
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
			t.Fatal(status, body)
		}
		return list.Items
	}
	got := people()
	if len(got) != 1 {
		t.Fatalf("people = %+v", got)
	}
	p := got[0]
	if p.ID != "1001" || p.Role != Agent || p.State != acd.NotReady || p.Reason != "lunch" || p.Device != "browser" || !p.OnCall || p.Extension != "8001" || p.Queues[0] != "repair" || p.Since.IsZero() {
		t.Errorf("person = %+v", p)
	}
	defer w.locked()()
	w.live["c2"] = cti.CDR{ID: "c2", Agent: &cti.Ref{ID: "1002"}, Legs: []cti.LegRecord{{Agent: "1001", End: stamp.At(time.Now().Add(-time.Minute))}}}
	w.mu.Unlock()
	if people()[0].OnCall {
		t.Error("1001 wraps up a call that goes on with somebody else")
	}
	boss := w.login("supervisor").dial("")
	boss.next()
	got = people()
	w.mu.Lock()
	if len(got) != 2 || got[1].ID != "supervisor" || got[1].Role != Supervisor || got[1].State != "" || got[1].Queues == nil {
		t.Errorf("with a supervisor's page: %+v", got)
	}
}

func TestChat(t *testing.T) {
	w, _ := deskWorld(t)
	mine, yours, others := w.login("1001"), w.login("1002"), w.login("supervisor")
	a, b := mine.dial(""), yours.dial("")
	a.next()
	b.next()
	if r := a.ask(`{"id":1,"cmd":"sendMessage","args":{"to":"1002","text":"你好"}}`); r["ok"] != true {
		t.Fatalf("sent = %v", r)
	}
	for name, s := range map[string]*screen{"who gets it": b} {
		e := s.next()
		data, _ := e["user_data"].(map[string]any)
		if e["type"] != "message" || data["from"] != "1001" || data["to"] != "1002" || data["text"] != "你好" || data["name"] != "A 1001" {
			t.Errorf("%s: %v", name, e)
		}
	}
	if r := b.ask(`{"id":2,"cmd":"sendMessage","args":{"to":"1001","text":"好"}}`); r["ok"] != true {
		t.Fatalf("sent = %v", r)
	}
	list := func(who *browser, query string) (items []storage.Chat) {
		t.Helper()
		status, body := who.do("GET", "/api/v1/messages"+query, nil)
		var page struct{ Items []storage.Chat }
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 || page.Items == nil {
			t.Fatal(status, body)
		}
		return page.Items
	}
	waitFor(t, "both are kept", func() bool { return len(list(mine, "?with=1002")) == 2 })
	if got := list(yours, "?with=1001"); got[0].Text != "好" || got[1].Text != "你好" || got[1].From != "1001" || got[1].To != "1002" || got[1].Name != "A 1001" {
		t.Errorf("chat = %+v", got)
	}
	if got := list(mine, ""); len(got) != 2 {
		t.Errorf("all = %+v", got)
	}
	for _, query := range []string{"?with=1001", "?with=1002", ""} {
		if got := list(others, query); len(got) != 0 {
			t.Errorf("a third one reads %+v", got)
		}
	}
}

func TestCustomers(t *testing.T) {
	w, _ := deskWorld(t)
	agent := w.login("1001")
	ids := func(query string) string {
		t.Helper()
		status, body := agent.do("GET", "/api/v1/customers"+query, nil)
		var list struct{ Items []struct{ ID string } }
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
			t.Fatal(status, body)
		}
		var all []string
		for _, c := range list.Items {
			all = append(all, c.ID)
		}
		return strings.Join(all, " ")
	}
	for query, want := range map[string]string{
		"": "k1 k2", "?number=138+0013+8000": "k1 k2", "?number=110": "", "?q=湖": "k2", "?q=0013": "k1 k2", "?number=13800138000&q=安": "k1",
	} {
		if got := ids(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	status, body := agent.do("POST", "/api/v1/customers/k2/numbers", `{"number":"139 0013 9000"}`)
	if status != 200 || !strings.Contains(body, `"numbers":["13800138000","13900139000"]`) {
		t.Errorf("add = %d %s", status, body)
	}
	if ids("?number=13900139000") != "k2" || !slices.Contains(w.audit, "1001 customers.number k2") {
		t.Errorf("not found by it, or not in the audit log %q", w.audit)
	}
	for path, want := range map[string]int{"/api/v1/customers/none/numbers": 404, "/api/v1/customers/k1/numbers": 200} {
		if status, body := agent.do("POST", path, `{"number":"13600136000"}`); status != want {
			t.Errorf("%s = %d %s, want %d", path, status, body, want)
		}
	}
	for _, bad := range []string{`{"number":"abc"}`, `{"number":""}`, `{}`} {
		if status, body := agent.do("POST", "/api/v1/customers/k1/numbers", bad); status != 422 || !strings.Contains(body, "body.number") {
			t.Errorf("%s = %d %s", bad, status, body)
		}
	}
}
