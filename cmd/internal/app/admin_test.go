package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/webhook"
	"callbox/ivr/speech"
	"callbox/ivr/try"
	"callbox/storage"
	"callbox/storage/storagetest"
)

const shut = `{"id":"shop","hours":{}}`

// edited is a site with a database and nothing that runs by it.
func edited(t *testing.T) *site {
	t.Helper()
	db := storagetest.Open(t)
	prompts, err := speech.New(speech.Config{Dirs: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{app: &app{db: db, prompts: prompts}}
	err = db.ApplySite(t.Context(), storage.Site{
		Calendars: []storage.Calendar{{ID: "shop", Doc: json.RawMessage(shut)}},
		Queues:    []storage.Queue{{ID: "repair"}},
		Flows: []storage.Flow{
			{ID: "f", Doc: json.RawMessage(`{"id":"f","start":"a","nodes":{"b":{"hangup":{}},"a":{"calendar":{"id":"shop","open":"q","closed":"b"}},"q":{"queue":"repair"}}}`)},
			{ID: "g", Doc: json.RawMessage(`{"id":"g","start":"b","nodes":{"b":{"hangup":{}}}}`), Text: "# 热线\nid: g\n"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.hours.load(t.Context(), db, time.UTC); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCalendarsFollow(t *testing.T) {
	s := edited(t)
	now := time.Now()
	if open, known := s.hours.Open("shop", now); open || !known {
		t.Errorf("shut: %v, %v", open, known)
	}
	if _, known := s.hours.Now("nowhere", now); known {
		t.Error("there is a calendar nowhere")
	}
	doc := whole([]json.RawMessage{json.RawMessage(`{"id":"shop","override":{"open":true,"until":"2999-01-01T00:00:00Z"}}`)})
	if want := `{"id":"shop","hours":{},"holidays":[],"workdays":[],"override":{"open":true,"until":"2999-01-01T00:00:00Z"}}`; string(doc[0]) != want {
		t.Errorf("whole = %s", doc[0])
	}
	if err := s.db.PutDocuments(t.Context(), "calendars", doc); err != nil {
		t.Fatal(err)
	}
	if err := s.hours.load(t.Context(), s.db, time.UTC); err != nil {
		t.Fatal(err)
	}
	if open, _ := s.hours.Open("shop", now); !open {
		t.Error("still shut")
	}
}

func TestFlowTexts(t *testing.T) {
	s := edited(t)
	if text, err := s.FlowText(t.Context(), "g"); err != nil || string(text) != "# 热线\nid: g\n" {
		t.Errorf("as written: %s, %v", text, err)
	}
	text, err := s.FlowText(t.Context(), "f")
	if err != nil || !strings.HasPrefix(string(text), "id: f\nstart: a\nnodes:\n  a:\n    calendar:\n      id: shop\n") {
		t.Errorf("made: %s, %v", text, err)
	}
	if ids, faults, err := s.CheckFlows(t.Context(), text); len(ids) != 1 || len(faults) != 0 || err != nil {
		t.Errorf("what is made is faulty: %v, %v", faults, err)
	}
	if _, err := s.FlowText(t.Context(), "nowhere"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	_, faults, err := s.CheckFlows(t.Context(), []byte("id: f\nstart: a\nnodes:\n  a: {queue: sales}\n  b: {calendar: {id: x, open: a, closed: a}}\n  c: {play: none.wav}\n"))
	if err != nil || len(faults) != 3 || faults[0].Line != 4 || faults[1].Line != 5 || faults[2].Line != 6 {
		t.Errorf("faults %v, %v", faults, err)
	}
	if _, faults, _ := s.CheckFlows(t.Context(), nil); len(faults) != 1 {
		t.Errorf("nothing at all: %v", faults)
	}
	var wrong api.FlowFaults
	for name, text := range map[string]string{
		"another's": "id: h\nstart: b\nnodes: {b: {hangup: {}}}\n", "two": "[{id: f, start: b, nodes: {b: {hangup: {}}}}, {id: g, start: b, nodes: {b: {hangup: {}}}}]", "none": "",
	} {
		if err := s.PutFlowText(t.Context(), "f", []byte(text)); !errors.As(err, &wrong) {
			t.Errorf("%s is stored: %v", name, err)
		}
	}
}

func TestTryStoredFlow(t *testing.T) {
	s := edited(t)
	steps, faults, err := s.TryFlow(t.Context(), api.Trial{ID: "f", Script: try.Script{Now: time.Now()}})
	if err != nil || len(faults) > 0 || steps.End != try.EndHangup || len(steps.Steps) != 2 || steps.Steps[0].Why != try.WhyClosed {
		t.Errorf("%+v, %v, %v", steps, faults, err)
	}
	if _, _, err := s.TryFlow(t.Context(), api.Trial{ID: "f", Script: try.Script{Start: "x"}}); !errors.Is(err, api.ErrNoNode) {
		t.Errorf("from nowhere: %v", err)
	}
	steps, faults, err = s.TryFlow(t.Context(), api.Trial{Text: []byte("id: f\nstart: a\nnodes: {a: {play: none.wav}}\n")})
	if err != nil || len(faults) != 1 || len(steps.Steps) != 1 {
		t.Errorf("without its sound: %+v, %v, %v", steps, faults, err)
	}
}

func TestHooksAreTested(t *testing.T) {
	var signed string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { signed = r.Header.Get(webhook.SignatureHeader) }))
	defer srv.Close()
	notices := storagetest.Open(t).Notices()
	u := strings.Replace(srv.URL, "http://", "http://user:pass@", 1)
	if err := notices.Replace([]storage.Endpoint{{URL: u, Secret: "s"}}); err != nil {
		t.Fatal(err)
	}
	h := hooks{notices, webhook.New(webhook.Config{}, nil)}
	list, err := h.Hooks(t.Context())
	if err != nil || len(list) != 1 || strings.Contains(list[0].URL, "pass") || !list[0].Signed || list[0].Events == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if got, err := h.TestHook(t.Context(), list[0].ID, "root"); err != nil || got.Status != 200 || got.Error != "" || signed == "" {
		t.Errorf("%+v, %v, signed %q", got, err, signed)
	}
	if _, err := h.TestHook(t.Context(), "none", "root"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}
