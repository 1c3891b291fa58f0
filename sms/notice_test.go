package sms_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

const wang = "13700137000"

// ladder is a notice of three levels: zhang, 60 s later li, 30 s later wang.
func ladder() sms.Request {
	return sms.Request{
		Text: "3号楼电梯困人", Ref: "WO-7",
		Tiers: []sms.Tier{{To: []string{zhang}}, {To: []string{li}, After: 60}, {To: []string{wang}, After: 30}},
	}
}

// inABubble runs f with a gateway on synctest's clock.
func inABubble(t *testing.T, f func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		defer d.halt()
		f(t, d)
	})
}

// after lets time pass and waits until everything that it brought is done.
func (d *desk) after(pass time.Duration) {
	d.t.Helper()
	time.Sleep(pass)
	synctest.Wait()
}

func (d *desk) job(id string) sms.Job {
	d.t.Helper()
	j, err := d.texts.Job(context.Background(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return j
}

// stand checks the statuses of a job's messages, in their order.
func (d *desk) stand(id string, want ...sms.Status) sms.Job {
	d.t.Helper()
	j := d.job(id)
	var got []sms.Status
	for _, m := range j.Messages {
		got = append(got, m.Status)
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("messages are %v, want %v", got, want)
	}
	return j
}

// steps are the steps and the acknowledgement that were events, in order.
func (d *desk) steps() (all []string) {
	d.notes.mu.Lock()
	defer d.notes.mu.Unlock()
	for _, n := range d.notes.notes {
		switch {
		case n.Type == sms.NoteStep:
			all = append(all, fmt.Sprintf("%s %d: %d", n.Notice.Step.What, n.Notice.Step.Tier, n.Notice.Step.Messages))
		case n.Type == sms.NoteAck:
			all = append(all, n.Notice.Ack.How+" "+n.Notice.Ack.By)
		}
	}
	return all
}

func (d *desk) checkSteps(want ...string) {
	d.t.Helper()
	if got := d.steps(); !slices.Equal(got, want) {
		d.t.Errorf("steps = %q, want %q", got, want)
	}
}

func TestNoticeClimbs(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(ladder())
		if len(job.Messages) != 3 || job.Messages[1].Status != sms.Scheduled || job.Messages[2].Tier != 2 {
			t.Fatalf("accepted %+v", job.Messages)
		}
		d.after(60*time.Second - time.Millisecond)
		d.stand(job.ID, sms.Submitted, sms.Scheduled, sms.Scheduled)
		d.after(time.Millisecond)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
		if n := j.Notice; n.Tier != 1 || !n.Next.Equal(job.Created.Add(90*time.Second)) || j.Status != sms.JobOpen {
			t.Errorf("job is %s, notice %+v", j.Status, j.Notice)
		}
		d.after(30*time.Second - time.Millisecond)
		d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
		d.after(time.Millisecond)
		j = d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Submitted)
		if !j.Notice.Next.IsZero() || len(j.Notice.Steps) != 2 || j.Ack != nil {
			t.Errorf("at the top: %+v", j.Notice)
		}
		var to []string
		for _, s := range d.line.submissions() {
			to = append(to, s.To)
		}
		if !slices.Equal(to, []string{zhang, li, wang}) {
			t.Errorf("sent to %v", to)
		}
		d.checkSteps("released 1: 1", "released 2: 1")
	})
}

func TestAnswerStopsTheNotice(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(ladder())
		d.after(60 * time.Second)
		d.incoming(sms.Text{ID: "1", From: li, To: "10690000", Text: "收到"})
		d.after(time.Hour)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Canceled)
		if j.Ack == nil || j.Ack.How != sms.AckReply || j.Ack.By != "+86"+li || !j.Ack.Time.Equal(job.Created.Add(60*time.Second)) {
			t.Errorf("ack = %+v", j.Ack)
		}
		if len(d.line.submissions()) != 2 || !j.Notice.Next.IsZero() {
			t.Errorf("%d sent, notice %+v", len(d.line.submissions()), j.Notice)
		}
		d.checkSteps("released 1: 1", "reply +86"+li, "canceled 1: 1")
	})
}

func TestOnlyARecipientAnswers(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(ladder())
		d.after(time.Second)
		d.incoming(sms.Text{ID: "1", From: "13300133000", Text: "D WO-7 完成"})
		if j := d.job(job.ID); j.Ack != nil {
			t.Errorf("acknowledged by a stranger: %+v", j.Ack)
		}
		d.incoming(sms.Text{ID: "TD", From: zhang, Text: "退订"})
		if j := d.job(job.ID); j.Ack != nil {
			t.Errorf("acknowledged by an unsubscription: %+v", j.Ack)
		}
		d.incoming(sms.Text{ID: "2", From: zhang, Text: "D WO-7 完成"})
		if j := d.job(job.ID); j.Ack == nil || j.Ack.By != "+86"+zhang {
			t.Errorf("ack = %+v", j.Ack)
		}
	})
}

func TestUnlessDelivered(t *testing.T) {
	req := ladder()
	req.Tiers[0].To = []string{zhang, "13600136000"}
	req.Tiers[1].Unless = sms.UnlessDelivered
	for name, tt := range map[string]struct {
		stat string
		want []sms.Status
		step string
	}{
		"one of two is": {"DELIVRD", []sms.Status{sms.Delivered, sms.Submitted, sms.Canceled, sms.Canceled}, "canceled 0: 2"},
		"none is":       {"UNDELIV", []sms.Status{sms.Failed, sms.Submitted, sms.Submitted, sms.Scheduled}, "released 1: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			inABubble(t, func(t *testing.T, d *desk) {
				job := d.accept(req)
				d.after(time.Second)
				d.report("a000000000000001", d.line.submissions()[0].To, tt.stat)
				d.after(59 * time.Second)
				j := d.job(job.ID)
				var got []sms.Status
				for _, m := range j.Messages {
					got = append(got, m.Status)
				}
				slices.Sort(got[:2]) // which of the two went first
				slices.Sort(tt.want[:2])
				if !slices.Equal(got, tt.want) {
					t.Errorf("messages are %v, want %v", got, tt.want)
				}
				d.checkSteps(tt.step)
			})
		})
	}
}

func TestRepeatUntilAcknowledged(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(sms.Request{To: []string{zhang, li}, Text: "x", Repeat: &sms.Repeat{Every: 10, Times: 3}})
		d.after(10*time.Second - time.Millisecond)
		d.stand(job.ID, sms.Submitted, sms.Submitted)
		d.after(time.Millisecond)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Submitted, sms.Submitted)
		if m := j.Messages[2]; m.Repeat != 1 || m.Text != "x" || j.Counts[sms.Submitted] != 4 || j.Status != sms.JobOpen {
			t.Errorf("repeat = %+v, counts %v", m, j.Counts)
		}
		d.after(5 * time.Second)
		first, err := d.Acknowledge(t.Context(), job.ID, sms.AckAPI, "值班长")
		if err != nil || first.Ack == nil || first.Ack.By != "值班长" {
			t.Fatalf("Acknowledge = %+v, %v", first.Ack, err)
		}
		again, err := d.Acknowledge(t.Context(), job.ID, sms.AckAPI, "另一个")
		if err != nil || *again.Ack != *first.Ack {
			t.Errorf("acknowledged again: %+v, %v", again.Ack, err)
		}
		d.after(time.Hour)
		d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Submitted, sms.Submitted)
		d.checkSteps("repeated 0: 2", "api 值班长")
		if _, err := d.Acknowledge(t.Context(), "nope", sms.AckAPI, "x"); !errors.Is(err, sms.ErrNotFound) {
			t.Errorf("no such job: %v", err)
		}
		if _, err := d.Acknowledge(t.Context(), job.ID, sms.AckAPI, ""); !slices.Equal(fields(err), []string{"by"}) {
			t.Errorf("by nobody: %v", err)
		}
	})
}

func TestRepeatsEnd(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(sms.Request{To: []string{zhang}, Text: "x", Repeat: &sms.Repeat{Every: 10, Times: 2}})
		d.after(time.Hour)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Submitted)
		if j.Notice.Repeated != 2 || !j.Notice.Next.IsZero() {
			t.Errorf("notice = %+v", j.Notice)
		}
		want := []sms.Count{{account, sms.Queued, 3}, {account, sms.Submitted, 3}}
		if got := d.Counts(); !slices.Equal(got, want) {
			t.Errorf("Counts = %v, want %v", got, want)
		}
	})
}

// TestRepeatsAreTheLevels: only the current level is repeated, as often as each
// level may be; a level that is due goes before a repeat that is.
func TestRepeatsAreTheLevels(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		req := ladder()
		req.Repeat = &sms.Repeat{Every: 20, Times: 5}
		d.accept(req)
		d.after(85 * time.Second)
		var to []string
		for _, s := range d.line.submissions() {
			to = append(to, s.To)
		}
		if !slices.Equal(to, []string{zhang, zhang, zhang, li, li}) { // 0 20 40, 60 80
			t.Errorf("sent to %v", to)
		}
		d.checkSteps("repeated 0: 1", "repeated 0: 1", "released 1: 1", "repeated 1: 1")
	})
}

func TestRepeatsDoNotPileUp(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		d.line.setUp(false)
		job := d.accept(sms.Request{To: []string{zhang}, Text: "x", Repeat: &sms.Repeat{Every: 10, Times: 3}})
		d.after(25 * time.Second)
		d.stand(job.ID, sms.Queued)
		d.line.setUp(true)
		d.after(10 * time.Second)
		d.stand(job.ID, sms.Submitted, sms.Submitted)
		d.checkSteps("repeated 0: 0", "repeated 0: 0", "repeated 0: 1")
	})
}

// TestAckTakesBackQueuedRepeats: the first copies stay, since they may tell of
// something; what only repeats does not.
func TestAckTakesBackQueuedRepeats(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(sms.Request{To: []string{zhang}, Text: "x", Repeat: &sms.Repeat{Every: 10, Times: 3}})
		d.after(time.Second)
		d.line.setUp(false)
		d.after(10 * time.Second)
		d.stand(job.ID, sms.Submitted, sms.Queued)
		if _, err := d.Acknowledge(t.Context(), job.ID, sms.AckVoice, "+86"+zhang); err != nil {
			t.Fatal(err)
		}
		d.stand(job.ID, sms.Submitted, sms.Canceled)
	})
}

func TestCancelEndsTheNotice(t *testing.T) {
	for name, cancel := range map[string]func(*desk, string) error{
		"by id":  func(d *desk, id string) error { _, err := d.Cancel(d.t.Context(), id); return err },
		"by ref": func(d *desk, _ string) error { _, err := d.CancelRef(d.t.Context(), "WO-7"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			inABubble(t, func(t *testing.T, d *desk) {
				req := ladder()
				req.Repeat = &sms.Repeat{Every: 10, Times: 3}
				job := d.accept(req)
				d.after(time.Second)
				if err := cancel(d, job.ID); err != nil {
					t.Fatal(err)
				}
				d.after(time.Hour)
				j := d.stand(job.ID, sms.Submitted, sms.Canceled, sms.Canceled)
				if j.Ack != nil || !j.Notice.Next.IsZero() {
					t.Errorf("ack %+v, notice %+v", j.Ack, j.Notice)
				}
				d.checkSteps("canceled 0: 2")
			})
		})
	}
}

// TestScheduleSurvivesAStop: what came due while the box was down is done once,
// at once, and the level behind it counts from then.
func TestScheduleSurvivesAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storagetest.Open(t)
		d := openOn(t, db).run()
		req := ladder()
		req.Repeat = &sms.Repeat{Every: 10, Times: 2}
		job := d.accept(req)
		d.after(5 * time.Second)
		d.halt()
		time.Sleep(10 * time.Minute)

		began := time.Now()
		d = openOn(t, db).run()
		defer d.halt()
		d.after(time.Millisecond)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
		if !j.Notice.Told.Equal(began.Truncate(time.Millisecond)) {
			t.Errorf("told at %v, want %v", j.Notice.Told, began)
		}
		d.checkSteps("released 1: 1")
		d.after(29 * time.Second)
		d.checkSteps("released 1: 1", "repeated 1: 1", "repeated 1: 1")
		d.after(time.Second)
		d.checkSteps("released 1: 1", "repeated 1: 1", "repeated 1: 1", "released 2: 1")
	})
}

// TestStepIsWholeOrNot stops the database from taking a step's writes: nothing
// of it is there, and it is taken when writing works again.
func TestStepIsWholeOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storagetest.Open(t)
		d := openOn(t, db)
		store := &failing{Store: d.texts}
		d.Gateway = remade(t, d, store)
		d.run()
		defer d.halt()
		job := d.accept(ladder())
		d.after(59 * time.Second)
		store.fail("notices' steps", true)
		d.after(10 * time.Second)
		d.stand(job.ID, sms.Submitted, sms.Scheduled, sms.Scheduled)
		d.checkSteps()
		store.fail("notices' steps", false)
		d.after(2 * time.Second)
		d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
		d.checkSteps("released 1: 1")
	})
}

// TestOneBadNoticeStopsNoOther: a notice that cannot be read is told of once,
// and the reply to its text is taken.
func TestOneBadNoticeStopsNoOther(t *testing.T) {
	for name, doc := range map[string]string{"cut off": `{"tiers":[{"to`, "of nothing": "null", "none": "", "level -1": `{"tier":-2,"tiers":[{},{}]}`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := storagetest.Open(t)
				d := openOn(t, db)
				var log bytes.Buffer
				var err error
				d.Gateway, err = sms.New(sms.Config{
					Accounts: []sms.Account{{Name: account}}, Events: d.notes, LinkBase: linkBase, Log: slog.New(slog.NewTextHandler(&log, nil)),
				}, d.texts, d.line)
				if err != nil {
					t.Fatal(err)
				}
				d.run()
				good, bad := d.accept(ladder()), d.accept(ladder())
				err = db.Write(t.Context(), "damage", func(tx *sql.Tx) error {
					_, err := tx.Exec("UPDATE sms_jobs SET notice = ? WHERE id = ?", doc, bad.ID)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				d.after(70 * time.Second)
				d.stand(good.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
				if rows := d.incoming(sms.Text{ID: "1", From: zhang, Text: "WO-7 收到"}); len(rows) != 1 || rows[0].Job != bad.ID {
					t.Errorf("inbox = %+v", rows)
				}
				d.halt()
				if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), bad.ID) {
					t.Errorf("%d errors: %s", n, log.String())
				}
			})
		})
	}
}

func TestManyOverdueSteps(t *testing.T) {
	const jobs = 250
	synctest.Test(t, func(t *testing.T) {
		db := storagetest.Open(t)
		d := openOn(t, db)
		for range jobs {
			d.accept(ladder())
		}
		time.Sleep(time.Hour)
		d.run()
		defer d.halt()
		d.after(29 * time.Second)
		if got := d.steps(); len(got) != jobs {
			t.Errorf("%d steps, want %d", len(got), jobs)
		}
		d.after(time.Second)
		if got := d.steps(); len(got) != 2*jobs {
			t.Errorf("%d steps, want %d", len(got), 2*jobs)
		}
	})
}

func TestNoticeIsChecked(t *testing.T) {
	d := open(t)
	to := []string{zhang}
	first := sms.Tier{To: to}
	var eleven []sms.Tier
	for range 11 {
		eleven = append(eleven, first)
	}
	var many []string
	for i := range 6000 {
		many = append(many, fmt.Sprintf("138%08d", i))
	}
	for name, tt := range map[string]struct {
		req  sms.Request
		want []string
	}{
		"negative":         {sms.Request{Tiers: []sms.Tier{first, {To: to, After: -1}}}, []string{"tiers[1].after"}},
		"too late":         {sms.Request{Tiers: []sms.Tier{first, {To: to, After: 7*24*3600 + 1}}}, []string{"tiers[1].after"}},
		"first one later":  {sms.Request{Tiers: []sms.Tier{{To: to, After: 1}}}, []string{"tiers[0].after"}},
		"unless":           {sms.Request{Tiers: []sms.Tier{first, {To: to, Unless: "read"}}}, []string{"tiers[1].unless"}},
		"first unless":     {sms.Request{Tiers: []sms.Tier{{To: to, Unless: "delivered"}}}, []string{"tiers[0].unless"}},
		"eleven":           {sms.Request{Tiers: eleven}, []string{"tiers"}},
		"many":             {sms.Request{Tiers: []sms.Tier{{To: many}, {To: many}}}, []string{"tiers"}},
		"nobody":           {sms.Request{Tiers: []sms.Tier{first, {After: 1}}}, []string{"tiers[1].to"}},
		"bad number":       {sms.Request{Tiers: []sms.Tier{first, {To: []string{"10086"}}}}, []string{"tiers[1].to[0]"}},
		"beside to":        {sms.Request{To: to, Tiers: []sms.Tier{first}}, []string{"to"}},
		"repeat too fast":  {sms.Request{To: to, Repeat: &sms.Repeat{Every: 0.5, Times: 1}}, []string{"repeat.every"}},
		"repeat never":     {sms.Request{To: to, Repeat: &sms.Repeat{Every: 1}}, []string{"repeat.times"}},
		"repeat often":     {sms.Request{To: to, Repeat: &sms.Repeat{Every: 1, Times: 101}}, []string{"repeat.times"}},
		"repeat to many":   {sms.Request{To: many, Repeat: &sms.Repeat{Every: 1, Times: 2}}, []string{"repeat.times"}},
		"marketing climbs": {sms.Request{Tiers: []sms.Tier{first}, Class: sms.ClassMarketing}, []string{"class"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.req.Text = "x"
			_, _, err := d.Accept(t.Context(), tt.req)
			if got := fields(err); !slices.Equal(got, tt.want) {
				t.Errorf("faults in %v, want %v: %v", got, tt.want, err)
			}
		})
	}
	// At the limits, the same number in every level.
	d.accept(sms.Request{
		Text: "x", Repeat: &sms.Repeat{Every: 1, Times: 100},
		Tiers: append(slices.Clone(eleven[:9]), sms.Tier{To: to, After: 7 * 24 * 3600, Unless: sms.UnlessDelivered}),
	})
}

func TestAckIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storagetest.Open(t)
		hooks := []storage.Endpoint{{URL: "https://tickets.example/hook", Secret: "s", Events: []string{"notice.*"}}}
		if err := db.Notices().Replace(hooks); err != nil {
			t.Fatal(err)
		}
		d := openOn(t, db).run()
		defer d.halt()
		req := ladder()
		req.CallbackURL = "https://erp.example/cb"
		job := d.accept(req)
		d.after(time.Second)
		d.incoming(sms.Text{ID: "1", From: zhang, Text: "收到"})
		d.incoming(sms.Text{ID: "2", From: zhang, Text: "到了"})
		if _, err := d.Acknowledge(t.Context(), job.ID, sms.AckAPI, "x"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range outboxBodies(t, db) {
			data := n["data"].(map[string]any)
			got = append(got, strings.TrimSpace(fmt.Sprint(n["event"], " ", data["status"])))
			if n["event"] != storage.NoticeAck {
				continue
			}
			ack := data["ack"].(map[string]any)
			if data["id"] != job.ID || ack["how"] != "reply" || ack["by"] != "+86"+zhang || len(data["messages"].([]any)) != 3 {
				t.Errorf("notice.ack = %v", data)
			}
			if counts := data["counts"].(map[string]any); counts["canceled"] != 2.0 {
				t.Errorf("told before the rest was canceled: %v", counts)
			}
		}
		want := []string{
			"sms.status submitted", "sms.received <nil>", "sms.status canceled", "sms.status canceled",
			"notice.ack open", "notice.ack open", // the webhook's and the callback's
			"sms.received <nil>",
		}
		if !slices.Equal(got, want) {
			t.Errorf("notices = %q, want %q", got, want)
		}
	})
}

// TestSendAtMovesTheWholeNotice: the levels count from when the first is told.
func TestSendAtMovesTheWholeNotice(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		req := ladder()
		at := time.Now().Add(time.Hour)
		req.SendAt = &at
		job := d.accept(req)
		d.after(time.Hour - time.Millisecond)
		d.stand(job.ID, sms.Scheduled, sms.Scheduled, sms.Scheduled)
		d.after(time.Minute)
		d.stand(job.ID, sms.Submitted, sms.Scheduled, sms.Scheduled)
		d.after(time.Millisecond)
		d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
	})
}

// TestNoticeAwaitsItsConfirmation: nothing climbs before, and what was
// acknowledged meanwhile does not climb behind it.
func TestNoticeAwaitsItsConfirmation(t *testing.T) {
	for _, acked := range []bool{false, true} {
		inABubble(t, func(t *testing.T, d *desk) {
			req := ladder()
			req.Limits.ConfirmOver = 2
			job := d.accept(req)
			d.after(time.Hour)
			if j := d.stand(job.ID, sms.Scheduled, sms.Scheduled, sms.Scheduled); j.Status != sms.JobAwaitingConfirm {
				t.Errorf("job is %s", j.Status)
			}
			if acked {
				if _, err := d.Acknowledge(t.Context(), job.ID, sms.AckAPI, "x"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := d.Confirm(t.Context(), job.ID); err != nil {
				t.Fatal(err)
			}
			d.after(60*time.Second - time.Millisecond)
			second := sms.Scheduled
			if acked {
				second = sms.Canceled
			}
			d.stand(job.ID, sms.Submitted, second, second)
			d.after(time.Millisecond)
			if !acked {
				d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Scheduled)
			}
			d.after(time.Hour)
			if want := map[bool]int{true: 1, false: 3}[acked]; len(d.line.submissions()) != want {
				t.Errorf("acknowledged %t: %d sent, want %d", acked, len(d.line.submissions()), want)
			}
		})
	}
}

// TestNothingClimbsPastValidUntil: neither a level nor a repeat.
func TestNothingClimbsPastValidUntil(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		req := ladder()
		req.Repeat = &sms.Repeat{Every: 50, Times: 9}
		until := time.Now().Add(75 * time.Second)
		req.ValidUntil = &until
		job := d.accept(req)
		d.after(time.Hour)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted, sms.Expired, sms.Submitted)
		if !j.Notice.Next.IsZero() {
			t.Errorf("notice = %+v", j.Notice)
		}
		d.checkSteps("repeated 0: 1", "released 1: 1")
	})
}
