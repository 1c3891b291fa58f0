package dsp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// receiveAll gives every message in samples, taken in blocks of 20 ms.
func receiveAll(r *receiver, samples []int16) (all [][]byte) {
	for len(samples) > 0 {
		n := min(160, len(samples))
		if m := r.receive(samples[:n]); m != nil {
			all = append(all, append([]byte(nil), m...))
		}
		samples = samples[n:]
	}
	return all
}

func silence(n int) []int16 { return make([]int16, n) }

// addNoise adds white noise of 0 to 4 kHz at a level in dBm0.
func addNoise(samples []int16, level float64, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	rms := Amplitude(level) / math.Sqrt2
	for i := range samples {
		samples[i] = clip(float64(samples[i]) + rms*rnd.NormFloat64())
	}
}

func clip(x float64) int16 { return int16(math.Round(min(max(x, -32768), 32767))) }

func TestFSKClean(t *testing.T) {
	message := CallerID{Number: "13812345678", Name: "张三", Time: "03171656"}.MDMF()
	for _, m := range []Modulation{Bell202, V23} {
		in := AppendFSK(silence(800), message, m, -13.5)
		in = append(in, silence(400)...)
		got := receiveAll(newReceiver(), in)
		if len(got) != 1 || string(got[0]) != string(message) {
			t.Errorf("modulation %d: received % X, want % X", m, got, message)
		}
	}
}
