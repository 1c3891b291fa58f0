package sms_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"callbox/internal/guard"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// acceptMany accepts n jobs over some goroutines, each with its number as text.
func (d *desk) acceptMany(n int) {
	d.t.Helper()
	const clients = 64
	var g guard.Group
	for c := range clients {
		g.Go("client", func() {
			for i := c; i < n; i += clients {
				_, _, err := d.Accept(context.Background(), sms.Request{To: []string{zhang}, Text: strconv.Itoa(i)})
				if err != nil {
					d.t.Errorf("job %d: %v", i, err)
					return
				}
			}
		})
	}
	g.Wait()
}

// drained waits until every accepted message was submitted and none waits.
func (d *desk) drained(n int64) {
	d.t.Helper()
	for range 3000 {
		if c := d.Counts(); slices.Contains(c, sms.Count{Account: account, Status: sms.Submitted, N: n}) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatalf("not drained: %v", d.Counts())
}

func TestBacklogLeavesAfterAnOutage(t *testing.T) {
	const n = 10_000
	d := open(t)
	d.line.setUp(false)
	d.run()
	began := time.Now()
	d.acceptMany(n)
	accepted := time.Since(began)
	if len(d.line.submissions()) > 0 {
		t.Fatal("something left during the outage")
	}
	began = time.Now()
	d.line.setUp(true)
	d.drained(n)
	t.Logf("accepted %.0f/s, drained %.0f/s", n/accepted.Seconds(), n/time.Since(began).Seconds())
	seen := map[string]bool{}
	for _, s := range d.line.submissions() {
		if seen[s.Parts[0]] {
			t.Fatalf("text %s left twice", s.Parts[0])
		}
		seen[s.Parts[0]] = true
	}
	if len(seen) != n {
		t.Errorf("%d texts left, want %d", len(seen), n)
	}
}

// BenchmarkIdleText times a text from its acceptance to the carrier with nothing
// else to do.
func BenchmarkIdleText(b *testing.B) {
	d := openOn(b, storagetest.Open(b)).run()
	var took []time.Duration
	for b.Loop() {
		d.send(zhang, "x")
		accepted := time.Now()
		<-d.line.got
		took = append(took, time.Since(accepted))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
}

func BenchmarkWholeWay(b *testing.B) { wholeWay(b, storagetest.Open(b)) }

func BenchmarkWholeWaySlowDisk(b *testing.B) {
	cfg := storagetest.Config(b, b.TempDir())
	cfg.SlowSync = 20 * time.Millisecond
	wholeWay(b, storagetest.OpenAt(b, cfg))
}

func wholeWay(b *testing.B, db *storage.DB) {
	d := openOn(b, db)
	d.line.capacity = 64
	var reports guard.Group
	d.line.answer = func(n int, s sms.Submission) (sms.Receipt, error) {
		id := fmt.Sprintf("%016x", n)
		reports.Go("report", func() { d.report(id, s.To, "DELIVRD") })
		return sms.Receipt{Parts: []string{id}}, nil
	}
	d.run()
	b.ResetTimer()
	d.acceptMany(b.N)
	d.drained(int64(b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
	reports.Wait()
}
