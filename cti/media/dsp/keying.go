package dsp

import (
	"strings"
	"time"
)

// The two tones of a key (ITU-T Q.23), by its place on a 4×4 pad.
var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

const pad = "123A456B789C*0#D"

// Keying is how digits are sent: level of each tone in dBm0 before twist, twist
// in dB high minus low.
type Keying struct {
	Level, Twist float64
	On, Off      time.Duration
}

// DefaultKeying is -9 dBm0 low, +2 dB twist, 80 ms on, 80 ms off.
var DefaultKeying = Keying{Level: -9, Twist: 2, On: 80 * time.Millisecond, Off: 80 * time.Millisecond}

// AppendDTMF makes digits (others are left out); each is followed by its pause.
// The low tone is at k.Level, the high one at k.Level+k.Twist.
func AppendDTMF(to []int16, digits string, k Keying) []int16 {
	for _, key := range strings.ToUpper(digits) {
		place := strings.IndexRune(pad, key)
		if place < 0 {
			continue
		}
		low := oscillator(rows[place/4], Amplitude(k.Level))
		high := oscillator(columns[place%4], Amplitude(k.Level+k.Twist))
		for range samples(k.On) {
			to = append(to, fit(low.next()+high.next()))
		}
		to = append(to, make([]int16, samples(k.Off))...)
	}
	return to
}

// samples is a duration in samples.
func samples(d time.Duration) int {
	return max(0, int((int64(d)*Rate+int64(time.Second)/2)/int64(time.Second)))
}
