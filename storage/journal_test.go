package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

var (
	_ cti.Ledger    = (*storage.Journal)(nil)
	_ acd.Journal   = (*storage.Journal)(nil)
	_ cti.Directory = (*storage.DB)(nil)
	_ acd.Desks     = (*storage.DB)(nil)
)

func note(t *testing.T, j *storage.Journal, n int) {
	t.Helper()
	for i := range n {
		if err := j.Note(t.Context(), cti.Event{Type: cti.EventQueued, CallID: fmt.Sprint("call", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// settled waits until all that was noted is on disk.
func settled(t *testing.T, d *storage.DB) {
	t.Helper()
	if err := d.Audit(t.Context(), storage.AuditEntry{}); err != nil {
		t.Fatal(err)
	}
	for d.Journal().Durable() != d.Journal().Last() {
		time.Sleep(time.Millisecond)
	}
}

func since(t *testing.T, j *storage.Journal, seq int64) ([]cti.Event, bool) {
	t.Helper()
	events, ok, err := j.Since(t.Context(), seq, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(events); i++ {
		if events[i].Seq <= events[i-1].Seq {
			t.Fatalf("events out of order: %d behind %d", events[i].Seq, events[i-1].Seq)
		}
	}
	return events, ok
}

func TestJournalResumes(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	begin := d.Journal().Last()
	note(t, d.Journal(), 10)
	for _, sync := range []func(){func() {}, func() { settled(t, d) }} {
		sync()
		if events, ok := since(t, d.Journal(), begin+4); !ok || len(events) != 6 || events[0].Seq != begin+5 {
			t.Errorf("Since = %d events, %v; want 6", len(events), ok)
		}
		if events, ok := since(t, d.Journal(), begin); !ok || len(events) != 10 {
			t.Errorf("Since the start = %d events, %v; want 10", len(events), ok)
		}
	}
	stop()
	d = storagetest.OpenAt(t, cfg)
	if d.Journal().Last() <= begin+10 {
		t.Errorf("the new range begins at %d, not behind %d", d.Journal().Last(), begin+10)
	}
	if events, ok := since(t, d.Journal(), begin+7); !ok || len(events) != 3 {
		t.Errorf("before any new event: %d events, %v; want 3", len(events), ok)
	}
	note(t, d.Journal(), 2)
	settled(t, d)
	if events, ok := since(t, d.Journal(), begin+7); !ok || len(events) != 5 {
		t.Errorf("across the restart: %d events, %v; want 5", len(events), ok)
	}
	for name, seq := range map[string]int64{
		"lost in a crash": begin + 11, "future": d.Journal().Last() + 1, "nonsense": -1, "never": 12,
	} {
		if events, ok := since(t, d.Journal(), seq); ok {
			t.Errorf("%s: Since gave %d events", name, len(events))
		}
	}
	if _, ok, err := d.Journal().Since(t.Context(), begin, 5); ok || err != nil {
		t.Errorf("more than the limit: %v, %v", ok, err)
	}
}

func TestJournalSeesGap(t *testing.T) {
	d := storagetest.Open(t)
	begin := d.Journal().Last()
	note(t, d.Journal(), 5)
	err := d.Write(t.Context(), "lose one", statement("DELETE FROM journal WHERE seq = ?", begin+3))
	if err != nil {
		t.Fatal(err)
	}
	settled(t, d)
	if _, ok := since(t, d.Journal(), begin+1); ok {
		t.Error("Since did not see the gap")
	}
	if events, ok := since(t, d.Journal(), begin+3); !ok || len(events) != 2 {
		t.Errorf("behind the gap: %d events, %v", len(events), ok)
	}
}

func TestSlowSubscriberIsDropped(t *testing.T) {
	d := storagetest.Open(t)
	slow, fast := d.Journal().Subscribe(2), d.Journal().Subscribe(100)
	defer fast.Close()
	note(t, d.Journal(), 5)
	got := 0
	for range slow.C {
		got++
	}
	if got != 2 || !errors.Is(slow.Err(), storage.ErrTooSlow) || d.Journal().Dropped() != 1 {
		t.Errorf("slow got %d events, err %v, dropped %d", got, slow.Err(), d.Journal().Dropped())
	}
	slow.Close()
	if len(fast.C) != 5 || fast.Err() != nil {
		t.Errorf("fast got %d events, err %v", len(fast.C), fast.Err())
	}
}

func TestFollow(t *testing.T) {
	d := storagetest.Open(t)
	ctx, stop := context.WithCancel(t.Context())
	var g guard.Group
	seen := make(chan cti.Event, 100)
	g.Go("follow", func() {
		if err := d.Journal().Follow(ctx, func(e cti.Event) { seen <- e }); err != nil {
			t.Error(err)
		}
	})
	for len(seen) == 0 { // until it follows
		note(t, d.Journal(), 1)
		time.Sleep(time.Millisecond)
	}
	stop()
	g.Wait()
	if e := <-seen; e.V != 1 || e.ID == "" || e.Time.IsZero() || e.Seq == 0 {
		t.Errorf("event = %+v", e)
	}
}

func TestNotesDoNotWaitForTheDisk(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	cfg.SlowSync = 300 * time.Millisecond
	d := storagetest.OpenAt(t, cfg)
	note(t, d.Journal(), 1)
	time.Sleep(20 * time.Millisecond) // the writer sleeps in its commit
	start := time.Now()
	note(t, d.Journal(), 100)
	if took := time.Since(start); took > 100*time.Millisecond {
		t.Errorf("100 notes took %v on a slow disk", took)
	}
}

func TestSweepForgetsOldEvents(t *testing.T) {
	d := storagetest.Open(t)
	old := stamp.At(time.Now().Add(-31 * 24 * time.Hour))
	for range 3 {
		if err := d.Journal().Note(t.Context(), cti.Event{Type: cti.EventQueued, Time: old}); err != nil {
			t.Fatal(err)
		}
	}
	note(t, d.Journal(), 2)
	if err := d.SweepOnce(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "SELECT count(*) FROM journal"); n != 2 {
		t.Errorf("%d events left, want 2", n)
	}
}
