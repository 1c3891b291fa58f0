package sms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestTextGoesOutAndIsReported(t *testing.T) {
	d := open(t).run()
	job := d.send(zhang, "您好")
	m := d.await(job.ID, sms.Submitted)
	s := d.line.submissions()[0]
	if s.To != zhang || !slices.Equal(s.Parts, []string{"您好"}) || s.ID != m.ID {
		t.Errorf("submission = %+v", s)
	}
	d.report("a000000000000001", zhang, "ACCEPTD")
	d.report("a000000000000001", zhang, "DELIVRD")
	d.report("a000000000000001", zhang, "DELIVRD")
	d.report("a000000000000001", zhang, "UNDELIV")
	m = d.message(job.ID)
	if m.Status != sms.Delivered || m.Error != nil || m.MaybeSent {
		t.Errorf("message = %+v", m)
	}
	for _, s := range []sms.Status{sms.Queued, sms.Submitting, sms.Submitted, sms.Delivered} {
		if m.Times[s].IsZero() {
			t.Errorf("no time for %s", s)
		}
	}
	d.told(sms.Submitted, sms.Delivered)
	if j, err := d.texts.Job(t.Context(), job.ID); err != nil || j.Status != sms.JobDone {
		t.Errorf("job is %s, %v", j.Status, err)
	}
	want := []sms.Count{{account, sms.Delivered, 1}, {account, sms.Queued, 1}, {account, sms.Submitted, 1}}
	if got := d.Counts(); !slices.Equal(got, want) {
		t.Errorf("Counts = %v, want %v", got, want)
	}
}

func TestReportMayComeFirst(t *testing.T) {
	for name, id := range map[string]string{"as it is": "a000000000000001", "turned round": "01000000000000a0"} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			d.line.onSubmit = func(s sms.Submission) { d.report(id, s.To, "DELIVRD") }
			d.run()
			d.await(d.send(zhang, "x").ID, sms.Delivered)
			d.told(sms.Submitted, sms.Delivered)
		})
	}
}

func TestTurnedID(t *testing.T) {
	d := open(t).run()
	job := d.send(zhang, "x")
	d.await(job.ID, sms.Submitted)
	d.report("01000000000000a0", zhang, "DELIVRD")
	d.await(job.ID, sms.Delivered)
	if d.Turned() != 1 {
		t.Errorf("Turned = %d", d.Turned())
	}
}

func TestFold(t *testing.T) {
	long := strings.Repeat("字", 100) // two parts
	for name, tt := range map[string]struct {
		stats [2]string
		want  sms.Status
		stat  string
	}{
		"both":          {[2]string{"DELIVRD", "DELIVRD"}, sms.Delivered, ""},
		"one":           {[2]string{"DELIVRD", ""}, sms.Submitted, ""},
		"one is bad":    {[2]string{"", "MA:0022"}, sms.Failed, "MA:0022"},
		"bad then good": {[2]string{"UNDELIV", "DELIVRD"}, sms.Failed, "UNDELIV"},
		"good then bad": {[2]string{"DELIVRD", "EXPIRED"}, sms.Expired, "EXPIRED"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t).run()
			job := d.send(zhang, long)
			d.await(job.ID, sms.Submitted)
			for i, stat := range tt.stats {
				d.report(fmt.Sprintf("a00000000000000%d", i+1), zhang, stat)
			}
			m := d.message(job.ID)
			if m.Status != tt.want {
				t.Errorf("status = %s, want %s", m.Status, tt.want)
			}
			if tt.stat != "" && (m.Error == nil || m.Error.Stat != tt.stat || m.Error.Text == "") {
				t.Errorf("error = %+v, want stat %s", m.Error, tt.stat)
			}
		})
	}
}

func TestLongTextsHaveReferences(t *testing.T) {
	d := open(t, func(a *sms.Account) { a.Signature, a.SignatureBy = "【安顺维保】", sms.SignedByGateway }).run()
	d.await(d.send(zhang, "【安顺维保】"+strings.Repeat("字", 65)).ID, sms.Submitted)
	d.await(d.send(zhang, strings.Repeat("字", 65)).ID, sms.Submitted)
	all := d.line.submissions()
	if len(all[0].Parts) != 2 || sms.Units(all[0].Parts[0]) != 61 || strings.Contains(all[0].Parts[0], "【") {
		t.Errorf("parts = %q", all[0].Parts)
	}
	if all[0].Reference == all[1].Reference {
		t.Errorf("both texts have reference %d", all[0].Reference)
	}
}

func TestCarrierSaysNo(t *testing.T) {
	for name, tt := range map[string]struct {
		first error
		want  sms.Status
		sent  int
	}{
		"refused":          {&sms.Rejected{Code: 13, Text: "Dest_terminal_Id"}, sms.Failed, 1},
		"refused, wrapped": {fmt.Errorf("submit: %w", &sms.Rejected{Code: 13}), sms.Failed, 1},
		"throttled":        {fmt.Errorf("result 8: %w", sms.ErrThrottled), sms.Submitted, 2},
		"not sent":         {fmt.Errorf("down: %w", sms.ErrNotSent), sms.Submitted, 2},
		"unknown":          {fmt.Errorf("lost: %w", sms.ErrUncertain), sms.Submitted, 2},
		"something else":   {errors.New("what?"), sms.Submitted, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t)
				d.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
					if n == 0 {
						return sms.Receipt{}, tt.first
					}
					return sms.Receipt{}, nil
				}
				d.run()
				job := d.send(zhang, "x")
				time.Sleep(time.Minute)
				m := d.message(job.ID)
				if m.Status != tt.want || len(d.line.submissions()) != tt.sent {
					t.Errorf("status %s after %d submits, want %s after %d", m.Status, len(d.line.submissions()), tt.want, tt.sent)
				}
				if tt.want == sms.Failed && (m.Error == nil || m.Error.Code != 13) {
					t.Errorf("error = %+v", m.Error)
				}
			})
		})
	}
}

func TestPanicInCarrier(t *testing.T) {
	d := open(t, func(a *sms.Account) { a.OnUnknown = sms.OnUnknownHold })
	d.line.answer = func(int, sms.Submission) (sms.Receipt, error) { panic("oops") }
	d.run()
	if m := d.await(d.send(zhang, "x").ID, sms.Unknown); !m.MaybeSent {
		t.Error("maybe_sent is false")
	}
}

func TestThrottlePausesTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		var at []time.Duration
		start := time.Now()
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
			if at = append(at, time.Since(start)); len(at) > 5 {
				return sms.Receipt{}, nil
			}
			return sms.Receipt{}, sms.ErrThrottled
		}
		d.run()
		d.send(zhang, "x")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 1, 3, 7, 15, 31}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
	})
}

// policies is what comes of a message whose outcome is unknown, by on_unknown.
var policies = map[string]struct {
	want sms.Status
	sent int
}{
	sms.OnUnknownResend: {sms.Submitted, 1},
	sms.OnUnknownHold:   {sms.Unknown, 0},
	sms.OnUnknownDrop:   {sms.Failed, 0},
}

func TestLostAnswer(t *testing.T) {
	for policy, tt := range policies {
		t.Run(policy, func(t *testing.T) {
			d := open(t, func(a *sms.Account) { a.OnUnknown = policy })
			d.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
				if n == 0 {
					return sms.Receipt{}, sms.ErrUncertain
				}
				return sms.Receipt{}, nil
			}
			d.run()
			job := d.send(zhang, "x")
			m := d.await(job.ID, tt.want)
			if got := len(d.line.submissions()) - 1; got != tt.sent {
				t.Errorf("sent again %d times, want %d", got, tt.sent)
			}
			j, err := d.texts.Job(t.Context(), job.ID)
			if err != nil || !m.MaybeSent || !j.MaybeSent || m.Times[sms.Unknown].IsZero() {
				t.Errorf("maybe_sent %v and %v, times %v, %v", m.MaybeSent, j.MaybeSent, m.Times, err)
			}
		})
	}
}

// TestNeverAnswered is held in the end, with words, since it may be what ends
// the connection; a report still settles it.
func TestNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) { return sms.Receipt{}, sms.ErrUncertain }
		d.run()
		job := d.send(zhang, "x")
		time.Sleep(time.Hour)
		m, sent := d.message(job.ID), len(d.line.submissions())
		if want := fmt.Sprintf("sent %d times", sent); m.Status != sms.Unknown || m.Error == nil || !strings.Contains(m.Error.Text, want) {
			t.Errorf("%s, %+v; want unknown, %s", m.Status, m.Error, want)
		}
		d.report("0000000000000001", zhang, "DELIVRD")
		if m := d.message(job.ID); m.Status != sms.Delivered || m.Error != nil {
			t.Errorf("reported: %s, %+v", m.Status, m.Error)
		}
	})
}

func TestCrashWhileSubmitting(t *testing.T) {
	for policy, tt := range policies {
		t.Run(policy, func(t *testing.T) {
			db := storagetest.Open(t)
			before := openOn(t, db)
			job := before.send(zhang, "x")
			err := before.texts.Update(t.Context(), "claim", func(tx sms.Tx) error {
				_, err := tx.Claim(account, 10, 0, stamp.Now())
				return err
			})
			if err != nil || before.message(job.ID).Status != sms.Submitting {
				t.Fatalf("not claimed: %v", err)
			}
			after := openOn(t, db, func(a *sms.Account) { a.OnUnknown = policy }).run()
			m := after.await(job.ID, tt.want)
			if got := len(after.line.submissions()); got != tt.sent || !m.MaybeSent {
				t.Errorf("sent %d times, want %d; maybe_sent %v", got, tt.sent, m.MaybeSent)
			}
		})
	}
}

func TestLateReportSettlesUnknown(t *testing.T) {
	for stat, want := range map[string]sms.Status{"DELIVRD": sms.Delivered, "UNDELIV": sms.Failed, "EXPIRED": sms.Expired} {
		t.Run(stat, func(t *testing.T) {
			d := open(t, func(a *sms.Account) { a.OnUnknown = sms.OnUnknownHold })
			d.line.answer = func(int, sms.Submission) (sms.Receipt, error) { return sms.Receipt{}, sms.ErrUncertain }
			d.run()
			job := d.send(zhang, "x")
			d.await(job.ID, sms.Unknown)
			d.report("b000000000000001", li, stat) // somebody else's
			d.report("b000000000000002", zhang, stat)
			d.report("b000000000000002", zhang, stat)
			if m := d.message(job.ID); m.Status != want {
				t.Errorf("status = %s, want %s", m.Status, want)
			}
		})
	}
}

func TestAcceptedWithoutAnID(t *testing.T) {
	d := open(t)
	d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
		return sms.Receipt{Parts: []string{"a000000000000001", ""}}, nil
	}
	d.run()
	job := d.send(zhang, strings.Repeat("字", 100))
	d.await(job.ID, sms.Submitted)
	d.report("a000000000000001", zhang, "DELIVRD")
	d.report("b000000000000001", zhang, "DELIVRD")
	if m := d.message(job.ID); m.Status != sms.Delivered || m.Parts != 2 {
		t.Errorf("status = %s, parts %d; want delivered, 2", m.Status, m.Parts)
	}
}

func TestNoReportInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, func(a *sms.Account) { a.ReportWait = time.Hour }).run()
		job := d.send(zhang, "x")
		time.Sleep(time.Hour - time.Second)
		if m := d.message(job.ID); m.Status != sms.Submitted {
			t.Errorf("before: %s", m.Status)
		}
		time.Sleep(2 * time.Minute)
		if m := d.message(job.ID); m.Status != sms.Unknown || m.Error == nil {
			t.Errorf("after: %s, %v", m.Status, m.Error)
		}
		d.report("a000000000000001", zhang, "DELIVRD")
		if m := d.message(job.ID); m.Status != sms.Delivered || m.Error != nil {
			t.Errorf("late report: %s, %v", m.Status, m.Error)
		}
		if len(d.line.submissions()) != 1 {
			t.Error("sent again")
		}
	})
}

func TestPoisonIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) { return sms.Receipt{}, sms.ErrUncertain }
		d.run()
		job := d.send(zhang, "x")
		time.Sleep(time.Hour)
		if m := d.message(job.ID); m.Status != sms.Unknown || len(d.line.submissions()) != 6 {
			t.Errorf("%s after %d submits, want unknown after 6", m.Status, len(d.line.submissions()))
		}
	})
}

func TestCancel(t *testing.T) {
	d := open(t)
	d.line.setUp(false)
	d.run()
	a := d.accept(sms.Request{To: []string{zhang, li}, Text: "x", Ref: "R1"})
	b := d.accept(sms.Request{To: []string{zhang}, Text: "y", Ref: "R1"})
	c := d.accept(sms.Request{To: []string{zhang}, Text: "z", Ref: "R2"})
	job, err := d.Cancel(t.Context(), a.ID)
	if err != nil || job.Status != sms.JobCanceled || job.Messages[1].Status != sms.Canceled {
		t.Errorf("Cancel = %+v, %v", job, err)
	}
	jobs, err := d.CancelRef(t.Context(), "R1")
	if err != nil || len(jobs) != 2 || jobs[1].ID != b.ID || jobs[1].Status != sms.JobCanceled {
		t.Errorf("CancelRef = %+v, %v", jobs, err)
	}
	d.line.setUp(true)
	d.await(c.ID, sms.Submitted)
	if got := d.line.submissions(); len(got) != 1 {
		t.Errorf("%d submits, want 1", len(got))
	}
	if job, err = d.Cancel(t.Context(), c.ID); err != nil || job.Status != sms.JobOpen {
		t.Errorf("cancel of a submitted one: %s, %v", job.Status, err)
	}
	if _, err := d.Cancel(t.Context(), "nope"); !errors.Is(err, sms.ErrNotFound) {
		t.Errorf("unknown job: %v", err)
	}
}

func TestUrgentGoesFirst(t *testing.T) {
	d := open(t)
	d.line.setUp(false)
	d.line.capacity = 1
	d.run()
	var last sms.Job
	for _, r := range []sms.Request{
		{Text: "marketing", Class: sms.ClassMarketing},
		{Text: "notice", Class: sms.ClassNotice},
		{Text: "dispatch"},
		{Text: "dispatch 2"},
		{Text: "low", Priority: "low"},
		{Text: "urgent", Priority: "urgent"},
	} {
		r.To = []string{zhang}
		job := d.accept(r)
		if r.Class == sms.ClassMarketing {
			last = job
		}
	}
	d.line.setUp(true)
	d.await(last.ID, sms.Submitted)
	var got []string
	for _, s := range d.line.submissions() {
		got = append(got, s.Parts[0])
	}
	if want := []string{"urgent", "dispatch", "dispatch 2", "notice", "low", "marketing"}; !slices.Equal(got, want) {
		t.Errorf("order = %q, want %q", got, want)
	}
}

func TestExtensionRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, func(a *sms.Account) { a.ExtensionDigits = 3 })
		d.line.answer = func(_ int, s sms.Submission) (sms.Receipt, error) {
			if s.Extension != "" {
				return sms.Receipt{}, &sms.Rejected{Code: 10, Text: "Src_Id"}
			}
			return sms.Receipt{}, nil
		}
		d.run()
		d.send(zhang, "x")
		synctest.Wait()
		d.send(zhang, "y")
		time.Sleep(time.Minute)
		var got []string
		for _, s := range d.line.submissions() {
			got = append(got, s.Extension)
		}
		if want := []string{"000", "", ""}; !slices.Equal(got, want) {
			t.Errorf("extensions = %q, want %q", got, want)
		}
	})
}

func TestStopGivesBack(t *testing.T) {
	d := open(t)
	var stop context.CancelFunc
	d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
		stop()
		return sms.Receipt{}, sms.ErrNotSent
	}
	d.run()
	stop = d.stop
	job := d.send(zhang, "x")
	d.group.Wait()
	if m := d.message(job.ID); m.Status != sms.Queued || m.MaybeSent {
		t.Errorf("status %s, maybe_sent %v; want queued", m.Status, m.MaybeSent)
	}
}

// TestLastWordIsStored has a carrier that takes its time to say goodbye, as a
// CMPP client does while a gateway owes it answers.
func TestLastWordIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.leaving = 8 * time.Second
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
			time.Sleep(10 * time.Second)
			return sms.Receipt{}, nil
		}
		d.run()
		job := d.send(zhang, "x")
		d.await(job.ID, sms.Submitting)
		d.halt()
		if m := d.message(job.ID); m.Status != sms.Submitted || m.MaybeSent {
			t.Errorf("status %s, maybe_sent %v; want submitted", m.Status, m.MaybeSent)
		}
	})
}

// TestLostConnectionIsOneLine for all the messages that were on it.
func TestLostConnectionIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 12
		d := open(t, func(a *sms.Account) { a.OnUnknown = sms.OnUnknownHold })
		var log bytes.Buffer
		cut := make(chan struct{})
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
			<-cut
			return sms.Receipt{}, fmt.Errorf("%w: cut", sms.ErrUncertain)
		}
		var err error
		cfg := sms.Config{
			Log:      slog.New(slog.NewTextHandler(&log, nil)),
			Accounts: []sms.Account{{Name: account, OnUnknown: sms.OnUnknownHold}},
		}
		if d.Gateway, err = sms.New(cfg, d.texts, d.line); err != nil {
			t.Fatal(err)
		}
		d.run()
		var last sms.Job
		for i := range n {
			last = d.send(fmt.Sprintf("139%08d", i), "x")
		}
		synctest.Wait()
		time.Sleep(time.Second)
		close(cut)
		d.await(last.ID, sms.Unknown)
		d.halt()
		var told, lines int
		for _, m := range regexp.MustCompile(`not known whether .* count=(\d+) .*cut`).FindAllSubmatch(log.Bytes(), -1) {
			count, _ := strconv.Atoi(string(m[1]))
			told, lines = told+count, lines+1
		}
		if told != n || lines > 3 {
			t.Errorf("%d messages in %d lines:\n%s", told, lines, log.String())
		}
	})
}

// What is claimed when the box falls is unknown afterwards: little more than
// what the carrier has room for.
func TestLittleIsClaimedAhead(t *testing.T) {
	d := open(t)
	answer := make(chan struct{})
	d.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
		if n >= 8 {
			<-answer
		} else {
			time.Sleep(50 * time.Millisecond)
		}
		return sms.Receipt{}, nil
	}
	d.run()
	defer close(answer)
	for i := range 100 {
		d.send(fmt.Sprintf("139%08d", i), "x")
	}
	time.Sleep(200 * time.Millisecond)
	waiting, _, err := d.texts.Messages(t.Context(), storage.MessageFilter{Status: sms.Submitting, Limit: 100})
	if room := d.line.capacity; err != nil || len(waiting) < room || len(waiting) > room+room/4 {
		t.Errorf("%d messages are being submitted, room is for %d (%v)", len(waiting), room, err)
	}
}

func TestMessagesOfAnAccountThatIsGone(t *testing.T) {
	d := open(t)
	d.send(zhang, "x")
	var log strings.Builder
	cfg := sms.Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Accounts: []sms.Account{{Name: "other"}}}
	other, err := sms.New(cfg, d.texts, newFake("other"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if err := other.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "account="+account+" count=1") {
		t.Errorf("nobody is told: %q", log.String())
	}
}
