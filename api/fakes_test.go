package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/gorilla/websocket"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// world is everything behind the face, in memory.
type world struct {
	t   *testing.T
	api *API
	srv *httptest.Server
	// stop ends Run.
	stop context.CancelFunc

	mu       sync.Mutex
	users    map[string]storage.Agent
	keys     map[string]storage.Key
	sessions map[string][]byte
	expiry   map[string]time.Time
	desks    map[string]acd.Desk
	attached map[string]int
	live     map[string]cti.CDR
	records  map[string]cti.CDR
	files    map[string]storage.RecordingRow
	audit    []string
	amended  map[string]cti.Amendment
	jobs     map[string]sms.Job
	signers  map[string]string
	docs     map[string]map[string]json.RawMessage
	done     []string // commands carried out on calls
	ordered  []cti.Order
	lines    []cti.Line
	asked    sms.Request
	inbox    []sms.Incoming
	answered sms.Answering

	askedInbox storage.InboxFilter
	query      storage.CallFilter
	floor      floorWorld

	events []cti.Event
	heads  []func(cti.Event)
	gap    bool // the journal cannot serve anything
}

// cheap are parameters of hashes that tests can afford.
var cheap = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

var secretHash = func() string {
	hash, err := argon2id.CreateHash("secret", cheap)
	if err != nil {
		panic(err)
	}
	return hash
}()

// newWorld has one user a role, named like it, agents 1001 and 1002 with
// desks, and a key a scope, named like it.
func newWorld(t *testing.T, change ...func(*Config, *Deps)) *world {
	t.Helper()
	w := &world{
		t: t, users: map[string]storage.Agent{}, keys: map[string]storage.Key{}, sessions: map[string][]byte{},
		expiry: map[string]time.Time{}, desks: map[string]acd.Desk{}, attached: map[string]int{},
		live: map[string]cti.CDR{}, records: map[string]cti.CDR{}, files: map[string]storage.RecordingRow{},
		amended: map[string]cti.Amendment{}, jobs: map[string]sms.Job{}, signers: map[string]string{},
		docs: map[string]map[string]json.RawMessage{},
	}
	for _, role := range Roles {
		w.users[string(role)] = storage.Agent{ID: string(role), Name: "N " + string(role), Role: string(role), PasswordHash: secretHash}
	}
	for _, id := range []string{"1001", "1002"} {
		w.users[id] = storage.Agent{ID: id, Name: "A " + id, Role: "agent", PasswordHash: secretHash}
		w.desks[id] = acd.Desk{ID: id, Name: "A " + id, State: acd.LoggedOff, Queues: []string{"repair"}}
	}
	for _, scope := range Scopes {
		w.keys["key-"+scope] = storage.Key{ID: "id-" + scope, Name: scope, Scopes: []string{scope}}
	}
	cfg := Config{Version: "test", Recordings: t.TempDir(), Pages: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })}
	deps := Deps{
		Flows: flowsOf{w}, Calendars: shopHours{}, Carriers: twoCarriers{}, Hooks: oneHook{}, KeyStore: keyStore{w}, People: people{w},
		Users: w, Keys: w, Sessions: w, Floor: w, Calls: w, Lines: w, Ledger: w, Journal: w, Records: disk{w},
		Recordings: w, Audit: w, Texter: w, Texts: w, TextRules: &textRules{}, Dead: w, Site: w, Desk: emptyDesk{}, Editor: w, Metrics: NewMetrics(),
		Ready: func(context.Context) Readiness {
			return Readiness{Ready: true, Parts: map[string]Part{"sip": {OK: true}}}
		},
		Gauges: func(context.Context) Gauges {
			return Gauges{CallsActive: 3, Pages: 6, SMSOrphans: 4, SMSTurned: 5, QueueWaiting: map[string]int{"repair": 2}}
		},
	}
	deps.Missed, deps.Shelf, deps.History = noMissed{}, disk{w}, disk{w}
	for _, f := range change {
		f(&cfg, &deps)
	}
	a, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	w.api = a
	w.srv = httptest.NewServer(a.Handler())
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Errorf("Run = %v", err)
		}
		w.srv.Close()
	})
	waitFor(t, "the journal is followed", func() bool { defer w.locked()(); return len(w.heads) == 1 || deps.Journal != Journal(w) })
	return w
}

func (w *world) locked() func() { w.mu.Lock(); return w.mu.Unlock }

func (w *world) User(_ context.Context, id string) (storage.Agent, error) {
	defer w.locked()()
	u, ok := w.users[id]
	if !ok {
		return u, storage.ErrNotFound
	}
	return u, nil
}

func (w *world) KeyOf(_ context.Context, text string) (storage.Key, error) {
	defer w.locked()()
	k, ok := w.keys[text]
	if !ok {
		return k, storage.ErrNotFound
	}
	return k, nil
}

func (w *world) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	defer w.locked()()
	b, ok := w.sessions[token]
	return b, ok && time.Now().Before(w.expiry[token]), nil
}

func (w *world) CommitCtx(_ context.Context, token string, b []byte, expiry time.Time) error {
	defer w.locked()()
	w.sessions[token], w.expiry[token] = b, expiry
	return nil
}

func (w *world) DeleteCtx(_ context.Context, token string) error {
	defer w.locked()()
	delete(w.sessions, token)
	return nil
}

func (w *world) Find(token string) ([]byte, bool, error) {
	return w.FindCtx(context.Background(), token)
}

func (w *world) Commit(token string, b []byte, expiry time.Time) error {
	return w.CommitCtx(context.Background(), token, b, expiry)
}
func (w *world) Delete(token string) error { return w.DeleteCtx(context.Background(), token) }

func (w *world) LogOn(_ context.Context, agent string) (acd.Desk, error) {
	return w.set(agent, acd.NotReady, "login")
}

func (w *world) LogOff(_ context.Context, agent string) (acd.Desk, error) {
	return w.set(agent, acd.LoggedOff, "")
}

func (w *world) SetState(_ context.Context, agent string, to acd.State, reason string) (acd.Desk, error) {
	return w.set(agent, to, reason)
}

func (w *world) set(agent string, to acd.State, reason string) (acd.Desk, error) {
	defer w.locked()()
	d, ok := w.desks[agent]
	if !ok {
		return d, cti.ErrNotFound
	}
	if d.State == acd.LoggedOff && to == acd.Ready {
		return d, acd.ErrRefused
	}
	d.State, d.Reason = to, reason
	w.desks[agent] = d
	return d, nil
}

func (w *world) Attach(agent string) func() {
	defer w.locked()()
	w.attached[agent]++
	return func() { defer w.locked()(); w.attached[agent]-- }
}

func (w *world) Snapshot(agent string) (acd.Desk, []acd.QueueStatus, error) {
	defer w.locked()()
	d, ok := w.desks[agent]
	if !ok {
		return d, nil, cti.ErrNotFound
	}
	return d, []acd.QueueStatus{{ID: "repair"}}, nil
}

func (w *world) Desks() []acd.Desk {
	defer w.locked()()
	var out []acd.Desk
	for _, d := range w.desks {
		out = append(out, d)
	}
	return out
}

func (w *world) Queues() []acd.QueueStatus { return []acd.QueueStatus{{ID: "repair"}, {ID: "sales"}} }

func (w *world) Calls() []cti.CDR {
	defer w.locked()()
	var out []cti.CDR
	for _, c := range w.live {
		out = append(out, c)
	}
	return out
}

func (w *world) Call(id string) (cti.CDR, bool) {
	defer w.locked()()
	c, ok := w.live[id]
	return c, ok
}

func (w *world) Do(_ context.Context, call string, cmd cti.Command) (any, error) {
	defer w.locked()()
	w.done = append(w.done, cmd.By+" "+cmd.Name+" "+call)
	if cmd.Name == "consultationCall" {
		return map[string]string{"connection_id": "leg2"}, nil
	}
	return nil, nil
}

// Make refuses 000 as no number, and lets the agents at desks call.
func (w *world) Make(_ context.Context, o cti.Order) (cti.CDR, error) {
	defer w.locked()()
	d, ok := w.desks[o.Agent]
	switch {
	case o.To == "000":
		return cti.CDR{}, cti.ErrBadNumber
	case strings.HasPrefix(o.To, "+1"):
		return cti.CDR{}, cti.ErrBarred
	case o.Flow == "hotline", o.First != "":
		w.ordered = append(w.ordered, o)
		return cti.CDR{ID: "made", Direction: cti.Out}, nil
	case o.Flow != "":
		return cti.CDR{}, cti.ErrNotFound
	case !ok:
		return cti.CDR{}, cti.ErrNotFound
	case d.State == acd.LoggedOff:
		return cti.CDR{}, acd.ErrRefused
	case d.Call == "down":
		return cti.CDR{}, cti.ErrShutdown
	case !d.Phone:
		return cti.CDR{}, fmt.Errorf("no phone: %w", cti.ErrUnreachable)
	}
	w.ordered = append(w.ordered, o)
	return cti.CDR{ID: "made", Direction: cti.Out, Agent: &cti.Ref{ID: o.Agent}, To: cti.Number{Raw: o.To}, Ref: o.Ref}, nil
}

func (w *world) Lines() []cti.Line { return w.lines }

// Note is the journal's writer, as the ledger's.
func (w *world) Note(_ context.Context, e cti.Event) error {
	w.mu.Lock()
	e.V, e.Seq, e.Time = 1, int64(len(w.events)+1), stamp.Now()
	w.events = append(w.events, e)
	heads := slices.Clone(w.heads)
	w.mu.Unlock()
	for _, f := range heads {
		f(e)
	}
	return nil
}

func (w *world) Amend(_ context.Context, id string, a cti.Amendment) error {
	defer w.locked()()
	w.amended[id] = a
	return nil
}

func (w *world) Last() int64 {
	defer w.locked()()
	return int64(len(w.events))
}

func (w *world) Since(_ context.Context, seq int64, limit int) ([]cti.Event, bool, error) {
	defer w.locked()()
	if w.gap || seq > int64(len(w.events)) {
		return nil, false, nil
	}
	return slices.Clone(w.events[seq:]), true, nil
}

func (w *world) Follow(ctx context.Context, f func(cti.Event)) error {
	w.mu.Lock()
	w.heads = append(w.heads, f)
	w.mu.Unlock()
	<-ctx.Done()
	return nil
}

// disk is the world's side on disk, whose names are those of live calls.
type disk struct{ *world }

func (w disk) Calls(_ context.Context, f storage.CallFilter) ([]cti.CDR, string, error) {
	defer w.locked()()
	w.query = f
	var out []cti.CDR
	for _, c := range w.records {
		if f.VisibleTo == "" || tookPart(&c, f.VisibleTo) {
			out = append(out, c)
		}
	}
	return out, "", nil
}

func (w disk) Call(_ context.Context, id string) (cti.CDR, error) {
	defer w.locked()()
	c, ok := w.records[id]
	if !ok {
		return c, storage.ErrNotFound
	}
	return c, nil
}

func (w *world) Recording(_ context.Context, id string) (storage.RecordingRow, error) {
	defer w.locked()()
	r, ok := w.files[id]
	if !ok {
		return r, storage.ErrNotFound
	}
	return r, nil
}

func (w *world) Audit(_ context.Context, e storage.AuditEntry) error {
	defer w.locked()()
	if e.Origin == "" {
		w.t.Errorf("the audit log has %s of %s from nowhere", e.What, e.Who)
	}
	w.audit = append(w.audit, e.Who+" "+e.What+" "+e.Object)
	return nil
}

func (w *world) Accept(_ context.Context, r sms.Request) (sms.Job, bool, error) {
	defer w.locked()()
	w.asked = r
	for i, to := range r.To {
		if len(to) < 5 {
			return sms.Job{}, false, sms.Invalid{{Field: fmt.Sprintf("to[%d]", i), Err: fmt.Errorf("%q is no number", to)}}
		}
	}
	if _, ok := w.jobs[r.Key]; ok && r.Key != "" {
		return w.jobs[r.Key], false, nil
	}
	id := "job-" + r.Key
	w.jobs[id] = sms.Job{ID: id, Ref: r.Ref, Key: r.Key, Messages: []sms.Message{{ID: "m1", To: "+8613800138000", Parts: 1, Status: sms.Queued}}}
	w.jobs[r.Key] = w.jobs[id]
	w.signers[id] = r.Signer
	return w.jobs[id], true, nil
}

func (w *world) Check(ctx context.Context, r sms.Request) error {
	_, _, err := w.Accept(ctx, r)
	return err
}

func (w *world) Preview(_ context.Context, r sms.Request) (sms.Preview, error) {
	return sms.Preview{Text: r.Text, Parts: 1}, nil
}

func (w *world) Confirm(_ context.Context, id string) (sms.Job, error) { return w.jobs[id], nil }

func (w *world) Cancel(_ context.Context, id string) (sms.Job, error) { return w.jobs[id], nil }

func (w *world) Claim(_ context.Context, id, by string) (sms.Incoming, error) {
	return w.onRow(id, func(in *sms.Incoming) error {
		if in.ClaimedBy != "" && in.ClaimedBy != by {
			return &sms.Claimed{By: in.ClaimedBy}
		}
		in.ClaimedBy = by
		return nil
	})
}

func (w *world) Match(_ context.Context, id, job string) (sms.Incoming, error) {
	return w.onRow(id, func(in *sms.Incoming) error {
		if _, ok := w.jobs[job]; !ok {
			return sms.ErrNoJob
		}
		in.Job, in.Match = job, 1
		return nil
	})
}

func (w *world) Answer(_ context.Context, a sms.Answering) (sms.Job, bool, error) {
	w.answered = a
	in, err := w.onRow(a.Row, func(in *sms.Incoming) error {
		switch {
		case in.From == "":
			return sms.Invalid{{Field: "from", Err: errors.New("no number")}}
		case a.Yield && in.ClaimedBy != "" && in.ClaimedBy != a.By:
			return &sms.Claimed{By: in.ClaimedBy}
		}
		in.Answer = "job-answer"
		return nil
	})
	return sms.Job{ID: in.Answer}, err == nil, err
}

func (w *world) onRow(id string, f func(*sms.Incoming) error) (sms.Incoming, error) {
	defer w.locked()()
	for i := range w.inbox {
		if w.inbox[i].ID == id {
			err := f(&w.inbox[i])
			return w.inbox[i], err
		}
	}
	return sms.Incoming{}, sms.ErrNotFound
}

func (w *world) CancelRef(context.Context, string) ([]sms.Job, error) { return nil, nil }

func (w *world) Job(_ context.Context, id string) (sms.Job, error) {
	defer w.locked()()
	j, ok := w.jobs[id]
	if !ok {
		return j, storage.ErrNotFound
	}
	return j, nil
}

func (w *world) Signer(_ context.Context, job string) (string, error) {
	defer w.locked()()
	return w.signers[job], nil
}

func (w *world) Messages(context.Context, storage.MessageFilter) ([]sms.Message, string, error) {
	return nil, "", nil
}

func (w *world) Message(context.Context, string) (sms.Message, error) {
	return sms.Message{}, storage.ErrNotFound
}

func (w *world) Inbox(_ context.Context, f storage.InboxFilter) (page []sms.Incoming, next string, err error) {
	defer w.locked()()
	w.askedInbox = f
	for _, in := range w.inbox {
		mine := f.Signer == "" || in.Job == "" || in.ClaimedBy == f.Claimer || w.signers[in.Job] == f.Signer
		if mine && (f.ID == "" || f.ID == in.ID) {
			page = append(page, in)
		}
	}
	return page, "", nil
}

func (w *world) DeadLetters(context.Context, storage.Page) ([]storage.DeadLetter, string, error) {
	return []storage.DeadLetter{{ID: "1"}}, "", nil
}

func (w *world) Replay(_ context.Context, id string) error {
	if id != "1" {
		return storage.ErrNotFound
	}
	return nil
}

func (w *world) Documents(_ context.Context, kind string, _ storage.Page) ([]json.RawMessage, string, error) {
	defer w.locked()()
	var out []json.RawMessage
	for _, doc := range w.docs[kind] {
		out = append(out, doc)
	}
	return out, "", nil
}

func (w *world) Document(_ context.Context, kind, id string) (json.RawMessage, error) {
	defer w.locked()()
	doc, ok := w.docs[kind][id]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return doc, nil
}

func (w *world) PutDocuments(_ context.Context, kind string, docs []json.RawMessage) error {
	defer w.locked()()
	for _, doc := range docs {
		if strings.Contains(string(doc), "colour") {
			return Faults{{"colour", "unknown key"}}
		}
		if w.docs[kind] == nil {
			w.docs[kind] = map[string]json.RawMessage{}
		}
		var named struct{ ID string }
		if err := json.Unmarshal(doc, &named); err != nil {
			return storage.ErrBadDocument
		}
		w.docs[kind][named.ID] = doc
	}
	return nil
}

func (w *world) DeleteDocument(_ context.Context, kind, id string) error {
	defer w.locked()()
	if _, ok := w.docs[kind][id]; !ok {
		return storage.ErrNotFound
	}
	delete(w.docs[kind], id)
	return nil
}

// browser is a client with a cookie jar.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar}}
}

func (w *world) login(user string) *browser {
	w.t.Helper()
	b := w.browser()
	if status, body := b.do("POST", "/api/v1/login", map[string]string{"user": user, "password": "secret"}); status != 200 {
		w.t.Fatalf("login %s: %d %s", user, status, body)
	}
	return b
}

// do sends body as JSON (a string as it is) with pairs of headers.
func (b *browser) do(method, path string, body any, headers ...string) (int, string) {
	b.w.t.Helper()
	resp := b.send(method, path, body, headers...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (b *browser) send(method, path string, body any, headers ...string) *http.Response {
	b.w.t.Helper()
	var payload io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			b.w.t.Fatal(err)
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, b.w.srv.URL+path, payload)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp
}

func bearerOf(scope string) []string { return []string{"Authorization", "Bearer key-" + scope} }

// screen is the other end of a socket.
type screen struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial opens the WebSocket from the box's own page.
func (b *browser) dial(query string) *screen {
	b.w.t.Helper()
	s, resp, err := b.try(query, http.Header{"Origin": {b.w.srv.URL}})
	if err != nil {
		b.w.t.Fatalf("dial: %v %v", err, resp)
	}
	return s
}

func (b *browser) try(query string, h http.Header) (*screen, *http.Response, error) {
	d := websocket.Dialer{Jar: b.client.Jar, Subprotocols: []string{subprotocol}}
	conn, resp, err := d.Dial("ws"+strings.TrimPrefix(b.w.srv.URL, "http")+"/api/v1/ws"+query, h)
	if err != nil {
		return nil, resp, err
	}
	b.w.t.Cleanup(func() { conn.Close() })
	return &screen{b.w.t, conn}, resp, nil
}

// next reads the next message.
func (s *screen) next() map[string]any {
	s.t.Helper()
	m, err := s.read()
	if err != nil {
		s.t.Fatalf("read: %v", err)
	}
	return m
}

func (s *screen) read() (map[string]any, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var m map[string]any
	err := s.conn.ReadJSON(&m)
	return m, err
}

// ask sends a command and gives its reply.
func (s *screen) ask(text string) map[string]any {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
	for {
		if m := s.next(); m["type"] == nil {
			return m
		}
	}
}

// recordFile puts a recording of a call of agent's on the shelf.
func (w *world) recordFile(id, agent, content string) {
	w.t.Helper()
	path := filepath.Join("2026", id+".wav")
	full := filepath.Join(w.api.cfg.Recordings, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	defer w.locked()()
	result := cti.ResultAnswered
	w.records[id] = cti.CDR{
		ID: id, Result: &result, Agent: &cti.Ref{ID: agent}, Offers: []cti.Offer{{Agent: agent, Outcome: cti.OfferAnswered}},
		Recording: cti.Recording{ID: id, State: cti.RecordingComplete},
	}
	w.files[id] = storage.RecordingRow{ID: id, State: cti.RecordingComplete, Path: path, Started: time.Now()}
}
