package cmpp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Sizes of one segment.
const (
	maxBinary = 140 // bytes of content, of every alphabet but ASCII
	maxASCII  = 159 // Msg_Length is below 160
	// MaxUnits is how many UTF-16 units one message takes, UnitsPerPart how
	// many each part of a long one.
	MaxUnits     = 70
	UnitsPerPart = 67
	maxParts     = 255
)

var (
	// ErrTooLong says that a text does not fit a message or its parts.
	ErrTooLong = errors.New("cmpp: text too long")
	// ErrAlphabet says that a content is not text in an alphabet that this
	// package decodes.
	ErrAlphabet = errors.New("cmpp: alphabet not decoded here")
)

// Format is Msg_Fmt, the alphabet of a content.
type Format uint8

// The formats that the protocol names.
const (
	ASCII  Format = 0
	SIM    Format = 3 // writes to the SIM card
	Binary Format = 4
	UCS2   Format = 8
	GBK    Format = 15
)

// FormatOf gives the format of an alphabet by its name: ascii, gbk or ucs2.
func FormatOf(alphabet string) (Format, error) {
	switch alphabet {
	case "ascii":
		return ASCII, nil
	case "gbk":
		return GBK, nil
	case "ucs2":
		return UCS2, nil
	}
	return 0, fmt.Errorf("%w: no Msg_Fmt for %q", ErrAlphabet, alphabet)
}

func (f Format) limit() int {
	if f == ASCII {
		return maxASCII
	}
	return maxBinary
}

// Alphabet gives the format of the content behind what a gateway wrote: some
// hand the phone's data coding scheme (GSM 03.38) through, so that 9, 24 and
// 25, for example, are UCS2 with a message class.
func (f Format) Alphabet() Format {
	switch {
	case f == GBK:
		return GBK
	case f&0xf0 == 0xe0:
		return UCS2
	case f&0xf0 == 0xf0:
		return [...]Format{ASCII, Binary}[f>>2&1]
	case f&0x80 == 0:
		return [...]Format{ASCII, Binary, UCS2, Binary}[f>>2&3]
	}
	return ASCII
}

// DecodeText gives a content without its header as text. What is damaged becomes
// U+FFFD; bytes above 127 in ASCII are read as Latin-1. The error is
// ErrAlphabet for GBK and for binary contents.
func DecodeText(f Format, content []byte) (string, error) {
	switch f.Alphabet() {
	case ASCII:
		return decodeLatin(content), nil
	case UCS2:
		return decodeUCS2(content), nil
	}
	return "", fmt.Errorf("%w: Msg_Fmt %d", ErrAlphabet, f)
}

func decodeLatin(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}

func decodeUCS2(b []byte) string {
	units := make([]uint16, len(b)/2, len(b)/2+1)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	if len(b)%2 == 1 {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units))
}

// AppendUCS2 puts text behind b as UTF-16 in network byte order.
func AppendUCS2(b []byte, text string) []byte {
	for _, r := range text {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			b = binary.BigEndian.AppendUint16(b, uint16(hi))
			b = binary.BigEndian.AppendUint16(b, uint16(lo))
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(r))
	}
	return b
}

// Units counts a text's UTF-16 units: what a phone counts as characters.
func Units(text string) (n int) {
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// Single encodes a text that fits one message: ASCII up to 159 characters,
// else UCS2 up to MaxUnits. It returns ErrTooLong when it does not fit.
func Single(text string) (Format, []byte, error) {
	if len(text) <= maxASCII && isASCII(text) {
		return ASCII, []byte(text), nil
	}
	if n := Units(text); n > MaxUnits {
		return UCS2, nil, fmt.Errorf("%w: %d units, one message takes %d", ErrTooLong, n, MaxUnits)
	}
	return UCS2, AppendUCS2(nil, text), nil
}

// Part encodes one part of a long text: a header of 6 bytes and up to
// UnitsPerPart units of UCS2.
func Part(text string, h Concat) ([]byte, error) {
	if n := Units(text); n > UnitsPerPart {
		return nil, fmt.Errorf("%w: %d units, a part takes %d", ErrTooLong, n, UnitsPerPart)
	}
	return AppendUCS2(h.Append(make([]byte, 0, maxBinary)), text), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Style says how texts of an account are cut.
type Style struct {
	Signature string // such as 【name】, in front of each text once
	ByGateway bool   // the gateway adds the signature; it is only counted
}

// Segment is the content of one SUBMIT or DELIVER.
type Segment struct {
	Content       []byte
	Total, Number uint8 // Number from 1; with Total above 1 the content starts with a header
}

// TPUDHI is the value that the content wants for that field.
func (s Segment) TPUDHI() uint8 {
	if s.Total > 1 {
		return 1
	}
	return 0
}

// Segments makes the contents of SUBMITs or DELIVERs from the octets of a
// text's parts. More than one get a header in front that joins them under ref;
// a wide one has 16 bits of it, else 8. The error is ErrTooLong for more parts
// than a header can count, and for none.
func Segments(parts [][]byte, ref uint16, wide bool) ([]Segment, error) {
	if len(parts) < 1 || len(parts) > maxParts {
		return nil, fmt.Errorf("%w: %d parts, 1 to %d", ErrTooLong, len(parts), maxParts)
	}
	segments := make([]Segment, len(parts))
	for i, part := range parts {
		h := Concat{Ref: ref, Total: uint8(len(parts)), Number: uint8(i + 1)}
		segments[i] = Segment{Content: h.join(part, wide), Total: h.Total, Number: h.Number}
	}
	return segments, nil
}

// join puts the header in front of a part, unless it is a text of its own.
func (h Concat) join(part []byte, wide bool) []byte {
	if h.Total == 1 {
		return part
	}
	b := make([]byte, 0, maxBinary)
	if wide {
		b = h.Append16(b)
	} else {
		b = h.Append(b)
	}
	return append(b, part...)
}

// Encode cuts a text into segments without a signature; see Style.Encode.
func Encode(text string, ref uint8) (Format, []Segment, error) { return Style{}.Encode(text, ref) }

// Encode cuts a text into segments: one of Single's when text and signature
// fit, else parts of UCS2 under ref. Pairs of surrogates stay together.
func (s Style) Encode(text string, ref uint8) (Format, []Segment, error) {
	text, reserved := s.sign(text)
	if s.fitsOne(text, reserved) {
		format, content := s.whole(text)
		return format, []Segment{{Content: content, Total: 1, Number: 1}}, nil
	}
	parts, err := cut(text, reserved)
	if err != nil {
		return UCS2, nil, err
	}
	segments := make([]Segment, len(parts))
	for i, part := range parts {
		h := Concat{Ref: uint16(ref), Total: uint8(len(parts)), Number: uint8(i + 1)}
		content, err := Part(part, h)
		if err != nil {
			return UCS2, nil, err
		}
		segments[i] = Segment{Content: content, Total: h.Total, Number: h.Number}
	}
	return UCS2, segments, nil
}

// sign puts the signature in front, or takes it off and tells how many units
// the gateway will need for it.
func (s Style) sign(text string) (signed string, reserved int) {
	bare := strings.TrimPrefix(text, s.Signature)
	if s.ByGateway {
		return bare, Units(s.Signature)
	}
	return s.Signature + bare, 0
}

func (s Style) fitsOne(text string, reserved int) bool {
	limit := MaxUnits
	if isASCII(s.Signature + text) {
		limit = maxASCII
	}
	return Units(text)+reserved <= limit
}

// whole encodes a text that fits one message. A signature that the gateway
// will add counts for the alphabet too.
func (s Style) whole(text string) (Format, []byte) {
	if isASCII(s.Signature + text) {
		return ASCII, []byte(text)
	}
	return UCS2, AppendUCS2(nil, text)
}

// cut gives the parts of a long text; the first leaves room for reserved
// units.
func cut(text string, reserved int) ([]string, error) {
	room := UnitsPerPart - reserved
	if room <= 1 {
		return nil, fmt.Errorf("%w: signature of %d units", ErrTooLong, reserved)
	}
	var parts []string
	start, used := 0, 0
	for i, r := range text {
		n := max(1, utf16.RuneLen(r))
		if used+n > room {
			parts = append(parts, text[start:i])
			start, used, room = i, 0, UnitsPerPart
		}
		used += n
	}
	parts = append(parts, text[start:])
	if len(parts) > maxParts {
		return nil, fmt.Errorf("%w: %d parts, at most %d", ErrTooLong, len(parts), maxParts)
	}
	return parts, nil
}
