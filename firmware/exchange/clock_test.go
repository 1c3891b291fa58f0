package exchange_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"callbox/firmware/analog"
	"callbox/firmware/exchange"
)

// stalling is a box that stands still once.
func stalling(stream net.Conn, at int, span time.Duration) {
	conn := analog.NewConn(stream)
	var in analog.Line
	for n := 0; conn.ReadLine(&in) == nil; n++ {
		if n == at {
			time.Sleep(span)
		}
		if conn.WriteBox(&analog.Box{}) != nil {
			return
		}
	}
}

func TestPace(t *testing.T) {
	for name, tt := range map[string]struct {
		pace  exchange.Pace
		stall time.Duration
		least time.Duration // for 10 s of the line
	}{
		"real time":           {exchange.RealTime, 0, 10 * time.Second},
		"five times as fast":  {5, 0, 2 * time.Second},
		"late and caught up":  {exchange.RealTime, 200 * time.Millisecond, 10 * time.Second},
		"too late to make up": {exchange.RealTime, 3 * time.Second, 12980 * time.Millisecond},
		"as fast as it can":   {exchange.Fast, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, err := exchange.New(exchange.Config{Pace: tt.pace})
				ok(t, err)
				here, there := net.Pipe()
				go stalling(there, 100, tt.stall)
				go func() { _ = e.Run(t.Context(), here) }()
				ok(t, e.Wait(t.Context(), 20*time.Millisecond))
				begin := time.Now()
				ok(t, e.Wait(t.Context(), 10*time.Second))
				if took := time.Since(begin); took < tt.least-20*time.Millisecond || took > tt.least+20*time.Millisecond {
					t.Errorf("10 s took %v, want %v", took, tt.least)
				}
			})
		})
	}
}
