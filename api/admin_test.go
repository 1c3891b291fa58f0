package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/internal/stamp"
	"callbox/ivr/calendar"
	"callbox/ivr/flow"
	"callbox/ivr/try"
	"callbox/sms"
	"callbox/storage"
)

// flowsOf keeps the texts of flows beside the world's documents.
type flowsOf struct{ *world }

func (f flowsOf) CheckFlows(_ context.Context, text []byte) (ids []string, faults []flow.Fault, err error) {
	graphs, faults := flow.Parse(text, "flow")
	for _, g := range graphs {
		ids = append(ids, g.ID)
	}
	return ids, faults, nil
}

func (f flowsOf) FlowText(ctx context.Context, id string) ([]byte, error) {
	doc, err := f.Document(ctx, "flow texts", id)
	var text string
	_ = json.Unmarshal(doc, &text)
	return []byte(text), err
}

func (f flowsOf) PutFlowText(ctx context.Context, id string, text []byte) error {
	graphs, faults := flow.Parse(text, "flow")
	if len(faults) > 0 {
		return FlowFaults(faults)
	}
	doc, err := json.Marshal(graphs[0])
	if err != nil {
		return err
	}
	defer f.locked()()
	kept, err := json.Marshal(string(text))
	f.docs["flow texts"] = map[string]json.RawMessage{id: kept}
	f.docs["flows"] = map[string]json.RawMessage{id: doc}
	return err
}

func (f flowsOf) TryFlow(ctx context.Context, t Trial) (try.Steps, []flow.Fault, error) {
	if t.Text == nil {
		return try.Steps{}, nil, storage.ErrNotFound
	}
	graphs, faults := flow.Parse(t.Text, "flow")
	if len(faults) > 0 {
		return try.Steps{}, faults, nil
	}
	if t.Script.Start == "nowhere" {
		return try.Steps{}, nil, ErrNoNode
	}
	return try.Walk(graphs[0], t.Script), nil, nil
}

type shopHours struct{}

func (shopHours) Now(id string, at time.Time) (calendar.State, bool) {
	return calendar.State{Open: true, Until: stamp.At(at.Add(time.Hour)), Why: calendar.ByHours}, id == "shop"
}

type twoCarriers struct{}

func (twoCarriers) Carriers(context.Context) ([]Carrier, error) {
	return []Carrier{{Name: "cmcc", State: CarrierUp, Window: 16, SentToday: 7}, {Name: "cucc", State: CarrierDown, Why: "refused"}}, nil
}

type oneHook struct{}

func (oneHook) Hooks(context.Context) ([]Hook, error) {
	return []Hook{{ID: "h1", URL: "https://t.example/hook", Events: []string{"call.*"}, Pending: 2}}, nil
}

func (oneHook) TestHook(_ context.Context, id, _ string) (HookTest, error) {
	if id != "h1" {
		return HookTest{}, storage.ErrNotFound
	}
	return HookTest{Status: 500, TookMS: 12, Error: "answer 500"}, nil
}

type keyStore struct{ *world }

func (k keyStore) Keys(context.Context) (list []storage.Key, err error) {
	defer k.locked()()
	for _, key := range k.keys {
		list = append(list, key)
	}
	return list, nil
}

func (k keyStore) AddKey(_ context.Context, name string, scopes []string, limits sms.Limits) (storage.Key, string, error) {
	defer k.locked()()
	if name == "taken" {
		return storage.Key{}, "", storage.ErrConflict
	}
	key := storage.Key{ID: "id-" + name, Name: name, Scopes: scopes, AccountSID: "AC1", Limits: limits}
	k.keys["text-of-"+name] = key
	return key, "text-of-" + name, nil
}

func (k keyStore) RevokeKey(_ context.Context, id string) error {
	defer k.locked()()
	for text, key := range k.keys {
		if key.ID == id {
			delete(k.keys, text)
			return nil
		}
	}
	return storage.ErrNotFound
}

type people struct{ *world }

func (p people) Users(context.Context) (list []storage.Agent, err error) {
	defer p.locked()()
	for _, u := range p.users {
		list = append(list, u)
	}
	return list, nil
}

func (p people) SetUser(_ context.Context, u storage.Agent) error {
	defer p.locked()()
	if u.ID == "admin" && u.Role != "admin" {
		return storage.ErrLastAdmin
	}
	u.PasswordHash = p.users[u.ID].PasswordHash
	if u.Password != "" {
		u.PasswordHash = "hash of " + u.Password
	}
	p.users[u.ID] = u
	return nil
}

func (p people) RemoveUser(_ context.Context, id string) error {
	defer p.locked()()
	if _, ok := p.users[id]; !ok {
		return storage.ErrNotFound
	}
	delete(p.users, id)
	return nil
}

const (
	goodFlow = "id: hotline # 热线\nstart: a\nnodes:\n  a: {menu: {prompt: {play: a.wav}, keys: {\"1\": bye}}}\n  bye: {hangup: {}}\n"
	badFlow  = "id: hotline\nstart: a\nnodes:\n  a: {play: a.wav, next: nowhere}\n  b: {hungup: {}}\n"
)

func TestFlowAsYAML(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	status, body := b.do("PUT", "/api/v1/flows/hotline", goodFlow, "Content-Type", "application/yaml")
	if status != 200 || !strings.Contains(body, `"start":"a"`) {
		t.Fatalf("put = %d %s", status, body)
	}
	if status, body := b.do("GET", "/api/v1/flows/hotline", nil, "Accept", "application/yaml, application/json;q=0.5"); status != 200 || body != goodFlow {
		t.Errorf("get = %d %s", status, body)
	}
	if status, body := b.do("GET", "/api/v1/flows/hotline", nil); status != 200 || !strings.HasPrefix(body, `{"id":"hotline"`) {
		t.Errorf("get as JSON = %d %s", status, body)
	}
	if status, _ := b.do("GET", "/api/v1/flows/nowhere", nil, "Accept", "text/yaml"); status != 404 {
		t.Errorf("get none = %d", status)
	}
	status, body = b.do("PUT", "/api/v1/flows/hotline", badFlow, "Content-Type", "text/yaml; charset=utf-8")
	want := `{"title":"Unprocessable Entity","status":422,"detail":"validation failed","errors":[` +
		`{"message":"no node \"nowhere\"","location":"body.nodes.a.next","line":4,"column":26},` +
		`{"message":"says nothing to do`
	if status != 422 || !strings.HasPrefix(body, want) || !strings.Contains(body, `"location":"body.nodes.b","line":5,"column":`) {
		t.Errorf("faults = %d %s", status, body)
	}
	if status, _ := b.do("PUT", "/api/v1/flows/hotline", strings.Repeat("#", 2<<20), "Content-Type", "text/yaml"); status != 413 {
		t.Errorf("2 MB = %d", status)
	}
	if status, _ := b.do("PUT", "/api/v1/flows/hotline", "id: \xff", "Content-Type", "text/yaml"); status != 400 {
		t.Errorf("GBK = %d", status)
	}
	if status, _ := w.login("auditor").do("PUT", "/api/v1/flows/hotline", goodFlow, "Content-Type", "text/yaml"); status != 403 {
		t.Errorf("an auditor's = %d", status)
	}
	if want := []string{"supervisor flows.put hotline"}; !slices.Equal(w.audit, want) {
		t.Errorf("audit = %q", w.audit)
	}
}

func TestCheckFlows(t *testing.T) {
	b := newWorld(t).login("supervisor")
	inJSON, err := json.Marshal(map[string]string{"yaml": badFlow})
	if err != nil {
		t.Fatal(err)
	}
	for body, kind := range map[string]string{badFlow: "text/yaml", string(inJSON): "application/json"} {
		status, got := b.do("POST", "/api/v1/flows:check", body, "Content-Type", kind)
		if status != 200 || !strings.HasPrefix(got, `{"faults":[{"line":4,"column":26,"field":"nodes.a.next","message":"no node \"nowhere\""},{"line":5,`) ||
			!strings.Contains(got, `"flows":["hotline"]`) {
			t.Errorf("%s = %d %s", kind, status, got)
		}
	}
	if status, got := b.do("POST", "/api/v1/flows:check", goodFlow, "Content-Type", "text/yaml"); status != 200 || strings.TrimSpace(got) != `{"faults":[],"flows":["hotline"]}` {
		t.Errorf("good = %d %s", status, got)
	}
	for body, field := range map[string]string{"id: [": "", "- 5": "flows[0]", "5": ""} {
		want := `"field":"` + field + `"`
		if _, got := b.do("POST", "/api/v1/flows:check", body, "Content-Type", "text/yaml"); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if status, _ := b.do("POST", "/api/v1/flows:check", goodFlow); status != 400 {
		t.Errorf("no JSON = %d", status)
	}
	if status, _ := b.do("POST", "/api/v1/flows:check", `{"yaml":"a: b","strict":true}`); status != 400 {
		t.Errorf("unknown key = %d", status)
	}
	if status, _ := b.do("POST", "/api/v1/flows:check", `{}`); status != 422 {
		t.Errorf("without yaml = %d", status)
	}
}

func TestTryFlow(t *testing.T) {
	b := newWorld(t).login("supervisor")
	send := func(body map[string]any) (int, string) { return b.do("POST", "/api/v1/flows:try", body) }
	status, got := send(map[string]any{"yaml": goodFlow, "keys": "w1"})
	want := `{"steps":[{"node":"a","kind":"menu","text":"","played":["a.wav"],"key":"w","next":"a","why":"silence"},` +
		`{"node":"a","kind":"menu","text":"","played":["a.wav"],"key":"1","next":"bye","why":"key"},` +
		`{"node":"bye","kind":"hangup","text":"","played":[],"next":"","why":"hangup"}],"end":"hangup","faults":[]}`
	if status != 200 || strings.TrimSpace(got) != want {
		t.Errorf("= %d %s", status, got)
	}
	if status, got := send(map[string]any{"yaml": badFlow}); status != 200 || !strings.HasPrefix(got, `{"steps":[],"end":"","faults":[{"line":4,`) {
		t.Errorf("a faulty one = %d %s", status, got)
	}
	for name, tt := range map[string]struct {
		body   map[string]any
		status int
		says   string
	}{
		"nothing":  {map[string]any{}, 422, "wants yaml or id"},
		"keys":     {map[string]any{"yaml": goodFlow, "keys": "1x"}, 422, "body.keys"},
		"start":    {map[string]any{"yaml": goodFlow, "start": "nowhere"}, 422, "body.start"},
		"unknown":  {map[string]any{"id": "nowhere"}, 404, ""},
		"misspelt": {map[string]any{"yaml": goodFlow, "key": "1"}, 422, "body.key"},
	} {
		if status, got := send(tt.body); status != tt.status || !strings.Contains(got, tt.says) {
			t.Errorf("%s = %d %s", name, status, got)
		}
	}
}

func TestWhatStands(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	for path, want := range map[string]string{
		"/api/v1/calendars/shop/now": `{"open":true,"until":"`,
		"/api/v1/carriers":           `{"items":[{"name":"cmcc","protocol":"","address":"","state":"up","since":null,"why":"","window_used":0,"window":16,"rate":0,"queued":0,"sent_today":7},{"name":"cucc"`,
		"/api/v1/webhooks":           `{"items":[{"id":"h1","url":"https://t.example/hook","events":["call.*"],"format":"","signed":false,"pending":2,"dead":0,"last_error":"","failed_at":null,"last_ok":null}],"next":""}`,
	} {
		if status, got := b.do("GET", path, nil); status != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%s = %d %s", path, status, got)
		}
	}
	if status, _ := b.do("GET", "/api/v1/calendars/nowhere/now", nil); status != 404 {
		t.Errorf("no such calendar = %d", status)
	}
	if status, got := b.do("POST", "/api/v1/webhooks/h1/test", nil); status != 200 || strings.TrimSpace(got) != `{"status":500,"took_ms":12,"error":"answer 500"}` {
		t.Errorf("test = %d %s", status, got)
	}
	if status, _ := b.do("POST", "/api/v1/webhooks/h2/test", nil); status != 404 {
		t.Errorf("test of none = %d", status)
	}
	if want := []string{"supervisor webhooks.test h1"}; !slices.Equal(w.audit, want) {
		t.Errorf("audit = %q", w.audit)
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	b := w.login("admin")
	status, got := b.do("POST", "/api/v1/keys", map[string]any{"name": "erp", "scopes": []string{"sms", "wallboard"}, "confirm_over": 100})
	var made key
	if err := json.Unmarshal([]byte(got), &made); err != nil || status != 201 || made.Key != "text-of-erp" || made.AccountSID != "AC1" || made.ConfirmOver != 100 {
		t.Fatalf("make = %d %s", status, got)
	}
	if status, got := b.do("GET", "/api/v1/keys", nil); status != 200 || !strings.Contains(got, `"name":"erp"`) || strings.Contains(got, "text-of") {
		t.Errorf("list = %d %s", status, got)
	}
	if status, _ := w.browser().do("GET", "/api/v1/me", nil, "Authorization", "Bearer "+made.Key); status != 200 {
		t.Errorf("the key = %d", status)
	}
	if status, _ := b.do("DELETE", "/api/v1/keys/"+made.ID, nil); status != 204 {
		t.Errorf("delete = %d", status)
	}
	if status, _ := w.browser().do("GET", "/api/v1/me", nil, "Authorization", "Bearer "+made.Key); status != 401 {
		t.Errorf("the ended key = %d", status)
	}
	for body, want := range map[string]int{
		`{"name":"taken","scopes":["sms"]}`:   409,
		`{"name":"x","scopes":["sms","all"]}`: 422,
		`{"name":"x","scopes":[]}`:            422,
		`{"name":" x","scopes":["sms"]}`:      422,
		`{"name":"x\ny","scopes":["sms"]}`:    422,
		`{"name":"x","scopes":["sms","sms"]}`: 422,
	} {
		if status, got := b.do("POST", "/api/v1/keys", body); status != want {
			t.Errorf("%s = %d %s", body, status, got)
		}
	}
	if status, _ := b.do("DELETE", "/api/v1/keys/none", nil); status != 404 {
		t.Errorf("delete none = %d", status)
	}
	if want := []string{"admin keys.make erp", "admin keys.delete id-erp"}; !slices.Equal(w.audit, want) {
		t.Errorf("audit = %q", w.audit)
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	b := w.login("admin")
	put := func(id, body string) (int, string) { return b.do("PUT", "/api/v1/users/"+id, body) }
	if status, got := put("new", `{"name":"新","role":"auditor","password":"long-enough"}`); status != 200 || strings.TrimSpace(got) != `{"id":"new","name":"新","role":"auditor","extension":"","has_password":true}` {
		t.Errorf("put = %d %s", status, got)
	}
	if status, got := put("new", `{"id":"new","name":"新","role":"auditor","extension":"","has_password":true}`); status != 200 {
		t.Errorf("what GET gives = %d %s", status, got)
	}
	for _, tt := range []struct{ id, body, says string }{
		{"more", `{"name":"x","role":"agent"}`, "body.password"},
		{"more", `{"name":"x","role":"agent","password":"short"}`, "body.password"},
		{"more", `{"name":"x","role":"boss","password":"long-enough"}`, "body.role"},
		{"more", `{"id":"less","name":"x","role":"agent","password":"long-enough"}`, "body.id"},
		{"mo%20re", `{"name":"x","role":"agent","password":"long-enough"}`, "path.id"},
		{"1001", `{"name":"x","role":"agent","extension":"9"}`, "body.extension"},
	} {
		if status, got := put(tt.id, tt.body); status != 422 || !strings.Contains(got, tt.says) {
			t.Errorf("%s = %d %s", tt.body, status, got)
		}
	}
	if status, got := put("admin", `{"name":"x","role":"agent"}`); status != 409 || !strings.Contains(got, "last admin") {
		t.Errorf("the last admin = %d %s", status, got)
	}
	if status, got := b.do("GET", "/api/v1/users", nil); status != 200 || strings.Contains(got, "hash") || !strings.Contains(got, `"id":"1001"`) {
		t.Errorf("list = %d %s", status, got)
	}
}

// Who is changed or removed is logged out at once.
func TestChangedUsersSessionsEnd(t *testing.T) {
	w := newWorld(t)
	admin := w.login("admin")
	for user, change := range map[string]func() (int, string){
		"1001": func() (int, string) {
			return admin.do("PUT", "/api/v1/users/1001", `{"name":"x","role":"agent","password":"another-one"}`)
		},
		"supervisor": func() (int, string) {
			return admin.do("PUT", "/api/v1/users/supervisor", `{"name":"x","role":"agent"}`)
		},
		"1002": func() (int, string) { return admin.do("DELETE", "/api/v1/users/1002", nil) },
	} {
		his := w.login(user)
		if status, got := change(); status/100 != 2 {
			t.Errorf("%s: %d %s", user, status, got)
		}
		if status, _ := his.do("GET", "/api/v1/me", nil); status != 401 {
			t.Errorf("%s is still logged in: %d", user, status)
		}
	}
	auditor := w.login("auditor")
	if status, _ := admin.do("PUT", "/api/v1/users/auditor", `{"name":"another name","role":"auditor"}`); status != 200 {
		t.Errorf("= %d", status)
	}
	if status, _ := auditor.do("GET", "/api/v1/me", nil); status != 200 {
		t.Errorf("another name logs out: %d", status)
	}
}
