package media

import "math/bits"

// Silence is the byte of this law that sounds of nothing: A-law 0xD5, µ-law
// 0xFF (ITU-T G.711, the smallest positive value).
func (l Law) Silence() byte {
	if l == PCMU {
		return 0xFF
	}
	return 0xD5
}

// String is the law's encoding name in SDP (RFC 3551 table 4).
func (l Law) String() string {
	if l == PCMU {
		return "PCMU"
	}
	return "PCMA"
}

// Valid says whether l is one of the two laws.
func (l Law) Valid() bool { return l == PCMU || l == PCMA }

var (
	linearA = table(linearOfA)
	linearU = table(linearOfU)
	// One law's bytes in the other: the nearest value (ITU-T G.711 §3.3).
	aToU = table(func(b byte) byte { return muLaw(linearOfA(b)) })
	uToA = table(func(b byte) byte { return aLaw(linearOfU(b)) })
)

func table[T any](of func(byte) T) *[256]T {
	var t [256]T
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

// Decode expands G.711 to linear samples and returns how many: the shorter of
// the two lengths.
func Decode(law Law, to []int16, from []byte) int {
	t := linearA
	if law == PCMU {
		t = linearU
	}
	n := min(len(to), len(from))
	for i, b := range from[:n] {
		to[i] = t[b]
	}
	return n
}

// Encode compands linear samples to G.711 and returns how many: the shorter of
// the two lengths.
func Encode(law Law, to []byte, from []int16) int {
	f := aLaw
	if law == PCMU {
		f = muLaw
	}
	n := min(len(to), len(from))
	for i, v := range from[:n] {
		to[i] = f(v)
	}
	return n
}

// Convert writes from, which is in law a, into to in law b by table and returns
// how many samples: the shorter of the two lengths. The two may be the same
// memory.
func Convert(a, b Law, to, from []byte) int {
	if a == b {
		return copy(to, from)
	}
	t := aToU
	if a == PCMU {
		t = uToA
	}
	n := min(len(to), len(from))
	for i, v := range from[:n] {
		to[i] = t[v]
	}
	return n
}

// NewPrompt makes a prompt of linear samples at [SampleRate], encoded for both
// laws.
func NewPrompt(name string, samples []int16) Prompt {
	p := Prompt{Name: name, PCMA: make([]byte, len(samples)), PCMU: make([]byte, len(samples))}
	Encode(PCMA, p.PCMA, samples)
	Encode(PCMU, p.PCMU, samples)
	return p
}

// in gives the prompt's bytes in a law, converted when only the other is there.
func (p Prompt) in(law Law) []byte {
	own, other, from := p.PCMA, p.PCMU, PCMU
	if law == PCMU {
		own, other, from = p.PCMU, p.PCMA, PCMA
	}
	if len(own) == 0 && len(other) > 0 {
		own = make([]byte, len(other))
		Convert(from, law, own, other)
	}
	return own
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}
