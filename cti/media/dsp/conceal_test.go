package dsp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// lossy passes sound in frames of 20 ms, some of which are lost, and gives what
// is heard.
func lossy(sound []int16, lost func(n int) bool) []int16 {
	var c Concealer
	out := make([]int16, 0, len(sound))
	for n := 0; (n+1)*160 <= len(sound); n++ {
		frame := append([]int16(nil), sound[n*160:(n+1)*160]...)
		if lost(n) {
			c.Make(frame)
		} else {
			c.Good(frame)
		}
		out = append(out, frame...)
	}
	return out
}

// fidelity is the ratio of sound to what differs from it, in dB.
func fidelity(sound, heard []int16) float64 {
	var signal, noise float64
	for i, v := range heard {
		d := float64(sound[i]) - float64(v)
		signal += float64(sound[i]) * float64(sound[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/max(noise, 1))
}

// strangeness is how far the levels of heard in eight bands are from those of
// sound in the frames that were lost, in dB: what an ear goes by, where a wave
// that is a little out of step looks all wrong.
func strangeness(sound, heard []int16, lost []bool) float64 {
	var sum float64
	n := 0
	for i, gone := range lost[:len(heard)/160] {
		frame, made := sound[i*160:(i+1)*160], heard[i*160:(i+1)*160]
		if !gone || Level(frame) < -35 {
			continue
		}
		a, b := bandLevels(frame), bandLevels(made)
		for k := range a {
			d := a[k] - b[k]
			sum += d * d
			n++
		}
	}
	return math.Sqrt(sum / float64(n))
}

// bandLevels are the levels of eight bands of 450 Hz, in dB and not below a floor.
func bandLevels(frame []int16) (level [8]float64) {
	for k := range level {
		p := 100.0
		for hz := 200 + 450*float64(k); hz < 650+450*float64(k); hz += 50 {
			p += amplitudeAt(frame, hz) * amplitudeAt(frame, hz)
		}
		level[k] = 10 * math.Log10(p)
	}
	return level
}

// TestConcealment compares it with silence in the place of what is lost.
func TestConcealment(t *testing.T) {
	sounds := map[string][]int16{
		"vowel": vowel(20*time.Second, 0), "tone": AppendTone(nil, 1000, -10, 20*time.Second), "gliding vowel": vowel(20*time.Second, 15),
		"speech": say(t, "en", 50, 160, "the quick brown fox jumps over the lazy dog, please hold the line, an agent will be with you in a moment"),
	}
	for name, tt := range map[string]struct {
		share, steady, strange float64 // lost; dB over silence, at least; dB less strange than silence
	}{"2 %": {0.02, 5, 18}, "5 %": {0.05, 5, 18}, "10 %": {0.1, 4, 18}, "40 %": {0.4, 2, 15}} {
		random := rand.New(rand.NewPCG(1, 1))
		gone := make([]bool, 2000)
		for i := range gone {
			gone[i] = i > 10 && random.Float64() < tt.share
		}
		for kind, sound := range sounds {
			made := lossy(sound, func(n int) bool { return gone[n] })
			without := append([]int16(nil), made...)
			for i := range without {
				if gone[i/160] {
					without[i] = 0
				}
			}
			gain := fidelity(sound, made) - fidelity(sound, without)
			near, far := strangeness(sound, made, gone), strangeness(sound, without, gone)
			t.Logf("%s lost of %s: %.1f dB closer than silence; bands off by %.1f dB, silence %.1f dB", name, kind, gain, near, far)
			steady, voice := kind == "vowel" || kind == "tone", kind != "tone"
			if steady && gain < tt.steady || voice && near > far-tt.strange {
				t.Errorf("%s lost of %s: not good enough", name, kind)
			}
		}
	}
}

// vowel is a voice of 120 Hz that glides by some Hz, twice a second.
func vowel(d time.Duration, glide float64) []int16 {
	sound := make([]int16, samples(d))
	phase := 0.0
	for i := range sound {
		phase += 2 * math.Pi * (120 + glide*math.Sin(2*math.Pi*2*float64(i)/Rate)) / Rate
		v := 0.0
		for k := 1; k < 20; k++ {
			v += math.Sin(float64(k)*phase) / (1 + math.Abs(float64(k)-5))
		}
		sound[i] = fit(3000 * v)
	}
	return sound
}

// TestConcealmentFades: a gap that lasts is silent after 60 ms, and there is no
// step anywhere.
func TestConcealmentFades(t *testing.T) {
	sound := AppendTone(nil, 440, -10, time.Second)
	heard := lossy(sound, func(n int) bool { return n >= 20 && n < 30 })
	if got := Level(heard[20*160+490 : 30*160]); got > -90 {
		t.Errorf("60 ms into a gap there is %.0f dBm0", got)
	}
	if got := Level(heard[20*160 : 20*160+160]); got < -14 {
		t.Errorf("its begin has %.0f dBm0", got)
	}
	steepest := int(Amplitude(-10) * 2 * math.Pi * 440 / Rate * 1.5)
	for i := 1; i < len(heard); i++ {
		if d := int(heard[i]) - int(heard[i-1]); d > steepest || d < -steepest {
			t.Fatalf("a step of %d at sample %d", d, i)
		}
	}
}

// TestConcealmentOfNothing: where nothing was heard there is nothing to make up.
func TestConcealmentOfNothing(t *testing.T) {
	var c Concealer
	frame := make([]int16, 160)
	c.Make(frame)
	if c.Made() || Level(frame) > -90 {
		t.Error("something was made of nothing")
	}
}

// TestShorten cuts tones and speech without a step or a hole.
func TestShorten(t *testing.T) {
	for _, hz := range []float64{120, 440, 1000, 2500} {
		sound := AppendTone(nil, hz, -10, 40*time.Millisecond)
		to := make([]int16, 160)
		cut := Shorten(to, sound)
		if cut < concealLeast || cut > concealMost+40 {
			t.Errorf("%v Hz: %d samples are left out", hz, cut)
		}
		whole := append(to, sound[160+cut:]...)
		if got := Level(whole); got < -10.7 || got > -9.5 {
			t.Errorf("%v Hz: %.1f dBm0 behind a cut", hz, got)
		}
	}
}

func FuzzConcealer(f *testing.F) {
	f.Add([]byte{1, 160, 0, 200, 1, 30, 0, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var c Concealer
		noise := NewNoise(1, 3)
		for len(steps) >= 2 {
			part := make([]int16, int(steps[1])*3)
			if steps[0]&1 == 0 {
				c.Make(part)
			} else {
				noise.Fill(part)
				c.Good(part)
			}
			steps = steps[2:]
		}
	})
}

func BenchmarkConceal(b *testing.B) {
	var c Concealer
	sound, frame := vowel(40*time.Millisecond, 0), make([]int16, 160)
	b.Run("good", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Good(sound[:160])
		}
	})
	b.Run("first lost", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.made = 0
			c.Make(frame)
		}
	})
}
