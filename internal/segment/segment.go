// Package segment cuts texts for the air: which alphabet a text is sent in, how
// many messages it makes and where it is cut.
//
// Whoever tells the number of messages before sending and whoever sends them
// both ask here, so that what was told is what leaves. A message has 140 octets
// of content (159 characters of ASCII); each part of a long text gives six or
// seven of them to the header that joins the parts (3GPP TS 23.040, 9.2.3.24).
// The package is pure and knows no protocol: headers and frames are the
// carrier's.
package segment

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// ErrAlphabet says that an alphabet does not have a character of a text.
var ErrAlphabet = errors.New("character not in the alphabet")

// Alphabet is what the characters of a text are sent as.
type Alphabet string

// The alphabets. A Style may ask for Auto, GBK or UCS2; a text is in ASCII,
// GBK or UCS2.
const (
	// Auto is ASCII for a text of ASCII that one message holds, else UCS2:
	// gateways disagree about long ASCII.
	Auto  Alphabet = "auto"
	ASCII Alphabet = "ascii"
	// GBK has one octet for ASCII and two for all else; in a Style, a text with
	// other characters is UCS2.
	GBK  Alphabet = "gbk"
	UCS2 Alphabet = "ucs2" // UTF-16 in network byte order
)

// Sizes in octets.
const (
	singleOctets = 140
	singleASCII  = 159 // Msg_Length is below 160
)

// Style says how an account's texts are cut. The zero value is Auto with
// references of 8 bits.
type Style struct {
	Alphabet Alphabet // Auto when empty
	RefBits  int      // of the header that joins parts: 8 (also for 0) or 16
}

// Validate gives every fault of the style.
func (s Style) Validate() error {
	var errs []error
	if !slices.Contains([]Alphabet{"", Auto, GBK, UCS2}, s.Alphabet) {
		errs = append(errs, fmt.Errorf("alphabet %q is none of auto, gbk, ucs2", s.Alphabet))
	}
	if s.RefBits != 0 && s.RefBits != 8 && s.RefBits != 16 {
		errs = append(errs, fmt.Errorf("reference of %d bits is neither 8 nor 16", s.RefBits))
	}
	return errors.Join(errs...)
}

// Wide tells whether parts are joined by references of 16 bits.
func (s Style) Wide() bool { return s.RefBits == 16 }

// Cut gives the alphabet that a text is sent in and its parts, one of them for
// a text that one message holds. The first part leaves room for reserve UTF-16
// units, the signature that the carrier's gateway adds. No character is cut in
// two, each part has one at least, and together they are the text. An empty
// text is one empty part.
func (s Style) Cut(text string, reserve int) (Alphabet, []string) {
	if a := s.single(text, reserve); a.size(text)+a.reserved(reserve) <= a.single() {
		return a, []string{text}
	}
	a := s.long(text)
	return a, a.cut(text, s.room(a), reserve)
}

// Choose gives the alphabet of parts that Cut made with the same style and
// reserve.
func (s Style) Choose(parts []string, reserve int) Alphabet {
	if len(parts) == 1 {
		return s.single(parts[0], reserve)
	}
	return s.long(strings.Join(parts, ""))
}

// single is the alphabet of a text that one message may hold, long that of a
// text in parts.
func (s Style) single(text string, reserve int) Alphabet {
	auto := s.Alphabet == "" || s.Alphabet == Auto
	if auto && reserve == 0 && len(text) <= singleASCII && ASCII.Has(text) {
		return ASCII
	}
	return s.long(text)
}

func (s Style) long(text string) Alphabet {
	if s.Alphabet == GBK && GBK.Has(text) {
		return GBK
	}
	return UCS2
}

// room is what a part holds behind its header, in octets.
func (s Style) room(a Alphabet) int {
	room := singleOctets - 6
	if s.Wide() {
		room--
	}
	if a == UCS2 {
		room &^= 1
	}
	return room
}

func (a Alphabet) single() int {
	if a == ASCII {
		return singleASCII
	}
	return singleOctets
}

// reserved is what reserve UTF-16 units take up at most.
func (a Alphabet) reserved(reserve int) int { return 2 * reserve }

// octets is the size of a character that the alphabet has.
func (a Alphabet) octets(r rune) int {
	switch {
	case a == UCS2:
		return 2 * utf16.RuneLen(r)
	case r < utf8.RuneSelf:
		return 1
	}
	return 2
}

func (a Alphabet) size(text string) (n int) {
	for _, r := range text {
		n += a.octets(r)
	}
	return n
}

func (a Alphabet) cut(text string, room, reserve int) []string {
	var parts []string
	start, left := 0, room-a.reserved(reserve)
	for i, r := range text {
		n := a.octets(r)
		if n > left && i > start {
			parts = append(parts, text[start:i])
			start, left = i, room
		}
		left -= n
	}
	return append(parts, text[start:])
}

// Has tells whether the alphabet has every character of the text. GBK's single
// octet 0x80 for the euro sign is not counted: phones do not know it.
func (a Alphabet) Has(text string) bool {
	switch a {
	case ASCII:
		for i := range len(text) {
			if text[i] >= utf8.RuneSelf {
				return false
			}
		}
		return true
	case GBK:
		_, err := GBK.Append(nil, text)
		return err == nil
	}
	return true
}

// Append puts a text or part behind b as octets. The error is ErrAlphabet, and
// never comes in UCS2, where what is no character becomes U+FFFD.
func (a Alphabet) Append(b []byte, text string) ([]byte, error) {
	switch a {
	case UCS2:
		return appendUCS2(b, text), nil
	case ASCII:
		if !ASCII.Has(text) {
			return b, fmt.Errorf("ascii: %w", ErrAlphabet)
		}
		return append(b, text...), nil
	case GBK:
		if strings.ContainsRune(text, '€') {
			return b, fmt.Errorf("gbk: %w", ErrAlphabet)
		}
		octets, err := simplifiedchinese.GBK.NewEncoder().String(text)
		if err != nil {
			return b, fmt.Errorf("gbk: %w", ErrAlphabet)
		}
		return append(b, octets...), nil
	}
	return b, fmt.Errorf("%w: no alphabet %q", ErrAlphabet, a)
}

// Encode gives the octets of each part.
func (a Alphabet) Encode(parts []string) ([][]byte, error) {
	contents := make([][]byte, len(parts))
	for i, part := range parts {
		octets, err := a.Append(make([]byte, 0, a.size(part)), part)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		contents[i] = octets
	}
	return contents, nil
}

func appendUCS2(b []byte, text string) []byte {
	for _, r := range text {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			b = append(b, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
			continue
		}
		b = append(b, byte(r>>8), byte(r))
	}
	return b
}

// Units is the length of a text in UTF-16 units, which is what phones and
// carriers count.
func Units(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
