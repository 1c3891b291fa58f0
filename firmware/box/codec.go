package box

import (
	"encoding/binary"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// codec is one way sound crosses the serial port (+VSM).
type codec struct {
	number int
	name   string
	bits   int
	encode func(to []byte, from []int16) // len(to) is bits/8 × len(from)
	decode func(to []int16, from []byte)
}

// codecs by their numbers in V.253; all at 8000 samples a second.
var codecs = []codec{
	{0, "SIGNED PCM", 16, encodeSigned, decodeSigned},
	{1, "UNSIGNED PCM", 8, encodeUnsigned, decodeUnsigned},
	{4, "MU-LAW", 8, func(to []byte, from []int16) { dsp.EncodeMuLaw(to, from) }, func(to []int16, from []byte) { dsp.DecodeMuLaw(to, from) }},
	{5, "A-LAW", 8, func(to []byte, from []int16) { dsp.EncodeALaw(to, from) }, func(to []int16, from []byte) { dsp.DecodeALaw(to, from) }},
}

func findCodec(number int) (codec, bool) {
	for _, c := range codecs {
		if c.number == number {
			return c, true
		}
	}
	return codec{}, false
}

func (c *codec) bytes() int { return c.bits / 8 }

func encodeSigned(to []byte, from []int16) {
	for i, s := range from {
		binary.LittleEndian.PutUint16(to[2*i:], uint16(s))
	}
}

func decodeSigned(to []int16, from []byte) {
	for i := range to {
		to[i] = int16(binary.LittleEndian.Uint16(from[2*i:]))
	}
}

func encodeUnsigned(to []byte, from []int16) {
	for i, s := range from {
		to[i] = byte(min((int(s)+0x80)>>8, 127) + 0x80)
	}
}

func decodeUnsigned(to []int16, from []byte) {
	for i := range to {
		to[i] = (int16(from[i]) - 0x80) << 8
	}
}

// frameBytes is the longest frame: 20 ms of 16-bit sound, every byte shielded.
const frameBytes = 2 * 2 * analog.Samples

// appendShielded doubles each DLE, so that none begins a code.
func appendShielded(to, data []byte) []byte {
	for _, c := range data {
		if c == dle {
			to = append(to, dle)
		}
		to = append(to, c)
	}
	return to
}

// speaker is what the host sends to the line: bytes without their shields
// become samples, and wait here to be played at the line's clock.
type speaker struct {
	codec   codec
	half    [2]byte // the bytes of a sample that are there
	halves  int
	one     [1]int16
	ring    [buffered]int16
	head, n int
	started bool // one frame was there: playing
	paused  bool
}

// buffered is the transmit buffer, 200 ms.
const buffered = 10 * analog.Samples

// push takes one byte without shield; false: the buffer is full, the sample is lost.
func (s *speaker) push(c byte) bool {
	s.half[s.halves] = c
	s.halves++
	if s.halves < s.codec.bytes() {
		return true
	}
	s.codec.decode(s.one[:], s.half[:s.halves])
	s.halves = 0
	if s.n == buffered {
		return false
	}
	s.ring[(s.head+s.n)%buffered] = s.one[0]
	s.n++
	return true
}

// fill plays into to. It begins when a frame is there or draining says that no
// more comes; dry says that it was playing and had too little.
func (s *speaker) fill(to []int16, draining bool) (dry bool) {
	if s.paused || s.n == 0 && !s.started {
		return false
	}
	if !s.started && s.n < len(to) && !draining {
		return false
	}
	n := min(len(to), s.n)
	for i := range to[:n] {
		to[i] = s.ring[(s.head+i)%buffered]
	}
	s.head, s.n = (s.head+n)%buffered, s.n-n
	s.started = n == len(to)
	return !s.started && !draining
}

// clear throws away what waits.
func (s *speaker) clear() { s.head, s.n, s.halves, s.started = 0, 0, 0, false }

func (s *speaker) begin(c codec) {
	s.codec, s.paused = c, false
	s.clear()
}
