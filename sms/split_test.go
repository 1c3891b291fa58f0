package sms_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"callbox/sms"
)

func TestParts(t *testing.T) {
	const sig = "【安顺维保】" // 6 units
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"empty":                       {"", 1},
		"last of one":                 {strings.Repeat("字", 64), 1},
		"first of two":                {strings.Repeat("字", 65), 2},
		"last of two":                 {strings.Repeat("字", 2*67-6), 2},
		"first of three":              {strings.Repeat("字", 2*67-5), 3},
		"signed already":              {sig + strings.Repeat("字", 64), 1},
		"characters of two units":     {strings.Repeat("😀", 32), 1},
		"one character more, two":     {strings.Repeat("😀", 33), 2},
		"pair at the border is moved": {"字" + strings.Repeat("😀", 60+3), 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sms.Parts(tt.text, sig); got != tt.want {
				t.Errorf("Parts = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSplitReserves(t *testing.T) {
	parts := sms.Split(strings.Repeat("字", 65), 6)
	if len(parts) != 2 || sms.Units(parts[0]) != 61 || sms.Units(parts[1]) != 4 {
		t.Errorf("parts of %d and %d units, want 61 and 4", sms.Units(parts[0]), sms.Units(parts[1]))
	}
	if parts := sms.Split(strings.Repeat("字", 64), 6); len(parts) != 1 {
		t.Errorf("%d parts, want 1", len(parts))
	}
}

func TestSplitKeepsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + strings.Repeat(rapid.SampledFrom([]string{"字", "😀", "a", "é"}).Draw(t, "tail"), rapid.IntRange(0, 300).Draw(t, "times"))
		reserve := rapid.IntRange(0, 30).Draw(t, "reserve")
		parts := sms.Split(text, reserve)
		if strings.Join(parts, "") != text {
			t.Fatal("the parts together are not the text")
		}
		limit := 67
		if len(parts) == 1 {
			limit = 70
		}
		for i, p := range parts {
			room := limit
			if i == 0 {
				room -= reserve
			}
			if sms.Units(p) > room {
				t.Fatalf("part %d has %d units, the limit is %d", i, sms.Units(p), room)
			}
			if !utf8.ValidString(p) {
				t.Fatalf("part %d is cut inside a character", i)
			}
		}
	})
}
