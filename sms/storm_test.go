package sms_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

func (d *desk) benchmarkStorm(b *testing.B) {
	before := cpu(b)
	b.ResetTimer()
	took := d.storm(b.N, numbered)
	for d.db.Backlog() > 0 { // the journal is written behind
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/report")
	b.ReportMetric(float64(b.N)/took.Seconds(), "reports/s")
}

// cpu is the time that the process has had of the processor.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	d.benchmarkStorm(b)
}

// BenchmarkReportsTold is the same with a webhook and a callback that want them.
func BenchmarkReportsTold(b *testing.B) {
	db := storagetest.Open(b)
	if err := db.Notices().Replace([]storage.Endpoint{{URL: "https://tickets.example/hook", Events: []string{"sms.*"}}}); err != nil {
		b.Fatal(err)
	}
	d := openOn(b, db)
	d.line.capacity = 64
	d.run()
	d.acceptMany(b.N)
	d.drained(int64(b.N))
	d.notes.next = journaled{db.Journal()}
	d.benchmarkStorm(b)
}

// TestReportStorm: reports of 5,000 texts, each twice and from many connections
// at once, are all taken; half of them come before their message's answer.
func TestReportStorm(t *testing.T) {
	const n = 5000
	d := open(t)
	d.line.capacity = 64
	d.line.answer = func(i int, s sms.Submission) (sms.Receipt, error) {
		rep := numbered(i + 1)
		if i%2 == 0 {
			d.report(rep.ID, s.To, rep.Stat)
		}
		return sms.Receipt{Parts: []string{rep.ID}}, nil
	}
	d.run()
	d.acceptMany(n)
	d.drained(n)
	took := d.storm(2*n, func(i int) sms.Report { return numbered((i-1)/2 + 1) })
	t.Logf("%.0f reports/s", 2*n/took.Seconds())
	if c := d.Counts(); !slices.Contains(c, sms.Count{Account: account, Status: sms.Delivered, N: n}) {
		t.Errorf("counts = %v, want %d delivered", c, n)
	}
	d.orphans(0)
}
