package dsp

import "math/bits"

var (
	linearA = table(linearOfA)
	linearU = table(linearOfU)
)

func table(of func(byte) int16) *[256]int16 {
	var t [256]int16
	for i := range t {
		t[i] = of(byte(i))
	}
	return &t
}

// linearOfA decodes A-law (ITU-T G.711 table 1): after the even bits are
// inverted back, a sign, three bits of segment, four of step; 13 bits scaled
// to 16.
func linearOfA(b byte) int16 {
	b ^= 0x55
	segment, step := b>>4&7, int16(b&15)
	v := step<<4 + 8
	if segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}

// linearOfU decodes µ-law (ITU-T G.711 table 2): all bits inverted, 14 bits
// scaled to 16, 33 (here ×4) added before companding.
func linearOfU(b byte) int16 {
	b = ^b
	v := (int(b&15)<<3+biasU)<<(b>>4&7) - biasU
	if b&0x80 != 0 {
		return int16(-v)
	}
	return int16(v)
}

const biasU = 33 << 2

// aLaw encodes a sample to the nearest A-law value.
func aLaw(sample int16) byte {
	v, sign := int(sample), byte(0x80)
	if v < 0 {
		v, sign = -v-1, 0
	}
	segment := max(bits.Len(uint(v))-8, 0)
	step := v >> max(segment+3, 4)
	return (sign | byte(segment)<<4 | byte(step&15)) ^ 0x55
}

// muLaw encodes a sample to the nearest µ-law value.
func muLaw(sample int16) byte {
	v, sign := int(sample), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, 32635) + biasU
	segment := bits.Len(uint(v)) - 8
	return ^(sign | byte(segment)<<4 | byte(v>>(segment+3)&15))
}

// DecodeALaw expands A-law (ITU-T G.711 table 1) to linear samples: the shorter
// of both lengths, which it returns.
func DecodeALaw(to []int16, from []byte) int { return decode(linearA, to, from) }

// DecodeMuLaw expands µ-law (ITU-T G.711 table 2) to linear samples: the
// shorter of both lengths, which it returns.
func DecodeMuLaw(to []int16, from []byte) int { return decode(linearU, to, from) }

func decode(t *[256]int16, to []int16, from []byte) int {
	n := min(len(to), len(from))
	for i, b := range from[:n] {
		to[i] = t[b]
	}
	return n
}

// EncodeALaw compands linear samples to A-law: the shorter of both lengths,
// which it returns.
func EncodeALaw(to []byte, from []int16) int {
	n := min(len(to), len(from))
	for i, v := range from[:n] {
		to[i] = aLaw(v)
	}
	return n
}

// EncodeMuLaw compands linear samples to µ-law: the shorter of both lengths,
// which it returns.
func EncodeMuLaw(to []byte, from []int16) int {
	n := min(len(to), len(from))
	for i, v := range from[:n] {
		to[i] = muLaw(v)
	}
	return n
}
