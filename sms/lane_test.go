package sms_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/guard"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// slowDesk is a desk whose disk takes that long for a commit.
func slowDesk(t testing.TB, commit time.Duration) *desk {
	t.Helper()
	cfg := storagetest.Config(t, t.TempDir())
	cfg.SlowSync = commit
	d := openOn(t, storagetest.OpenAt(t, cfg))
	d.send(zhang, "the first one reads the rules, and holds them for it")
	return d
}

// submitting counts what a crash would leave unknown.
func (d *desk) submitting() int {
	d.t.Helper()
	list, _, err := d.texts.Messages(context.Background(), storage.MessageFilter{Status: sms.Submitting, Limit: 1000})
	if err != nil {
		d.t.Error(err)
	}
	return len(list)
}

// watch samples submitting every millisecond until the test ends and gives the
// most there was.
func (d *desk) watch() *atomic.Int64 {
	most := &atomic.Int64{}
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("watch", func() {
		for ctx.Err() == nil {
			most.Store(max(most.Load(), int64(d.submitting())))
			time.Sleep(time.Millisecond)
		}
	})
	d.t.Cleanup(func() { stop(); g.Wait() })
	return most
}

// TestSlowDisk lets jobs come over a disk that takes 20 ms a commit, in the
// bubble's time: no processor's.
func TestSlowDisk(t *testing.T) {
	for name, rtt := range map[string]time.Duration{"at once": 0, "within 2 ms": 2 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 1000
				d := slowDesk(t, 20*time.Millisecond)
				d.line.onSubmit = func(sms.Submission) { time.Sleep(rtt) }
				most := d.watch()
				d.run()
				began := time.Now()
				d.acceptMany(n)
				d.drained(n + 1)
				rate := n / time.Since(began).Seconds()
				t.Logf("%.0f texts/s, at most %d open", rate, most.Load())
				if rate < 500 {
					t.Errorf("%.0f texts/s, want 500", rate)
				}
				if got := most.Load(); got > 16 || got < 12 {
					t.Errorf("%d were open on disk at a time, the window is 16", got)
				}
			})
		})
	}
}

// TestWindowBoundsWhatIsOpen has answers of any length, some of them bad.
func TestWindowBoundsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, window = 300, 5
		d := slowDesk(t, 20*time.Millisecond)
		d.line.capacity = window
		d.line.answer = func(i int, _ sms.Submission) (sms.Receipt, error) {
			time.Sleep(time.Duration(i*37%61) * time.Millisecond)
			switch i % 50 {
			case 7:
				return sms.Receipt{}, sms.ErrNotSent
			case 9:
				return sms.Receipt{}, sms.ErrUncertain
			}
			return sms.Receipt{}, nil
		}
		most := d.watch()
		d.run()
		d.acceptMany(n)
		d.drained(n + 1)
		if got := most.Load(); got != window {
			t.Errorf("%d were open on disk at a time, the window is %d", got, window)
		}
	})
}

// TestLongWayIsKeptFull wants 95 of 100 that window and round trip allow, where
// the disk is quick.
func TestLongWayIsKeptFull(t *testing.T) {
	for _, rtt := range []time.Duration{40 * time.Millisecond, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			const n = 800
			d := slowDesk(t, 500*time.Microsecond)
			d.line.onSubmit = func(sms.Submission) { time.Sleep(rtt) }
			d.acceptMany(n)
			d.run()
			began := time.Now()
			d.drained(n + 1)
			bound := 16 / rtt.Seconds()
			rate := n / time.Since(began).Seconds()
			t.Logf("%.1f of %.1f texts/s", rate, bound)
			if rate < 0.95*bound {
				t.Errorf("%.0f texts/s with %v there and back, want 95 %% of %.0f", rate, rtt, bound)
			}
		})
	}
}

// TestEveryRankGetsItsTurn keeps more urgent texts waiting than ever leave.
func TestEveryRankGetsItsTurn(t *testing.T) {
	for _, window := range []int{1, 3, 16} {
		t.Run(strconv.Itoa(window), func(t *testing.T) {
			d := open(t)
			d.line.capacity = window
			to := make([]string, 400)
			for i := range to {
				to[i] = fmt.Sprintf("139%08d", i)
			}
			for _, class := range []string{sms.ClassDispatch, sms.ClassNotice, sms.ClassMarketing} {
				d.accept(sms.Request{To: to, Text: class, Class: class})
			}
			d.line.setUp(false)
			d.run()
			d.line.setUp(true)
			d.drained(1200)
			count := map[string]int{}
			for _, s := range d.line.submissions()[:320] {
				count[s.Parts[0]]++
			}
			if count[sms.ClassDispatch] < 260 || count[sms.ClassNotice] < 10 || count[sms.ClassMarketing] < 10 {
				t.Errorf("of the first 320 left %v", count)
			}
		})
	}
}

// TestOneThatCannotBeStored is given up, and the others are not held up by it.
func TestOneThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.answer = func(i int, s sms.Submission) (sms.Receipt, error) {
			if s.Parts[0] == "moved" { // behind the lane's back
				err := d.texts.Update(context.Background(), "move", func(tx sms.Tx) error {
					all, err := tx.Records(sms.Query{Statuses: []sms.Status{sms.Submitting}})
					i := slices.IndexFunc(all, func(r sms.Record) bool { return r.Text == "moved" })
					r := all[i]
					r.Status = sms.Failed
					return errors.Join(err, tx.Save(r, sms.Submitting))
				})
				if err != nil {
					t.Error(err)
				}
			}
			time.Sleep(10 * time.Millisecond)
			return sms.Receipt{}, nil
		}
		d.run()
		moved := d.send(zhang, "moved")
		var jobs []sms.Job
		for range 20 {
			jobs = append(jobs, d.send(zhang, "x"))
		}
		time.Sleep(time.Minute)
		for _, j := range jobs {
			if s := d.message(j.ID).Status; s != sms.Submitted {
				t.Errorf("another message is %s", s)
			}
		}
		if s := d.message(moved.ID).Status; s != sms.Failed {
			t.Errorf("the moved one is %s", s)
		}
	})
}

// picky is a store that refuses some outcomes, or everything while it is down.
type picky struct {
	*storage.SMS
	refuse string // text
	down   atomic.Bool
}

var errStore = errors.New("no")

func (p *picky) Update(ctx context.Context, what string, f func(sms.Tx) error) error {
	if p.down.Load() {
		return errStore
	}
	return p.SMS.Update(ctx, what, func(tx sms.Tx) error { return f(pickyTx{tx, p.refuse}) })
}

type pickyTx struct {
	sms.Tx
	refuse string
}

func (t pickyTx) Save(r sms.Record, was sms.Status) error {
	if r.Text == t.refuse && r.Status == sms.Submitted {
		return errStore
	}
	return t.Tx.Save(r, was)
}

// onPicky is a desk over such a store, and its log.
func onPicky(t *testing.T, refuse string) (*desk, *picky, *strings.Builder) {
	t.Helper()
	d := open(t)
	p, log := &picky{SMS: d.texts, refuse: refuse}, &strings.Builder{}
	cfg := sms.Config{
		Accounts: []sms.Account{{Name: account, SrcID: "10690000"}}, AreaCode: "0571",
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	var err error
	if d.Gateway, err = sms.New(cfg, p, d.line); err != nil {
		t.Fatal(err)
	}
	return d, p, log
}

// TestOutcomeThatNobodyTakes is given up in the end; those beside it are stored.
func TestOutcomeThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, log := onPicky(t, "bad")
		bad := d.send(zhang, "bad")
		d.run()
		for range 10 {
			job := d.send(zhang, "good")
			time.Sleep(6 * time.Second)
			if s := d.message(job.ID).Status; s != sms.Submitted {
				t.Errorf("one beside it is %s after 6 s", s)
			}
		}
		if s := d.message(bad.ID).Status; s != sms.Submitting {
			t.Errorf("it is %s", s)
		}
		d.halt()
		if n := strings.Count(log.String(), "outcome not stored"); n != 1 {
			t.Errorf("%d outcomes given up, want 1:\n%s", n, log)
		}
	})
}

// TestStoreThatIsAway keeps outcomes until it is back, and says so once.
func TestStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p, log := onPicky(t, "")
		d.line.onSubmit = func(sms.Submission) {
			p.down.Store(true)
			time.Sleep(time.Second)
		}
		var jobs []sms.Job
		for range 10 {
			jobs = append(jobs, d.send(zhang, "x"))
		}
		d.run()
		time.Sleep(time.Minute)
		p.down.Store(false)
		time.Sleep(time.Minute)
		for _, j := range jobs {
			if s := d.message(j.ID).Status; s != sms.Submitted {
				t.Errorf("a message is %s", s)
			}
		}
		d.halt()
		if n := len(d.line.submissions()); n != len(jobs) {
			t.Errorf("%d submits", n)
		}
		if n := strings.Count(log.String(), "level=ERROR msg=\"messages cannot be written"); n != 1 {
			t.Errorf("%d lines about it, want 1:\n%s", n, log)
		}
	})
}
