package storage_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"callbox/cti"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func site() storage.Site {
	return storage.Site{
		Agents: []storage.Agent{
			{ID: "1001", Name: "王芳", Password: "secret-1", Extension: "1001", SIPPassword: "sip-1", Skills: map[string]int{"repair": 5}, Queues: []string{"repair"}},
			{ID: "boss", Name: "老板", Role: storage.RoleSupervisor, Password: "secret-2"},
		},
		Queues:    []storage.Queue{{ID: "repair", Name: "报修", RingTimeout: storage.Duration(20e9)}, {ID: "a", Name: "A"}},
		Routes:    []storage.Route{{Number: "4001234567", Flow: "hotline"}},
		Calendars: []storage.Calendar{{ID: "shop", Doc: json.RawMessage(`{"id":"shop","hours":{}}`)}},
		Flows:     []storage.Flow{{ID: "hotline", Doc: json.RawMessage(`{"id":"hotline","start":"bye","nodes":{"bye":{"hangup":{}}}}`)}},
		Customers: []cti.Customer{{
			ID: "c1", Name: "张三", Numbers: []string{"138 0013 8000", "88880001"},
			Extra: map[string]any{"level": "gold"},
		}},
		Templates: []sms.Template{{ID: "work_order", Class: sms.ClassDispatch, Text: "{ref}"}},
		Hash:      "h1",
	}
}

func TestSiteGoesRound(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.AddUser(ctx, storage.Agent{ID: "root", Role: storage.RoleAdmin, Password: "x"}))
	good(t, d.ApplySite(ctx, site()))
	first, err := d.ExportSite(ctx)
	good(t, err)
	if first.Agents[0].Password != "" || !storage.CheckPassword("secret-1", first.Agents[0].PasswordHash) ||
		*first.Agents[0].SIPHA1 != storage.NewHA1("1001", "sip-1") {
		t.Errorf("agent = %+v", first.Agents[0])
	}
	for name, again := range map[string]storage.Site{"the same": site(), "its export": first} {
		good(t, d.ApplySite(ctx, again))
		second, err := d.ExportSite(ctx)
		good(t, err)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s changed the site: %s", name, diff)
		}
	}
	if hash, err := d.SiteHash(ctx); hash != "h1" || err != nil {
		t.Errorf("SiteHash = %q, %v", hash, err)
	}
	good(t, d.ApplySite(ctx, storage.Site{Templates: []sms.Template{}}))
	after, err := d.ExportSite(ctx)
	good(t, err)
	if len(after.Templates) != 0 || len(after.Agents) != 2 || len(after.Customers) != 1 {
		t.Errorf("an empty section: %+v", after)
	}
	good(t, d.ApplySite(ctx, storage.Site{Agents: []storage.Agent{}}))
	users, err := d.Users(ctx)
	good(t, err)
	if len(users) != 1 || users[0].ID != "root" {
		t.Errorf("users = %+v, want root alone", users)
	}
}

func TestSiteIsAllOrNothing(t *testing.T) {
	d := storagetest.Open(t)
	bad := site()
	bad.Agents = append(bad.Agents, storage.Agent{ID: "1002", Extension: "1001"})
	if err := d.ApplySite(t.Context(), bad); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("ApplySite = %v, want ErrConflict", err)
	}
	left, err := d.ExportSite(t.Context())
	good(t, err)
	if len(left.Queues)+len(left.Agents)+len(left.Customers) != 0 {
		t.Errorf("something stayed: %+v", left)
	}
}

func TestDocuments(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.ApplySite(ctx, site()))
	for _, object := range []string{
		"agents/1001", "queues/repair", "routes/4001234567", "flows/hotline", "templates/work_order", "customers/c1", "calendars/shop",
	} {
		kind, id, _ := strings.Cut(object, "/")
		doc, err := d.Document(ctx, kind, id)
		good(t, err)
		good(t, d.PutDocuments(ctx, kind, []json.RawMessage{doc}))
		again, err := d.Document(ctx, kind, id)
		good(t, err)
		if string(doc) != string(again) {
			t.Errorf("%s: what GET gives PUT takes: %s became %s", kind, doc, again)
		}
		list, next, err := d.Documents(ctx, kind, storage.Page{Limit: 1})
		if err != nil || len(list) != 1 || (kind == "agents" || kind == "queues") != (next != "") {
			t.Errorf("%s: list = %s, %q, %v", kind, list, next, err)
		}
		if err := d.PutDocuments(ctx, kind, []json.RawMessage{doc, json.RawMessage(`{"surprise":1}`)}); !errors.Is(err, storage.ErrBadDocument) {
			t.Errorf("%s: a bad document: %v", kind, err)
		}
		good(t, d.DeleteDocument(ctx, kind, id))
		if err := d.DeleteDocument(ctx, kind, id); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: deleted twice: %v", kind, err)
		}
	}
	if u, err := d.User(ctx, "boss"); err != nil || !storage.CheckPassword("secret-2", u.PasswordHash) {
		t.Errorf("boss = %+v, %v", u, err)
	}
}

// TestNothingIsLeftDangling: what is named by something else stays, and nothing
// may name what is not there.
// TestNoQueues: a shop that only plays has no queue, and its flows' other nodes
// name none.
func TestNoQueues(t *testing.T) {
	good(t, storagetest.Open(t).ApplySite(t.Context(), storage.Site{Flows: []storage.Flow{
		{ID: "f", Doc: json.RawMessage(`{"id":"f","start":"a","nodes":{"a":{"play":"p.wav","next":"b"},"b":{"hangup":{}}}}`)},
	}}))
}

func TestNothingIsLeftDangling(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	s := site()
	s.Flows[0].Doc = json.RawMessage(`{"id":"hotline","start":"q","nodes":{"q":{"queue":"a"},"c":{"calendar":{"id":"shop"}}}}`)
	good(t, d.ApplySite(ctx, s))
	put := func(kind, doc string) func() error {
		return func() error { return d.PutDocuments(ctx, kind, []json.RawMessage{json.RawMessage(doc)}) }
	}
	before, err := d.ExportSite(ctx)
	good(t, err)
	for name, change := range map[string]func() error{
		"agent's queue":     func() error { return d.DeleteDocument(ctx, "queues", "repair") },
		"flow's queue":      func() error { return d.DeleteDocument(ctx, "queues", "a") },
		"route's flow":      func() error { return d.DeleteDocument(ctx, "flows", "hotline") },
		"a file's queues":   func() error { return d.ApplySite(ctx, storage.Site{Queues: []storage.Queue{{ID: "b"}}}) },
		"agent elsewhere":   put("agents", `{"id":"1001","role":"agent","extension":"1001","queues":["nowhere"]}`),
		"route elsewhere":   put("routes", `{"number":"10010","flow":"nowhere"}`),
		"a flow's calendar": put("flows", `{"id":"f","start":"c","nodes":{"c":{"calendar":{"id":"nowhere","open":"c","closed":"c"}}}}`),
		"calendar in use":   func() error { return d.DeleteDocument(ctx, "calendars", "shop") },
		"another flow's to": put("flows", `{"id":"f","start":"q","nodes":{"q":{"queue":"nowhere"}}}`),
	} {
		if err := change(); !errors.Is(err, storage.ErrDangling) {
			t.Errorf("%s: %v, want ErrDangling", name, err)
		}
	}
	after, err := d.ExportSite(ctx)
	good(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a refused change changed something: %s", diff)
	}
}

func TestDocumentsKeepSecrets(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.ApplySite(ctx, site()))
	doc, err := d.Document(ctx, "agents", "1001")
	good(t, err)
	good(t, d.PutDocuments(ctx, "agents", []json.RawMessage{doc}))
	ha1, ok, err := d.HA1(ctx, "1001")
	if err != nil || !ok || ha1 != storage.NewHA1("1001", "sip-1") {
		t.Errorf("HA1 = %+v, %v, %v", ha1, ok, err)
	}
	if _, ok, _ := d.HA1(ctx, "9999"); ok {
		t.Error("an unknown extension has an HA1")
	}
}

func TestCustomersAreFound(t *testing.T) {
	d := storagetest.Open(t)
	good(t, d.ApplySite(t.Context(), site()))
	for _, n := range []cti.Number{{E164: "+8613800138000"}, {Raw: "057188880001"}, {E164: "+8657188880001", Raw: "x"}} {
		c, ok, err := d.Find(t.Context(), n)
		if err != nil || !ok || c.Name != "张三" || c.Extra["level"] != "gold" {
			t.Errorf("Find(%+v) = %+v, %v, %v", n, c, ok, err)
		}
	}
	for _, n := range []cti.Number{{}, {Raw: "anonymous"}, {Raw: "10086"}} {
		if _, ok, err := d.Find(t.Context(), n); ok || err != nil {
			t.Errorf("Find(%+v) = %v, %v", n, ok, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	hash, err := storage.HashPassword("right")
	good(t, err)
	for password, want := range map[string]bool{"right": true, "wrong": false, "": false} {
		if got := storage.CheckPassword(password, hash); got != want {
			t.Errorf("CheckPassword(%q) = %v", password, got)
		}
	}
	if storage.CheckPassword("", "") {
		t.Error("no password opens")
	}
}

func TestPutWithoutRoleKeepsIt(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.AddUser(ctx, storage.Agent{ID: "root", Role: storage.RoleAdmin, Password: "x"}))
	good(t, d.PutDocuments(ctx, "agents", []json.RawMessage{[]byte(`{"id":"root","name":"Root"}`), []byte(`{"id":"new","name":"N"}`)}))
	for id, want := range map[string]string{"root": storage.RoleAdmin, "new": storage.RoleAgent} {
		if a, err := d.User(ctx, id); err != nil || a.Role != want {
			t.Errorf("%s is %q, want %q (%v)", id, a.Role, want, err)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, good := range map[string]bool{"0": true, "1.5": true, "86400": true, "-1": false, "1e300": false, `"20s"`: false} {
		var d storage.Duration
		if err := json.Unmarshal([]byte(text), &d); (err == nil) != good {
			t.Errorf("%s: %v, %v", text, d, err)
		}
	}
}

// TestFlowsText: the YAML that a flow was written as stays until the flow is
// put in another form, and goes with the flow.
func TestFlowsText(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	doc := json.RawMessage(`{"id":"f","start":"a","nodes":{"a":{"hangup":{}}}}`)
	text := func() string {
		t.Helper()
		f, err := d.Flow(ctx, "f")
		good(t, err)
		return f.Text
	}
	written := storage.Flow{ID: "f", Doc: doc, Text: "id: f # 热线\n"}
	good(t, d.PutFlow(ctx, written))
	if got := text(); got != written.Text {
		t.Errorf("put: %q", got)
	}
	good(t, d.PutDocuments(ctx, "flows", []json.RawMessage{doc}))
	if got := text(); got != "" {
		t.Errorf("put as a document: %q", got)
	}
	good(t, d.ApplySite(ctx, storage.Site{Flows: []storage.Flow{written}}))
	if got := text(); got != written.Text {
		t.Errorf("applied: %q", got)
	}
	good(t, d.DeleteDocument(ctx, "flows", "f"))
	if _, err := d.Flow(ctx, "f"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	good(t, d.PutFlow(ctx, storage.Flow{ID: "f", Doc: doc}))
	if got := text(); got != "" {
		t.Errorf("a new one has the old one's text: %q", got)
	}
}
