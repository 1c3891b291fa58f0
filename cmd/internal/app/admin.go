package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"callbox/api"
	"callbox/api/webhook"
	"callbox/cmd/internal/config"
	"callbox/internal/stamp"
	"callbox/ivr"
	"callbox/ivr/calendar"
	"callbox/ivr/flow"
	"callbox/ivr/try"
	"callbox/sms"
	"callbox/storage"
)

// What administrators' screens ask of the parts.
var (
	_ api.Flows     = (*site)(nil)
	_ api.People    = (*site)(nil)
	_ api.Calendars = (*calendars)(nil)
	_ ivr.Calendars = (*calendars)(nil)
	_ api.Carriers  = (*carriers)(nil)
	_ api.Hooks     = hooks{}
	_ api.KeyStore  = (*storage.DB)(nil)
)

// calendars are the site's, as they stand now: calls under way see each change
// at once.
type calendars struct {
	now atomic.Pointer[map[string]*calendar.Clock]
}

// load takes them from the database.
func (c *calendars) load(ctx context.Context, db *storage.DB, zone *time.Location) error {
	stored, err := db.Calendars(ctx)
	if err != nil {
		return err
	}
	clocks := map[string]*calendar.Clock{}
	for _, doc := range stored {
		var one calendar.Calendar
		if err := json.Unmarshal(doc.Doc, &one); err != nil {
			return fmt.Errorf("calendar %s: %w", doc.ID, err)
		}
		if clocks[doc.ID], err = one.Clock(zone); err != nil { // checked before it was stored
			return fmt.Errorf("calendar %s: %w", doc.ID, err)
		}
	}
	c.now.Store(&clocks)
	return nil
}

// whole gives checked calendars every key that they are shown with.
func whole(docs []json.RawMessage) []json.RawMessage {
	out := make([]json.RawMessage, len(docs))
	for i, doc := range docs {
		out[i] = doc
		var c calendar.Calendar
		if err := json.Unmarshal(doc, &c); err != nil {
			continue
		}
		if tidy, err := json.Marshal(c.Public()); err == nil {
			out[i] = tidy
		}
	}
	return out
}

func (c *calendars) clock(id string) (*calendar.Clock, bool) {
	clocks := c.now.Load()
	if clocks == nil {
		return nil, false
	}
	k, ok := (*clocks)[id]
	return k, ok
}

// Open says whether a calendar is open.
func (c *calendars) Open(id string, at time.Time) (open, known bool) {
	k, ok := c.clock(id)
	return ok && k.Open(at), ok
}

// Now is how a calendar stands.
func (c *calendars) Now(id string, at time.Time) (calendar.State, bool) {
	k, ok := c.clock(id)
	if !ok {
		return calendar.State{}, false
	}
	return k.Now(at), true
}

// flowFile is what faults of a text name as their file.
const flowFile = "flow"

// about is what flows of the API may build on.
func (s *site) about(ctx context.Context) (flow.Site, error) {
	queues, err := s.db.Queues(ctx)
	if err != nil {
		return flow.Site{}, err
	}
	known := map[string]bool{}
	for _, q := range queues {
		known[q.ID] = true
	}
	return flow.Site{
		Queue:    func(id string) bool { return known[id] },
		Calendar: func(id string) bool { _, ok := s.hours.clock(id); return ok },
		Prompt: func(name string) error {
			_, err := s.prompts.Load(ctx, name)
			return err
		},
	}, nil
}

// checked reads flows and asks for all that they name.
func (s *site) checked(ctx context.Context, text []byte) (flow.Flows, []flow.Fault, error) {
	about, err := s.about(ctx)
	if err != nil {
		return nil, nil, err
	}
	graphs, faults := flow.Parse(text, flowFile)
	for _, graph := range graphs {
		faults = append(faults, graph.Check(flowFile, about)...)
	}
	if len(graphs) == 0 && len(faults) == 0 {
		faults = append(faults, flow.Fault{File: flowFile, Line: 1, Column: 1, Text: "is empty"})
	}
	return graphs, faults, nil
}

// CheckFlows says what is wrong with flows.
func (s *site) CheckFlows(ctx context.Context, text []byte) (ids []string, faults []flow.Fault, err error) {
	graphs, faults, err := s.checked(ctx, text)
	for _, graph := range graphs {
		if graph.ID != "" {
			ids = append(ids, graph.ID)
		}
	}
	return ids, faults, err
}

// FlowText is a flow as somebody wrote it, else as it writes itself.
func (s *site) FlowText(ctx context.Context, id string) ([]byte, error) {
	stored, err := s.db.Flow(ctx, id)
	if err != nil || stored.Text != "" {
		return []byte(stored.Text), err
	}
	graph, err := graphOf(stored)
	if err != nil {
		return nil, err
	}
	return graph.YAML()
}

// PutFlowText stores a flow as it is written, and lets the parts follow.
func (s *site) PutFlowText(ctx context.Context, id string, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	graphs, faults, err := s.checked(ctx, text)
	if err != nil {
		return err
	}
	wrong := func(words string) {
		faults = append(faults, flow.Fault{File: flowFile, Line: 1, Column: 1, Key: "id", Text: words})
	}
	switch {
	case len(faults) > 0:
	case len(graphs) > 1:
		wrong("more than one flow")
	case graphs[0].ID != id:
		wrong(fmt.Sprintf("%q is not the flow of the path", graphs[0].ID))
	}
	if len(faults) > 0 {
		return api.FlowFaults(faults)
	}
	doc, err := json.Marshal(graphs[0])
	if err != nil {
		return fmt.Errorf("flow %s: %w", id, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := s.db.PutFlow(ctx, storage.Flow{ID: id, Doc: doc, Text: string(text)}); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// TryFlow walks a flow without a call. What only the site is wrong with, such as
// a sound that is missing, is told and does not hold the walk up.
func (s *site) TryFlow(ctx context.Context, t api.Trial) (try.Steps, []flow.Fault, error) {
	text := t.Text
	if text == nil {
		stored, err := s.db.Flow(ctx, t.ID)
		if err != nil {
			return try.Steps{}, nil, err
		}
		text = stored.Doc
		if stored.Text != "" {
			text = []byte(stored.Text)
		}
	}
	graphs, faults, err := s.checked(ctx, text)
	if err != nil {
		return try.Steps{}, nil, err
	}
	graph, ok := chosen(graphs, t.ID)
	if _, unreadable := flow.Parse(text, flowFile); len(unreadable) > 0 || !ok {
		return try.Steps{}, faults, nil
	}
	if _, ok := graph.Nodes[t.Script.Start]; !ok && t.Script.Start != "" {
		return try.Steps{}, faults, api.ErrNoNode
	}
	t.Script.Calendar = s.hours.Now
	return try.Walk(graph, t.Script), faults, nil
}

// chosen is the flow that is meant: the one with this id, else the first.
func chosen(graphs flow.Flows, id string) (flow.Flow, bool) {
	if graph, ok := graphs.Find(id); ok || len(graphs) == 0 {
		return graph, ok
	}
	return graphs[0], true
}

// Users are all who may log in.
func (s *site) Users(ctx context.Context) ([]storage.Agent, error) { return s.db.Users(ctx) }

// SetUser makes or changes a log-in, and lets the floor follow.
func (s *site) SetUser(ctx context.Context, u storage.Agent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.SetUser(ctx, u); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// RemoveUser takes a log-in away, and his desk.
func (s *site) RemoveUser(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.RemoveUser(ctx, id); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// countEvery is how old the counts of texts may be that screens are shown.
const countEvery = 10 * time.Second

// carriers are the accounts for texts, with their counts, remembered for a
// while.
type carriers struct {
	*app
	mu      sync.Mutex // guards what follows
	counts  map[string]storage.AccountCount
	counted time.Time
}

// Carriers are the accounts as they stand, in the configuration's order.
func (c *carriers) Carriers(ctx context.Context) ([]api.Carrier, error) {
	counts, err := c.count(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	out := []api.Carrier{}
	for _, a := range c.Box.SMS.Accounts {
		client := c.app.carriers[a.Name]
		if client == nil { // since the last start
			continue
		}
		out = append(out, carrierOf(a, client.State(), counts[a.Name]))
	}
	return out, nil
}

func carrierOf(a config.Account, is sms.CarrierState, n storage.AccountCount) api.Carrier {
	state := api.CarrierDown
	if is.Up {
		state = api.CarrierUp
	}
	return api.Carrier{
		Name: a.Name, Protocol: a.Protocol, Address: a.Address, State: state, Since: stamp.At(is.Since), Why: is.Why,
		WindowUsed: is.WindowUsed, Window: is.Window, Rate: a.Rate, Queued: n.Queued, SentToday: n.Sent,
	}
}

func (c *carriers) count(ctx context.Context, now time.Time) (map[string]storage.AccountCount, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts != nil && now.Sub(c.counted) < countEvery {
		return c.counts, nil
	}
	y, m, d := now.In(c.Box.Location()).Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, c.Box.Location())
	counts, err := c.db.SMS().Accounts(ctx, stamp.At(midnight))
	if err == nil {
		c.counts, c.counted = counts, now
	}
	return counts, err
}

// hooks are the webhooks, as screens see them.
type hooks struct {
	notices *storage.Notices
	sender  *webhook.Sender
}

// Hooks are the configuration's webhooks as they stand.
func (h hooks) Hooks(ctx context.Context) ([]api.Hook, error) {
	list, err := h.notices.Hooks(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.Hook, len(list))
	for i, x := range list {
		out[i] = api.Hook{
			ID: x.ID(), URL: hidden(x.URL), Events: append([]string{}, x.Events...), Format: x.Format, Signed: x.Secret != "",
			Pending: x.Pending, Dead: x.Dead, LastError: x.LastError, FailedAt: x.LastFailed, LastOK: x.LastOK,
		}
	}
	return out, nil
}

// hidden is a URL without its password.
func hidden(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Redacted()
}

// TestHook sends a test notice.
func (h hooks) TestHook(ctx context.Context, id, by string) (api.HookTest, error) {
	list, err := h.notices.Hooks(ctx)
	if err != nil {
		return api.HookTest{}, err
	}
	for _, x := range list {
		if x.ID() == id {
			return h.test(ctx, x.Endpoint, by)
		}
	}
	return api.HookTest{}, fmt.Errorf("webhook %s: %w", id, storage.ErrNotFound)
}

func (h hooks) test(ctx context.Context, e storage.Endpoint, by string) (out api.HookTest, err error) {
	event := uuid.NewString()
	body, err := json.Marshal(map[string]any{
		"event": webhook.EventTest, "id": event, "time": stamp.Now(), "data": map[string]string{"by": by},
	})
	if err != nil {
		return out, fmt.Errorf("test notice: %w", err)
	}
	status, took, err := h.sender.Test(ctx, webhook.Delivery{
		Event: event, Endpoint: e.URL, URL: e.URL, Trusted: true, Format: e.Format, Secret: []byte(e.Secret), Body: body,
	})
	out.Status, out.TookMS = status, took.Milliseconds()
	if err != nil {
		out.Error = err.Error()
	}
	return out, nil
}
