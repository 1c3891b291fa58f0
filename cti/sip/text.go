package sip

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	wire "github.com/emiago/sipgo/sip"
)

// dialable is a number that may be put into a Request-URI.
var dialable = regexp.MustCompile(`^[0-9*#+]{1,32}$`)

// shownLength caps what callers can make screens show.
const shownLength = 64

// plain says that s holds no control character, so that it cannot begin a
// header of its own.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// shown makes foreign text fit for screens and records: valid UTF-8, control
// and direction characters and line breaks of all kinds as U+FFFD, at most 64
// characters.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(s))
	if utf8.RuneCountInString(s) > shownLength {
		s = string([]rune(s)[:shownLength])
	}
	return s
}

// quotable is text for a quoted display name (RFC 3261 §25.1), escaped.
func quotable(s string) string { return escapes.Replace(shown(s)) }

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// unquote takes the quoted pairs out of a display name as received.
func unquote(s string) string {
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}

// userPart escapes s for the user part of a SIP URI (RFC 3261 §25.1).
func userPart(s string) string {
	const keep = "-_.!~*'()&=+$,;?/#"
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		case c != '#' && c != ';' && strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// userOf is the user of a SIP or tel URI: unescaped, without parameters and
// visual separators' side effects.
func userOf(u *wire.Uri) string {
	user := u.User
	if u.Scheme == "tel" {
		user = u.Raw()
	}
	user, _, _ = strings.Cut(user, ";")
	return shown(unescape(user))
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// safe says that no header of m can be taken for two: nothing in it holds CR,
// LF or NUL. The library writes what it is given.
func safe(m wire.Message) bool {
	if starts, ok := m.(interface{ StartLine() string }); !ok || hasBreak(starts.StartLine()) {
		return false
	}
	headers, ok := m.(interface{ Headers() []wire.Header })
	if !ok {
		return false
	}
	for _, h := range headers.Headers() {
		if hasBreak(h.Name()) || hasBreak(h.Value()) {
			return false
		}
	}
	return true
}

func hasBreak(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }
