package dsp

import (
	"math"
	"testing"
	"time"
)

// TestLevel: a sine's level is the one it was made with (ITU-T G.711: the
// fullest sine has 3.14 dBm0).
func TestLevel(t *testing.T) {
	for level := -60.0; level <= 3; level += 3 {
		sound := AppendTone(nil, 1004, level, time.Second)
		if got := Level(sound); math.Abs(got-level) > 0.1 {
			t.Errorf("Level of a sine of %v = %.2f", level, got)
		}
	}
	full := AppendTone(nil, 1000, Full, time.Second)
	if got := Amplitude(Full); math.Abs(got-32768) > 1 || full[2] != 32767 {
		t.Errorf("Amplitude(Full) = %v, greatest sample %d", got, full[2])
	}
	for _, nothing := range [][]int16{nil, make([]int16, 100)} {
		if got := Level(nothing); got != -100 {
			t.Errorf("Level of silence = %v", got)
		}
	}
	if got := Level([]int16{-32768, -32768, 32767}); math.Abs(got-Full-3.01) > 0.01 {
		t.Errorf("Level of the fullest square = %v", got)
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	if m.Level() != -100 || m.Peak() != -100 {
		t.Errorf("a new meter shows %v, %v", m.Level(), m.Peak())
	}
	m.Add(AppendTone(nil, 1000, -10, time.Second))
	if got := m.Level(); math.Abs(got+10) > 0.2 {
		t.Errorf("Level = %v, want -10", got)
	}
	if got := m.Peak(); math.Abs(got+13.14) > 0.2 {
		t.Errorf("Peak = %v, want -13.14", got)
	}
	m.Add(AppendSilence(nil, 125*ms))
	if got := m.Level(); math.Abs(got+14.3) > 0.3 {
		t.Errorf("Level 125 ms later = %v, want -14.3", got)
	}
	m.Add([]int16{-32768})
	if got := m.Peak(); got != 0 {
		t.Errorf("Peak of a clipped sample = %v", got)
	}
}

func TestNoise(t *testing.T) {
	for _, level := range []float64{-60, -30, -10} {
		a, b := make([]int16, 10*Rate), make([]int16, 10*Rate)
		NewNoise(7, level).Fill(a)
		NewNoise(7, level).Fill(b)
		if got := Level(a); math.Abs(got-level) > 0.3 {
			t.Errorf("noise of %v has %v", level, got)
		}
		beyond := 0
		for i, v := range a {
			if v != b[i] {
				t.Fatalf("the same seed gives other noise at %d", i)
			}
			if math.Abs(float64(v)) > 2*Amplitude(level)/math.Sqrt2 {
				beyond++
			}
		}
		if share := float64(beyond) / float64(len(a)); level > -50 && math.Abs(share-0.0455) > 0.005 {
			t.Errorf("%.2f %% of the noise beyond two sigma, want 4.55", 100*share)
		}
	}
	tone := AppendTone(nil, 1000, -20, 10*time.Second)
	noisy := append([]int16(nil), tone...)
	AddNoise(noisy, 15, 1)
	for i := range noisy {
		noisy[i] -= tone[i]
	}
	if got := Level(noisy); math.Abs(got+35) > 0.3 {
		t.Errorf("noise 15 dB below -20 has %v", got)
	}
}
