package dsp

import "testing"

func TestEchoLab(t *testing.T) {
	for name, far := range sounds(t, 8*3000) {
		for _, h := range []string{"short", "medium", "spread", "double"} {
			c := NewCanceller(512)
			k := twoWire{far: far, hybrid: hybridOf(h, 10), delay: 1234, noise: -55}.run(c)
			t.Logf("%-10s %-8s ERLE 0.5 s %5.1f, 1 s %5.1f, 2 s %5.1f, 3 s %5.1f  %+v", name, h, k.erle(300, 500), k.erle(800, 1000), k.erle(1800, 2000), k.erle(2800, 3000), c.Report())
		}
	}
}
