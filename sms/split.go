package sms

import (
	"strings"

	"callbox/internal/segment"
)

// Units is the length of text in UTF-16 units, which is what carriers count.
func Units(text string) int { return segment.Units(text) }

// Sign puts signature in front of text unless it stands there already.
func Sign(text, signature string) string {
	if strings.HasPrefix(text, signature) {
		return text
	}
	return signature + text
}
