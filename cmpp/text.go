package cmpp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Sizes of a segment's content in bytes.
const (
	maxBinary = 140 // of every alphabet but ASCII
	maxASCII  = 159 // Msg_Length is below 160
	maxParts  = 255
)

var (
	// ErrTooLong says that a text has more parts than a header can count.
	ErrTooLong = errors.New("cmpp: text too long")
	// ErrAlphabet says that this package does not know or decode an alphabet.
	ErrAlphabet = errors.New("cmpp: alphabet not known here")
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
