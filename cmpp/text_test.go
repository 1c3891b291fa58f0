package cmpp

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"callbox/internal/segment"
)

// read gives a segment's text and header as a phone does.
func read(t *rapid.T, f Format, s Segment) (string, Concat) {
	content, h := s.Content, Concat{}
	if s.TPUDHI() == 1 {
		var ok bool
		if h, content, ok = ParseUDH(content); !ok || h.Number != s.Number || h.Total != s.Total {
			t.Fatalf("header %+v of segment %d of %d", h, s.Number, s.Total)
		}
	}
	if f == GBK {
		text, err := simplifiedchinese.GBK.NewDecoder().Bytes(content)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), h
	}
	text, err := DecodeText(f, content)
	if err != nil {
		t.Fatal(err)
	}
	return text, h
}

// TestSegmentsReadBack sends texts of every style as SUBMITs and reads them.
func TestSegmentsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		style := segment.Style{
			Alphabet: rapid.SampledFrom([]segment.Alphabet{segment.Auto, segment.GBK, segment.UCS2}).Draw(t, "alphabet"),
			RefBits:  rapid.SampledFrom([]int{8, 16}).Draw(t, "bits"),
		}
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"工单", "😀", "a", "é"}), 0, 400).Draw(t, "text"), "")
		ref := rapid.Uint16().Draw(t, "ref")
		alphabet, parts := style.Cut(text, 0)
		contents, _ := alphabet.Encode(parts)
		format, err := FormatOf(string(alphabet))
		segments, fault := Segments(contents, ref, style.Wide())
		if err := errors.Join(err, fault); err != nil {
			t.Fatal(err)
		}
		back := ""
		for _, s := range segments {
			p := &Submit{MsgFmt: format, TPUDHI: s.TPUDHI(), MsgContent: s.Content, DestTerminalID: []string{"1"}}
			if _, err := p.AppendBody(nil, V30); err != nil {
				t.Fatal(err)
			}
			part, h := read(t, format, s)
			want := ref
			if !style.Wide() {
				want &= 0xff
			}
			if len(segments) > 1 && h.Ref != want {
				t.Fatalf("reference %d, want %d", h.Ref, want)
			}
			back += part
		}
		if back != text {
			t.Fatalf("reads %q", back)
		}
	})
}

func TestSegmentsBounds(t *testing.T) {
	for n, want := range map[int]error{0: ErrTooLong, 1: nil, 255: nil, 256: ErrTooLong} {
		if got, err := Segments(make([][]byte, n), 1, false); !errors.Is(err, want) || err == nil && len(got) != n {
			t.Errorf("%d parts: %d segments, %v", n, len(got), err)
		}
	}
	one, _ := Segments([][]byte{[]byte("a")}, 1, true)
	if s := one[0]; string(s.Content) != "a" || s.Total != 1 || s.Number != 1 || s.TPUDHI() != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := FormatOf("latin"); !errors.Is(err, ErrAlphabet) {
		t.Error(err)
	}
}

func TestAlphabet(t *testing.T) {
	for f, want := range map[Format]Format{
		0: ASCII, 3: ASCII, 4: Binary, 8: UCS2, 9: UCS2, 15: GBK, 24: UCS2, 25: UCS2, 0x11: ASCII,
		0xe0: UCS2, 0xf4: Binary, 0xf1: ASCII, 0xc8: ASCII,
	} {
		if got := f.Alphabet(); got != want {
			t.Errorf("Msg_Fmt %d: %d, want %d", f, got, want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	for name, tt := range map[string]struct {
		f    Format
		in   string
		want string
		err  error
	}{
		"ascii":     {ASCII, "1", "1", nil},
		"latin":     {ASCII, "\xe9", "é", nil},
		"ucs2":      {UCS2, "\x4e\x2d", "中", nil},
		"half unit": {UCS2, "\x4e\x2d\x4e", "中\ufffd", nil},
		"pair":      {UCS2, "\xd8\x3d\xde\x00", "😀", nil},
		"half pair": {UCS2, "\xd8\x3d", "\ufffd", nil},
		"gbk":       {GBK, "\xd6\xd0", "", ErrAlphabet},
		"binary":    {Binary, "\x00", "", ErrAlphabet},
	} {
		if got, err := DecodeText(tt.f, []byte(tt.in)); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestParseUDH(t *testing.T) {
	for name, tt := range map[string]struct {
		in   []byte
		want Concat
		rest int
		ok   bool
	}{
		"8 bit":        {Concat{Ref: 200, Total: 3, Number: 2}.Append(nil), Concat{200, 3, 2}, 0, true},
		"16 bit":       {Concat{Ref: 0x1234, Total: 3, Number: 2}.Append16(nil), Concat{0x1234, 3, 2}, 0, true},
		"port first":   {append([]byte{11, 5, 4, 0, 1, 0, 2, 0, 3, 7, 2, 1}, 'x'), Concat{7, 2, 1}, 1, true},
		"number 0":     {[]byte{5, 0, 3, 1, 2, 0, 'x'}, Concat{}, 1, true},
		"number 3 / 2": {[]byte{5, 0, 3, 1, 2, 3, 'x'}, Concat{}, 1, true},
		"too long":     {[]byte{200, 0, 3}, Concat{}, 3, false},
		"element long": {[]byte{3, 0, 9, 1, 'x'}, Concat{}, 1, true},
		"empty":        {nil, Concat{}, 0, false},
	} {
		h, rest, ok := ParseUDH(tt.in)
		if h != tt.want || len(rest) != tt.rest || ok != tt.ok {
			t.Errorf("%s: %+v, %d left, %v", name, h, len(rest), ok)
		}
	}
}
