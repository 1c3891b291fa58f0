package dsp

import "math/rand/v2"

// Noise is white Gaussian noise; a seed always gives the same.
type Noise struct {
	random *rand.Rand
	sigma  float64
}

// NewNoise makes noise of a level in dBm0.
func NewNoise(seed uint64, level float64) *Noise {
	return &Noise{random: rand.New(rand.NewPCG(seed, 0x5eed)), sigma: Amplitude(level) / 1.4142135623730951}
}

// Fill writes the next samples of noise.
func (n *Noise) Fill(to []int16) {
	for i := range to {
		to[i] = fit(n.sigma * n.random.NormFloat64())
	}
}

// Add puts the next samples of noise on what is there.
func (n *Noise) Add(to []int16) {
	for i, v := range to {
		to[i] = fit(float64(v) + n.sigma*n.random.NormFloat64())
	}
}

// AddNoise puts noise on samples, snr dB below their mean level.
func AddNoise(samples []int16, snr float64, seed uint64) {
	NewNoise(seed, Level(samples)-snr).Add(samples)
}
