package sip

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// separated are the headers, in lower case, whose values the library reads, and
// between whose words RFC 3261 §25.1 allows more space than the library does,
// with the signs that may have space around them.
var separated = []struct{ name, signs string }{
	{"via", ";=/,:"},
	{"v", ";=/,:"},
	{"from", ";="},
	{"f", ";="},
	{"to", ";="},
	{"t", ";="},
	{"contact", ";=,"},
	{"m", ";=,"},
	{"cseq", ""},
	{"route", ","},
	{"record-route", ","},
}

// signsOf are the signs of a header, false for one that is left alone.
func signsOf(name string) (signs string, known bool) {
	name = strings.TrimSpace(name)
	for _, s := range separated {
		if strings.EqualFold(s.name, name) {
			return s.signs, true
		}
	}
	return "", false
}

// tidied is a request's or response's text with the head as the library can
// read it: no folded lines, no space around separators, a branch in the top Via
// where an old client sent none (RFC 3261 §17.2.3). Most messages come back as
// they are.
func tidied(data []byte) []byte {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return data
	}
	head := string(data[:end])
	if isTidy(head) {
		return data
	}
	lines := strings.Split(unfolded(head), "\r\n")
	for i, line := range lines[1:] {
		lines[i+1] = tidiedLine(line)
	}
	brand(lines)
	if made := strings.Join(lines, "\r\n"); made != head {
		return append([]byte(made), data[end:]...)
	}
	return data
}

// isTidy says that nothing is to be done: no line is folded or loose, and the
// top Via has a branch.
func isTidy(head string) bool {
	branded := strings.HasPrefix(head, "SIP/")
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			return false
		}
		name, value, ok := strings.Cut(line, ":")
		signs, known := signsOf(name)
		if !ok || !known {
			continue
		}
		if loose(value, signs) || !branded && isVia(name) && !strings.Contains(value, "branch=") {
			return false
		}
		branded = branded || isVia(name)
	}
	return true
}

func isVia(name string) bool {
	name = strings.TrimSpace(name)
	return strings.EqualFold(name, "via") || strings.EqualFold(name, "v")
}

// unfolded puts each folded line at the end of the one before (§7.3.1).
func unfolded(head string) string {
	for _, fold := range []string{"\r\n ", "\r\n\t"} {
		head = strings.ReplaceAll(head, fold, " ")
	}
	return head
}

func tidiedLine(line string) string {
	name, value, ok := strings.Cut(line, ":")
	signs, known := signsOf(name)
	if !ok || !known || !loose(value, signs) {
		return line
	}
	return strings.TrimSpace(name) + ": " + squeezed(value, signs)
}

// loose says whether there is anything to squeeze.
func loose(value, signs string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case c != ' ' && c != '\t':
		case c == '\t', i > 0 && strings.IndexByte(signs+" ", value[i-1]) >= 0:
			return true
		case i+1 < len(value) && strings.IndexByte(signs, value[i+1]) >= 0:
			return true
		}
	}
	return false
}

// squeezed takes the space around signs out, and leaves one between words;
// quoted strings and URIs in brackets stay as they are.
func squeezed(value, signs string) string {
	var b strings.Builder
	quoted, bracket, escaped, space := false, false, false, false
	last := byte(0)
	for i := range len(value) {
		c := value[i]
		plain := !quoted && !bracket
		if plain && (c == ' ' || c == '\t') {
			space = true
			continue
		}
		sign := func(c byte) bool { return c == 0 || strings.IndexByte(signs, c) >= 0 }
		if space && !sign(c) && !sign(last) {
			b.WriteByte(' ')
		}
		b.WriteByte(c)
		last, space = c, false
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = quoted
		case c == '"' && !bracket:
			quoted = !quoted
		case !quoted:
			bracket = c == '<' || bracket && c != '>'
		}
	}
	return b.String()
}

// brand gives a top Via without a branch one that is the same for each copy of
// the request, its ACK and its CANCEL.
func brand(lines []string) {
	top, key := -1, sha256.New()
	for i, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if ok && isVia(name) && top < 0 {
			top = i + 1
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "from", "f", "call-id", "i":
			_, _ = key.Write([]byte(strings.TrimSpace(value) + "\n"))
		case "cseq":
			number, _, _ := strings.Cut(strings.TrimSpace(value), " ")
			_, _ = key.Write([]byte(number + "\n"))
		}
	}
	if top < 0 || strings.HasPrefix(lines[0], "SIP/") || strings.Contains(strings.ToLower(lines[top]), "branch=") {
		return
	}
	via, others, more := strings.Cut(lines[top], ",")
	_, _ = key.Write([]byte(via))
	via = strings.TrimRight(via, " \t") + ";branch=z9hG4bK" + hex.EncodeToString(key.Sum(nil)[:12])
	if more {
		via += "," + others
	}
	lines[top] = via
}

// untidy finds in a head that has been tidied what no reading makes sense of,
// and the library reads all the same: empty parameters, and an address that
// would need brackets (RFC 3261 §20.10).
func untidy(head []byte) bool {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := strings.Cut(string(line), ":")
		signs, known := signsOf(name)
		if !known || signs == "" {
			continue
		}
		outside := withoutQuotes(value)
		bare := !strings.Contains(value, "<") && strings.Contains(value, "?")
		if bare || strings.Contains(outside, ";;") || strings.Contains(outside, ";,") || strings.Contains(outside, ",,") {
			return true
		}
	}
	return false
}

// withoutQuotes is a value without its quoted strings and URIs in brackets.
func withoutQuotes(value string) string {
	var b strings.Builder
	quoted, bracket, escaped := false, false, false
	for i := range len(value) {
		c := value[i]
		switch {
		case escaped:
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracket = c == '<'
		case !bracket:
			b.WriteByte(c)
		}
	}
	return b.String()
}
