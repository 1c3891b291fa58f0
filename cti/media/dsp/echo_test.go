package dsp

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
)

func (k call) curve(step int) string {
	s := ""
	for t := step; t*8 <= len(k.out); t += step {
		s += fmt.Sprintf("%6.1f", math.Min(99, k.erle(t-step, t)))
	}
	return s
}

func TestEchoLab(t *testing.T) {
	n := 8 * 1400
	ss := sounds(t, n)
	for _, name := range slices.Sorted(maps.Keys(ss)) {
		for _, h := range []string{"short", "medium", "spread"} {
			c := NewCanceller(512)
			c.suppress.off = true
			k := twoWire{far: ss[name], hybrid: hybridOf(h, 10), delay: 1234, noise: -55}.run(c)
			r := c.Report()
			t.Logf("%-10s %-8s %s  %.1f %d", name, h, k.curve(200), r.ERLE, r.Delay)
			if got := k.erle(1150, 1400); name != "music" && got < 15 {
				t.Errorf("%s %s: ERLE %.1f dB after a second", name, h, got)
			}
		}
	}
}
