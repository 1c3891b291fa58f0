package sms_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// journaled puts events into the journal, as the box does.
type journaled struct{ *storage.Journal }

func (j journaled) Note(ctx context.Context, n sms.Note) {
	_ = j.Journal.Note(ctx, cti.Event{Type: n.Type, UserData: map[string]any{"job": n.Message.Job, "message": n.Message}})
}

// storm reports n submitted messages from many connections at once and gives
// how long that took.
func (d *desk) storm(n int, report func(i int) sms.Report) time.Duration {
	d.t.Helper()
	const workers = 64 // four connections with sixteen each
	var g guard.Group
	var next atomic.Int64
	began := time.Now()
	for range workers {
		g.Go("reports", func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := d.Report(context.Background(), report(i)); err != nil {
					d.t.Errorf("report %d: %v", i, err)
					return
				}
			}
		})
	}
	g.Wait()
	return time.Since(began)
}

// numbered is the report on the fake carrier's i-th part.
func numbered(i int) sms.Report {
	return sms.Report{Account: account, ID: fmt.Sprintf("%016x", 0xA000000000000000+uint64(i)), To: zhang, Stat: "DELIVRD"}
}

// BenchmarkReports is what a report costs from the carrier's call to the disk,
// with the journal and without webhooks.
func BenchmarkReports(b *testing.B) {
	db := storagetest.Open(b)
	d := openOn(b, db)
	d.line.capacity = 64
	d.run()
	d.acceptMany(b.N)
	d.drained(int64(b.N))
	d.notes.next = journaled{db.Journal()} // nothing is told now
	b.ResetTimer()
	took := d.storm(b.N, numbered)
	b.ReportMetric(float64(b.N)/took.Seconds(), "reports/s")
}
