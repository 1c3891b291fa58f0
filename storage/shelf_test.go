package storage_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// onTape is a call that was recorded for so long.
func onTape(n int, from string, seconds float64, customer, agent string) cti.CDR {
	c := call(n)
	c.From = cti.Number{E164: from, Raw: from}
	c.Customer, c.Agent = &cti.Ref{ID: "c", Name: customer}, &cti.Ref{ID: "1001", Name: agent}
	c.Offers = []cti.Offer{{Agent: "1001"}}
	c.Recording = cti.Recording{ID: c.ID, State: cti.RecordingComplete, Seconds: seconds}
	return ended(c, cti.ResultAnswered)
}

func taped(t *testing.T) *storage.DB {
	t.Helper()
	d := storagetest.Open(t)
	out := onTape(3, "+864001234567", 30, "沈阳机床", "李雷")
	out.To = cti.Number{E164: "+8613900139000"}
	for _, c := range []cti.CDR{
		onTape(1, "+8613800138000", 10, "安顺维保", "王芳"),
		onTape(2, "+8613900139000", 20, "50%_\\", "王芳"),
		out,
		ended(call(4), cti.ResultCompleted), // not recorded
	} {
		good(t, d.Journal().Close(t.Context(), c))
	}
	running := onTape(5, "+8657188880001", 0, "安顺维保", "")
	running.Result, running.Recording.State = nil, cti.RecordingRunning
	good(t, d.Journal().Open(t.Context(), running))
	good(t, d.Write(t.Context(), "settle", statement("SELECT 1")))
	return d
}

func TestShelf(t *testing.T) {
	d := taped(t)
	at := func(n int) time.Time { return call(n).Times.Seize.Time }
	for name, tt := range map[string]struct {
		f    storage.ShelfFilter
		want string
	}{
		"all":                      {storage.ShelfFilter{}, "5 3 2 1"},
		"since":                    {storage.ShelfFilter{Since: at(2)}, "5 3 2"},
		"until":                    {storage.ShelfFilter{Until: at(3)}, "2 1"},
		"at least":                 {storage.ShelfFilter{MinSeconds: 20}, "3 2"},
		"number as dialled":        {storage.ShelfFilter{Q: "0138 0013 8000"}, "1"},
		"either side":              {storage.ShelfFilter{Q: "+86 139-0013-9000"}, "3 2"},
		"the hotline's":            {storage.ShelfFilter{Q: "400-123-4567"}, "5 3 2 1"},
		"another number's":         {storage.ShelfFilter{Q: "13700137000"}, ""},
		"the last digits":          {storage.ShelfFilter{Q: "9000"}, "3 2"},
		"a local number":           {storage.ShelfFilter{Q: "88880001"}, "5"},
		"customer":                 {storage.ShelfFilter{Q: "维保"}, "5 1"},
		"agent":                    {storage.ShelfFilter{Q: "王芳"}, "2 1"},
		"signs stand for themself": {storage.ShelfFilter{Q: "%_\\"}, "2"},
		"nobody":                   {storage.ShelfFilter{Q: "张"}, ""},
		"number and name":          {storage.ShelfFilter{Number: "13900139000", Q: "李"}, "3"},
		"two numbers":              {storage.ShelfFilter{Number: "13900139000", Q: "4001234567"}, "3 2"},
		"visible to nobody":        {storage.ShelfFilter{VisibleTo: "1002"}, ""},
		"visible, by number":       {storage.ShelfFilter{VisibleTo: "1001", Q: "13800138000"}, "1"},
		"queue":                    {storage.ShelfFilter{Queue: "sales"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls, next, err := d.Shelf(t.Context(), tt.f)
			good(t, err)
			if got := names(calls); got != tt.want || next != "" {
				t.Errorf("found %q, want %q; next %q", got, tt.want, next)
			}
			tt.f.Limit = 1
			if got := paged(t, d, tt.f); got != tt.want {
				t.Errorf("page by page %q, want %q", got, tt.want)
			}
		})
	}
	if _, _, err := d.Shelf(t.Context(), storage.ShelfFilter{Page: storage.Page{Cursor: "x"}}); !errors.Is(err, storage.ErrCursor) {
		t.Errorf("a foreign cursor: %v", err)
	}
}

func names(calls []cti.CDR) string {
	var out []string
	for _, c := range calls {
		out = append(out, strings.TrimLeft(strings.TrimPrefix(c.ID, "01-call-"), "0"))
	}
	return strings.Join(out, " ")
}

// paged reads a list a page at a time.
func paged(t *testing.T, d *storage.DB, f storage.ShelfFilter) string {
	t.Helper()
	var all []cti.CDR
	for range 10 {
		calls, next, err := d.Shelf(t.Context(), f)
		good(t, err)
		all = append(all, calls...)
		if f.Cursor = next; next == "" {
			break
		}
	}
	return names(all)
}

// A number is found by its index; a name in the index of recordings alone. No
// search sorts what it finds.
func TestShelfPlans(t *testing.T) {
	d := taped(t)
	for name, tt := range map[string]struct {
		f    storage.ShelfFilter
		want []string
		not  string
	}{
		"number": {storage.ShelfFilter{Q: "13800138000"}, []string{"USING INDEX calls_from (from_number=?)", "USING INDEX calls_to (to_number=?)"}, "SCAN calls"},
		"name":   {storage.ShelfFilter{Q: "王"}, []string{"USING INDEX calls_recorded"}, "TEMP B-TREE"},
		"tail":   {storage.ShelfFilter{Q: "8000"}, []string{"USING INDEX calls_recorded"}, "TEMP B-TREE"},
		"all":    {storage.ShelfFilter{}, []string{"USING INDEX calls_recorded"}, "TEMP B-TREE"},
	} {
		query, args := d.ShelfQuery(t, tt.f)
		plan := planned(t, d, query, args...)
		for _, want := range tt.want {
			if !contains(plan, want) {
				t.Errorf("%s is found by %s", name, plan)
			}
		}
		if contains(plan, tt.not) {
			t.Errorf("%s is found by %s", name, plan)
		}
	}
}

func TestRecordingNotes(t *testing.T) {
	d := storagetest.Open(t)
	for _, n := range []storage.RecordingNote{
		{Recording: "r1", At: 7.5, Text: "later", By: "1001", Name: "王芳"},
		{Recording: "r1", At: 2, Text: "first", By: "boss"},
		{Recording: "r2", At: 1, Text: "another's", By: "1001"},
	} {
		made, err := d.AddRecordingNote(t.Context(), n)
		if good(t, err); made.ID == "" || made.Time.IsZero() {
			t.Errorf("made %+v", made)
		}
	}
	notes, err := d.RecordingNotes(t.Context(), "r1")
	good(t, err)
	if len(notes) != 2 || notes[0].Text != "first" || notes[1].At != 7.5 || notes[1].Name != "王芳" || notes[1].Time.IsZero() {
		t.Fatalf("notes %+v", notes)
	}
	for name, gone := range map[string]error{
		"another's note":      d.RemoveRecordingNote(t.Context(), "r1", notes[1].ID, "boss"),
		"another recording's": d.RemoveRecordingNote(t.Context(), "r2", notes[1].ID, "1001"),
	} {
		if !errors.Is(gone, storage.ErrNotFound) {
			t.Errorf("%s: %v", name, gone)
		}
	}
	good(t, d.RemoveRecordingNote(t.Context(), "r1", notes[1].ID, "1001"))
	if notes, err = d.RecordingNotes(t.Context(), "r1"); err != nil || len(notes) != 1 {
		t.Errorf("left %+v, %v", notes, err)
	}
}

func TestCallEvents(t *testing.T) {
	d := storagetest.Open(t)
	for _, e := range []cti.Event{
		{Type: cti.EventQueued, CallID: "c1"},
		{Type: cti.EventAgentReady, AgentID: "1001"},
		{Type: cti.EventHeld, CallID: "c2"},
		{Type: cti.EventHeld, CallID: "c1", AgentID: "1001"},
	} {
		good(t, d.Journal().Note(t.Context(), e))
	}
	good(t, d.Write(t.Context(), "settle", statement("SELECT 1")))
	events, err := d.CallEvents(t.Context(), "c1")
	good(t, err)
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	if !slices.Equal(types, []string{cti.EventQueued, cti.EventHeld}) || events[1].AgentID != "1001" {
		t.Errorf("events %+v", events)
	}
	if plan := planned(t, d, storage.CallEventsQuery, "c1"); !contains(plan, "USING INDEX journal_call (call=?)") {
		t.Errorf("they are found by %s", plan)
	}
}

func TestWrapUpsEndIsKept(t *testing.T) {
	d := storagetest.Open(t)
	until := stamp.At(morning.Add(time.Minute))
	d.SaveDesk(deskOf("1001", until))
	good(t, d.Write(t.Context(), "settle", statement("SELECT 1")))
	rows, err := d.LoadDesks(t.Context())
	if err != nil || len(rows) != 1 || !rows[0].Until.Equal(until.Time) {
		t.Errorf("desks %+v, %v", rows, err)
	}
}

// million is a database with that many recorded calls of 1,000 numbers.
func million(b *testing.B, calls int) *storage.DB {
	d := storagetest.Open(b)
	doc := `{"id":"x","direction":"in","result":"answered","from":{"e164":"+8613800138000"},"times":{"seize":"2026-03-02T09:00:00.000Z"},"recording":{"id":"x","state":"complete"},"pad":"` + strings.Repeat("x", 1500) + `"}`
	err := d.Write(b.Context(), "fill", func(tx *sql.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?2 - 1)
			INSERT INTO calls (id, seize, last, from_number, to_number, agent, queue, result, doc, recorded, seconds, customer, agent_name)
			SELECT printf('0199-call-%09d', i), ?1 + i * 700, 0, printf('+86138%08d', i % 1000), '+864001234567', 'a' || (i % 50), 'repair', 'answered',
				?3, 1, i % 300, '客户' || (i % 5000), '坐席' || (i % 50) FROM n`, morning.Millis(), calls, doc)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkShelf is a search among a million recordings.
func BenchmarkShelf(b *testing.B) {
	d := million(b, 1_000_000)
	for name, f := range map[string]storage.ShelfFilter{
		"number":       {Q: "13800000500"},
		"hotline":      {Q: "4001234567"},
		"nobody":       {Q: "13899999999"},
		"name":         {Q: "客户77"},
		"no such name": {Q: "张三"},
		"no such tail": {Q: "777777"},
		"newest":       {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := d.Shelf(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func deskOf(agent string, until stamp.Time) acd.DeskRow {
	return acd.DeskRow{Agent: agent, State: acd.WorkingAfterCall, Since: morning.Time, Until: until.Time, Call: "c1"}
}
