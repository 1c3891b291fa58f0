package sms_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// in is a time from now.
func in(d time.Duration) *time.Time {
	at := time.Now().Add(d)
	return &at
}

// statuses are a job's messages' as they stand.
func (d *desk) statuses(job string) (all []sms.Status) {
	d.t.Helper()
	j, err := d.texts.Job(d.t.Context(), job)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, m := range j.Messages {
		all = append(all, m.Status)
	}
	return all
}

func (d *desk) want(job string, want ...sms.Status) {
	d.t.Helper()
	if got := d.statuses(job); !slices.Equal(got, want) {
		d.t.Errorf("at %s messages are %v, want %v", time.Now().UTC().Format(time.TimeOnly), got, want)
	}
}

// until waits to d's last instant and one behind it.
func until(at time.Time, before, after func()) {
	time.Sleep(time.Until(at) - time.Millisecond)
	synctest.Wait()
	before()
	time.Sleep(time.Millisecond)
	synctest.Wait()
	after()
}

func TestSendAtIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		later := d.accept(sms.Request{To: []string{zhang, li}, Text: "x", SendAt: in(2 * time.Hour)})
		sooner := d.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: in(time.Hour)})
		past := d.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: in(-time.Hour)})
		if later.SendAt == nil || later.Counts[sms.Scheduled] != 2 || past.SendAt != nil {
			t.Errorf("jobs = %+v, %+v", later, past)
		}
		if kept, err := d.texts.Job(t.Context(), later.ID); err != nil || asJSON(t, kept) != asJSON(t, later) {
			t.Errorf("answered %s\nkept     %s", asJSON(t, later), asJSON(t, kept))
		}
		synctest.Wait()
		d.want(past.ID, sms.Submitted)
		until(sooner.SendAt.Time, func() { d.want(sooner.ID, sms.Scheduled) }, func() { d.want(sooner.ID, sms.Submitted) })
		until(later.SendAt.Time, func() { d.want(later.ID, sms.Scheduled, sms.Scheduled) },
			func() { d.want(later.ID, sms.Submitted, sms.Submitted) })
		if m := d.message(later.ID); m.Times[sms.Scheduled] != later.Created || m.Times[sms.Queued] != *later.SendAt {
			t.Errorf("times = %v", m.Times)
		}
	})
}

func TestSendAtOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := open(t).run()
		job := first.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: in(time.Hour)})
		first.halt()
		time.Sleep(2 * time.Hour)
		second := openOn(t, first.db).run()
		synctest.Wait()
		second.want(job.ID, sms.Submitted)
	})
}

func TestNotSentInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.setUp(false)
		d.run()
		queued := d.accept(sms.Request{To: []string{zhang}, Text: "x", ValidUntil: in(time.Minute)})
		waiting := d.accept(sms.Request{
			To: []string{zhang, li}, Text: "x", ValidUntil: in(2 * time.Minute), Limits: sms.Limits{ConfirmOver: 1},
		})
		until(queued.ValidUntil.Time, func() { d.want(queued.ID, sms.Queued) }, func() { d.want(queued.ID, sms.Expired) })
		if m := d.message(queued.ID); m.Error == nil || m.Error.Text == "" || m.Times[sms.Expired].IsZero() {
			t.Errorf("message = %+v", m)
		}
		until(waiting.ValidUntil.Time, func() { d.want(waiting.ID, sms.Scheduled, sms.Scheduled) },
			func() { d.want(waiting.ID, sms.Expired, sms.Expired) })
		if _, err := d.Confirm(t.Context(), waiting.ID); !errors.Is(err, sms.ErrNotAwaiting) {
			t.Errorf("Confirm = %v", err)
		}
		d.told(sms.Expired, sms.Expired, sms.Expired)
		d.line.setUp(true)
		synctest.Wait()
		if sent := d.line.submissions(); len(sent) > 0 {
			t.Errorf("submitted %+v", sent)
		}
	})
}

func TestWhatComesBackTooLateExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.answer = func(int, sms.Submission) (sms.Receipt, error) {
			time.Sleep(2 * time.Minute)
			return sms.Receipt{}, sms.ErrNotSent
		}
		d.run()
		job := d.accept(sms.Request{To: []string{zhang}, Text: "x", ValidUntil: in(time.Minute)})
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		d.want(job.ID, sms.Expired)
	})
}

func TestClaimLeavesWhatIsTooOld(t *testing.T) {
	d := open(t)
	d.accept(sms.Request{To: []string{zhang}, Text: "x", ValidUntil: in(time.Hour)})
	for _, tt := range []struct {
		at   time.Time
		want int
	}{{*in(2 * time.Hour), 0}, {time.Now(), 1}} {
		err := d.texts.Update(t.Context(), "claim", func(tx sms.Tx) error {
			got, err := tx.Claim(account, 10, 0, stamp.At(tt.at))
			if len(got) != tt.want {
				t.Errorf("claimed %d at %s, want %d", len(got), tt.at, tt.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTimesAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		for name, req := range map[string]sms.Request{
			"past":           {ValidUntil: in(-time.Second)},
			"now":            {ValidUntil: in(0)},
			"before send_at": {ValidUntil: in(time.Minute), SendAt: in(time.Hour)},
		} {
			req.To, req.Text = []string{zhang}, "x"
			if _, _, err := d.Accept(t.Context(), req); !slices.Equal(fields(err), []string{"valid_until"}) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A request that was taken is answered with its job, also when it would not be
// taken now.
func TestSameKeyAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		req := sms.Request{To: []string{zhang}, Text: "x", Key: "k", ValidUntil: in(time.Minute)}
		first := d.accept(req)
		time.Sleep(time.Hour)
		again, created, err := d.Accept(t.Context(), req)
		if err != nil || created || again.ID != first.ID {
			t.Errorf("again = %s, %v, %v", again.ID, created, err)
		}
		req.Text = "y"
		if _, _, err := d.Accept(t.Context(), req); !slices.Equal(fields(err), []string{"valid_until"}) {
			t.Errorf("another body: %v", err)
		}
	})
}

func TestDedup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		req := sms.Request{To: []string{zhang}, Text: "x", Signer: "a", Dedup: &sms.Dedup{Key: "disk full", Window: 60}}
		first := d.accept(req)
		same := func(r sms.Request) bool {
			t.Helper()
			job, created, err := d.Accept(t.Context(), r)
			if err != nil || created == (job.ID == first.ID) {
				t.Fatalf("Accept = %s, %v, %v", job.ID, created, err)
			}
			return !created
		}
		other := req
		other.Text, other.To = "y", []string{li}
		foreign, another := req, req
		foreign.Signer, another.Dedup = "b", &sms.Dedup{Key: "disk", Window: 60}
		if !same(req) || !same(other) || same(foreign) || same(another) {
			t.Error("the window is not of the program and the key")
		}
		time.Sleep(time.Minute - time.Millisecond)
		if !same(req) {
			t.Error("another job at the window's last instant")
		}
		time.Sleep(time.Millisecond)
		if same(req) {
			t.Error("the same job behind the window")
		}
		for _, bad := range []sms.Dedup{{"", 60}, {"k", 0}, {"k", -1}, {"k", 1e9}} {
			req.Dedup = &bad
			if _, _, err := d.Accept(t.Context(), req); len(fields(err)) != 1 {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		small := sms.Request{To: []string{zhang}, Text: "x", Limits: sms.Limits{ConfirmOver: 1}}
		large := small
		large.To = []string{zhang, li}
		later := large
		later.SendAt = in(time.Hour)
		let, waiting, dropped, timed := d.accept(small), d.accept(large), d.accept(large), d.accept(later)
		if let.Status != sms.JobOpen || waiting.Status != sms.JobAwaitingConfirm || waiting.Counts[sms.Scheduled] != 2 {
			t.Fatalf("jobs are %s, %s %v", let.Status, waiting.Status, waiting.Counts)
		}
		time.Sleep(time.Minute)
		d.want(waiting.ID, sms.Scheduled, sms.Scheduled)
		if job, err := d.Cancel(t.Context(), dropped.ID); err != nil || job.Status != sms.JobCanceled {
			t.Errorf("canceled: %s, %v", job.Status, err)
		}
		for range 2 {
			if job, err := d.Confirm(t.Context(), waiting.ID); err != nil || job.Status != sms.JobOpen {
				t.Errorf("confirmed: %s, %v", job.Status, err)
			}
			if job, err := d.Confirm(t.Context(), timed.ID); err != nil || job.Status != sms.JobOpen || job.Counts[sms.Scheduled] != 2 {
				t.Errorf("confirmed: %s %v, %v", job.Status, job.Counts, err)
			}
		}
		synctest.Wait()
		d.want(waiting.ID, sms.Submitted, sms.Submitted)
		until(*later.SendAt, func() { d.want(timed.ID, sms.Scheduled, sms.Scheduled) },
			func() { d.want(timed.ID, sms.Submitted, sms.Submitted) })
		for id, want := range map[string]error{let.ID: sms.ErrNotAwaiting, dropped.ID: sms.ErrNotAwaiting, "x": sms.ErrNotFound} {
			if _, err := d.Confirm(t.Context(), id); !errors.Is(err, want) {
				t.Errorf("Confirm = %v, want %v", err, want)
			}
		}
	})
}

func TestLimitsOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t) // midnight in UTC is where a bubble begins
		over := func(signer string, l sms.Limits, n int) time.Duration {
			t.Helper()
			req := sms.Request{Text: "x", Signer: signer, Limits: l}
			for i := range n {
				req.To = append(req.To, "1380013800"+string(rune('0'+i)))
			}
			_, created, err := d.Accept(t.Context(), req)
			var o *sms.OverLimit
			if errors.As(err, &o) && !created && o.Wait > 0 {
				return o.Wait
			}
			if err != nil || !created {
				t.Fatalf("Accept = %v, %v", created, err)
			}
			return 0
		}
		second := sms.Limits{PerSecond: 2}
		for i, tt := range []struct {
			after time.Duration
			n     int
			want  time.Duration
		}{
			{0, 1, 0},
			{0, 1, 0},
			{0, 1, 500 * time.Millisecond},
			{500 * time.Millisecond, 1, 0},
			{time.Second, 6, 0},
			{0, 1, 2500 * time.Millisecond},
			{2500 * time.Millisecond, 1, 0},
		} {
			time.Sleep(tt.after)
			if got := over("a", second, tt.n); got != tt.want {
				t.Errorf("%d: wait %s, want %s", i, got, tt.want)
			}
		}
		day := sms.Limits{PerDay: 5}
		if over("b", day, 3) != 0 || over("b", day, 2) != 0 || over("c", day, 1) != 0 {
			t.Error("refused within the limit")
		}
		if got := over("b", day, 1); got != 24*time.Hour-4*time.Second {
			t.Errorf("wait %s, want to midnight", got)
		}
		time.Sleep(over("b", day, 1))
		if over("b", day, 5) != 0 || over("b", day, 1) == 0 {
			t.Error("the next day is not a new one")
		}
		page, _, err := d.texts.Messages(t.Context(), storage.MessageFilter{Limit: 100})
		if err != nil || len(page) != 1+1+1+6+1+3+2+1+5 {
			t.Errorf("%d messages kept (%v): what is refused leaves nothing", len(page), err)
		}
	})
}

func TestRepeatedRequestsCostNothing(t *testing.T) {
	d := open(t)
	req := sms.Request{To: []string{zhang}, Text: "x", Key: "k", Signer: "a", Limits: sms.Limits{PerSecond: 1, PerDay: 1}}
	first := d.accept(req)
	for range 3 {
		if job, created, err := d.Accept(t.Context(), req); err != nil || created || job.ID != first.ID {
			t.Errorf("again: %v, %v", created, err)
		}
	}
	req.Key, req.To = "", []string{zhang, li}
	if _, _, err := d.Accept(t.Context(), req); err == nil {
		t.Error("more than a day's worth was taken")
	}
}
