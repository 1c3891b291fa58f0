package box

// maxLine is the longest command line; a longer one is answered with ERROR.
const maxLine = 512

const (
	nul = 0x00
	etx = 0x03
	bs  = 0x08
	lf  = 0x0A
	cr  = 0x0D
	dle = 0x10
	can = 0x18
	sub = 0x1A
	esc = 0x1B
	fs  = 0x1C
)

// typist collects command lines: AT, the body, CR. What stands before AT is no
// command; DLE with the byte behind it belongs to no line and throws a begun
// one away, so that a host that resynchronises runs no half command.
type typist struct {
	line     []byte // from AT on, or the last byte that may be an A
	last     string // the body before, for A/
	begun    bool
	escaped  bool
	overlong bool
}

// key takes one byte; a line is whole when done.
func (t *typist) key(c byte) (body string, overlong, done bool) {
	switch {
	case t.escaped:
		t.escaped = false
	case c == dle:
		t.clear()
		t.escaped = true
	case !t.begun:
		return t.prefix(c)
	case c == bs:
		t.line = t.line[:max(0, len(t.line)-1)]
	case c == cr:
		body, overlong = string(t.line), t.overlong
		t.clear()
		if !overlong {
			t.last = body
		}
		return body, overlong, true
	case len(t.line) == maxLine:
		t.overlong = true
	default:
		t.line = append(t.line, c)
	}
	return "", false, false
}

// prefix looks for AT and for A/, which repeats the last line without a CR.
func (t *typist) prefix(c byte) (body string, overlong, done bool) {
	after := len(t.line) == 1
	t.line = t.line[:0]
	switch {
	case after && c|0x20 == 't':
		t.begun = true
	case after && c == '/':
		return t.last, false, true
	case c|0x20 == 'a':
		t.line = append(t.line, c)
	}
	return "", false, false
}

func (t *typist) clear() {
	t.line, t.begun, t.escaped, t.overlong = t.line[:0], false, false, false
}
