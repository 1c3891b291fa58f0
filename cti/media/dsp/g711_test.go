package dsp

import "testing"

// TestG711KnownValues has values of ITU-T G.711 tables 1 and 2, scaled to 16
// bits: the ends, the segment borders and silence.
func TestG711KnownValues(t *testing.T) {
	for _, v := range []struct {
		code   byte
		linear int16
	}{
		{0xD5, 8}, {0x55, -8}, {0xAA, 32256}, {0x2A, -32256}, {0xC5, 16*16 + 8}, {0xF5, 528}, {0x80, 5504}, {0x00, -5504},
	} {
		var got [1]int16
		if DecodeALaw(got[:], []byte{v.code}); got[0] != v.linear {
			t.Errorf("A-law %#02x = %d, want %d", v.code, got[0], v.linear)
		}
	}
	for _, v := range []struct {
		code   byte
		linear int16
	}{
		{0xFF, 0}, {0x7F, 0}, {0xFE, 8}, {0x7E, -8}, {0x80, 32124}, {0x00, -32124}, {0xEF, 132}, {0xDF, 396}, {0x8F, 16764},
	} {
		var got [1]int16
		if DecodeMuLaw(got[:], []byte{v.code}); got[0] != v.linear {
			t.Errorf("µ-law %#02x = %d, want %d", v.code, got[0], v.linear)
		}
	}
}

// TestG711Encodes every sample: it is at most half a step of its segment away
// from what it decodes to, the sign is kept, and the shorter length counts.
func TestG711Encodes(t *testing.T) {
	for name, law := range map[string]struct {
		encode func([]byte, []int16) int
		decode func([]int16, []byte) int
		step   func(code byte) int
		most   int
	}{
		"A-law": {EncodeALaw, DecodeALaw, func(c byte) int { return 8 << max(int(c^0x55)>>4&7-1, 0) }, 32767},
		"µ-law": {EncodeMuLaw, DecodeMuLaw, func(c byte) int { return 4 << (^c >> 4 & 7) }, 32635},
	} {
		for s := -law.most; s <= law.most; s++ {
			var code [1]byte
			var back [3]int16
			if law.encode(code[:], []int16{int16(s), 1}) != 1 || law.decode(back[:], code[:]) != 1 {
				t.Fatalf("%s: not the shorter length", name)
			}
			if off := int(back[0]) - s; max(off, -off) > law.step(code[0]) || s*int(back[0]) < 0 {
				t.Fatalf("%s: %d became %#02x, which is %d", name, s, code[0], back[0])
			}
		}
		clipped := make([]int16, 2)
		codes := make([]byte, 2)
		law.encode(codes, []int16{-32768, 32767})
		if law.decode(clipped, codes); clipped[0] > -32000 || clipped[1] < 32000 {
			t.Errorf("%s: the fullest samples became %v", name, clipped)
		}
	}
}
