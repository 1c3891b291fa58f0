package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"callbox/acd"
	"callbox/cti"
	"callbox/storage"
)

// ringing is a live call that rings at agent's.
func ringing(id, agent string) cti.CDR {
	return cti.CDR{ID: id, Offers: []cti.Offer{{Agent: agent}}, UserData: map[string]any{}}
}

func (w *world) note(e cti.Event) {
	w.t.Helper()
	if err := w.Note(context.Background(), e); err != nil {
		w.t.Fatal(err)
	}
}

func TestHandshake(t *testing.T) {
	w := newWorld(t)
	agent, nobody := w.login("1001"), w.browser()
	home, foreign := w.srv.URL, "http://evil.example"
	for name, tt := range map[string]struct {
		from   *browser
		origin string
		key    string
		status int
	}{
		"session, own page":     {agent, home, "", 101},
		"session, foreign page": {agent, foreign, "", 403},
		"session, no page":      {agent, "", "", 403},
		"session, page null":    {agent, "null", "", 403},
		"nobody, own page":      {nobody, home, "", 401},
		"nobody, no page":       {nobody, "", "", 401},
		"nobody, foreign page":  {nobody, foreign, "", 403},
		"key, no page":          {nobody, "", "key-calls", 101},
		"key, foreign page":     {nobody, foreign, "key-calls", 403},
		"wrong key":             {nobody, "", "wrong", 401},
		"key of another scope":  {nobody, "", "key-metrics", 403},
	} {
		h := http.Header{}
		if tt.origin != "" {
			h.Set("Origin", tt.origin)
		}
		if tt.key != "" {
			h.Set("Authorization", "Bearer "+tt.key)
		}
		s, resp, err := tt.from.try("", h)
		if resp == nil || resp.StatusCode != tt.status {
			t.Errorf("%s: %v %v, want %d", name, resp, err, tt.status)
			continue
		}
		if s != nil && s.conn.Subprotocol() != subprotocol {
			t.Errorf("%s: subprotocol %q", name, s.conn.Subprotocol())
		}
	}
}

func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.live["mine"], w.live["other"] = ringing("mine", "1001"), ringing("other", "1002")
	w.note(cti.Event{Type: cti.EventOffered, CallID: "other"})
	s := w.login("1001").dial("")
	got := s.next()
	if got["type"] != "snapshot" || got["seq"] != 1.0 || got["time"] == nil {
		t.Errorf("first = %v", got)
	}
	if desk := got["agent"].(map[string]any); desk["id"] != "1001" || desk["state"] != "notReady" {
		t.Errorf("agent = %v", desk)
	}
	if calls := got["calls"].([]any); len(calls) != 1 || calls[0].(map[string]any)["id"] != "mine" {
		t.Errorf("an agent's calls = %v", calls)
	}
	got = w.login("supervisor").dial("").next()
	if len(got["calls"].([]any)) != 2 || len(got["queues"].([]any)) != 2 || got["agent"] != nil {
		t.Errorf("a supervisor's = %v", got)
	}
}

func TestSnapshotInWrapUpHoldsTheCall(t *testing.T) {
	w := newWorld(t)
	w.recordFile("over", "1001", "")
	b := w.login("1001")
	w.desks["1001"] = acd.Desk{ID: "1001", State: acd.WorkingAfterCall, Call: "over"}
	if calls := b.dial("").next()["calls"].([]any); len(calls) != 1 {
		t.Errorf("calls = %v, want the one that is over", calls)
	}
}

// TestResume closes a screen, lets things happen, and asks for what followed:
// each event once, in order, and live ones behind.
func TestResume(t *testing.T) {
	w := newWorld(t)
	w.live["c"] = ringing("c", "1001")
	b := w.login("1001")
	s := b.dial("")
	s.next()
	for range 3 {
		w.note(cti.Event{Type: cti.EventOffered, CallID: "c"})
	}
	if got := s.next(); got["seq"] != 1.0 {
		t.Fatalf("first live event = %v", got)
	}
	s.conn.Close()
	w.note(cti.Event{Type: cti.EventHeld, CallID: "c"})
	s = b.dial("?since=1")
	if got := s.next(); got["type"] != "resumed" || got["seq"] != 1.0 {
		t.Fatalf("greeting = %v", got)
	}
	w.note(cti.Event{Type: cti.EventRetrieved, CallID: "c"})
	for want := 2.0; want <= 5; want++ {
		if got := s.next(); got["seq"] != want {
			t.Errorf("event %v, want %v", got["seq"], want)
		}
	}
}

func TestResumeFromTheUnknownIsASnapshot(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	if got := b.dial("?since=99").next(); got["type"] != "snapshot" {
		t.Errorf("from the future: %v", got["type"])
	}
	w.gap = true
	if got := b.dial("?since=0").next(); got["type"] != "snapshot" {
		t.Errorf("from before the journal: %v", got["type"])
	}
	if _, resp, err := b.try("?since=abc", http.Header{"Origin": {w.srv.URL}}); err == nil || resp.StatusCode != 422 {
		t.Errorf("since=abc: %v", resp)
	}
}

// TestNoGapNoDouble notes events while screens connect: every screen gets
// every number behind its greeting once.
func TestNoGapNoDouble(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	const last = 400
	end := make(chan struct{})
	go func() {
		defer close(end)
		for range last {
			_ = w.Note(context.Background(), cti.Event{Type: cti.EventOffered})
			time.Sleep(50 * time.Microsecond)
		}
	}()
	for _, query := range []string{"", "?since=0", "", "?since=3"} {
		s := b.dial(query)
		seq := s.next()["seq"].(float64)
		for seq < last {
			got := s.next()["seq"].(float64)
			if got != seq+1 {
				t.Fatalf("%q: event %v after %v", query, got, seq)
			}
			seq = got
		}
		s.conn.Close()
	}
	<-end
}

func TestEventsAreSeenByWhomTheyConcern(t *testing.T) {
	w := newWorld(t)
	w.live["c1"], w.live["c2"] = ringing("c1", "1001"), ringing("c2", "1002")
	w.signers["job-1001"], w.jobs["job-1001"] = "user:1001", w.jobs["x"]
	me, all := w.login("1001").dial(""), w.login("supervisor").dial("")
	me.next()
	all.next()
	repair, sales := cti.Ref{ID: "repair"}, cti.Ref{ID: "sales"}
	events := []struct {
		e    cti.Event
		mine bool
	}{
		{cti.Event{Type: cti.EventDelivered, CallID: "c1", AgentID: "1001"}, true},
		{cti.Event{Type: cti.EventDelivered, CallID: "c2", AgentID: "1002"}, false},
		{cti.Event{Type: cti.EventDigitsReceived, CallID: "c1"}, true},
		{cti.Event{Type: cti.EventDigitsReceived, CallID: "c2"}, false},
		{cti.Event{Type: cti.EventAgentReady, AgentID: "1001"}, true},
		{cti.Event{Type: cti.EventAgentReady, AgentID: "1002"}, false},
		{cti.Event{Type: cti.EventQueueChanged, Queue: &repair}, true},
		{cti.Event{Type: cti.EventQueueChanged, Queue: &sales}, false},
		{cti.Event{Type: cti.EventLineState, Line: "line 1"}, false},
		{cti.Event{Type: cti.EventSMSStatus, UserData: map[string]any{"job": "job-1001"}}, true},
		{cti.Event{Type: cti.EventSMSStatus, UserData: map[string]any{"job": "job-other"}}, false},
		{cti.Event{Type: cti.EventSMSReceived, UserData: map[string]any{"job": "job-1001"}}, true},
		{cti.Event{Type: cti.EventSMSReceived}, true}, // it answers no job
		{cti.Event{Type: cti.EventMessage, AgentID: "1001"}, true},
		{cti.Event{Type: cti.EventMessage, AgentID: "1002"}, false},
		{cti.Event{Type: cti.EventMessage, AgentID: "1002", UserData: map[string]any{"from": "1001"}}, true}, // what he wrote himself
		{cti.Event{Type: cti.EventMessage, AgentID: "1001"}, true},
	}
	for i, one := range events {
		w.note(one.e)
		if one.e.Type == cti.EventMessage { // between two
			continue
		}
		if got := all.next(); got["seq"] != float64(i+1) {
			t.Fatalf("the supervisor got %v, want event %d", got, i+1)
		}
	}
	for i, one := range events {
		if !one.mine {
			continue
		}
		if got := me.next(); got["seq"] != float64(i+1) {
			t.Errorf("the agent got %v, want event %d %s", got, i+1, one.e.Type)
		}
	}
}

func TestKeysSeeTheirScope(t *testing.T) {
	w := newWorld(t)
	dial := func(key string) *screen {
		s, _, err := w.browser().try("", http.Header{"Authorization": {"Bearer " + key}})
		if err != nil {
			t.Fatal(err)
		}
		s.next()
		return s
	}
	calls, texts := dial("key-calls"), dial("key-sms")
	w.note(cti.Event{Type: cti.EventSMSReceived})
	w.note(cti.Event{Type: cti.EventOffered, CallID: "c"})
	if got := calls.next(); got["type"] != cti.EventOffered {
		t.Errorf("calls got %v", got)
	}
	if got := texts.next(); got["type"] != cti.EventSMSReceived {
		t.Errorf("sms got %v", got)
	}
}

// TestSecondTabTakesOver: the first tab hears "replaced" and nothing after.
func TestSecondTabTakesOver(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	first := b.dial("")
	first.next()
	second := b.dial("")
	second.next()
	w.note(cti.Event{Type: cti.EventAgentReady, AgentID: "1001"})
	if got := second.next(); got["type"] != cti.EventAgentReady {
		t.Errorf("second = %v", got)
	}
	if got := first.next(); got["type"] != "replaced" {
		t.Errorf("first = %v, want replaced", got)
	}
	if m, err := first.read(); err == nil {
		t.Errorf("first got %v after replaced", m)
	} else if ce := (*websocket.CloseError)(nil); !errors.As(err, &ce) || ce.Text != "replaced" {
		t.Errorf("first ended with %v", err)
	}
	waitFor(t, "one screen attached", func() bool { defer w.locked()(); return w.attached["1001"] == 1 })
	second.conn.Close()
	waitFor(t, "none attached", func() bool { defer w.locked()(); return w.attached["1001"] == 0 })
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not in time: %s", what)
}

func TestSupervisorMayHaveManyScreens(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	one, two := b.dial(""), b.dial("")
	one.next()
	two.next()
	w.note(cti.Event{Type: cti.EventLineState})
	for _, s := range []*screen{one, two} {
		if got := s.next(); got["type"] != cti.EventLineState {
			t.Errorf("= %v", got)
		}
	}
}

// TestSlowReaderIsClosed: who does not read is closed with 1008 and holds
// nobody else up.
func TestSlowReaderIsClosed(t *testing.T) {
	w := newWorld(t)
	slow, quick := w.login("supervisor").dial(""), w.login("admin").dial("")
	slow.next()
	quick.next()
	big := map[string]any{"pad": strings.Repeat("x", 64<<10)}
	for i := range 400 {
		w.note(cti.Event{Type: cti.EventLineState, UserData: big})
		start := time.Now()
		if got := quick.next(); got["seq"] != float64(i+1) {
			t.Fatalf("quick got %v", got["seq"])
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("the other screen waited %v", took)
		}
	}
	waitFor(t, "the slow one is off the hub", func() bool { return len(w.api.hub.all()) == 1 || w.stopped() == 1 })
	for {
		_, err := slow.read()
		if err == nil {
			continue
		}
		// Where a message got stuck half-way there is no room for a close frame.
		if !websocket.IsCloseError(err, websocket.ClosePolicyViolation, websocket.CloseAbnormalClosure) {
			t.Errorf("ended with %v, want 1008, or no word at all", err)
		}
		return
	}
}

// stopped counts sockets that are told to end.
func (w *world) stopped() (n int) {
	for _, s := range w.api.hub.all() {
		if s.ending.Load() != nil {
			n++
		}
	}
	return n
}

func TestLogoutClosesTheSocket(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	s := b.dial("")
	s.next()
	b.do("POST", "/api/v1/logout", nil)
	for {
		if _, err := s.read(); err != nil {
			if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
				t.Errorf("ended with %v", err)
			}
			return
		}
	}
}

func TestSessionIsWatched(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	b.dial("").next()
	sockets := w.api.hub.all()
	w.api.inspect(context.Background(), sockets[0])
	if sockets[0].ending.Load() != nil {
		t.Fatal("a good session was ended")
	}
	w.mu.Lock()
	w.users["1001"] = storage.Agent{ID: "1001", Role: "agent", PasswordHash: "other"}
	w.mu.Unlock()
	w.api.inspect(context.Background(), sockets[0])
	if sockets[0].ending.Load() != sessionOver {
		t.Error("a session whose password changed goes on")
	}
}

func TestCommandsOverTheSocket(t *testing.T) {
	w := newWorld(t)
	w.live["c1"], w.live["c2"] = ringing("c1", "1001"), ringing("c2", "1002")
	w.recordFile("over", "1001", "")
	w.recordFile("others", "1002", "")
	s := w.login("1001").dial("")
	s.next()
	for _, tt := range []struct{ send, want string }{
		{`{"id":7,"cmd":"setAgentState","args":{"state":"ready"}}`, `{"ok":true,"re":7,"result":{"state":"ready"}}`},
		{`{"id":8,"cmd":"setAgentState","args":{"state":"asleep"}}`, "bad_args"},
		{`{"id":8,"cmd":"setAgentState","args":{"state":"ready","colour":1}}`, "bad_args"},
		{`{"id":8,"cmd":"setAgentState"}`, "bad_args"},
		{`{"id":8,"cmd":"setAgentState","args":{"state":"notReady","reason":"` + strings.Repeat("r", 201) + `"}}`, "reason is 200 bytes"},
		{`{"id":"a","cmd":"nothing"}`, `"re":"a"`},
		{`{"id":9,"cmd":"nothing"}`, "bad_args"},
		{`{"id":9,`, "bad_args"},
		{`[]`, "bad_args"},
		{`{"id":9,"cmd":"clearConnection","args":{"call_id":"c1"}}`, `{"ok":true,"re":9,"result":{}}`},
		{`{"id":9,"cmd":"clearConnection","args":{"call_id":"c2"}}`, "not_found"},
		{`{"id":9,"cmd":"clearConnection","args":{}}`, "bad_args"},
		{`{"id":9,"cmd":"holdCall","args":{"call_id":"c1"}}`, `{"ok":true,"re":9,"result":{}}`},
		{`{"id":9,"cmd":"holdCall","args":{"call_id":"c2"}}`, "not_found"},
		{`{"id":9,"cmd":"answerCall","args":{"call_id":"c1","colour":1}}`, "bad_args"},
		{`{"id":9,"cmd":"consultationCall","args":{"call_id":"c1"}}`, "bad_args"},
		{`{"id":9,"cmd":"consultationCall","args":{"call_id":"c1","to":"1002"}}`, `"connection_id":"leg2"`},
		{`{"id":9,"cmd":"generateDigits","args":{"call_id":"c1","digits":"12x"}}`, "bad_args"},
		{`{"id":9,"cmd":"generateDigits","args":{"call_id":"c1","digits":"12#"}}`, `"ok":true`},
		{`{"id":9,"cmd":"supervise","args":{"call_id":"c1"}}`, "forbidden"},
		{`{"id":9,"cmd":"dispose","args":{"call_id":"over","code":"repaired"}}`, `"ok":true`},
		{`{"id":9,"cmd":"dispose","args":{"call_id":"others","code":"repaired"}}`, "not_found"},
		{`{"id":9,"cmd":"dispose","args":{"call_id":"over"}}`, "bad_args"},
		{`{"id":9,"cmd":"sendMessage","args":{"to":"supervisor","text":"hello"}}`, `"ok":true`},
		{`{"id":9,"cmd":"sendMessage","args":{"to":"nobody","text":"hello"}}`, "not_found"},
		{`{"id":9,"cmd":"setAgentState","args":{"state":"loggedOff"}}`, `"state":"loggedOff"`},
		{`{"id":9,"cmd":"setAgentState","args":{"state":"ready"}}`, "wrong_state"},
	} {
		got, err := json.Marshal(s.ask(tt.send))
		if err != nil || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s = %s, want %s", tt.send, got, tt.want)
		}
	}
	if fmt.Sprint(w.done) != "[1001 clearConnection c1 1001 holdCall c1 1001 consultationCall c1 1001 generateDigits c1]" {
		t.Errorf("commands = %v", w.done)
	}
	if d := w.amended["over"].Disposition; d == nil || d.Code != "repaired" || d.By != "1001" {
		t.Errorf("disposition = %+v", d)
	}
	if e := w.events[len(w.events)-1]; e.AgentID != "supervisor" || e.UserData["text"] != "hello" {
		t.Errorf("message = %+v", e)
	}
}

func TestAuditorCommandsNothing(t *testing.T) {
	w := newWorld(t)
	w.live["c1"] = ringing("c1", "1001")
	s := w.login("auditor").dial("")
	s.next()
	for name := range commands {
		got := s.ask(`{"id":1,"cmd":"` + name + `","args":{"call_id":"c1"}}`)
		if e, ok := got["error"].(map[string]any); !ok || e["code"] != codeForbidden {
			t.Errorf("%s = %v, want forbidden", name, got)
		}
	}
}

func TestBinaryAndHugeFrames(t *testing.T) {
	w := newWorld(t)
	s := w.login("1001").dial("")
	s.next()
	if err := s.conn.WriteMessage(websocket.BinaryMessage, []byte{0, 1}); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); got["ok"] != false {
		t.Errorf("binary = %v", got)
	}
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(strings.Repeat(" ", readLimit+1))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read(); err == nil {
		t.Error("a frame above the limit did not end the socket")
	}
}

func TestRingToScreenIsTimed(t *testing.T) {
	w := newWorld(t)
	s := w.login("supervisor").dial("")
	s.next()
	w.note(cti.Event{Type: cti.EventDelivered, CallID: "c", AgentID: "1001"})
	s.next()
	waitFor(t, "one pop timed", func() bool {
		_, body := w.browser().do("GET", "/metrics", nil)
		return strings.Contains(body, "callbox_screen_pop_seconds_count 1")
	})
}

// TestMissedEventsAreFetched: an event that the journal did not push comes
// with the next one; what it cannot give again closes the screens.
func TestMissedEventsAreFetched(t *testing.T) {
	w := newWorld(t)
	s := w.login("supervisor").dial("")
	s.next()
	unpushed := func() {
		w.mu.Lock()
		w.events = append(w.events, cti.Event{Type: cti.EventLineState, Seq: int64(len(w.events) + 1)})
		w.mu.Unlock()
	}
	unpushed()
	w.note(cti.Event{Type: cti.EventLineState})
	for want := 1.0; want <= 2; want++ {
		if got := s.next(); got["seq"] != want {
			t.Errorf("event %v, want %v", got["seq"], want)
		}
	}
	unpushed()
	w.mu.Lock()
	w.gap = true
	w.mu.Unlock()
	w.note(cti.Event{Type: cti.EventLineState})
	if m, err := s.read(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("got %v %v, want the screen closed", m, err)
	}
}

func TestScreensCloseWhenTheBoxGoesDown(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	s := b.dial("")
	s.next()
	w.stop()
	if m, err := s.read(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("got %v %v, want 1001", m, err)
	}
	waitFor(t, "no socket is left", func() bool { return len(w.api.hub.all()) == 0 })
	if late, _, err := b.try("", http.Header{"Origin": {w.srv.URL}}); err == nil {
		if m, err := late.read(); err == nil {
			t.Errorf("a late screen got %v", m)
		}
	}
}
