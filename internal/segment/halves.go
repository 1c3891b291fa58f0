package segment

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeHalves gives octets of UCS2 as text. Phones cut long texts through the
// middle of a character: half of a surrogate pair at either end of the octets is
// kept, as the three bytes of its number, which are no UTF-8. JoinHalves
// takes them up.
func DecodeHalves(octets []byte) string {
	var b strings.Builder
	var units []uint16
	for len(octets) > 1 {
		units = append(units, uint16(octets[0])<<8|uint16(octets[1]))
		octets = octets[2:]
	}
	tail := uint16(0)
	if n := len(units); n > 0 && high(units[n-1]) {
		units, tail = units[:n-1], units[n-1]
	}
	if len(units) > 0 && low(units[0]) {
		b.Write(half(units[0]))
		units = units[1:]
	}
	b.WriteString(string(utf16.Decode(units)))
	if tail != 0 {
		b.Write(half(tail))
	}
	if len(octets) > 0 {
		b.WriteRune(utf8.RuneError)
	}
	return b.String()
}

// JoinHalves makes characters of the halves that meet in text, and U+FFFD of all
// else that is no UTF-8.
func JoinHalves(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		first, ok := unit(text)
		if second, follows := unit(text[min(3, len(text)):]); ok && follows && high(first) && low(second) {
			b.WriteRune(utf16.DecodeRune(rune(first), rune(second)))
			text = text[6:]
			continue
		}
		if ok {
			b.WriteRune(utf8.RuneError)
			text = text[3:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		b.WriteRune(r)
		text = text[size:]
	}
	return b.String()
}

func high(u uint16) bool { return u&0xfc00 == 0xd800 }
func low(u uint16) bool  { return u&0xfc00 == 0xdc00 }

// half is a surrogate in the form of UTF-8.
func half(u uint16) []byte {
	return []byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6)&0x3f, 0x80 | byte(u)&0x3f}
}

// unit reads back what half wrote at the beginning of s.
func unit(s string) (u uint16, ok bool) {
	if len(s) < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf || s[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | uint16(s[1]&0x3f)<<6 | uint16(s[2]&0x3f), true
}
