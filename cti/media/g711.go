package media

import "callbox/cti/media/dsp"

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

// One law's bytes in the other: the nearest value (ITU-T G.711 §3.3).
var (
	aToU = convert(PCMA, PCMU)
	uToA = convert(PCMU, PCMA)
)

func convert(a, b Law) *[256]byte {
	var every, in [256]byte
	var linear [256]int16
	for i := range every {
		every[i] = byte(i)
	}
	Decode(a, linear[:], every[:])
	Encode(b, in[:], linear[:])
	return &in
}

// Decode expands G.711 to linear samples and returns how many: the shorter of
// the two lengths.
func Decode(law Law, to []int16, from []byte) int {
	if law == PCMU {
		return dsp.DecodeMuLaw(to, from)
	}
	return dsp.DecodeALaw(to, from)
}

// Encode compands linear samples to G.711 and returns how many: the shorter of
// the two lengths.
func Encode(law Law, to []byte, from []int16) int {
	if law == PCMU {
		return dsp.EncodeMuLaw(to, from)
	}
	return dsp.EncodeALaw(to, from)
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
