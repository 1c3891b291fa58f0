package cmpp

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// join reads segments back as a phone does.
func join(t interface{ Fatalf(string, ...any) }, f Format, segments []Segment) string {
	var out strings.Builder
	for i, s := range segments {
		content := s.Content
		if s.TPUDHI() == 1 {
			h, rest, ok := ParseUDH(content)
			if !ok || int(h.Number) != i+1 || int(h.Total) != len(segments) {
				t.Fatalf("segment %d: header %+v, %v", i, h, ok)
			}
			content = rest
		}
		text, err := DecodeText(f, content)
		if err != nil {
			t.Fatalf("segment %d: %v", i, err)
		}
		out.WriteString(text)
	}
	return out.String()
}

func TestEncode(t *testing.T) {
	han := func(n int) string { return strings.Repeat("中", n) }
	for name, tt := range map[string]struct {
		style  Style
		text   string
		format Format
		sizes  []int // bytes of each content
	}{
		"empty":             {text: "", format: ASCII, sizes: []int{0}},
		"159 ASCII":         {text: strings.Repeat("a", 159), format: ASCII, sizes: []int{159}},
		"160 ASCII":         {text: strings.Repeat("a", 160), format: UCS2, sizes: []int{140, 140, 58}},
		"70 units":          {text: han(70), format: UCS2, sizes: []int{140}},
		"71 units":          {text: han(71), format: UCS2, sizes: []int{140, 14}},
		"134 units":         {text: han(134), format: UCS2, sizes: []int{140, 140}},
		"pair at border":    {text: han(66) + "😀" + han(66), format: UCS2, sizes: []int{138, 140, 8}},
		"signature counted": {style: Style{Signature: "【安顺】"}, text: han(67), format: UCS2, sizes: []int{140, 14}},
		"signature fits":    {style: Style{Signature: "【安顺】"}, text: han(66), format: UCS2, sizes: []int{140}},
		"already signed":    {style: Style{Signature: "【安顺】"}, text: "【安顺】" + han(66), format: UCS2, sizes: []int{140}},
		"gateway signs":     {style: Style{"【安顺】", true}, text: han(67), format: UCS2, sizes: []int{132, 14}},
		"gateway, one":      {style: Style{"【安顺】", true}, text: "【安顺】" + han(66), format: UCS2, sizes: []int{132}},
		"gateway, ASCII":    {style: Style{"【安顺】", true}, text: "abc", format: UCS2, sizes: []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			format, segments, err := tt.style.Encode(tt.text, 9)
			if err != nil || format != tt.format || len(segments) != len(tt.sizes) {
				t.Fatalf("%d segments of format %d, %v", len(segments), format, err)
			}
			for i, s := range segments {
				if len(s.Content) != tt.sizes[i] {
					t.Errorf("segment %d has %d bytes, want %d", i+1, len(s.Content), tt.sizes[i])
				}
			}
			bare := strings.TrimPrefix(tt.text, tt.style.Signature)
			want := tt.style.Signature + bare
			if tt.style.ByGateway {
				want = bare
			}
			if got := join(t, format, segments); got != want {
				t.Errorf("reads %q, want %q", got, want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	if _, _, err := Encode(strings.Repeat("中", 67*255+1), 0); !errors.Is(err, ErrTooLong) {
		t.Errorf("256 parts: %v", err)
	}
	style := Style{Signature: strings.Repeat("国", 66), ByGateway: true}
	if _, _, err := style.Encode(strings.Repeat("中", 70), 0); !errors.Is(err, ErrTooLong) {
		t.Errorf("signature of 66: %v", err)
	}
}

func TestEncodeReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 400, -1).Draw(t, "text")
		format, segments, err := Encode(text, rapid.Uint8().Draw(t, "ref"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, s := range segments {
			if len(s.Content) > format.limit() {
				t.Fatalf("segment of %d bytes", len(s.Content))
			}
		}
		if got := join(t, format, segments); got != strings.ToValidUTF8(text, string(utf8.RuneError)) && utf8.ValidString(text) {
			t.Fatalf("reads %q", got)
		}
	})
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
