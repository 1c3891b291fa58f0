package segment_test

import (
	"testing"
	"unicode/utf8"

	"callbox/internal/segment"
)

// TestHalvesMeetAgain wherever a text is cut.
func TestHalvesMeetAgain(t *testing.T) {
	const text = "泵房👷🔧已修好😀"
	octets, err := segment.UCS2.Append(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i <= len(octets); i += 2 {
		for j := i; j <= len(octets); j += 2 {
			got := segment.DecodeHalves(octets[:i]) + segment.DecodeHalves(octets[i:j]) + segment.DecodeHalves(octets[j:])
			if got = segment.JoinHalves(got); got != text {
				t.Errorf("cut at %d and %d: %q", i, j, got)
			}
		}
	}
}

func TestLonelyHalves(t *testing.T) {
	for in, want := range map[string]string{
		"\xd8\x3dA":                "\ufffd",        // a half, and an odd octet
		"\xdc\x77\x00A\xd8\x3d":    "\ufffdA\ufffd", // the wrong way round
		"\x00A\xd8\x3d\x00B":       "A\ufffdB",
		"\xd8\x3d\xd8\x3d\xdc\x77": "\ufffd👷",
		"":                         "",
	} {
		got := segment.JoinHalves(segment.DecodeHalves([]byte(in)))
		if len(in)%2 == 1 {
			want += "\ufffd"
		}
		if got != want {
			t.Errorf("%x: %q, want %q", in, got, want)
		}
	}
}

func FuzzJoinHalves(f *testing.F) {
	f.Add("a\xed\xa0\xbd\xed\xb1\xb7", []byte("\xd8\x3d\xdc"))
	f.Fuzz(func(t *testing.T, text string, octets []byte) {
		for _, s := range []string{text, segment.DecodeHalves(octets)} {
			if got := segment.JoinHalves(s); !utf8.ValidString(got) {
				t.Errorf("%q", got)
			}
		}
	})
}
