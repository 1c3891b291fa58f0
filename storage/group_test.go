package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// groups notes how many operations each commit had.
type groups struct {
	mu   sync.Mutex
	size []int
}

func (g *groups) note(_ time.Duration, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size = append(g.size, n)
}

func (g *groups) last() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.size[len(g.size)-1]
}

// TestSlowDiskWaitsForWhoIsLate has the second of two operations come so much
// later than the first.
func TestSlowDiskWaitsForWhoIsLate(t *testing.T) {
	for late, want := range map[time.Duration]int{0: 2, 2500*time.Microsecond - 1: 2, 2500*time.Microsecond + 1: 1} {
		t.Run(late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{}
				cfg := storagetest.Config(t, t.TempDir())
				cfg.SlowSync, cfg.Committed = 20*time.Millisecond, g.note
				d := storagetest.OpenAt(t, cfg)
				for i := range 3 {
					d.Later("put", put(fmt.Sprint("before", i), "v")) // several write, and the disk is slow
				}
				time.Sleep(time.Second)
				var wait guard.Group
				for i := range 2 {
					wait.Go("write", func() {
						time.Sleep(time.Duration(i) * late)
						if err := d.Write(t.Context(), "put", put(fmt.Sprint(i), "v")); err != nil {
							t.Error(err)
						}
					})
				}
				wait.Wait()
				if n := g.last(); n != want {
					t.Errorf("the last commit has %d operations, want %d", n, want)
				}
			})
		})
	}
}

// TestEventsOfTextsAreWrittenTogether notes many while the writer is busy.
func TestEventsOfTextsAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{}
		cfg := storagetest.Config(t, t.TempDir())
		cfg.SlowSync, cfg.Committed = time.Second, g.note
		d := storagetest.OpenAt(t, cfg)
		j := d.Journal()
		start := j.Last()
		want := slices.Repeat([]string{cti.EventSMSStatus}, 301)
		want[1], want[200] = cti.EventQueued, cti.EventQueued
		for i, kind := range want {
			if i == 1 {
				time.Sleep(100 * time.Millisecond) // the first one is being committed
			}
			if err := j.Note(t.Context(), cti.Event{Type: kind, UserData: map[string]any{"i": i}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if n := g.last(); n != 5 {
			t.Errorf("300 events were %d operations, want the 2 others and 3 of texts", n)
		}
		events, whole, err := j.Since(t.Context(), start, 1000)
		if err != nil || !whole || len(events) != len(want) {
			t.Fatalf("%d events, whole %v, %v", len(events), whole, err)
		}
		for i, e := range events {
			if e.Type != want[i] || e.UserData["i"] != float64(i) || e.Seq != start+int64(i)+1 {
				t.Fatalf("event %d is %+v", i, e)
			}
		}
		if j.Durable() != j.Last() {
			t.Errorf("durable %d, last %d", j.Durable(), j.Last())
		}
	})
}

// TestClaimReadsItsIndex keeps claims quick behind any backlog.
func TestClaimReadsItsIndex(t *testing.T) {
	d := storagetest.Open(t)
	const want = "USING INDEX sms_messages_queue (account=? AND rank>?)"
	plan := planned(t, d, storage.Claimable, "cmcc", 0, 0, 16)
	if strings.Contains(plan, ";") || !strings.Contains(plan, want) {
		t.Errorf("claims are planned as %q", plan)
	}
}

func TestClaim(t *testing.T) {
	d := storagetest.Open(t)
	now := stamp.Now()
	var job sms.NewJob
	job.ID, job.Class, job.Created = "job", sms.ClassNotice, now
	for i, r := range []sms.Record{{Rank: 5}, {Rank: 2}, {Rank: 5}, {Rank: 0, Until: now}, {Rank: 1, Until: stamp.At(now.Add(time.Second))}} {
		r.ID, r.Job, r.To, r.Text, r.Status, r.Account, r.Parts = fmt.Sprint("m", i), "job", fmt.Sprint(i), "x", sms.Queued, "cmcc", 1+i%2
		r.Times = map[sms.Status]stamp.Time{sms.Queued: now}
		job.Records = append(job.Records, r)
	}
	for _, step := range []struct {
		account string
		n, rank int
		want    string
	}{
		{"cucc", 9, 0, "[]"},
		{"cmcc", 1, 3, "[m0]"},
		{"cmcc", 2, 0, "[m4 m1]"},
		{"cmcc", 9, 0, "[m2]"}, // m3 is over
		{"cmcc", 9, 0, "[]"},
	} {
		err := d.SMS().Update(t.Context(), "claim", func(tx sms.Tx) error {
			if len(job.Records) > 0 {
				if err := tx.AddJob(job); err != nil {
					return err
				}
				job.Records = nil
			}
			var ids []string
			claimed, err := tx.Claim(step.account, step.n, step.rank, now)
			for _, r := range claimed {
				ids = append(ids, r.ID)
				if r.Status != sms.Submitting || r.Times[sms.Submitting] != now || (r.Reference > 0) != (r.Parts > 1) {
					t.Errorf("claimed %+v", r)
				}
			}
			if got := fmt.Sprint(ids); got != step.want {
				t.Errorf("claim of %d from rank %d: %s, want %s", step.n, step.rank, got, step.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
