package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
)

// floorWorld is what tests of the floor and of recordings set and see.
type floorWorld struct {
	waiting []acd.Waiter
	forced  []string
	tallies map[string]storage.Tally
	changes []storage.AgentChange
	asked   []storage.AgentChange // since when and behind which
	since   time.Time
	live    []cti.CDR
	shelf   storage.ShelfFilter
	history []cti.Event
	notes   []storage.RecordingNote
}

func (w *world) Waiting() []acd.Waiter { return w.floor.waiting }

func (w *world) Force(_ context.Context, agent string, to acd.State, reason, by string) (acd.Desk, error) {
	w.mu.Lock()
	w.floor.forced = append(w.floor.forced, fmt.Sprintf("%s %s %s by %s", agent, to, reason, by))
	w.mu.Unlock()
	return w.set(agent, to, reason)
}

func (w disk) Tallies(_ context.Context, since time.Time, _ map[string]time.Duration, live []cti.CDR) (map[string]storage.Tally, error) {
	defer w.locked()()
	w.floor.since, w.floor.live = since, live
	return w.floor.tallies, nil
}

func (w disk) AgentChanges(_ context.Context, since time.Time, seq int64) ([]storage.AgentChange, error) {
	defer w.locked()()
	w.floor.asked = append(w.floor.asked, storage.AgentChange{Time: since, Seq: seq})
	return slices.DeleteFunc(slices.Clone(w.floor.changes), func(c storage.AgentChange) bool { return c.Seq <= seq || c.Time.Before(since) }), nil
}

func (w disk) CallEvents(_ context.Context, call string) ([]cti.Event, error) {
	return slices.DeleteFunc(slices.Clone(w.floor.history), func(e cti.Event) bool { return e.CallID != call }), nil
}

func (w disk) Shelf(_ context.Context, f storage.ShelfFilter) ([]cti.CDR, string, error) {
	defer w.locked()()
	w.floor.shelf = f
	return slices.Collect(maps.Values(w.records)), "more", nil
}

func (w disk) RecordingNotes(_ context.Context, recording string) ([]storage.RecordingNote, error) {
	return slices.DeleteFunc(slices.Clone(w.floor.notes), func(n storage.RecordingNote) bool { return n.Recording != recording }), nil
}

func (w disk) AddRecordingNote(_ context.Context, n storage.RecordingNote) (storage.RecordingNote, error) {
	n.ID, n.Time = fmt.Sprint("n", len(w.floor.notes)), stamp.Now()
	w.floor.notes = append(w.floor.notes, n)
	return n, nil
}

func (w disk) RemoveRecordingNote(_ context.Context, recording, id, by string) error {
	before := len(w.floor.notes)
	w.floor.notes = slices.DeleteFunc(w.floor.notes, func(n storage.RecordingNote) bool {
		return n.ID == id && n.Recording == recording && n.By == by
	})
	if len(w.floor.notes) == before {
		return storage.ErrNotFound
	}
	return nil
}

// get reads an answer of 200.
func get[T any](t *testing.T, b *browser, path string, headers ...string) (v T) {
	t.Helper()
	status, body := b.do("GET", path, nil, headers...)
	if status != 200 {
		t.Fatalf("%s = %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// staffed is a world whose agents 1001 (repair) and 1002 (repair, sales) work.
func staffed(t *testing.T) *world {
	w := newWorld(t)
	w.desks["1001"] = acd.Desk{ID: "1001", Name: "A 1001", State: acd.Ready, BusySince: stamp.Now(), Call: "c9", Queues: []string{"repair"}}
	w.desks["1002"] = acd.Desk{ID: "1002", Name: "A 1002", State: acd.NotReady, Reason: "lunch", Queues: []string{"repair", "sales"}}
	w.desks["1003"] = acd.Desk{ID: "1003", State: acd.LoggedOff, Queues: []string{"sales"}}
	w.floor.tallies = map[string]storage.Tally{
		"repair": {Offered: 12, Answered: 8, Abandoned: 3, ShortAbandoned: 1, InTime: 7, Handled: 7, Wait: 80 * time.Second, Talk: 700 * time.Second, Work: 70 * time.Second},
		"sales":  {Offered: 1, Answered: 1, Handled: 1, Wait: 10 * time.Second, Talk: 100 * time.Second},
	}
	return w
}

func value(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestFigures(t *testing.T) {
	w := staffed(t)
	now := time.Now()
	day := midnight(now, nil)
	w.floor.changes = []storage.AgentChange{
		{Seq: 1, Time: day.Add(-time.Hour), Agent: "1001", Type: cti.EventAgentReady},
		{Seq: 2, Time: day, Agent: "1001", Type: cti.EventAgentNotReady},
	}
	f := get[Figures](t, w.login("supervisor"), "/api/v1/figures")
	if f.Day != now.UTC().Format(time.DateOnly) || !f.Since.Equal(day) || !w.floor.since.Equal(day) || len(f.Queues) != 2 || f.Formula["service_level"] == "" {
		t.Errorf("figures of %s since %v: %+v", f.Day, f.Since, f)
	}
	repair := f.Queues[0]
	if repair.ID != "repair" || repair.Offered != 12 || repair.Other != 1 || repair.Busy != 1 || repair.NotReady != 1 || repair.Ready != 0 ||
		value(repair.ServiceLevel) != 0.7 || value(repair.ASA) != 10 || value(repair.AHT) != 110 || repair.Occupancy != nil {
		t.Errorf("repair %+v", repair)
	}
	if tot := f.Total; tot.Offered != 13 || value(tot.ASA) != 10 || value(tot.AHT) != 108.75 || tot.Busy != 1 || tot.NotReady != 1 {
		t.Errorf("total %+v", tot)
	}
	if f.Agents != (deskCounts{Busy: 1, NotReady: 1, LoggedOff: 1}) {
		t.Errorf("agents %+v", f.Agents)
	}
	own := get[Figures](t, w.login("1001"), "/api/v1/figures")
	if len(own.Queues) != 1 || own.Total.Offered != 12 || own.Agents != (deskCounts{Busy: 1, NotReady: 1}) {
		t.Errorf("an agent sees %+v", own)
	}
	if w.api.today.counts != 1 {
		t.Errorf("%d computations within a second", w.api.today.counts)
	}
}

// However many ask at once, figures are computed once.
func TestFiguresAreShared(t *testing.T) {
	w := staffed(t)
	b := w.login("auditor")
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if status, body := b.do("GET", "/api/v1/figures", nil); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	all.Wait()
	if n := w.api.today.counts; n > 2 {
		t.Errorf("%d computations", n)
	}
	w.api.today.asked = time.Now().Add(-figuresEvery)
	get[Figures](t, b, "/api/v1/figures")
	last := w.floor.asked[len(w.floor.asked)-1]
	if w.api.today.counts < 2 || last.Seq != 0 { // nothing was read, so all is asked for again
		t.Errorf("%d computations, last asked behind %+v", w.api.today.counts, last)
	}
}

// The wall shows no number and no call.
func TestWallboard(t *testing.T) {
	w := staffed(t)
	status, body := w.browser().do("GET", "/api/v1/wallboard", nil, bearerOf(ScopeWallboard)...)
	if status != 200 || strings.Contains(body, "c9") || !strings.Contains(body, `"busy_since"`) {
		t.Errorf("= %d %s", status, body)
	}
	wall := get[struct {
		Total Figure
		Desks []acd.Desk
	}](t, w.login("supervisor"), "/api/v1/wallboard")
	if wall.Total.Offered != 13 || len(wall.Desks) != 2 {
		t.Errorf("wall %+v", wall)
	}
	if status, _ := w.login("1001").do("GET", "/api/v1/wallboard", nil); status != 403 {
		t.Errorf("an agent = %d", status)
	}
	for path, want := range map[string]int{"figures": 200, "waiting": 403, "calls": 403, "recordings": 403, "agents": 403, "customers": 403, "sms/inbox": 403} {
		if status, _ := w.browser().do("GET", "/api/v1/"+path, nil, bearerOf(ScopeWallboard)...); status != want {
			t.Errorf("the wall's key gets %d of %s", status, path)
		}
	}
}

func TestWaitingCallers(t *testing.T) {
	w := staffed(t)
	w.live["c1"] = cti.CDR{ID: "c1", From: cti.Number{E164: "+8613800138000"}, Customer: &cti.Ref{ID: "k", Name: "安顺"}, IVRPath: []string{"menu"}}
	w.floor.waiting = []acd.Waiter{
		{Call: "gone", Queue: cti.Ref{ID: "repair"}},
		{Call: "c1", Queue: cti.Ref{ID: "repair", Name: "报修"}, Since: stamp.Now(), Priority: 5, Ringing: true},
	}
	list := get[struct{ Items []waiter }](t, w.login("supervisor"), "/api/v1/waiting").Items
	if len(list) != 1 || list[0].Number.E164 != "+8613800138000" || list[0].Customer.Name != "安顺" || list[0].Priority != 5 ||
		!list[0].Ringing || list[0].Queue.Name != "报修" || len(list[0].Path) != 1 || list[0].Since.IsZero() {
		t.Errorf("waiting %+v", list)
	}
	if status, _ := w.login("1001").do("GET", "/api/v1/waiting", nil); status != 403 {
		t.Errorf("an agent = %d", status)
	}
}

func TestForcedState(t *testing.T) {
	w := staffed(t)
	for _, tt := range []struct{ who, args, want string }{
		{"supervisor", `{"state":"notReady","reason":"meeting","agent":"1001"}`, `"state":"notReady"`},
		{"admin", `{"state":"loggedOff","agent":"1002"}`, `"state":"loggedOff"`},
		{"supervisor", `{"state":"ready","agent":"9999"}`, "not_found"},
		{"1001", `{"state":"ready","agent":"1002"}`, "forbidden"},
		{"1001", `{"state":"ready","agent":"1001"}`, `"state":"ready"`},
		{"auditor", `{"state":"ready","agent":"1002"}`, "forbidden"},
	} {
		s := w.login(tt.who).dial("")
		s.next()
		reply, _ := json.Marshal(s.ask(`{"id":1,"cmd":"setAgentState","args":` + tt.args + `}`))
		if !strings.Contains(string(reply), tt.want) {
			t.Errorf("%s asks %s: %s", tt.who, tt.args, reply)
		}
	}
	if want := []string{"1001 notReady meeting by supervisor", "1002 loggedOff  by admin"}; !slices.Equal(w.floor.forced, want) {
		t.Errorf("forced %q", w.floor.forced)
	}
	var audited []string
	for _, line := range w.audit {
		if strings.Contains(line, "agent.state") {
			audited = append(audited, line)
		}
	}
	if want := []string{"supervisor agent.state 1001", "admin agent.state 1002"}; !slices.Equal(audited, want) {
		t.Errorf("audit %q", audited)
	}
}

func TestAttendance(t *testing.T) {
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := func(h, m int) time.Time { return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	change := func(seq int64, at time.Time, kind string) storage.AgentChange {
		return storage.AgentChange{Seq: seq, Time: at, Agent: "1", Type: kind}
	}
	for name, tt := range map[string]struct {
		changes        []storage.AgentChange
		worked, waited time.Duration
	}{
		"nobody came": {nil, 0, 0},
		"a morning": {[]storage.AgentChange{
			change(1, at(8, 0), cti.EventAgentNotReady), change(2, at(8, 30), cti.EventAgentReady),
			change(3, at(9, 0), cti.EventAgentBusy), change(4, at(9, 10), cti.EventAgentWorkingAfterCall),
			change(5, at(9, 12), cti.EventAgentReady), change(6, at(9, 30), cti.EventAgentLoggedOff),
		}, 12 * time.Minute, 48 * time.Minute},
		"over midnight": {[]storage.AgentChange{
			change(1, at(-1, 0), cti.EventAgentBusy), change(2, at(0, 5), cti.EventAgentReady), change(3, at(0, 15), cti.EventAgentLoggedOff),
		}, 5 * time.Minute, 10 * time.Minute},
		"since yesterday": {[]storage.AgentChange{change(1, at(-1, 0), cti.EventAgentReady)}, 0, 12 * time.Hour},
		"the box was off": {[]storage.AgentChange{
			change(1, at(1, 0), cti.EventAgentReady), change(2, at(2, 0), cti.EventAgentReady),
			change(1_000_000_001, at(11, 0), cti.EventAgentReady),
		}, 0, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			whole, pieces := attendance{}, attendance{}
			if !whole.begin(day) || whole.begin(day) || !pieces.begin(day) {
				t.Error("a day begins once")
			}
			whole.take(tt.changes)
			for _, c := range tt.changes {
				pieces.take([]storage.AgentChange{c})
			}
			for _, a := range []attendance{whole, pieces} {
				if worked, waited := a.occupied("1", at(12, 0)); worked != tt.worked || waited != tt.waited {
					t.Errorf("worked %v, ready %v; want %v, %v", worked, waited, tt.worked, tt.waited)
				}
			}
			if since, seq := whole.asks(); len(tt.changes) > 0 && (seq != tt.changes[len(tt.changes)-1].Seq || !since.Equal(whole.last.Time.Add(-time.Minute))) {
				t.Errorf("goes on behind %d, %v", seq, since)
			}
		})
	}
}

func TestMidnight(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	if got := midnight(time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC), shanghai); !got.Equal(time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("the day began %v", got)
	}
}
