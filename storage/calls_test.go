package storage_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func statement(query string, args ...any) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}
}

var morning = stamp.At(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))

// call is a running call seized n seconds after nine.
func call(n int) cti.CDR {
	c := cti.CDR{
		ID: fmt.Sprintf("01-call-%03d", n), Direction: cti.In, Line: "carrier", DID: "4001234567",
		From: cti.Number{E164: "+8613800138000", Raw: "13800138000"},
		To:   cti.Number{E164: "+864001234567", Raw: "4001234567"},
	}
	c.Times.Seize = stamp.At(morning.Add(time.Duration(n) * time.Second))
	c.Recording.State = cti.RecordingNone
	return c
}

func taken(c cti.CDR, agent string) cti.CDR {
	c.Agent, c.Queue = &cti.Ref{ID: agent}, &cti.Ref{ID: "repair"}
	c.Offers = []cti.Offer{{Agent: "1009", Outcome: cti.OfferMissed}, {Agent: agent, Outcome: cti.OfferAnswered}}
	c.Times.AgentAnswer = stamp.At(c.Times.Seize.Add(10 * time.Second))
	return c
}

func ended(c cti.CDR, result string) cti.CDR {
	c.Result, c.Cause, c.HangupSide = &result, cti.CauseNormal, cti.CallerSide
	c.Times.Hangup = stamp.At(c.Times.Seize.Add(time.Minute))
	return c
}

// heard are the events that wait for the hook, in order.
func heard(t *testing.T, d *storage.DB) (events []string) {
	t.Helper()
	rows, err := d.Reader().Query("SELECT n.event FROM deliveries d JOIN notices n ON n.id = d.notice ORDER BY d.id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e string
		if err := rows.Scan(&e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func hook(t *testing.T, d *storage.DB) {
	t.Helper()
	err := d.Notices().Replace([]storage.Endpoint{{URL: "http://hook.test/x", Secret: "s", Events: []string{"call.*"}}})
	if err != nil {
		t.Fatal(err)
	}
}

func good(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCallIsTold(t *testing.T) {
	d := storagetest.Open(t)
	hook(t, d)
	j, ctx := d.Journal(), t.Context()
	c := call(1)
	good(t, j.Open(ctx, c))
	c = taken(c, "1001")
	for range 2 { // also when it is established again after a transfer
		good(t, j.Note(ctx, cti.Event{Type: cti.EventEstablished, CallID: c.ID, Call: &c}))
	}
	final := ended(c, cti.ResultAnswered)
	good(t, j.Close(ctx, final))
	if got := fmt.Sprint(heard(t, d)); got != "[call.new call.answer call.hangup]" {
		t.Errorf("told %s", got)
	}
	late := taken(call(1), "1002")
	good(t, j.Note(ctx, cti.Event{Type: cti.EventConnectionCleared, CallID: c.ID, Call: &late}))
	for range 2 {
		good(t, j.Amend(ctx, c.ID, cti.Amendment{ACWEnd: stamp.At(final.Times.Hangup.Add(time.Second))}))
	}
	good(t, j.Amend(ctx, c.ID, cti.Amendment{
		Disposition: &cti.Disposition{Code: "repair", By: "1001"}, Survey: json.RawMessage(`{"score":5}`),
		Recording: &cti.Recording{ID: c.ID, State: cti.RecordingComplete, SHA256: "ab"},
	}))
	if got := fmt.Sprint(heard(t, d)); got != "[call.new call.answer call.hangup call.record]" {
		t.Errorf("told %s", got)
	}
	got, err := d.Call(ctx, c.ID)
	good(t, err)
	if got.Agent.ID != "1001" || !got.Final() || got.Disposition.Code != "repair" || string(got.Survey) != `{"score":5}` ||
		got.Recording.SHA256 != "ab" || got.Times.ACWEnd.IsZero() {
		t.Errorf("record = %+v", got)
	}
	if err := j.Amend(ctx, "nobody's", cti.Amendment{}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Amend of no call = %v", err)
	}
	if err := j.Close(ctx, call(2)); err == nil {
		t.Error("Close took a record without result")
	}
}

func TestCallWithoutAgentIsRecordedAtOnce(t *testing.T) {
	d := storagetest.Open(t)
	hook(t, d)
	good(t, d.Journal().Close(t.Context(), ended(call(1), cti.ResultCompleted)))
	if got := fmt.Sprint(heard(t, d)); got != "[call.hangup call.record]" {
		t.Errorf("told %s", got)
	}
}

func TestCallsAreFound(t *testing.T) {
	d := storagetest.Open(t)
	for n := range 30 {
		c := call(n)
		if n%3 == 0 {
			c = taken(c, fmt.Sprint(1001+n%2))
		}
		if n%5 == 0 {
			c.From = cti.Number{Raw: "1008 6"}
		}
		if n < 28 {
			good(t, d.Journal().Close(t.Context(), ended(c, map[bool]string{true: cti.ResultAnswered, false: cti.ResultCompleted}[n%3 == 0])))
		} else {
			good(t, d.Journal().Open(t.Context(), c))
		}
	}
	settled(t, d)
	for name, tt := range map[string]struct {
		f    storage.CallFilter
		want int
	}{
		"all":         {storage.CallFilter{}, 30},
		"agent":       {storage.CallFilter{Agent: "1001"}, 5},
		"visible":     {storage.CallFilter{VisibleTo: "1009"}, 10},
		"queue":       {storage.CallFilter{Queue: "repair"}, 10},
		"result":      {storage.CallFilter{Result: cti.ResultCompleted}, 18},
		"any form":    {storage.CallFilter{Number: "0086 138-0013-8000"}, 24},
		"short":       {storage.CallFilter{Number: "10086"}, 6},
		"dialled":     {storage.CallFilter{Number: "4001234567"}, 30},
		"since":       {storage.CallFilter{Since: morning.Add(25 * time.Second)}, 5},
		"injection":   {storage.CallFilter{Agent: "1' OR '1'='1"}, 0},
		"of visible":  {storage.CallFilter{VisibleTo: "1001", Agent: "1002"}, 0},
		"since never": {storage.CallFilter{Since: morning.Add(time.Hour)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tt.f.Limit = 7
			seen, last := 0, "~"
			for {
				page, next, err := d.Calls(t.Context(), tt.f)
				good(t, err)
				for _, c := range page {
					if seen++; c.ID >= last {
						t.Fatalf("%s behind %s", c.ID, last)
					}
					last = c.ID
				}
				if tt.f.Cursor = next; next == "" {
					break
				}
			}
			if seen != tt.want {
				t.Errorf("%d calls, want %d", seen, tt.want)
			}
		})
	}
	if _, _, err := d.Calls(t.Context(), storage.CallFilter{Page: storage.Page{Cursor: "!"}}); !errors.Is(err, storage.ErrCursor) {
		t.Errorf("bad cursor: %v", err)
	}
	if ok, err := d.Visible(t.Context(), "01-call-003", "1009"); !ok || err != nil {
		t.Errorf("Visible = %v, %v", ok, err)
	}
}

func TestRecover(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	j, ctx := d.Journal(), t.Context()
	atIVR, talking, atWork, forgotten := call(1), taken(call(2), "1001"), taken(call(3), "1002"), taken(call(4), "1003")
	talking.Legs = []cti.LegRecord{{ID: "l1", Standing: "holding", StandingSince: morning}}
	for _, c := range []cti.CDR{atIVR, talking} {
		good(t, j.Open(ctx, c))
		good(t, j.Note(ctx, cti.Event{Type: cti.EventQueued, CallID: c.ID, Call: &c, Time: stamp.At(morning.Add(time.Minute))}))
	}
	good(t, j.Close(ctx, ended(atWork, cti.ResultAnswered)))
	good(t, j.Close(ctx, ended(forgotten, cti.ResultAnswered)))
	good(t, d.PutUser(ctx, storage.Agent{ID: "1002", Extension: "1002"}, true))
	d.SaveDesk(acd.DeskRow{Agent: "1002", State: acd.WorkingAfterCall, Since: time.Now(), Call: atWork.ID})
	good(t, d.PutRecording(ctx, storage.RecordingRow{
		ID: talking.ID, Path: "a.wav", State: cti.RecordingPartial, Started: morning.Add(50 * time.Second), Seconds: 20, Missing: 1,
	}))
	stop()

	d = storagetest.OpenAt(t, cfg)
	hook(t, d)
	mended, err := d.Recover(ctx)
	good(t, err)
	if fmt.Sprint(mended) != fmt.Sprint(storage.Mended{Calls: []string{atIVR.ID, talking.ID}, WrapUps: []string{talking.ID, forgotten.ID}}) {
		t.Errorf("mended %+v", mended)
	}
	got, err := d.Call(ctx, talking.ID)
	good(t, err)
	if *got.Result != cti.ResultAnswered || got.Cause != cti.CauseCrash || got.HangupSide != cti.BoxSide ||
		!got.Times.Hangup.Equal(morning.Add(70*time.Second)) || got.Recording.MissingSeconds != 1 || got.Legs[0].End.IsZero() || got.Legs[0].Standing != "" || !got.Legs[0].StandingSince.IsZero() {
		t.Errorf("record = %+v", got)
	}
	if got, err = d.Call(ctx, atIVR.ID); err != nil || *got.Result != cti.ResultFailed || !got.Times.Hangup.Equal(morning.Add(time.Minute)) {
		t.Errorf("record = %+v, %v", got, err)
	}
	if told := fmt.Sprint(heard(t, d)); told != "[call.hangup call.record call.hangup call.record call.record]" {
		t.Errorf("told %s", told)
	}
	again, err := d.Recover(ctx)
	good(t, err)
	if len(again.Calls)+len(again.WrapUps) > 0 {
		t.Errorf("a second Recover mended %+v", again)
	}
}

// A call that we made and whose party had not answered yet was none.
func TestRecoverOutgoing(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	c := taken(call(1), "1001")
	c.Direction, c.Times.Answer = cti.Out, cti.Time{}
	good(t, d.Journal().Open(t.Context(), c))
	stop()
	d = storagetest.OpenAt(t, cfg)
	_, err := d.Recover(t.Context())
	good(t, err)
	if got, err := d.Call(t.Context(), c.ID); err != nil || *got.Result != cti.ResultFailed || got.Cause != cti.CauseCrash {
		t.Errorf("record = %+v, %v", got, err)
	}
}
