package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
	"callbox/sms"
)

// TestRateOverADelay: with answers that take a round trip, a client reaches
// min(rate, window × connections / round trip), on synctest's clock.
func TestRateOverADelay(t *testing.T) {
	for _, tt := range []struct {
		trip              time.Duration
		window, conns     int
		rate, want, count int
	}{
		{40 * time.Millisecond, 16, 1, 0, 400, 4000},
		{100 * time.Millisecond, 16, 1, 0, 160, 1600},
		{100 * time.Millisecond, 16, 4, 0, 640, 6400},
		{40 * time.Millisecond, 16, 4, 1000, 1000, 10_000},
		{100 * time.Millisecond, 16, 4, 300, 300, 3000},
	} {
		t.Run(fmt.Sprintf("%v/%dx%d/%d", tt.trip, tt.conns, tt.window, tt.rate), func(t *testing.T) {
			inBubble(t, func(c *Config) { c.Window, c.Connections, c.Rate = tt.window, tt.conns, tt.rate }, func(t *testing.T, b *bubble) {
				for range tt.conns {
					e := b.accept()
					b.group.Go("far centre", func() { e.answerAfter(tt.trip) })
				}
				start := time.Now()
				flood(b.client, tt.count, func(error) {})
				rate := float64(tt.count) / time.Since(start).Seconds()
				if rate < 0.95*float64(tt.want) || rate > 1.01*float64(tt.want) {
					t.Errorf("%.1f a second, want %d", rate, tt.want)
				}
				b.stop()
			})
		})
	}
}

// answerAfter accepts every SUBMIT a round trip after it was sent, until the
// connection ends.
func (e *end) answerAfter(trip time.Duration) {
	for f := range e.frames {
		time.Sleep(time.Until(f.at.Add(trip)))
		switch f.pdu.(type) {
		case *cmpp.Submit:
			e.answer(f, cmpp.ResultOK)
		case *cmpp.Terminate:
			e.send(f.sequence, &cmpp.TerminateResp{})
		}
	}
}

// flood submits n texts, as many at a time as there is room for, and tells
// what came of each.
func flood(c *Client, n int, ended func(error)) {
	var group guard.Group
	var left atomic.Int64
	left.Store(int64(n))
	for range c.cfg.Window * c.cfg.Connections {
		group.Go("submit", func() {
			for left.Add(-1) >= 0 {
				_, err := c.Submit(context.Background(), sms.Submission{To: "13800138000", Parts: []string{"您有新工单"}})
				ended(err)
			}
		})
	}
	group.Wait()
}

// BenchmarkSubmit submits over loopback TCP to a centre in another process, so
// that the CPU time is the client's alone.
func BenchmarkSubmit(b *testing.B) {
	for name, reports := range map[string]bool{"": false, "reports/": true} {
		for _, conns := range []int{1, 4} {
			for _, window := range []int{16, 256} {
				b.Run(fmt.Sprintf("%sconnections=%d/window=%d", name, conns, window), func(b *testing.B) {
					benchmarkSubmit(b, conns, window, reports)
				})
			}
		}
	}
}

func benchmarkSubmit(b *testing.B, conns, window int, reports bool) {
	c := dialCentre(b, farCentre(b, window, reports), Config{Connections: conns, Window: window}, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	used := cpuTime(b)
	flood(c.client, b.N, func(err error) {
		if err != nil {
			b.Error(err)
		}
	})
	if reports {
		for range b.N {
			<-c.shelf.changed
		}
	}
	used = cpuTime(b) - used
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submits/s")
	b.ReportMetric(float64(b.N)/used.Seconds(), "submits/cpu-s")
}

// BenchmarkDelay submits over a line that takes half a round trip each way, and
// gives the share of min(rate, window × connections / round trip) that is
// reached once the windows are full.
func BenchmarkDelay(b *testing.B) {
	for _, trip := range []time.Duration{40 * time.Millisecond, 100 * time.Millisecond} {
		for _, tt := range []struct{ conns, rate int }{{1, 0}, {4, 0}, {4, 300}} {
			b.Run(fmt.Sprintf("trip=%v/connections=%d/rate=%d", trip, tt.conns, tt.rate), func(b *testing.B) {
				benchmarkDelay(b, trip, Config{Connections: tt.conns, Window: 16, Rate: tt.rate})
			})
		}
	}
}

func benchmarkDelay(b *testing.B, trip time.Duration, cfg Config) {
	c := dialCentre(b, delayLine(b, farCentre(b, 16, false), trip/2), cfg, 0)
	trip = roundTrip(c.client)
	full := 16 * cfg.Connections
	var mu sync.Mutex
	var first, last time.Time
	ended := 0
	// Whole windowfuls are measured, with one before and one behind: answers come
	// by the windowful.
	measured := (b.N + full - 1) / full * full
	b.ResetTimer()
	flood(c.client, full+measured+full, func(err error) {
		if err != nil {
			b.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch ended++; ended {
		case full:
			first = time.Now()
		case full + measured:
			last = time.Now()
		}
	})
	want := float64(full) / trip.Seconds()
	if cfg.Rate > 0 {
		want = min(want, float64(cfg.Rate))
	}
	rate := float64(measured) / last.Sub(first).Seconds()
	b.ReportMetric(trip.Seconds()*1000, "ms/trip")
	b.ReportMetric(rate, "submits/s")
	b.ReportMetric(100*rate/want, "%_of_ideal")
}

// roundTrip is what a submit by itself takes: the line's delay and what the
// machine adds.
func roundTrip(c *Client) time.Duration {
	const n = 10
	start := time.Now()
	for range n {
		_, _ = c.Submit(context.Background(), sms.Submission{To: "13800138000", Parts: []string{"1"}})
	}
	return time.Since(start) / n
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// dialCentre runs a client of a centre at an address until the benchmark ends.
func dialCentre(b *testing.B, address string, cfg Config, reports int) *pair {
	b.Helper()
	cfg.Name, cfg.SPID, cfg.Secret, cfg.SrcID, cfg.Address = "cmcc", "901234", "secret", "10690000", address
	c, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	p := &pair{client: c, shelf: newShelf(), t: b}
	p.shelf.changed = make(chan struct{}, reports)
	ctx, stop := context.WithCancel(context.Background())
	var group guard.Group
	group.Go("client", func() { _ = c.Run(ctx, p.shelf) })
	b.Cleanup(func() { stop(); group.Wait() })
	for c.State().Window < cfg.Connections*cfg.Window {
		time.Sleep(time.Millisecond)
	}
	return p
}

// centreProcess is what makes this test's program a centre: its window, and
// whether it reports.
const centreProcess = "CALLBOX_TEST_CENTRE"

// farCentre starts a centre in a process of its own and gives its address.
func farCentre(b *testing.B, window int, reports bool) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %t", centreProcess, window, reports))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// serveCentre is that process: it ends with its standard input.
func serveCentre() int {
	var window int
	var reports bool
	if _, err := fmt.Sscan(os.Getenv(centreProcess), &window, &reports); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(ln.Addr())
	ctx, stop := context.WithCancel(context.Background())
	var group guard.Group
	group.Go("standard input", func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() })
	centre := cmpptest.New(cmpptest.Config{Window: window, Keep: 1, Faults: cmpptest.Faults{NoReports: !reports}})
	if err := centre.Serve(ctx, ln); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	group.Wait()
	return 0
}

// delayLine stands in front of an address; every byte takes that long either
// way.
func delayLine(b *testing.B, address string, by time.Duration) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var group guard.Group
	group.Go("delay line", func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				_ = near.Close()
				continue
			}
			group.Go("out", func() { carry(&group, far, near, by) })
			group.Go("back", func() { carry(&group, near, far, by) })
		}
	})
	b.Cleanup(func() { _ = ln.Close(); group.Wait() })
	return ln.Addr().String()
}

// carry brings what comes from one side to the other, later.
func carry(group *guard.Group, to, from net.Conn, by time.Duration) {
	type chunk struct {
		at time.Time
		b  []byte
	}
	line := make(chan chunk, 4096)
	group.Go("line", func() {
		defer func() { _ = to.Close() }()
		for c := range line {
			time.Sleep(time.Until(c.at))
			if _, err := to.Write(c.b); err != nil {
				_ = from.Close()
			}
		}
	})
	defer close(line)
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			line <- chunk{time.Now().Add(by), b[:n]}
		}
		if err != nil {
			return
		}
	}
}
