package dsp

import "math"

// Modulation is the FSK of a network.
type Modulation uint8

// Bell 202 (1200/2200 Hz, China, North America) and V.23 (1300/2100 Hz, ETSI).
const (
	Bell202 Modulation = iota
	V23
)

// baud is the speed of both (ITU-T V.23 §1.2, ETSI EN 300 659-1 §6.1).
const baud = 1200

// What is sent ahead of a message (ETSI EN 300 659-1 §6.4.1, YD/T 1277.1) and behind it, in bits.
const (
	seizureBits = 300
	markBits    = 180
	trailBits   = 10
)

// tones are the frequencies of a binary 1 (mark) and 0 (space) in Hz.
func (m Modulation) tones() (mark, space float64) {
	if m == V23 {
		return 1300, 2100
	}
	return 1200, 2200
}

// AppendFSK modulates message with channel seizure (300 bits) and mark (180 bits) at level dBm0.
func AppendFSK(to []int16, message []byte, m Modulation, level float64) []int16 {
	mark, space := m.tones()
	s := sender{rate: Rate, baud: baud, mark: mark, space: space, peak: Amplitude(level)}
	return s.message(to, message, seizureBits, markBits)
}

// sender modulates bits without a break of phase. Bits end between samples; the
// phase is that of the exact moment.
type sender struct {
	rate, baud, mark, space, peak float64

	phase float64 // at the last bit's end
	past  float64 // from the last bit's end to the next sample, in samples
}

func (s *sender) message(to []int16, message []byte, seizure, mark int) []int16 {
	for i := range seizure {
		to = s.bit(to, i%2 == 1)
	}
	to = s.marks(to, mark)
	for _, b := range message {
		to = s.byte(to, b)
	}
	return s.marks(to, trailBits)
}

func (s *sender) marks(to []int16, n int) []int16 {
	for range n {
		to = s.bit(to, true)
	}
	return to
}

// byte sends start bit, eight bits from the lowest, stop bit.
func (s *sender) byte(to []int16, b byte) []int16 {
	to = s.bit(to, false)
	for i := range 8 {
		to = s.bit(to, b>>i&1 == 1)
	}
	return s.bit(to, true)
}

func (s *sender) bit(to []int16, one bool) []int16 {
	step := 2 * math.Pi * s.space / s.rate
	if one {
		step = 2 * math.Pi * s.mark / s.rate
	}
	length := s.rate / s.baud
	for ; s.past < length; s.past++ {
		to = append(to, int16(math.Round(s.peak*math.Sin(s.phase+step*s.past))))
	}
	s.past -= length
	s.phase = math.Mod(s.phase+step*length, 2*math.Pi)
	return to
}
