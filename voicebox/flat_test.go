package voicebox

import (
	"os"
	"runtime"
	"testing"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/exchange"
)

// TestMemoryStaysFlat makes short calls on one line, one after the other:
// nothing is left of them.
func TestMemoryStaysFlat(t *testing.T) {
	calls := 12
	if os.Getenv("CALLBOX_LONG") == "" {
		t.Log("12 calls; CALLBOX_LONG=1 for 3000")
	} else {
		calls = 3000
	}
	inTown(t, oneLine(), exchange.Config{Hybrid: 12}, func(t *testing.T, c *town) {
		for range calls / 4 {
			c.shortCall(t)
		}
		before, began := settled()
		for range calls - calls/4 {
			c.shortCall(t)
		}
		after, ended := settled()
		t.Logf("heap %d kB, then %d kB; %d goroutines, then %d", before>>10, after>>10, began, ended)
		if after > before+64<<10 || ended > began {
			t.Errorf("heap %d kB, then %d kB; %d goroutines, then %d", before>>10, after>>10, began, ended)
		}
	})
}

// shortCall is answered and ended by us.
func (c *town) shortCall(t *testing.T) {
	t.Helper()
	line := c.benches["/dev/ttyACM0"].Exchange
	ok(t, line.StartRinging(t.Context(), exchange.Call{Caller: dsp.CallerID{Number: "13812345678", Mode: "dtmf"}}))
	leg := c.leg(t)
	err, _ := within(t, 6*time.Second, answer(leg))
	ok(t, err)
	time.Sleep(200 * time.Millisecond)
	leg.Hangup("")
	ok(t, line.HangUpSilently(t.Context()))
	ok(t, line.Reach(t.Context(), exchange.Idle))
	c.inService(t, 1, 10*time.Second)
}

// settled is the heap in bytes after a collection, and how many goroutines
// there are.
func settled() (heap uint64, goroutines int) {
	time.Sleep(time.Second)
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}
