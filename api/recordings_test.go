package api

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
)

func TestRecordingsAreSearched(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", "x")
	c := w.records["c1"]
	c.Customer, c.Line, c.Result, c.Direction = &cti.Ref{Name: "安顺"}, "carrier", new(cti.ResultAnswered), cti.In
	w.records["c1"] = c
	list := get[struct {
		Items []sound
		Next  string
	}](t, w.login("1001"), "/api/v1/recordings?q=%E5%AE%89&since=2026-03-02T00:00:00Z&until=2026-03-03T00:00:00Z&min_seconds=2.5&limit=7")
	if it := list.Items; len(it) != 1 || it[0].Customer.Name != "安顺" || it[0].Line != "carrier" || *it[0].Result != cti.ResultAnswered || it[0].Direction != cti.In || list.Next != "more" {
		t.Errorf("found %+v", list)
	}
	want := storage.ShelfFilter{
		Since: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC),
		Q: "安", MinSeconds: 2.5, VisibleTo: "1001", Page: storage.Page{Limit: 7},
	}
	if w.floor.shelf != want {
		t.Errorf("asked %+v", w.floor.shelf)
	}
	if get[struct{ Items []sound }](t, w.login("auditor"), "/api/v1/recordings"); w.floor.shelf.VisibleTo != "" {
		t.Error("an auditor sees some only")
	}
}

func TestRecordingNotes(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", "x")
	own, boss := w.login("1001"), w.login("supervisor")
	status, body := own.do("POST", "/api/v1/recordings/c1/notes", map[string]any{"at": 7.5, "text": "这里"})
	if status != 201 || !strings.Contains(body, `"by":"1001","name":"A 1001"`) || !strings.Contains(body, `"id":"n0"`) {
		t.Errorf("made %d %s", status, body)
	}
	list := get[struct{ Items []remark }](t, boss, "/api/v1/recordings/c1/notes").Items
	if len(list) != 1 || list[0].At != 7.5 || list[0].Text != "这里" || list[0].Time.IsZero() {
		t.Errorf("notes %+v", list)
	}
	for _, tt := range []struct {
		who    *browser
		method string
		path   string
		body   any
		want   int
	}{
		{boss, "DELETE", "c1/notes/n0", nil, 404},
		{w.login("1002"), "GET", "c1/notes", nil, 404},
		{w.login("1002"), "POST", "c1/notes", map[string]any{"at": 1, "text": "x"}, 404},
		{w.login("auditor"), "POST", "c1/notes", map[string]any{"at": 1, "text": "x"}, 403},
		{boss, "POST", "c1/notes", map[string]any{"at": -1, "text": "x"}, 422},
		{boss, "POST", "c1/notes", map[string]any{"at": 1, "text": ""}, 422},
		{boss, "POST", "nothing/notes", map[string]any{"at": 1, "text": "x"}, 404},
		{own, "DELETE", "c1/notes/n0", nil, 204},
		{own, "DELETE", "c1/notes/n0", nil, 404},
	} {
		if status, body := tt.who.do(tt.method, "/api/v1/recordings/"+tt.path, tt.body); status != tt.want {
			t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, status, body, tt.want)
		}
	}
	if want := []string{"1001 recording.note c1", "1001 recording.note.remove c1"}; !slices.Equal(w.audit, want) {
		t.Errorf("audit %q", w.audit)
	}
}

// soundFile is a recording of two seconds: left loud in its first, right in its
// second.
func soundFile() string {
	frames := bytes.Repeat([]byte{0xD5, 0xD5}, 16000)
	for i := range 8000 {
		frames[2*i], frames[2*(i+8000)+1] = 0xAA, 0xAA
	}
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x12\x00\x00\x00\x06\x00\x02\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x08\x00\x00\x00" +
		"fact\x04\x00\x00\x00\x00\x00\x00\x00data\x00\x00\x00\x00")
	return string(append(head, frames...))
}

func TestPeaks(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", soundFile())
	c := w.records["c1"]
	c.Times.Answer = stamp.At(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	c.Times.Seize, c.Times.Hangup = stamp.At(c.Times.Answer.Add(-time.Second)), stamp.At(c.Times.Answer.Add(time.Minute))
	c.Recording.Pauses = []cti.Pause{{Start: stamp.At(c.Times.Answer.Add(time.Second)), End: stamp.At(c.Times.Answer.Add(time.Hour)), By: "1001"}}
	w.records["c1"] = c
	beside := filepath.Join(w.api.cfg.Recordings, "2026", "c1.peaks.json")
	row := w.files["c1"]
	for _, step := range []struct {
		state string
		kept  bool
	}{{cti.RecordingRunning, false}, {cti.RecordingComplete, true}, {cti.RecordingComplete, true}} {
		row.State = step.state
		w.files["c1"] = row
		p := get[peaks](t, w.login("1001"), "/api/v1/recordings/c1/peaks?points=100")
		if p.Seconds != 2 || p.Points != 100 || len(p.Left) != 100 || p.Left[49] != 1 || p.Left[50] > 0.01 || p.Right[49] > 0.01 || p.Right[50] != 1 {
			t.Errorf("peaks %+v", p)
		}
		if _, err := os.Stat(beside); (err == nil) != step.kept {
			t.Errorf("%s: kept %v", step.state, err)
		}
		var marks []string
		for _, e := range p.Events {
			marks = append(marks, e.Type)
		}
		if !slices.Equal(marks, []string{"answered", "recordPaused"}) || p.Events[1].At != 1 {
			t.Errorf("marks %+v", p.Events)
		}
	}
	if len(w.audit) != 0 {
		t.Errorf("looking is audited as %q", w.audit)
	}
	for name, content := range map[string]string{"broken": "{", "another's": `{"size":1,"seconds":2,"left":"AAAA","right":"AAAA"}`} {
		if err := os.WriteFile(beside, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p := get[peaks](t, w.login("1001"), "/api/v1/recordings/c1/peaks"); p.Points != 1000 || p.Left[0] != 1 {
			t.Errorf("beside %s peaks: %d", name, p.Points)
		}
	}
	if status, _ := w.login("1002").do("GET", "/api/v1/recordings/c1/peaks", nil); status != 404 {
		t.Errorf("another agent = %d", status)
	}
	if status, _ := w.login("1001").do("GET", "/api/v1/recordings/c1/peaks?points=9", nil); status != 422 {
		t.Errorf("too few = %d", status)
	}
}

// What was kept is taken: the sound is not read again.
func TestPeaksAreKept(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", soundFile())
	b := w.login("supervisor")
	get[peaks](t, b, "/api/v1/recordings/c1/peaks")
	quiet := bytes.Repeat([]byte{0xD5}, len(soundFile()))
	if err := os.WriteFile(filepath.Join(w.api.cfg.Recordings, "2026", "c1.wav"), quiet, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := get[peaks](t, b, "/api/v1/recordings/c1/peaks"); p.Left[0] != 1 {
		t.Error("measured again")
	}
}

func timelineOf(t *testing.T, b *browser) (types []string, items []timelineItem) {
	t.Helper()
	items = get[struct{ Items []timelineItem }](t, b, "/api/v1/calls/c1/timeline").Items
	for _, it := range items {
		types = append(types, it.Type)
	}
	return types, items
}

func TestTimeline(t *testing.T) {
	w := newWorld(t)
	w.recordFile("c1", "1001", "x")
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(s int) cti.Time { return stamp.At(start.Add(time.Duration(s) * time.Second)) }
	c := w.records["c1"]
	mos := 4.1
	c.Queue, c.IVRPath, c.Result, c.Cause, c.HangupSide = &cti.Ref{ID: "repair"}, []string{"welcome", "menu"}, new(cti.ResultAnswered), cti.CauseNormal, cti.CallerSide
	c.Times = cti.Times{Seize: at(0), Answer: at(1), IVRIn: at(1), IVROut: at(5), QueueIn: at(5), AgentAnswer: at(10), Hangup: at(60), ACWEnd: at(75)}
	c.Offers = []cti.Offer{{Agent: "1001", Start: at(6), End: at(10), Outcome: cti.OfferAnswered, Why: "longest idle; 1002: away"}}
	c.Legs = []cti.LegRecord{
		{ID: "l0", Kind: "outside", Start: at(0), End: at(60), Loss: 0.5, JitterMS: 3, MOS: &mos},
		{ID: "l1", Kind: "agent", Agent: "1001", Start: at(6), End: at(60)},
		{ID: "l2", Kind: "supervisor", Agent: "boss", Mode: cti.ModeListen, Start: at(20), End: at(28)},
	}
	c.Recording.Pauses = []cti.Pause{{Start: at(30), End: at(40), Reason: "card", By: "1001"}}
	c.Disposition = &cti.Disposition{Code: "fixed", Note: "done", By: "1001", Time: at(70)}
	w.records["c1"] = c
	w.floor.history = []cti.Event{
		{CallID: "c1", Time: at(3), Type: cti.EventDigitsReceived, UserData: map[string]any{"digits": "1"}},
		{CallID: "c1", Time: at(4), Type: cti.EventDigitsReceived, UserData: map[string]any{"digits": "6222021234567890"}},
		{CallID: "c1", Time: at(5), Type: cti.EventQueued, Queue: &cti.Ref{ID: "repair"}},
		{CallID: "c1", Time: at(6), Type: cti.EventDelivered, AgentID: "1001", UserData: map[string]any{"customer": "x"}},
		{CallID: "c1", Time: at(10), Type: cti.EventEstablished, AgentID: "1001", ConnectionID: "l1"},
		{CallID: "c1", Time: at(20), Type: cti.EventConferenced, AgentID: "boss", Private: true},
		{CallID: "c1", Time: at(25), Type: cti.EventHeld, AgentID: "1001"},
		{CallID: "c1", Time: at(50), Type: cti.EventTransferred, UserData: map[string]any{"by": "1001", "to": "1002"}},
		{CallID: "c2", Time: at(50), Type: cti.EventHeld},
	}
	types, items := timelineOf(t, w.login("supervisor"))
	want := "offered answered ivr ivr digitsReceived digitsReceived queued offer established conferenced held quality recordPaused recordResumed transferred quality quality callCleared disposed wrapUpEnded"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("timeline\n%s, want\n%s", got, want)
	}
	if items[2].Text != "welcome" || items[3].Text != "menu" || items[3].Data["step"] != 2.0 {
		t.Errorf("the flow %+v", items[2:4])
	}
	if items[4].Data["digits"] != "1" || items[5].Data["digits"] != nil || items[5].Data["count"] != 16.0 {
		t.Errorf("keys %+v", items[4:6])
	}
	if o := items[7]; o.Why != "longest idle; 1002: away" || o.Name != "A 1001" || o.Data["seconds"] != 4.0 || o.Data["outcome"] != cti.OfferAnswered {
		t.Errorf("offer %+v", o)
	}
	if q := items[15]; q.Data["mos"] != 4.1 || q.Data["loss"] != 0.5 {
		t.Errorf("quality %+v", q)
	}
	if end := items[17]; end.Cause != cti.CauseNormal || end.Data["side"] != cti.CallerSide {
		t.Errorf("end %+v", end)
	}
	own, _ := timelineOf(t, w.login("1001"))
	if got := strings.Join(own, " "); strings.Contains(got, "conferenced") || strings.Count(got, "quality") != 2 {
		t.Errorf("the agent sees who listened: %s", got)
	}
	w.floor.history = nil
	old, _ := timelineOf(t, w.login("1001"))
	want = "offered answered ivr ivr queued offer established recordPaused recordResumed quality quality connectionCleared callCleared disposed wrapUpEnded"
	if got := strings.Join(old, " "); got != want {
		t.Errorf("without the journal\n%s, want\n%s", got, want)
	}
	if status, _ := w.login("1002").do("GET", "/api/v1/calls/c1/timeline", nil); status != 404 {
		t.Errorf("another agent = %d", status)
	}
}
