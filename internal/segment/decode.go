package segment

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Decode gives octets as text; what is damaged becomes U+FFFD. Phones and
// gateways cut long texts through the middle of a character, so the parts'
// octets are put together first. Octets of another alphabet than GBK and UCS2
// are taken for ASCII.
func (a Alphabet) Decode(octets string) string {
	switch a {
	case GBK:
		text, _ := simplifiedchinese.GBK.NewDecoder().String(octets) // never an error
		return text
	case UCS2:
		return decodeUCS2(octets)
	}
	text := []rune(octets)
	for i, r := range text {
		if r >= utf8.RuneSelf {
			text[i] = utf8.RuneError
		}
	}
	return string(text)
}

func decodeUCS2(octets string) string {
	units := make([]uint16, 0, len(octets)/2+1)
	for ; len(octets) > 1; octets = octets[2:] {
		units = append(units, uint16(octets[0])<<8|uint16(octets[1]))
	}
	if octets != "" {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units))
}
