package sms

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What a text of UCS2 may hold, in UTF-16 units: 140 octets, or 134 behind the
// six of a concatenation header (3GPP TS 23.040 clause 9.2.3.24.1).
const (
	singleUnits = 70
	partUnits   = 67
)

// Units is the length of text in UTF-16 units, which is what carriers count.
func Units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Sign puts signature in front of text unless it stands there already.
func Sign(text, signature string) string {
	if strings.HasPrefix(text, signature) {
		return text
	}
	return signature + text
}

// Parts is how many messages text makes once signature stands in front of it.
func Parts(text, signature string) int { return len(Split(Sign(text, signature), 0)) }

// Split cuts text into parts for the air: one of at most 70 UTF-16 units, or
// several of at most 67. The first leaves reserve units free, for a signature
// that the carrier's gateway adds. No character is cut in two. An empty text
// is one empty part.
func Split(text string, reserve int) []string {
	if reserve+Units(text) <= singleUnits {
		return []string{text}
	}
	var parts []string
	for room := partUnits - reserve; text != ""; room = partUnits {
		n := fit(text, room)
		parts = append(parts, text[:n])
		text = text[n:]
	}
	return parts
}

// fit is how many bytes of text take up at most room units, never less than
// one character's.
func fit(text string, room int) int {
	for i, r := range text {
		if room -= utf16.RuneLen(r); room < 0 {
			if i == 0 {
				_, i = utf8.DecodeRuneInString(text)
			}
			return i
		}
	}
	return len(text)
}
