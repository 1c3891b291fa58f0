package box

import "strings"

// operation is what a command asks for.
type operation uint8

const (
	act  operation = iota // ATA, AT+VIP
	set                   // AT+X=v, ATE0
	get                   // AT+X?
	test                  // AT+X=?
)

// command is one command of a line: E, &F, S, D or +VSM with what stands behind.
type command struct {
	name string
	op   operation
	arg  string
}

// parse takes a command line without its AT apart (ITU-T V.250 §5.3): basic
// commands may follow each other, one that begins with + ends with ; or the
// line. Blanks and case count in quotation marks only.
func parse(line string) ([]command, bool) {
	rest := squeeze(line)
	var all []command
	for rest != "" {
		if rest[0] == ';' {
			rest = rest[1:]
			continue
		}
		c, behind, ok := next(rest)
		if !ok {
			return nil, false
		}
		all, rest = append(all, c), behind
	}
	return all, true
}

func next(s string) (command, string, bool) {
	switch {
	case s[0] == '+':
		return extended(s)
	case s[0] == 'D':
		return dialling(s)
	case s[0] == 'S':
		return register(s)
	case s[0] == '&' && len(s) > 1 && letter(s[1]):
		return basic(s, 2)
	case letter(s[0]):
		return basic(s, 1)
	}
	return command{}, "", false
}

// basic reads E0, V, &F: a missing number is 0.
func basic(s string, name int) (command, string, bool) {
	end := name
	for end < len(s) && digit(s[end]) {
		end++
	}
	arg := s[name:end]
	if arg == "" {
		arg = "0"
	}
	return command{name: s[:name], op: set, arg: arg}, s[end:], true
}

// dialling reads D with its digits; arg keeps the ; that asks for no waiting.
func dialling(s string) (command, string, bool) {
	end := strings.IndexByte(s, ';') + 1
	if end == 0 {
		end = len(s)
	}
	return command{name: "D", op: set, arg: s[1:end]}, s[end:], true
}

// register reads S7=60 and S7?.
func register(s string) (command, string, bool) {
	end := 1
	for end < len(s) && digit(s[end]) {
		end++
	}
	c := command{name: s[:end]}
	switch {
	case end == 1 || end == len(s):
		return command{}, "", false
	case s[end] == '?':
		c.op = get
		return c, s[end+1:], true
	case s[end] != '=':
		return command{}, "", false
	}
	value := end + 1
	for end = value; end < len(s) && digit(s[end]); {
		end++
	}
	c.op, c.arg = set, s[value:end]
	return c, s[end:], c.arg != ""
}

func extended(s string) (command, string, bool) {
	end, quoted := 0, false
	for ; end < len(s) && (quoted || s[end] != ';'); end++ {
		quoted = quoted != (s[end] == '"')
	}
	whole, rest := s[:end], s[end:]
	name, arg, has := strings.Cut(whole, "=")
	switch {
	case has && arg == "?":
		return command{name: name, op: test}, rest, true
	case has:
		return command{name: name, op: set, arg: arg}, rest, true
	case strings.HasSuffix(whole, "?"):
		return command{name: whole[:end-1], op: get}, rest, true
	}
	return command{name: whole}, rest, true
}

// squeeze leaves blanks out and makes small letters large, beside quotations.
func squeeze(line string) string {
	var b strings.Builder
	quoted := false
	for _, c := range []byte(line) {
		quoted = quoted != (c == '"')
		switch {
		case quoted:
		case c <= ' ' || c == 0x7F:
			continue
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func letter(c byte) bool { return c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
