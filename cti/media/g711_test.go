package media

import (
	"testing"

	"pgregory.net/rapid"
)

// Values from ITU-T G.711 tables 1 and 2, scaled to 16 bits: the ends, the
// segment borders and silence.
func TestLawsKnownValues(t *testing.T) {
	for _, v := range []struct {
		law    Law
		code   byte
		linear int16
	}{
		{PCMA, 0xD5, 8},
		{PCMA, 0x55, -8},
		{PCMA, 0xAA, 32256},
		{PCMA, 0x2A, -32256},
		{PCMA, 0xC5, 16*16 + 8},
		{PCMA, 0xF5, 528},
		{PCMA, 0x80, 5504},
		{PCMA, 0x00, -5504},
		{PCMU, 0xFF, 0},
		{PCMU, 0x7F, 0},
		{PCMU, 0xFE, 8},
		{PCMU, 0x7E, -8},
		{PCMU, 0x80, 32124},
		{PCMU, 0x00, -32124},
		{PCMU, 0xEF, 132},
		{PCMU, 0xDF, 396},
		{PCMU, 0x8F, 16764},
	} {
		var got [1]int16
		Decode(v.law, got[:], []byte{v.code})
		if got[0] != v.linear {
			t.Errorf("%v %#02x = %d, want %d", v.law, v.code, got[0], v.linear)
		}
	}
}

// TestEncodeIsNearest tries every sample: it is at most half a step of its
// segment away from what it decodes to.
func TestEncodeIsNearest(t *testing.T) {
	for _, law := range []Law{PCMA, PCMU} {
		for s := -32768; s <= 32767; s++ {
			var code [1]byte
			Encode(law, code[:], []int16{int16(s)})
			if got := distance(law, code[0], s); got > halfStep(law, code[0]) && abs(s) < 32124 {
				t.Fatalf("%v: %d became %#02x, %d off", law, s, code[0], got)
			}
		}
	}
}

func distance(law Law, code byte, s int) int {
	var v [1]int16
	Decode(law, v[:], []byte{code})
	return abs(int(v[0]) - s)
}

func halfStep(law Law, code byte) int {
	if law == PCMU {
		return 4 << (^code >> 4 & 7)
	}
	return 8 << max(int(code^0x55)>>4&7-1, 0)
}

func abs(v int) int { return max(v, -v) }

func TestLawsRoundTrip(t *testing.T) {
	for _, law := range []Law{PCMA, PCMU} {
		for code := range 256 {
			var v [1]int16
			var back [1]byte
			Decode(law, v[:], []byte{byte(code)})
			Encode(law, back[:], v[:])
			if back[0] != byte(code) && v[0] != 0 { // µ-law has two zeros
				t.Errorf("%v %#02x -> %d -> %#02x", law, code, v[0], back[0])
			}
		}
	}
}

func TestConvertKeepsTheSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "from")
		a, b := PCMA, PCMU
		if rapid.Bool().Draw(t, "to A-law") {
			a, b = b, a
		}
		to := make([]byte, len(from))
		Convert(a, b, to, from)
		for i := range from {
			var x, y [1]int16
			Decode(a, x[:], from[i:])
			Decode(b, y[:], to[i:])
			if off := distance(b, to[i], int(x[0])); off > 16+abs(int(x[0]))/32 {
				t.Fatalf("%v %#02x (%d) became %v %#02x (%d)", a, from[i], x[0], b, to[i], y[0])
			}
		}
	})
	both := []byte{PCMU.Silence()}
	Convert(PCMU, PCMA, both, both)
	if both[0] != PCMA.Silence() {
		t.Errorf("silence became %#02x", both[0])
	}
}

func TestPromptInEitherLaw(t *testing.T) {
	p := NewPrompt("two", []int16{0, 1000})
	if p.Duration() != 2*Frame/FrameSamples {
		t.Errorf("Duration = %v", p.Duration())
	}
	if got := (Prompt{PCMA: p.PCMA}).in(PCMU); len(got) != 2 || got[1] != p.PCMU[1] {
		t.Errorf("converted prompt = %x, want about %x", got, p.PCMU)
	}
}
