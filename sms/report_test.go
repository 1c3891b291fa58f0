package sms_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// orphans are the reports that wait for their message.
func (d *desk) orphans(want int64) {
	d.t.Helper()
	if n, err := d.texts.Orphans(d.t.Context()); err != nil || n != want {
		d.t.Errorf("%d orphans (%v), want %d", n, err, want)
	}
}

// lost makes the line lose its first answers.
func (d *desk) lost(n int) {
	d.line.answer = func(i int, _ sms.Submission) (sms.Receipt, error) {
		if i < n {
			return sms.Receipt{}, sms.ErrUncertain
		}
		return sms.Receipt{}, nil
	}
}

func TestReportDaysLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for stat, want := range map[string]sms.Status{"DELIVRD": sms.Delivered, "UNDELIV": sms.Failed, "EXPIRED": sms.Expired} {
			d := open(t, func(a *sms.Account) { a.ReportWait = time.Hour }).run()
			job := d.send(zhang, "x")
			time.Sleep(24 * time.Hour)
			if m := d.message(job.ID); m.Status != sms.Unknown || m.Error == nil {
				t.Fatalf("after a day: %+v", m)
			}
			d.report("a000000000000001", zhang, stat)
			if m := d.message(job.ID); m.Status != want || want == sms.Delivered != (m.Error == nil) {
				t.Errorf("after %s: %+v", stat, m)
			}
			d.report("a000000000000001", zhang, "DELIVRD")
			d.report("a000000000000001", zhang, "UNDELIV")
			if m := d.message(job.ID); m.Status != want {
				t.Errorf("%s became %s", want, m.Status)
			}
			d.told(sms.Submitted, sms.Unknown, want)
			d.halt()
		}
	})
}

// A message that was given up since nobody knew whether it had left is settled
// by the report that tells.
// TestDoneIsTheLastReports in the message, in its notice and on the screens.
func TestDoneIsTheLastReports(t *testing.T) {
	db := storagetest.Open(t)
	if err := db.Notices().Replace([]storage.Endpoint{{URL: "https://tickets.example/hook", Secret: "s", Events: []string{"sms.status"}}}); err != nil {
		t.Fatal(err)
	}
	d := openOn(t, db).run()
	job := d.send(zhang, strings.Repeat("字", 100)) // two parts
	d.await(job.ID, sms.Submitted)
	if m := d.message(job.ID); m.Done != "" {
		t.Errorf("done %q before a report", m.Done)
	}
	for _, r := range []sms.Report{
		{ID: "a000000000000002", Stat: "DELIVRD", Done: "2608010931"}, {ID: "a000000000000001", Stat: "DELIVRD", Done: "2608010930"},
	} {
		r.Account, r.To = account, zhang
		if err := d.Report(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	m := d.message(job.ID)
	if m.Status != sms.Delivered || m.Done != "2608010931" {
		t.Errorf("message = %+v", m)
	}
	all := outboxBodies(t, db)
	if told := all[len(all)-1]["data"].(map[string]any); told["status"] != "delivered" || told["done"] != m.Done {
		t.Errorf("told %v", told)
	}
	d.notes.mu.Lock()
	defer d.notes.mu.Unlock()
	if last := d.notes.notes[len(d.notes.notes)-1]; last.Message == nil || last.Message.Done != m.Done {
		t.Errorf("shown %+v", last.Message)
	}
}

func TestReportAfterItWasGivenUp(t *testing.T) {
	for stat, want := range map[string]sms.Status{"DELIVRD": sms.Delivered, "MA:0001": sms.Failed} {
		t.Run(stat, func(t *testing.T) {
			d := open(t, func(a *sms.Account) { a.OnUnknown = sms.OnUnknownDrop })
			d.lost(1)
			d.run()
			job := d.send(zhang, "x")
			d.await(job.ID, sms.Failed)
			d.report("b000000000000001", zhang, stat)
			m := d.message(job.ID)
			if m.Status != want || !m.MaybeSent {
				t.Errorf("message = %+v", m)
			}
			if want == sms.Failed && (m.Error.Stat != stat || m.Error.Text != "the number is on a blacklist") {
				t.Errorf("error = %+v", m.Error)
			}
			d.report("b000000000000001", zhang, "DELIVRD") // what was said first counts
			if again := d.message(job.ID); again.Status != want {
				t.Errorf("%s became %s", want, again.Status)
			}
			d.orphans(0)
		})
	}
}

// What the centre refused was not sent: a report about it is somebody else's.
func TestReportOfWhatWasRefused(t *testing.T) {
	d := open(t)
	d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
		return sms.Receipt{}, &sms.Rejected{Code: 13, Text: "no"}
	}
	d.run()
	job := d.send(zhang, "x")
	d.await(job.ID, sms.Failed)
	d.report("b000000000000001", zhang, "DELIVRD")
	if m := d.message(job.ID); m.Status != sms.Failed || m.Error.Code != 13 {
		t.Errorf("message = %+v", m)
	}
	d.orphans(1)
}

func TestOrphansAreKeptThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.report("b000000000000001", zhang, "DELIVRD")
		d.report("b000000000000001", zhang, "UNDELIV")
		d.report("b000000000000002", "not a number", "DELIVRD")
		d.orphans(2)
		time.Sleep(72*time.Hour - time.Minute)
		d.orphans(2)
		time.Sleep(3 * time.Minute)
		d.orphans(0)
	})
}

// aYearAgo makes a message one of last year.
func (d *desk) aYearAgo(job string) {
	d.t.Helper()
	err := d.db.Write(d.t.Context(), "a year", func(tx *sql.Tx) error {
		const year = 365 * 24 * 3600 * 1000
		_, err := tx.Exec(`UPDATE sms_messages SET created = created - ?1, changed = changed - ?1,
			times = (SELECT json_group_object(key, value - ?1) FROM json_each(times)) WHERE job = ?2`, year, job)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// Carriers' ids begin with month, day and time: they come again.
func TestIDsComeAgain(t *testing.T) {
	const id = "ffffffffffffffff" // also with the top bit set
	for _, reported := range []bool{true, false} {
		t.Run(fmt.Sprintf("the old one was reported: %t", reported), func(t *testing.T) {
			d := open(t)
			d.line.answer = func(int, sms.Submission) (sms.Receipt, error) { return sms.Receipt{Parts: []string{id}}, nil }
			d.run()
			old, want := d.send(zhang, "old"), sms.Submitted
			d.await(old.ID, sms.Submitted)
			if reported {
				d.report(id, zhang, "UNDELIV")
				want = sms.Failed
			}
			d.aYearAgo(old.ID)
			d.line.onSubmit = func(s sms.Submission) { d.report(id, zhang, "DELIVRD") } // before its answer
			fresh := d.send(zhang, "new")
			d.await(fresh.ID, sms.Delivered)
			d.report(id, zhang, "UNDELIV") // doubled
			d.await(fresh.ID, sms.Delivered)
			d.await(old.ID, want)
			d.orphans(0)
		})
	}
}

// A centre that begins its ids anew gives them to other numbers.
func TestIDOfAnotherNumber(t *testing.T) {
	d := open(t)
	d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
		return sms.Receipt{Parts: []string{"0000000000000001"}}, nil
	}
	d.run()
	old := d.send(zhang, "old")
	d.await(old.ID, sms.Submitted)
	d.report("0000000000000001", "86"+zhang, "DELIVRD")
	d.line.onSubmit = func(s sms.Submission) { d.report("0000000000000001", "13900139000", "UNDELIV") }
	fresh := d.send("13900139000", "new")
	d.await(fresh.ID, sms.Failed)
	d.await(old.ID, sms.Delivered)
}

// An id that by chance is another's, turned round, is not taken for it.
func TestTurnedIDOfAnotherNumber(t *testing.T) {
	d := open(t).run()
	job := d.send(zhang, "x")
	d.await(job.ID, sms.Submitted)
	d.report("01000000000000a0", "13900139000", "UNDELIV")
	d.await(job.ID, sms.Submitted)
	d.orphans(1)
	if d.Turned() != 0 {
		t.Errorf("Turned = %d", d.Turned())
	}
}

func TestStatsHaveWords(t *testing.T) {
	for stat, want := range map[string]string{
		"EXPIRED": "validity ran out: the phone was off or out of reach",
		"MA:0001": "the number is on a blacklist",
		"MA:0022": "too many texts to this number",
		"MA:0777": "no answer from the message centre",
		"MK:0042": "the network could not bring it to the phone",
		"XX:0001": "not delivered",
		"weird":   "not delivered",
		"UNDELIV": "空号或停机",
		"HD:0031": "被网关拦截",
	} {
		t.Run(stat, func(t *testing.T) {
			d := open(t).run()
			codes := []sms.Code{{Stat: "UNDELIV", Text: "空号或停机"}, {Stat: "HD", Text: "被网关拦截"}}
			if err := d.SetCodes(t.Context(), codes); err != nil {
				t.Fatal(err)
			}
			job := d.send(zhang, "x")
			d.await(job.ID, sms.Submitted)
			d.report("a000000000000001", zhang, stat)
			if m := d.message(job.ID); m.Error == nil || m.Error.Stat != stat || m.Error.Text != want {
				t.Errorf("error = %+v, want %q", m.Error, want)
			}
		})
	}
}

// TestTimesAreObserved: from acceptance, or release, to submitted, and from
// there to delivered.
func TestTimesAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.setUp(false)
		d.run()
		job := d.send(zhang, "x")
		later := time.Now().Add(time.Hour)
		timed := d.accept(sms.Request{To: []string{zhang}, Text: "y", SendAt: &later})
		time.Sleep(20 * time.Second)
		d.line.setUp(true)
		time.Sleep(5 * time.Second)
		d.report("a000000000000001", zhang, "DELIVRD")
		d.line.setUp(false)
		time.Sleep(time.Hour)
		d.line.setUp(true)
		time.Sleep(time.Second)
		synctest.Wait()
		if d.message(job.ID).Status != sms.Delivered || d.message(timed.ID).Status != sms.Submitted {
			t.Fatalf("messages = %+v, %+v", d.message(job.ID), d.message(timed.ID))
		}
		want := map[string][]time.Duration{"submitted": {20 * time.Second, 25 * time.Second}, "delivered": {5 * time.Second}}
		if got := d.notes.times; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("observed %v, want %v", got, want)
		}
	})
}
