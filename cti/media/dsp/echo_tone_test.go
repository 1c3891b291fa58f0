package dsp

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// tone is n samples of sines together, each of level dBm0.
func toneOf(n int, level float64, hz ...float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		for _, f := range hz {
			x[i] += rmsOf(level) * math.Sqrt2 * math.Sin(2*math.Pi*f*float64(i)/8000)
		}
	}
	return x
}

// hybridAt is a hybrid with a loss of loss dB at hz: no line makes a tone louder.
func hybridAt(shape string, loss, hz float64) []float64 {
	h := hybridOf(shape, 0)
	var re, im float64
	for i, v := range h {
		re += v * math.Cos(2*math.Pi*hz*float64(i)/8000)
		im += v * math.Sin(2*math.Pi*hz*float64(i)/8000)
	}
	k := math.Pow(10, -loss/20) / math.Hypot(re, im)
	for i := range h {
		h[i] *= k
	}
	return h
}

// A prompt may be a plain tone (ringback, a beep, a test), which says little of
// the path: within a second it is gone, at no moment is it made louder, and a
// frame that is lost or comes twice, which shifts the tone's phase, does no harm
// that lasts.
func TestEchoOfTones(t *testing.T) {
	tones := map[string][]float64{"450": {450}, "800": {800}, "350+440": {350, 440}}
	losses, shapes := []float64{6, 10}, []string{"short", "spread"}
	if long() {
		tones["620"], tones["1000"], tones["2100"] = []float64{620}, []float64{1000}, []float64{2100}
		losses, shapes = []float64{6, 10, 20}, []string{"short", "medium", "spread"}
	}
	for name, hz := range tones {
		for _, loss := range losses {
			for _, shape := range shapes {
				t.Run(fmt.Sprintf("%s, %s, %.0f dB", name, shape, loss), func(t *testing.T) {
					far := append(make([]float64, 8*400), toneOf(8*3600, -5.5, hz...)...)
					line := twoWire{far: far, hybrid: hybridAt(shape, loss, hz[0]), delay: 480, noise: -60}
					line.change = func(n int, l *twoWire) {
						if n == 8*2400 {
							l.delay += 160
						}
					}
					k := line.run(NewCanceller(512))
					for at := 0; at+800 <= len(k.out); at += 800 {
						jumped := at >= 8*2400 && at < 8*2600
						if came, left := power(k.near[at:at+800]), power(k.out[at:at+800]); left > 1.25*came+100 && !jumped {
							t.Errorf("at %.1f s it is %.1f dB louder than what came", float64(at)/8000, 10*math.Log10(left/came))
						}
					}
					before, after := k.erle(1600, 2300), k.erle(3500, 4000)
					t.Logf("%.1f dB after a second, %.1f dB a second after a jump", before, after)
					if before < 25 || after < 25 {
						t.Errorf("ERLE %.1f dB, then %.1f dB, want 25", before, after)
					}
				})
			}
		}
	}
}

// Digits under a tone are found as they are under speech.
func TestDigitsUnderTone(t *testing.T) {
	const keys = "1593570*24680#"
	keyed := AppendDTMF(make([]int16, 8*1500), keys, Keying{Level: -11, Twist: 2, On: 80 * time.Millisecond, Off: 100 * time.Millisecond})
	voice := make([]float64, len(keyed))
	for i, v := range keyed {
		voice[i] = float64(v)
	}
	for _, hz := range []float64{450, 800} {
		for _, loss := range []float64{6, 40} {
			far := toneOf(len(voice)+1600, -5.5, hz)
			k := twoWire{far: far, voice: voice, hybrid: hybridAt("short", loss, hz), delay: 480, noise: -60}.run(NewCanceller(512))
			if heard := digitsIn(k.out); heard != keys {
				t.Errorf("%.0f Hz, %.0f dB: heard %q", hz, loss, heard)
			}
		}
	}
}
