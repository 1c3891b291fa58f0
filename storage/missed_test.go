package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

var (
	wang  = cti.Ref{ID: "1001", Name: "王芳"}
	li    = cti.Ref{ID: "1002", Name: "李强"}
	chief = cti.Ref{ID: "boss", Name: "张主管"}
)

// missing is call n, which waited in a queue and was given up.
func missing(n int, queue string) cti.CDR {
	c := ended(call(n), cti.ResultAbandoned)
	if queue != "" {
		c.Queue = &cti.Ref{ID: queue, Name: "Q " + queue}
	}
	return c
}

// mail is missing with a message.
func mail(n int, queue string) cti.CDR {
	c := missing(n, queue)
	*c.Result = cti.ResultVoicemail
	c.Recording.Voicemail = &cti.VoiceMessage{From: 4.5, Seconds: 12}
	return c
}

func from(c cti.CDR, number string) cti.CDR {
	c.From = cti.Number{Raw: number}
	return c
}

// floor is a database with two agents, of the queues repair and sales.
func floorDB(t *testing.T) (*storage.DB, *changes) {
	d := storagetest.Open(t)
	for _, a := range []storage.Agent{
		{ID: "1001", Name: "王芳", Extension: "1001", Queues: []string{"repair"}},
		{ID: "1002", Name: "李强", Extension: "1002", Queues: []string{"repair", "sales"}},
		{ID: "boss", Name: "张主管", Role: storage.RoleSupervisor},
	} {
		good(t, d.PutUser(t.Context(), a, true))
	}
	return d, follow(t, d)
}

// changes are the rows that events told of.
type changes struct {
	mu   sync.Mutex
	told []string
}

func follow(t *testing.T, d *storage.DB) *changes {
	c := &changes{}
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	begun := make(chan struct{})
	g.Go("follower", func() {
		sub := d.Journal()
		close(begun)
		_ = sub.Follow(ctx, c.take) // until ctx ends
	})
	<-begun
	t.Cleanup(func() { stop(); g.Wait() })
	return c
}

func (c *changes) take(e cti.Event) {
	if e.Type != cti.EventMissedChanged {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state := "open"
	if e.UserData["done"] != nil {
		state = "done"
	} else if e.UserData["claimed"] != nil {
		state = "claimed"
	}
	queue := ""
	if e.Queue != nil {
		queue = e.Queue.ID
	}
	c.told = append(c.told, fmt.Sprintf("%v/%s%s/%s/%v", e.UserData["id"], queue, e.AgentID, state, e.UserData["tries"]))
}

func (c *changes) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.told, " ")
}

func rowsOf(t *testing.T, d *storage.DB, f storage.MissedFilter) (out []string) {
	t.Helper()
	list, _, err := d.Missed(t.Context(), f)
	good(t, err)
	for _, m := range list {
		out = append(out, strings.TrimPrefix(m.ID, "01-call-"))
	}
	return out
}

func TestWhatIsMissed(t *testing.T) {
	attended := missing(1, "")
	attended.Offers = []cti.Offer{{Agent: "1001", Outcome: cti.OfferMissed}}
	turnedAway, cutOff := missing(1, "repair"), missing(1, "repair")
	*turnedAway.Result, *cutOff.Result = cti.ResultCompleted, cti.ResultFailed
	blocked, menu, out := missing(1, "repair"), missing(1, ""), missing(1, "repair")
	*blocked.Result, out.Direction = cti.ResultRejected, cti.Out
	menu.Where = cti.WhereIVR
	afterTalk := ended(taken(call(1), "1001"), cti.ResultAnswered)
	afterTalk.Recording.Voicemail = &cti.VoiceMessage{From: 1, Seconds: 2}
	begun := missing(1, "")
	begun.Recording.Voicemail = &cti.VoiceMessage{From: 1}
	named := mail(1, "repair")
	named.Recording.Voicemail.Queue = "night"
	for name, tt := range map[string]struct {
		call cti.CDR
		want string // kind, queue and agent
	}{
		"in the queue":         {missing(1, "repair"), "missed repair"},
		"at an agent's set":    {attended, "missed 1001"},
		"nobody had time":      {turnedAway, "missed repair"},
		"cut off in the queue": {cutOff, "missed repair"},
		"message":              {mail(1, "repair"), "voicemail repair"},
		"message to another":   {named, "voicemail night"},
		"message to everybody": {mail(1, ""), "voicemail "},
		"message after a talk": {afterTalk, "voicemail repair"},
		"message just begun":   {begun, ""},
		"in the menu":          {menu, ""},
		"blocked":              {blocked, ""},
		"our own call":         {out, ""},
		"answered":             {ended(taken(call(1), "1001"), cti.ResultAnswered), ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := storagetest.Open(t)
			good(t, d.Journal().Close(t.Context(), tt.call))
			list, _, err := d.Missed(t.Context(), storage.MissedFilter{})
			good(t, err)
			got := ""
			for _, m := range list {
				queue := ""
				if m.Queue != nil {
					queue = m.Queue.ID
				}
				got += m.Kind + " " + queue + m.Agent
			}
			if got != tt.want {
				t.Errorf("listed %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTriesGatherInOneRow(t *testing.T) {
	d, told := floorDB(t)
	j, ctx := d.Journal(), t.Context()
	for _, c := range []cti.CDR{missing(1, "repair"), mail(2, "repair"), missing(3, "sales"), missing(4, "repair")} {
		good(t, j.Close(ctx, c))
		good(t, j.Close(ctx, c)) // again: nothing more
	}
	for _, n := range []int{5, 6} {
		good(t, j.Close(ctx, from(missing(n, "repair"), "anonymous")))
	}
	if got := fmt.Sprint(rowsOf(t, d, storage.MissedFilter{})); got != "[006 005 004 003]" {
		t.Errorf("rows %s", got)
	}
	list, _, err := d.Missed(ctx, storage.MissedFilter{ID: "01-call-001"})
	good(t, err)
	m := list[0]
	if m.ID != "01-call-004" || m.Kind != storage.MissedVoicemail || m.Tries != 3 || m.Seconds != 12 ||
		!m.First.Equal(call(1).Times.Seize.Time) || !m.Time.Equal(call(4).Times.Seize.Time) || m.Number.E164 != "+8613800138000" || m.Queue.Name != "Q repair" {
		t.Errorf("row %+v", m)
	}
	if len(m.Messages) != 1 || m.Messages[0].Call != "01-call-002" || m.Messages[0].From != 4.5 || !m.Messages[0].Time.Equal(call(2).Times.Seize.Time) {
		t.Errorf("messages %+v", m.Messages)
	}
	want := "01-call-001/repair/open/1 01-call-002/repair/open/2 01-call-003/sales/open/1 01-call-004/repair/open/3 " +
		"01-call-005/repair/open/1 01-call-006/repair/open/1"
	if eventually(t, told, want); told.all() != want {
		t.Errorf("told %s", told.all())
	}
}

func eventually(t *testing.T, c *changes, want string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); c.all() != want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// An answered call ends what was open for its number, as soon as the talk
// begins; one that came before, or of another number, does not.
func TestReached(t *testing.T) {
	talk := func(n int) cti.CDR {
		c := taken(call(n), "1001")
		c.Agent.Name, c.Times.Answer = "王芳", c.Times.AgentAnswer
		return c
	}
	ours, unanswered := talk(20), talk(20)
	for _, c := range []*cti.CDR{&ours, &unanswered} {
		c.Direction, c.From, c.To = cti.Out, c.To, c.From
	}
	unanswered.Times.Answer = cti.Time{}
	established := func(c cti.CDR) func(*storage.DB) error {
		return func(d *storage.DB) error {
			return d.Journal().Note(t.Context(), cti.Event{Type: cti.EventEstablished, CallID: c.ID, Call: &c})
		}
	}
	closed := func(c cti.CDR) func(*storage.DB) error {
		return func(d *storage.DB) error {
			return d.Journal().Close(t.Context(), ended(c, cti.ResultAnswered))
		}
	}
	for name, tt := range map[string]struct {
		then func(*storage.DB) error
		open int
	}{
		"they called again":          {closed(talk(20)), 1},
		"and talk now":               {established(talk(20)), 1},
		"we called":                  {established(ours), 1},
		"we called, nobody answered": {established(unanswered), 3},
		"a call before":              {closed(talk(5)), 3},
		"another number":             {closed(from(talk(20), "13900139000")), 3},
		"nobody's number":            {closed(from(talk(20), "")), 3},
	} {
		t.Run(name, func(t *testing.T) {
			d, told := floorDB(t)
			for _, c := range []cti.CDR{mail(10, "repair"), missing(11, "sales"), from(missing(12, "repair"), "")} {
				good(t, d.Journal().Close(t.Context(), c))
			}
			good(t, tt.then(d))
			good(t, d.Write(t.Context(), "barrier", func(*sql.Tx) error { return nil }))
			if open := rowsOf(t, d, storage.MissedFilter{State: "open"}); len(open) != tt.open {
				t.Errorf("open %v", open)
			}
			done, _, err := d.Missed(t.Context(), storage.MissedFilter{State: "done", Queue: "repair"})
			good(t, err)
			if tt.open == 1 && (len(done) != 1 || done[0].Done.By != "1001" || done[0].Done.Name != "王芳" || done[0].Done.Outcome != storage.MissedReached) {
				t.Errorf("done %+v", done)
			}
			if n := strings.Count(told.all(), "/done/"); n != 3-tt.open {
				eventually(t, told, "")
				if n := strings.Count(told.all(), "/done/"); n != 3-tt.open {
					t.Errorf("told %s", told.all())
				}
			}
		})
	}
}

func TestClaims(t *testing.T) {
	d, _ := floorDB(t)
	ctx := t.Context()
	good(t, d.Journal().Close(ctx, missing(1, "repair")))
	good(t, d.Journal().Close(ctx, missing(2, "repair")))
	const first, id = "01-call-001", "01-call-002"
	taken := func(err error, by string, done bool) {
		t.Helper()
		var held *storage.MissedTaken
		if !errors.As(err, &held) || held.By != by || held.Done != done {
			t.Errorf("error %v, want that of %s", err, by)
		}
	}
	m, err := d.ClaimMissed(ctx, first, wang)
	if good(t, err); m.ID != id || m.Claimed.By != "1001" || m.Claimed.Name != "王芳" {
		t.Errorf("claimed %+v", m)
	}
	again, err := d.ClaimMissed(ctx, id, wang)
	if good(t, err); !again.Claimed.Time.Equal(m.Claimed.Time.Time) {
		t.Errorf("claimed anew: %v, %v", m.Claimed, again.Claimed)
	}
	_, err = d.ClaimMissed(ctx, id, li)
	taken(err, "1001", false)
	_, err = d.ReleaseMissed(ctx, id, li, false)
	taken(err, "1001", false)
	_, err = d.FinishMissed(ctx, id, li, false, storage.MissedNothing, "")
	taken(err, "1001", false)
	if got := fmt.Sprint(rowsOf(t, d, storage.MissedFilter{State: "claimed"}), rowsOf(t, d, storage.MissedFilter{State: "open"})); got != "[002] []" {
		t.Errorf("claimed, open: %s", got)
	}
	if m, err = d.ReleaseMissed(ctx, id, chief, true); err != nil || m.Claimed != nil {
		t.Errorf("released %+v, %v", m, err)
	}
	m, err = d.FinishMissed(ctx, id, li, false, storage.MissedTexted, "明天上门")
	if good(t, err); m.Done.By != "1002" || m.Done.Outcome != storage.MissedTexted || m.Done.Note != "明天上门" {
		t.Errorf("done %+v", m.Done)
	}
	_, err = d.ClaimMissed(ctx, id, wang)
	taken(err, "1002", true)
	_, err = d.FinishMissed(ctx, id, chief, true, storage.MissedNothing, "")
	taken(err, "1002", true)
	if _, err = d.ClaimMissed(ctx, "nobody's", wang); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	good(t, d.Journal().Close(ctx, missing(3, "repair")))
	if got := fmt.Sprint(rowsOf(t, d, storage.MissedFilter{})); got != "[003 002]" {
		t.Errorf("a call after that is one more: %s", got)
	}
}

// Of many who claim at once one has it, and the others hear who.
func TestClaimRace(t *testing.T) {
	d, _ := floorDB(t)
	good(t, d.Journal().Close(t.Context(), missing(1, "repair")))
	var g guard.Group
	won := make(chan string, 20)
	named := make(chan string, 20)
	for n := range 20 {
		g.Go("claim", func() {
			by := cti.Ref{ID: fmt.Sprint(n)}
			var held *storage.MissedTaken
			switch _, err := d.ClaimMissed(t.Context(), "01-call-001", by); {
			case err == nil:
				won <- by.ID
			case errors.As(err, &held):
				named <- held.By
			}
		})
	}
	g.Wait()
	if len(won) != 1 || len(named) != 19 {
		t.Fatalf("%d have it, %d were told who", len(won), len(named))
	}
	winner := <-won
	for range 19 {
		if who := <-named; who != winner {
			t.Errorf("told %s, has it %s", who, winner)
		}
	}
}

func TestMissedFilters(t *testing.T) {
	d, _ := floorDB(t)
	attended := from(missing(5, ""), "13900139001")
	attended.Offers = []cti.Offer{{Agent: "1001", Outcome: cti.OfferMissed}}
	for _, c := range []cti.CDR{missing(1, "repair"), mail(2, "sales"), from(mail(3, ""), "13900139000"), attended} {
		good(t, d.Journal().Close(t.Context(), c))
	}
	for name, tt := range map[string]struct {
		f    storage.MissedFilter
		want string
	}{
		"all":              {storage.MissedFilter{}, "[005 003 002 001]"},
		"queue":            {storage.MissedFilter{Queue: "sales"}, "[002]"},
		"kind":             {storage.MissedFilter{Kind: storage.MissedVoicemail}, "[003 002]"},
		"one agent":        {storage.MissedFilter{VisibleTo: "1001"}, "[005 003 001]"},
		"another":          {storage.MissedFilter{VisibleTo: "1002"}, "[003 002 001]"},
		"nobody's":         {storage.MissedFilter{VisibleTo: "1009"}, "[]"},
		"not his":          {storage.MissedFilter{VisibleTo: "1001", ID: "01-call-002"}, "[]"},
		"first page":       {storage.MissedFilter{Page: storage.Page{Limit: 3}}, "[005 003 002]"},
		"nothing is done":  {storage.MissedFilter{State: "done"}, "[]"},
		"all of it at all": {storage.MissedFilter{State: "open", Kind: storage.MissedCall, VisibleTo: "1001", Queue: "repair"}, "[001]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(rowsOf(t, d, tt.f)); got != tt.want {
				t.Errorf("rows %s, want %s", got, tt.want)
			}
		})
	}
	_, next, err := d.Missed(t.Context(), storage.MissedFilter{Page: storage.Page{Limit: 3}})
	good(t, err)
	if got := fmt.Sprint(rowsOf(t, d, storage.MissedFilter{Page: storage.Page{Limit: 3, Cursor: next}})); got != "[001]" {
		t.Errorf("second page %s", got)
	}
}

func TestMailWaiting(t *testing.T) {
	d, _ := floorDB(t)
	ctx := t.Context()
	waiting := func(extension string) string {
		t.Helper()
		fresh, old, err := d.MailWaiting(ctx, extension)
		good(t, err)
		return fmt.Sprintf("%d/%d", fresh, old)
	}
	for _, c := range []cti.CDR{mail(1, "repair"), mail(2, "sales"), from(mail(3, "repair"), "anonymous"), from(mail(4, ""), "anonymous"), from(missing(5, "repair"), "13900139000")} {
		good(t, d.Journal().Close(ctx, c))
	}
	if got := fmt.Sprint([]string{waiting("1001"), waiting("1002"), waiting("1009")}); got != "[3/0 4/0 0/0]" {
		t.Errorf("waiting %s", got)
	}
	_, err := d.FinishMissed(ctx, "01-call-001", wang, false, storage.MissedReached, "")
	good(t, err)
	if got := fmt.Sprint([]string{waiting("1001"), waiting("1002")}); got != "[2/1 3/1]" {
		t.Errorf("waiting %s", got)
	}
	good(t, d.Write(ctx, "age", statement("UPDATE missed SET done = ? WHERE done > 0", stamp.At(time.Now().Add(-31*24*time.Hour)).Millis())))
	if got := fmt.Sprint([]string{waiting("1001"), waiting("1002")}); got != "[2/0 3/0]" {
		t.Errorf("a month later %s", got)
	}
	for queue, want := range map[string]string{"repair": "[1001 1002]", "sales": "[1002]", "": "[1001 1002]", "none": "[]"} {
		got, err := d.MailListeners(ctx, queue, "")
		good(t, err)
		if fmt.Sprint(got) != want {
			t.Errorf("%q concerns %v, want %s", queue, got, want)
		}
	}
	if got, err := d.MailListeners(ctx, "", "1002"); err != nil || fmt.Sprint(got) != "[1002]" {
		t.Errorf("an agent's own: %v, %v", got, err)
	}
}

// A message that a crash cut off is one.
func TestMessageCutOff(t *testing.T) {
	for seconds, want := range map[float64]string{20: "voicemail 15.5", 5: "failed"} {
		cfg := storagetest.Config(t, t.TempDir())
		d, stop := storagetest.Start(t, cfg)
		c := call(1)
		c.Queue = &cti.Ref{ID: "repair"}
		c.Recording.Voicemail = &cti.VoiceMessage{From: 4.5}
		good(t, d.Journal().Open(t.Context(), c))
		good(t, d.PutRecording(t.Context(), storage.RecordingRow{ID: c.ID, Path: "a.wav", State: cti.RecordingPartial, Started: morning.Time, Seconds: seconds}))
		stop()
		d = storagetest.OpenAt(t, cfg)
		_, err := d.Recover(t.Context())
		good(t, err)
		got, err := d.Call(t.Context(), c.ID)
		good(t, err)
		said := *got.Result
		if v := got.Recording.Voicemail; v != nil {
			said += fmt.Sprint(" ", v.Seconds)
		}
		if said != want {
			t.Errorf("%v s recorded: %s, want %s", seconds, said, want)
		}
		if rows := rowsOf(t, d, storage.MissedFilter{}); len(rows) != 1 {
			t.Errorf("rows %v", rows)
		}
	}
}

func TestMissedPlans(t *testing.T) {
	d := storagetest.Open(t)
	for query, index := range map[string]string{
		"SELECT row FROM missed WHERE number = ? AND number != '' AND done = 0 AND time <= ? AND call != ?": "missed_open",
		"SELECT * FROM missed ORDER BY time DESC, call DESC LIMIT 50":                                       "missed_time",
		storage.CountMail: "missed_voicemail",
		"SELECT row FROM missed WHERE row = (SELECT missed FROM missed_calls WHERE call = ?)": "PRIMARY KEY",
	} {
		args := make([]any, strings.Count(query, "?"))
		if plan := planned(t, d, query, args...); !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", query, plan)
		}
	}
}
