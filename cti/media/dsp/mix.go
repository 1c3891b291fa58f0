package dsp

// Add puts sound on a sum: the shorter of both lengths.
func Add(sum []int32, sound []int16) {
	n := min(len(sum), len(sound))
	sum, sound = sum[:n], sound[:n]
	for i, v := range sound {
		sum[i] += int32(v)
	}
}

// Subtract takes sound out of a sum that it was added to.
func Subtract(sum []int32, sound []int16) {
	n := min(len(sum), len(sound))
	sum, sound = sum[:n], sound[:n]
	for i, v := range sound {
		sum[i] -= int32(v)
	}
}

// knee is where [Limit] begins to bend: 2.7 dB below full.
const knee = 24000

// Limit writes a sum as samples: as it is up to 2.7 dB below full, above that
// bent so that it never reaches full, as two who shout at once do.
func Limit(to []int16, sum []int32) {
	n := min(len(to), len(sum))
	to, sum = to[:n], sum[:n]
	for i, v := range sum {
		if v > knee || v < -knee {
			v = bend(v)
		}
		to[i] = int16(v)
	}
}

// bend brings what is above the knee between it and full, without a corner.
func bend(v int32) int32 {
	const room = 32767 - knee
	if v < 0 {
		return -bend(-v)
	}
	over := int64(v - knee)
	return knee + int32(over*room/(over+room))
}

// Fade goes over from one sound to another, as long as to is; to may be one of
// the two.
func Fade(to, from, into []int16) {
	n := int32(len(to))
	for i := range to {
		part := int32(i) + 1
		to[i] = int16((int32(from[i])*(n-part) + int32(into[i])*part) / n)
	}
}

// Hiss is noise in the gaps of somebody who sends none of their silence (RFC
// 3389): white, flat, quiet. The zero value is silence.
type Hiss struct {
	state uint32
	peak  int32
}

// hissMost is the loudest hiss in dBm0: what is louder is no background.
const hissMost = -30

// Set makes the noise as loud as a level in dBm0.
func (h *Hiss) Set(level float64) {
	const crest = 1.2247 // from a sine's peak to that of flat noise as loud: √(3/2)
	h.peak = int32(crest*Amplitude(min(level, hissMost)) + 0.5)
}

// Fill writes the next samples of noise.
func (h *Hiss) Fill(to []int16) {
	for i := range to {
		h.state = h.state*1664525 + 1013904223
		to[i] = int16(int32(h.state) >> 16 * h.peak >> 15)
	}
}

// Background is the level in dBm0 that a comfort noise payload tells: its first
// octet is the level below the overload point (RFC 3389 §3.1), of which a full
// sine is 3.01 dB short.
func Background(payload []byte) float64 {
	if len(payload) == 0 {
		return quiet
	}
	return Full + 3.01 - float64(payload[0]&0x7F)
}
