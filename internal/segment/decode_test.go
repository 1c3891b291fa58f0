package segment_test

import (
	"testing"
	"unicode/utf8"

	"callbox/internal/segment"
)

func TestDecodeIsTheInverse(t *testing.T) {
	for a, text := range map[segment.Alphabet]string{
		segment.ASCII: "pump 3", segment.GBK: "泵房3号已修好A", segment.UCS2: "泵房👷🔧已修好😀",
	} {
		octets, err := a.Append(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Decode(string(octets)); got != text {
			t.Errorf("%s: %q", a, got)
		}
	}
}

func TestDamageIsShown(t *testing.T) {
	for _, tt := range []struct {
		a        segment.Alphabet
		in, want string
	}{
		{segment.UCS2, "\xd8\x3dA", "\ufffd\ufffd"}, // a half, and an odd octet
		{segment.UCS2, "\xdc\x77\x00A\xd8\x3d", "\ufffdA\ufffd"},
		{segment.UCS2, "\xd8\x3d\xd8\x3d\xdc\x77", "\ufffd👷"},
		{segment.GBK, "\xbd\xd3\xb5", "接\ufffd"},
		{segment.ASCII, "a\xbd", "a\ufffd"},
		{segment.GBK, "", ""},
	} {
		if got := tt.a.Decode(tt.in); got != tt.want {
			t.Errorf("%s %x: %q, want %q", tt.a, tt.in, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("\xd8\x3d\xdc")
	f.Fuzz(func(t *testing.T, octets string) {
		for _, a := range []segment.Alphabet{segment.ASCII, segment.GBK, segment.UCS2} {
			if got := a.Decode(octets); !utf8.ValidString(got) {
				t.Errorf("%s: %q", a, got)
			}
		}
	})
}
