package sms_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// late are the jobs that were told to be late, in that order.
func (b *notebook) late() (jobs []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes {
		if n.Type == sms.NoteLate {
			jobs = append(jobs, n.Message.Job)
		}
	}
	return jobs
}

func patient(d time.Duration) func(*sms.Account) {
	return func(a *sms.Account) { a.LateAfter = d }
}

// checkLate says which jobs have been told to be late, once each.
func (d *desk) checkLate(when string, want ...string) {
	d.t.Helper()
	synctest.Wait()
	got := d.notes.late()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		d.t.Errorf("%s: late are %v, want %v", when, got, want)
	}
}

func TestLateBehindADeadCarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, patient(time.Minute))
		d.line.setUp(false)
		d.run()
		first := d.send(zhang, "x")
		time.Sleep(30 * time.Second)
		second := d.send(zhang, "y")
		time.Sleep(30 * time.Second)
		d.checkLate("at its limit")
		time.Sleep(7 * time.Second)
		d.checkLate("after its limit", first.ID)
		time.Sleep(30 * time.Second)
		d.checkLate("both", first.ID, second.ID)
		if m := d.message(first.ID); m.Status != sms.Queued {
			t.Errorf("a late message is %s", m.Status)
		}
		d.line.setUp(true)
		time.Sleep(time.Hour)
		d.checkLate("once a message", first.ID, second.ID)
		d.told(sms.Submitted, sms.Submitted)
	})
}

func TestLateWithoutAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, patient(time.Minute), func(a *sms.Account) { a.OnUnknown = sms.OnUnknownHold })
		d.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
			switch n {
			case 0:
				return sms.Receipt{}, sms.ErrUncertain
			case 1:
				return sms.Receipt{}, &sms.Rejected{Code: 13}
			}
			return sms.Receipt{}, nil
		}
		d.run()
		held := d.send(zhang, "held")
		time.Sleep(time.Second)
		d.send(zhang, "refused")
		time.Sleep(time.Second)
		sent := d.send(zhang, "sent")
		time.Sleep(time.Second)
		d.send(zhang, "delivered")
		time.Sleep(time.Second)
		d.report("a000000000000004", zhang, "DELIVRD")
		time.Sleep(2 * time.Minute)
		d.checkLate("what is neither there nor final", held.ID, sent.ID)
		d.report("a000000000000003", zhang, "DELIVRD")
		if m := d.message(sent.ID); m.Status != sms.Delivered {
			t.Errorf("a late message is %s", m.Status)
		}
	})
}

func TestLateCountsFromRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, patient(time.Minute))
		d.line.setUp(false)
		d.run()
		at := time.Now().Add(time.Hour)
		job := d.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: &at})
		time.Sleep(time.Hour + 30*time.Second)
		d.checkLate("30 s after its release")
		time.Sleep(time.Minute)
		d.checkLate("90 s after its release", job.ID)
		d.line.setUp(true) // the mark stays when it goes on
		time.Sleep(time.Hour)
		d.checkLate("later", job.ID)
	})
}

// A message that goes over to an account of less patience is not overlooked.
func TestLateAfterFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, notes := storagetest.Open(t), &notebook{}
		quick, slow := newFake("quick"), newFake("slow")
		quick.setUp(false)
		slow.setUp(false)
		g, err := sms.New(sms.Config{Events: notes, Accounts: []sms.Account{
			{Name: "slow", LateAfter: 10 * time.Minute}, {Name: "quick", LateAfter: time.Minute},
		}}, db.SMS(), quick, slow)
		if err != nil {
			t.Fatal(err)
		}
		d := (&desk{t: t, Gateway: g, db: db, texts: db.SMS(), notes: notes}).run()
		moved := d.send(zhang, "x")
		quickly := d.accept(sms.Request{To: []string{zhang}, Text: "y", Account: "quick"})
		time.Sleep(5 * time.Minute)
		d.checkLate("after 5 min", quickly.ID)
		err = db.Write(t.Context(), "fail over", func(tx *sql.Tx) error {
			_, err := tx.Exec("UPDATE sms_messages SET account = 'quick' WHERE job = ?", moved.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		d.checkLate("after 9 min", quickly.ID)
		time.Sleep(2 * time.Minute)
		d.checkLate("after 11 min", quickly.ID, moved.ID)
	})
}

func TestLateIsToldOnceOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, patient(time.Minute))
		d.line.setUp(false)
		d.run()
		first := d.send(zhang, "x")
		time.Sleep(2 * time.Minute)
		d.checkLate("before", first.ID)
		second := d.send(zhang, "y")
		d.halt()
		time.Sleep(time.Hour)
		again := openOn(t, d.db, patient(time.Minute))
		again.line.setUp(false)
		again.run()
		time.Sleep(time.Minute)
		again.checkLate("after", second.ID)
	})
}

func TestLateIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.setUp(false)
		d.run()
		d.send(zhang, "x")
		time.Sleep(time.Hour)
		d.checkLate("never")
	})
}

// TestLateIsTold: a webhook and a callback for each, and one line in the log.
func TestLateIsTold(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	hooks := []storage.Endpoint{{URL: "https://tickets.example/hook", Secret: "s", Events: []string{"sms.late"}}}
	db := storagetest.OpenAt(t, cfg)
	if err := db.Notices().Replace(hooks); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	a := sms.Account{Name: account, LateAfter: 300 * time.Millisecond}
	line := newFake(account)
	line.setUp(false)
	g, err := sms.New(sms.Config{Accounts: []sms.Account{a}, Log: slog.New(slog.NewTextHandler(&log, nil))}, db.SMS(), line)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		req := sms.Request{To: []string{zhang}, Text: "x", Ref: fmt.Sprint("WO-", i), CallbackURL: "https://erp.example/cb"}
		if _, _, err := g.Accept(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var group guard.Group
	group.Go("gateway", func() { _ = g.Run(ctx) })
	for range 500 {
		if len(outboxBodies(t, db)) == 6 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // some looks more
	stop()
	group.Wait()
	all := outboxBodies(t, db)
	if len(all) != 6 {
		t.Fatalf("%d notices, want two for each of three texts", len(all))
	}
	data := all[0]["data"].(map[string]any)
	if all[0]["event"] != "sms.late" || data["ref"] != "WO-0" || data["status"] != "queued" {
		t.Errorf("notice = %v", all[0])
	}
	if n := strings.Count(log.String(), "not delivered in time"); n != 1 || !strings.Contains(log.String(), "count=3") {
		t.Errorf("%d lines, want one: %s", n, log.String())
	}
}

// BenchmarkLateLook is what a look costs behind 100,000 messages that were told
// before, and what it costs to tell of them.
func BenchmarkLateLook(b *testing.B) {
	const n = 100_000
	d := open(b)
	d.line.setUp(false)
	to := make([]string, 1000)
	for i := range n / len(to) {
		for j := range to {
			to[j] = fmt.Sprintf("138%08d", i*len(to)+j)
		}
		d.accept(sms.Request{To: to, Text: "x"})
	}
	began := time.Now()
	found, told := d.look(0), 0
	for ; ; found = d.look(found.Next) {
		told += d.markLate(found.Messages)
		if !found.More {
			break
		}
	}
	took := time.Since(began)
	if told != n {
		b.Fatalf("told of %d messages, want %d", told, n)
	}
	b.ResetTimer()
	for b.Loop() {
		if again := d.look(found.Next); len(again.Messages) > 0 || again.More {
			b.Fatalf("found %d again", len(again.Messages))
		}
	}
	b.ReportMetric(float64(took.Milliseconds()), "ms-to-tell")
}

func (d *desk) look(after int64) sms.Found {
	d.t.Helper()
	found, err := d.texts.Overdue(context.Background(), sms.Overdue{
		Accounts: []string{account}, Before: stamp.At(time.Now().Add(time.Millisecond)), After: after, Limit: 200,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

func (d *desk) markLate(ids []string) (n int) {
	d.t.Helper()
	err := d.texts.Update(context.Background(), "mark", func(tx sms.Tx) error {
		late, err := tx.MarkLate(ids, stamp.Now())
		n = len(late)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}
