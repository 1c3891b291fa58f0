package storage_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestDeskSettings(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	nothing, err := d.DeskSettings(ctx)
	good(t, err)
	if len(nothing.Reasons) != 4 || len(nothing.Kinds) != 4 || nothing.Kinds[1] != (storage.CallKind{Code: "repair", Name: "报修"}) ||
		nothing.Pop.Open != storage.OpenNone || nothing.Texts == nil {
		t.Errorf("without settings: %+v", nothing)
	}
	s := site()
	s.Desk = &storage.DeskSettings{
		Reasons:      []storage.Reason{},
		Dispositions: []storage.Subject{{Code: "r", Name: "报修", Children: []storage.Subject{{Code: "r1", Name: "电梯"}}}},
		Kinds:        []storage.CallKind{{Code: "repair", URL: "https://t/{call_id}"}},
		Pop:          storage.PopSettings{URL: "https://t/"},
		Urge:         storage.Urging{Template: "work_order"},
		Texts:        []string{"work_order"},
	}
	good(t, d.ApplySite(ctx, s))
	want := s.Desk.Filled()
	if want.Kinds[0].Name != "报修" || want.Pop.Open != storage.OpenTab || len(want.Reasons) != 0 {
		t.Errorf("filled: %+v", want)
	}
	got, err := d.DeskSettings(ctx)
	good(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	exported, err := d.ExportSite(ctx)
	good(t, err)
	if diff := cmp.Diff(&want, exported.Desk); diff != "" {
		t.Errorf("export: %s", diff)
	}
	good(t, d.ApplySite(ctx, storage.Site{Queues: exported.Queues}))
	if again, err := d.DeskSettings(ctx); err != nil || !cmp.Equal(again, want) {
		t.Errorf("an absent section changed it: %+v, %v", again, err)
	}
}

// The desk's templates stay as long as it names them.
func TestDeskNamesTemplates(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.ApplySite(ctx, site()))
	put := func(doc string) error { return d.PutDocuments(ctx, "desk", []json.RawMessage{json.RawMessage(doc)}) }
	for _, doc := range []string{`{"texts":["none"]}`, `{"urge":{"template":"none"}}`} {
		if err := put(doc); !errors.Is(err, storage.ErrDangling) {
			t.Errorf("%s: %v, want ErrDangling", doc, err)
		}
	}
	good(t, put(`{"texts":["work_order"]}`))
	if err := d.DeleteDocument(ctx, "templates", "work_order"); !errors.Is(err, storage.ErrDangling) {
		t.Errorf("its template is gone: %v", err)
	}
	good(t, put(`{"urge":{"template":"work_order"}}`))
	if err := d.ApplySite(ctx, storage.Site{Templates: []sms.Template{}}); !errors.Is(err, storage.ErrDangling) {
		t.Errorf("its template is gone: %v", err)
	}
	good(t, put(`{}`))
	good(t, d.DeleteDocument(ctx, "templates", "work_order"))
}

func TestNotes(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	now := stamp.Now()
	note := func(by string) string {
		n, err := d.CallNote(ctx, "c1", by)
		good(t, err)
		return n.By + ":" + n.Text
	}
	put := func(by, text string, at stamp.Time) {
		good(t, d.PutCallNote(ctx, storage.Note{Call: "c1", By: by, Text: text, Time: at}))
	}
	if got := note("1001"); got != ":" {
		t.Errorf("without a note: %q", got)
	}
	put("1001", "first", now)
	put("1001", "电梯异响", now)
	if got := note("1002"); got != "1001:电梯异响" {
		t.Errorf("the next agent goes on with %q", got)
	}
	put("1002", "", stamp.At(now.Add(time.Second)))
	if mine, his := note("1001"), note("1002"); mine != "1001:电梯异响" || his != "1002:" {
		t.Errorf("%q and %q: everybody has his own", mine, his)
	}
	good(t, d.Journal().Open(ctx, cti.CDR{ID: "c1", Times: cti.Times{Seize: now}}))
	good(t, d.Journal().Amend(ctx, "c1", cti.Amendment{ACWEnd: now}))
	if got := note("1001"); got != "1001:电梯异响" {
		t.Errorf("the end of wrap-up took the note: %q", got)
	}
	good(t, d.Journal().Amend(ctx, "c1", cti.Amendment{Disposition: &cti.Disposition{Code: "x", By: "1001"}}))
	if got := note("1001"); got != "1002:" {
		t.Errorf("after it was filed: %q", got)
	}
	good(t, d.SweepOnce(ctx, now.Add(29*24*time.Hour)))
	if n := count(t, d, "SELECT count(*) FROM notes"); n != 1 {
		t.Errorf("%d notes after 29 days", n)
	}
	good(t, d.SweepOnce(ctx, now.Add(31*24*time.Hour)))
	if n := count(t, d, "SELECT count(*) FROM notes"); n != 0 {
		t.Errorf("%d notes after 31 days", n)
	}
}

func TestChats(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	send := func(from, to, text string) {
		good(t, d.Journal().Note(ctx, cti.Event{Type: cti.EventMessage, AgentID: to, UserData: map[string]any{
			"from": from, "name": "N " + from, "text": text,
		}}))
	}
	for i := range 3 {
		send("a", "b", fmt.Sprintf("ab%d", i))
		send("b", "a", fmt.Sprintf("ba%d", i))
		send("c", "a", fmt.Sprintf("ca%d", i))
	}
	good(t, d.Write(ctx, "wait", func(*sql.Tx) error { return nil }))
	texts := func(person, with string, limit int) (texts string) {
		cursor := ""
		for pages := 0; pages < 20; pages++ {
			list, next, err := d.Chats(ctx, person, with, storage.Page{Limit: limit, Cursor: cursor})
			good(t, err)
			for _, c := range list {
				texts += c.Text + " "
				if c.Name != "N "+c.From || c.Time.IsZero() {
					t.Errorf("chat = %+v", c)
				}
			}
			if cursor = next; next == "" {
				return strings.TrimSpace(texts)
			}
		}
		return "endless"
	}
	for limit := 1; limit < 8; limit++ {
		for _, tt := range []struct{ person, with, want string }{
			{"a", "b", "ba2 ab2 ba1 ab1 ba0 ab0"},
			{"b", "a", "ba2 ab2 ba1 ab1 ba0 ab0"},
			{"c", "b", ""},
			{"c", "", "ca2 ca1 ca0"},
			{"a", "", "ca2 ba2 ab2 ca1 ba1 ab1 ca0 ba0 ab0"},
		} {
			if got := texts(tt.person, tt.with, limit); got != tt.want {
				t.Errorf("%s with %q, %d a page: %s, want %s", tt.person, tt.with, limit, got, tt.want)
			}
		}
	}
	if _, _, err := d.Chats(ctx, "a", "b", storage.Page{Cursor: "x"}); !errors.Is(err, storage.ErrCursor) {
		t.Errorf("a strange cursor: %v", err)
	}
	good(t, d.SweepOnce(ctx, time.Now().Add(366*24*time.Hour)))
	if n := count(t, d, "SELECT count(*) FROM chats"); n != 0 {
		t.Errorf("%d chats after a year", n)
	}
}

func TestUrge(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	u := storage.Urge{CallID: "c1", Ticket: "WO-1", Customer: &cti.Ref{ID: "k1", Name: "安顺"}, Agent: cti.Ref{ID: "1001"}, Time: stamp.Now(), Job: "j1"}
	if id, err := d.Urge(ctx, u); id != "" || err != nil {
		t.Errorf("nobody wants it: %q, %v", id, err)
	}
	good(t, d.Notices().Replace([]storage.Endpoint{{URL: "http://hook/", Events: []string{"ticket.*"}}}))
	id, err := d.Urge(ctx, u)
	good(t, err)
	var body struct {
		Event, ID string
		Data      map[string]any
	}
	var raw string
	good(t, d.Reader().QueryRow("SELECT body FROM notices WHERE id = ?", id).Scan(&raw))
	good(t, json.Unmarshal([]byte(raw), &body))
	if body.Event != "ticket.urge" || body.ID != id || body.Data["ticket"] != "WO-1" || body.Data["call_id"] != "c1" || body.Data["job"] != "j1" {
		t.Errorf("notice = %s", raw)
	}
}

func people(t *testing.T) *storage.DB {
	d := storagetest.Open(t)
	good(t, d.ApplySite(t.Context(), storage.Site{Customers: []cti.Customer{
		{ID: "c1", Name: "安顺物业", Numbers: []string{"13800138000", "057188880001"}},
		{ID: "c2", Name: "湖滨100%酒店", VIP: true, Numbers: []string{"88880001"}},
		{ID: "c3", Name: "Daikin_Service", Numbers: []string{"10086"}},
	}}))
	return d
}

func TestFindCustomers(t *testing.T) {
	d := people(t)
	for _, tt := range []struct{ number, query, want string }{
		{"", "", "c1 c2 c3"},
		{"0571-8888 0001", "", "c1 c2"},
		{"+8613800138000", "", "c1"},
		{"110", "", ""},
		{"", "安顺", "c1"},
		{"", "daikin", "c3"},
		{"", "100%", "c2"},
		{"", "%", "c2"},
		{"", "_", "c3"},
		{"", "c2", "c2"},
		{"", "138 0013", "c1"},
		{"", "05718888", "c1 c2"},
		{"", "0013", "c1"},
		{"", "86", ""}, // in every number
		{"88880001", "安顺", "c1"},
		{"", "'; DROP TABLE customers; --", ""},
	} {
		docs, next, err := d.Customers(t.Context(), storage.CustomerFilter{Number: tt.number, Query: tt.query})
		good(t, err)
		var ids []string
		for _, doc := range docs {
			var c cti.Customer
			good(t, json.Unmarshal(doc, &c))
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want || next != "" {
			t.Errorf("number %q, query %q: %s (next %q), want %s", tt.number, tt.query, got, next, tt.want)
		}
	}
	one, next, err := d.Customers(t.Context(), storage.CustomerFilter{Number: "88880001", Page: storage.Page{Limit: 1}})
	good(t, err)
	two, last, err := d.Customers(t.Context(), storage.CustomerFilter{Number: "88880001", Page: storage.Page{Limit: 1, Cursor: next}})
	good(t, err)
	if len(one) != 1 || len(two) != 1 || string(one[0]) == string(two[0]) || last != "" {
		t.Errorf("pages %s, %s, then %q", one, two, last)
	}
}

func TestSeveralHaveTheNumber(t *testing.T) {
	d := people(t)
	c, ok, err := d.Find(t.Context(), cti.Number{Raw: "057188880001"})
	want := []cti.Match{{ID: "c1", Name: "安顺物业"}, {ID: "c2", Name: "湖滨100%酒店", VIP: true}}
	if err != nil || !ok || c.ID != "c1" || !cmp.Equal(c.Matches, want) {
		t.Errorf("Find = %+v, %v, %v", c, ok, err)
	}
	if c, _, _ := d.Find(t.Context(), cti.Number{Raw: "13800138000"}); c.Matches != nil {
		t.Errorf("one has several matches: %+v", c.Matches)
	}
}

func TestAddNumber(t *testing.T) {
	d := people(t)
	ctx := t.Context()
	good(t, d.AddNumber(ctx, "c3", "13900139000"))
	good(t, d.AddNumber(ctx, "c3", "+86 139 0013 9000"))
	c, ok, err := d.Find(ctx, cti.Number{E164: "+8613900139000"})
	if err != nil || !ok || c.ID != "c3" || !cmp.Equal(c.Numbers, []string{"10086", "13900139000"}) {
		t.Errorf("Find = %+v, %v, %v", c, ok, err)
	}
	if err := d.AddNumber(ctx, "none", "1"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nobody's number: %v", err)
	}
}

// The thread of a number does not read the whole inbox.
func TestInboxBySenderHasAnIndex(t *testing.T) {
	d := storagetest.Open(t)
	plan := planned(t, d, "SELECT id FROM sms_inbox WHERE (sender = ? OR sender = '' AND raw = ?) ORDER BY id DESC LIMIT 50", "a", "a")
	if !strings.Contains(plan, "sms_inbox_sender") {
		t.Errorf("plan: %s", plan)
	}
}
