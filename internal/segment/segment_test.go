package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"callbox/internal/segment"
)

func han(n int) string { return strings.Repeat("中", n) }

func TestCut(t *testing.T) {
	gbk, wide := segment.Style{Alphabet: segment.GBK}, segment.Style{RefBits: 16}
	gbkWide := segment.Style{Alphabet: segment.GBK, RefBits: 16}
	always := segment.Style{Alphabet: segment.UCS2}
	for name, tt := range map[string]struct {
		style    segment.Style
		text     string
		reserve  int
		alphabet segment.Alphabet
		octets   []int // of each part, without its header
	}{
		"empty":                    {text: "", alphabet: segment.ASCII, octets: []int{0}},
		"159 ASCII":                {text: strings.Repeat("a", 159), alphabet: segment.ASCII, octets: []int{159}},
		"160 ASCII":                {text: strings.Repeat("a", 160), alphabet: segment.UCS2, octets: []int{134, 134, 52}},
		"ASCII, gateway signs":     {text: "abc", reserve: 4, alphabet: segment.UCS2, octets: []int{6}},
		"ASCII, always UCS2":       {style: always, text: "abc", alphabet: segment.UCS2, octets: []int{6}},
		"71 ASCII, always UCS2":    {style: always, text: strings.Repeat("a", 71), alphabet: segment.UCS2, octets: []int{134, 8}},
		"70 units":                 {text: han(70), alphabet: segment.UCS2, octets: []int{140}},
		"71 units":                 {text: han(71), alphabet: segment.UCS2, octets: []int{134, 8}},
		"134 units":                {text: han(134), alphabet: segment.UCS2, octets: []int{134, 134}},
		"135 units":                {text: han(135), alphabet: segment.UCS2, octets: []int{134, 134, 2}},
		"16 bits, 132 units":       {style: wide, text: han(132), alphabet: segment.UCS2, octets: []int{132, 132}},
		"16 bits, 133 units":       {style: wide, text: han(133), alphabet: segment.UCS2, octets: []int{132, 132, 2}},
		"pair at border":           {text: han(66) + "😀" + han(66), alphabet: segment.UCS2, octets: []int{132, 134, 2}},
		"16 bits, pair at border":  {style: wide, text: han(65) + "😀" + han(66), alphabet: segment.UCS2, octets: []int{130, 132, 4}},
		"35 pairs":                 {text: strings.Repeat("😀", 35), alphabet: segment.UCS2, octets: []int{140}},
		"36 pairs":                 {text: strings.Repeat("😀", 36), alphabet: segment.UCS2, octets: []int{132, 12}},
		"gateway signs, one":       {text: han(66), reserve: 4, alphabet: segment.UCS2, octets: []int{132}},
		"gateway signs, two":       {text: han(67), reserve: 4, alphabet: segment.UCS2, octets: []int{126, 8}},
		"gbk, 70":                  {style: gbk, text: han(70), alphabet: segment.GBK, octets: []int{140}},
		"gbk, 140 ASCII":           {style: gbk, text: strings.Repeat("a", 140), alphabet: segment.GBK, octets: []int{140}},
		"gbk, 141 ASCII":           {style: gbk, text: strings.Repeat("a", 141), alphabet: segment.GBK, octets: []int{134, 7}},
		"gbk, mixed 140":           {style: gbk, text: han(50) + strings.Repeat("a", 40), alphabet: segment.GBK, octets: []int{140}},
		"gbk, 71":                  {style: gbk, text: han(71), alphabet: segment.GBK, octets: []int{134, 8}},
		"gbk, pair at border":      {style: gbk, text: "a" + han(70), alphabet: segment.GBK, octets: []int{133, 8}},
		"gbk, 16 bits":             {style: gbkWide, text: han(71), alphabet: segment.GBK, octets: []int{132, 10}},
		"gbk, 16 bits, odd":        {style: gbkWide, text: "a" + han(70), alphabet: segment.GBK, octets: []int{133, 8}},
		"gbk, gateway signs":       {style: gbk, text: han(67), reserve: 4, alphabet: segment.GBK, octets: []int{126, 8}},
		"gbk, emoji makes it UCS2": {style: gbk, text: "好😀", alphabet: segment.UCS2, octets: []int{6}},
		"gbk, euro makes it UCS2":  {style: gbk, text: "5€", alphabet: segment.UCS2, octets: []int{4}},
	} {
		t.Run(name, func(t *testing.T) {
			alphabet, parts := tt.style.Cut(tt.text, tt.reserve)
			contents, err := alphabet.Encode(parts)
			if err != nil {
				t.Fatal(err)
			}
			var octets []int
			for _, c := range contents {
				octets = append(octets, len(c))
			}
			if alphabet != tt.alphabet || fmt.Sprint(octets) != fmt.Sprint(tt.octets) {
				t.Errorf("%v %v, want %v %v", alphabet, octets, tt.alphabet, tt.octets)
			}
			if back := strings.Join(parts, ""); back != tt.text {
				t.Errorf("reads %q", back)
			}
		})
	}
}

func decode(a segment.Alphabet, b []byte) string {
	switch a {
	case segment.GBK:
		b, _ = simplifiedchinese.GBK.NewDecoder().Bytes(b)
	case segment.UCS2:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units))
	}
	return string(b)
}

// TestCutHoldsForAllTexts: what was cut fits, is whole, and is sent in the
// alphabet that it was cut for.
func TestCutHoldsForAllTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		style := segment.Style{
			Alphabet: rapid.SampledFrom([]segment.Alphabet{"", segment.Auto, segment.GBK, segment.UCS2}).Draw(t, "alphabet"),
			RefBits:  rapid.SampledFrom([]int{0, 8, 16}).Draw(t, "bits"),
		}
		piece := rapid.SampledFrom([]string{"中", "😀", "a", "é", "€", "\xff", ""})
		text := strings.Join(rapid.SliceOfN(piece, 0, 300).Draw(t, "pieces"), "") + rapid.String().Draw(t, "text")
		reserve := rapid.IntRange(0, 40).Draw(t, "reserve")
		alphabet, parts := style.Cut(text, reserve)
		if strings.Join(parts, "") != text {
			t.Fatal("the parts together are not the text")
		}
		if got := style.Choose(parts, reserve); got != alphabet {
			t.Fatalf("Choose = %v, cut as %v", got, alphabet)
		}
		contents, err := alphabet.Encode(parts)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range contents {
			check(t, style, alphabet, parts, i, c, reserve)
		}
	})
}

func check(t *rapid.T, style segment.Style, a segment.Alphabet, parts []string, i int, content []byte, reserve int) {
	limit := map[bool]int{false: 134, true: 133}[style.Wide()]
	switch {
	case len(parts) == 1 && a == segment.ASCII:
		limit = 159
	case len(parts) == 1:
		limit = 140
	}
	if i == 0 {
		limit -= 2 * reserve
	}
	if len(content) > limit {
		t.Fatalf("part %d of %d has %d octets in %v, more than %d", i+1, len(parts), len(content), a, limit)
	}
	if len(parts) > 1 && parts[i] == "" {
		t.Fatalf("part %d is empty", i+1)
	}
	if got := decode(a, content); got != fix(parts[i]) {
		t.Fatalf("part %d reads %q, is %q", i+1, got, parts[i])
	}
}

// fix does what the air does to octets that are no character.
func fix(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func TestPartsAreNeverEmpty(t *testing.T) {
	_, parts := segment.Style{}.Cut(han(71), 67)
	if len(parts) != 3 || !utf8.ValidString(parts[0]) || parts[0] != "中" {
		t.Errorf("%q", parts)
	}
}

func TestAppendRefuses(t *testing.T) {
	for a, text := range map[segment.Alphabet]string{segment.ASCII: "é", segment.GBK: "😀", "latin": "a", segment.Auto: "a"} {
		if b, err := a.Append([]byte("kept"), text); !errors.Is(err, segment.ErrAlphabet) || !bytes.Equal(b, []byte("kept")) {
			t.Errorf("%s: %q, %v", a, b, err)
		}
	}
	if _, err := segment.GBK.Encode([]string{"中", "€"}); !errors.Is(err, segment.ErrAlphabet) {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	for s, want := range map[segment.Style]bool{
		{}: true, {segment.GBK, 16}: true, {segment.UCS2, 8}: true, {segment.ASCII, 8}: false, {"utf8", 8}: false, {segment.Auto, 7}: false,
	} {
		if err := s.Validate(); (err == nil) != want {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("工单😀", uint8(4), true, true)
	f.Fuzz(func(t *testing.T, text string, reserve uint8, wide, gbk bool) {
		style := segment.Style{RefBits: map[bool]int{false: 8, true: 16}[wide]}
		if gbk {
			style.Alphabet = segment.GBK
		}
		alphabet, parts := style.Cut(text, int(reserve))
		if _, err := alphabet.Encode(parts); err != nil || strings.Join(parts, "") != text || style.Choose(parts, int(reserve)) != alphabet {
			t.Errorf("%v %q: %v", alphabet, parts, err)
		}
	})
}

func BenchmarkCut(b *testing.B) {
	text := han(100)
	for b.Loop() {
		segment.Style{}.Cut(text, 0)
	}
}
