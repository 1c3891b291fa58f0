package dsp

import "math"

// Amplitude is the peak of a sine of level dBm0, in units of a sample.
func Amplitude(dbm0 float64) float64 {
	return 32768 * math.Pow(10, (dbm0-Full)/20)
}

// quiet is the level told for silence, in dBm0.
const quiet = -100

// loudness is the mean square of a sine of level dBm0.
func loudness(dbm0 float64) float64 {
	a := Amplitude(dbm0)
	return a * a / 2
}

// decibels is the level in dBm0 of a mean square.
func decibels(power float64) float64 {
	if power <= 0 {
		return quiet
	}
	return max(quiet, Full+10*math.Log10(power/(1<<29)))
}

// Level is the level of samples in dBm0 (silence: -100).
func Level(samples []int16) float64 {
	if len(samples) == 0 {
		return quiet
	}
	return decibels(square(samples) / float64(len(samples)))
}

func square(samples []int16) float64 {
	var sum int64
	for _, v := range samples {
		sum += int64(v) * int64(v)
	}
	return float64(sum)
}

// Meter shows a level as it goes: it follows with 125 ms, as a sound level
// meter set to fast does (IEC 61672-1 §5.8).
type Meter struct {
	mean float64
	peak int
}

// meterPace is how much of a new sample's power the meter takes: 1/(125 ms).
const meterPace = 1 / (0.125 * Rate)

// Add takes the next samples.
func (m *Meter) Add(in []int16) {
	for _, v := range in {
		m.mean += (float64(v)*float64(v) - m.mean) * meterPace
		m.peak = max(m.peak, int(v), -int(v))
	}
}

// Level is the level now, in dBm0 (silence: -100).
func (m *Meter) Level() float64 { return decibels(m.mean) }

// Peak is the greatest sample since Peak was last asked, in dB below the
// fullest (0: clipped; silence: -100).
func (m *Meter) Peak() float64 {
	p := float64(m.peak)
	m.peak = 0
	if p == 0 {
		return quiet
	}
	return min(0, 20*math.Log10(p/32767))
}

// fit rounds a value to a sample; what does not fit is clipped.
func fit(v float64) int16 {
	return int16(math.Round(max(-32768, min(32767, v))))
}
