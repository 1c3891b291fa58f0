package dsp

import (
	"math"
	"testing"
	"time"
)

func TestSums(t *testing.T) {
	a, b, c := []int16{1, -2, 30000}, []int16{10, 20, 30000}, []int16{5, 5, 5, 9}
	sum := make([]int32, 3)
	Add(sum, a)
	Add(sum, b)
	Add(sum, c)
	Subtract(sum, b)
	if sum[0] != 6 || sum[1] != 3 || sum[2] != 30005 {
		t.Errorf("sum = %v", sum)
	}
}

// TestLimit: what is not too loud stays as it is, the rest stays in order and
// below full.
func TestLimit(t *testing.T) {
	sum, to := make([]int32, 1), make([]int16, 1)
	last := int16(-32768)
	for v := int32(-64 * 32768); v <= 64*32768; v += 37 {
		sum[0] = v
		Limit(to, sum)
		if to[0] < last || (v >= -knee && v <= knee && int32(to[0]) != v) {
			t.Fatalf("%d becomes %d", v, to[0])
		}
		last = to[0]
	}
}

// TestLimitAgainstClipping compares the two where two shout at once: what the
// bend adds falls off with its order, what clipping adds does not.
func TestLimitAgainstClipping(t *testing.T) {
	a, b := AppendTone(nil, 500, -1, time.Second), AppendTone(nil, 700, -1, time.Second)
	sum := make([]int32, len(a))
	Add(sum, a)
	Add(sum, b)
	bent, clipped := make([]int16, len(a)), make([]int16, len(a))
	Limit(bent, sum)
	for i, v := range sum {
		clipped[i] = int16(max(-32768, min(32767, v)))
	}
	high := func(s []int16) (p float64) { // what lies above 2500 Hz, where neither talker is
		for hz := 2500.0; hz < 3900; hz += 100 {
			p += amplitudeAt(s, hz) * amplitudeAt(s, hz)
		}
		return 10 * math.Log10(p)
	}
	t.Logf("above 2500 Hz: bent %.1f dB, clipped %.1f dB", high(bent), high(clipped))
	if high(bent) > high(clipped)-3 {
		t.Error("bending is no better than clipping")
	}
}

func amplitudeAt(s []int16, hz float64) float64 {
	var re, im float64
	for i, v := range s {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		re, im = re+float64(v)*cos, im+float64(v)*sin
	}
	return 2 * math.Hypot(re, im) / float64(len(s))
}

func TestFade(t *testing.T) {
	from, into, to := constant(1000, 20*time.Millisecond), constant(-3000, 20*time.Millisecond), make([]int16, 160)
	Fade(to, from, into)
	if to[0] < 950 || to[159] != -3000 || to[79] != -1000 {
		t.Errorf("goes from %d over %d to %d", to[0], to[79], to[159])
	}
}

func TestHiss(t *testing.T) {
	for _, level := range []float64{-30, -45, -60} {
		var h Hiss
		h.Set(level)
		sound := make([]int16, Rate)
		h.Fill(sound)
		if got := Level(sound); math.Abs(got-level) > 0.7 {
			t.Errorf("noise of %v dBm0 has %.1f", level, got)
		}
	}
	var h Hiss
	h.Set(Background([]byte{0}))
	sound := make([]int16, Rate)
	h.Fill(sound)
	if got := Level(sound); got > hissMost+1 {
		t.Errorf("a background of 0 dBov is heard at %.1f dBm0", got)
	}
	for payload, want := range map[string]float64{"": quiet, "\x32": -43.85, "\xB2": -43.85, "\x32\x01": -43.85} {
		if got := Background([]byte(payload)); math.Abs(got-want) > 0.01 {
			t.Errorf("Background(%q) = %.2f, want %.2f", payload, got, want)
		}
	}
}

func TestMixingAllocatesNothing(t *testing.T) {
	var c Concealer
	var h Hiss
	h.Set(-50)
	frame, two, sum := make([]int16, 160), vowel(40*time.Millisecond, 0), make([]int32, 160)
	if n := testing.AllocsPerRun(100, func() {
		c.Make(frame)
		c.Good(frame)
		h.Fill(frame)
		Add(sum, frame)
		Subtract(sum, frame)
		Limit(frame, sum)
		Shorten(frame, two)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMix(b *testing.B) {
	frame, sum := vowel(20*time.Millisecond, 0), make([]int32, 160)
	for b.Loop() {
		Add(sum, frame)
		Subtract(sum, frame)
		Limit(frame, sum)
	}
}
