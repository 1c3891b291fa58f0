package v253

import "bytes"

// receiver is told what a parser finds.
type receiver interface {
	// line is a line of text without its CR LF; only valid during the call.
	line(text []byte)
	// event is a DLE code outside a report.
	event(code byte)
	// reported is a line inside a complex report; an empty one is its end.
	reported(text []byte)
	// begun says that the line just read began a data state.
	begun()
	// audio is unshielded audio; only valid during the call.
	audio(data []byte)
	// ended says that the box ended the data state.
	ended()
}

// Bounds of what is kept while the other side talks nonsense.
const (
	longestLine   = 256 // bytes of a line of text
	longestReport = 512 // bytes of a complex report
	chunk         = 512 // audio bytes unshielded at once
)

// parser splits what a box sends into lines, codes and audio, in a data state
// and outside. It keeps at most one line and does not allocate.
//
// Outside a data state a code is only believed when nothing but text came
// since the last end of a line: noise holds DLE R once in 65536 bytes, and a
// false ring is worse than a lost one.
type parser struct {
	data   bool // in a data state
	armed  bool // CONNECT begins a data state
	report int  // bytes of the report that is being read, 0 outside
	dle    bool // a DLE waits for its code (outside data)
	junk   bool // what came since the last end of a line is no text
	cr     bool // the last byte was CR
	ending bool // DLE ETX came in a data state, what follows tells whether it was one
	n      int
	text   [longestLine]byte
	shield Unshielder
	out    [chunk + 1]byte
	noise  int64 // bytes that were neither text nor code nor audio
}

// feed takes what was read.
func (p *parser) feed(in []byte, to receiver) {
	for len(in) > 0 {
		if p.data && p.report == 0 {
			in = p.feedData(in, to)
			continue
		}
		p.feedText(in[0], to)
		in = in[1:]
	}
}

// pause says that nothing came for some time: what follows begins anew, and
// half a line of noise is forgotten. A code is never torn apart by a pause.
func (p *parser) pause() {
	if p.data || p.report > 0 || !p.junk {
		return
	}
	p.forget()
}

func (p *parser) forget() { p.n, p.junk, p.dle = 0, false, false }

// toText makes the parser expect text, whatever it did.
func (p *parser) toText() {
	p.data, p.armed, p.ending, p.report = false, false, false, 0
	p.forget()
}

// cut ends a complex report whose end did not come.
func (p *parser) cut() {
	if p.report > 0 {
		p.report, p.n, p.dle = 0, 0, false
	}
}

func (p *parser) feedData(in []byte, to receiver) []byte {
	if p.cr { // the LF of CONNECT
		p.cr = false
		if in[0] == '\n' {
			return in[1:]
		}
	}
	if p.ending {
		p.ending = false
		if in[0] == '\r' || in[0] == '\n' || in[0] == dle {
			p.toText()
			to.ended()
			return in
		}
	}
	part := in[:min(len(in), chunk)]
	n, used, code := p.shield.Next(p.out[:], part)
	if n > 0 {
		to.audio(p.out[:n])
	}
	p.dataCode(code, to)
	return in[used:]
}

func (p *parser) dataCode(code byte, to receiver) {
	switch code {
	case 0:
	case etx, esc:
		p.ending = true // CR LF OK follows, or a lost byte made it up
	case 'X':
		p.report = 1
		p.n, p.dle = 0, false
	default:
		to.event(code)
	}
}

func (p *parser) feedText(b byte, to receiver) {
	if p.report > 0 {
		p.feedReport(b, to)
		return
	}
	cr := p.cr
	p.cr = b == '\r'
	switch {
	case p.dle:
		p.dle = false
		p.code(b, to)
	case b == dle:
		p.dle = true
	case b == '\r':
		p.endLine(to)
	case b == '\n':
		if cr {
			p.junk = false
		} else {
			p.endLine(to)
		}
	default:
		p.letter(b)
	}
}

// code is a DLE code outside data.
func (p *parser) code(b byte, to receiver) {
	switch {
	case b == 0 || b == etx || b == esc: // nothing, or the end of a data state that nobody remembers
	case p.junk || b < ' ' || b > '~':
		p.junk = true
		p.noise += 2
	case b == 'X':
		p.report = 1
		p.n = 0
	default:
		to.event(b)
	}
}

func (p *parser) letter(b byte) {
	if p.n == longestLine || !textual(b, p.text[:p.n]) {
		p.junk = true
		p.noise += int64(p.n) + 1
		p.n = 0
	}
	if p.junk {
		p.noise++
		return
	}
	if b == 0 || b == 0x11 || b == 0x13 { // NUL, XON, XOFF
		return
	}
	p.text[p.n] = b
	p.n++
}

// textual says whether b may follow in a line of text. Only a name holds
// bytes above ASCII.
func textual(b byte, before []byte) bool {
	switch {
	case b >= 0x80:
		return bytes.HasPrefix(bytes.TrimLeft(before, " "), []byte("NAME"))
	case b >= ' ' && b < 0x7F, b == '\t', b == 0, b == 0x11, b == 0x13:
		return true
	}
	return false
}

// connect is how the line begins that begins a data state.
var connect = []byte("CONNECT")

func (p *parser) endLine(to receiver) {
	n, junk := p.n, p.junk
	p.n = 0
	if n == 0 || junk {
		return
	}
	text := p.text[:n]
	if p.armed && len(text) >= len(connect) && bytes.EqualFold(text[:len(connect)], connect) {
		p.armed, p.data = false, true
		p.shield = Unshielder{}
		to.begun()
		return
	}
	to.line(text)
}

// feedReport reads between DLE X and DLE . ; what does not look like a report
// ends it, so that noise in the audio costs a few samples only.
func (p *parser) feedReport(b byte, to receiver) {
	p.report++
	switch {
	case p.dle:
		p.dle = false
		p.endReport(to)
		if b != '.' { // the end was lost, this is the next thing
			p.strayCode(b, to)
		}
	case b == dle:
		p.dle = true
	case b == '\r' || b == '\n':
		p.endReported(to)
	case p.report > longestReport || p.n == longestLine || !textual(b, p.text[:p.n]):
		p.n = 0
		p.endReport(to)
	default:
		p.text[p.n] = b
		p.n++
	}
}

func (p *parser) strayCode(b byte, to receiver) {
	if p.data {
		p.dataCode(b, to)
		return
	}
	p.code(b, to)
}

func (p *parser) endReported(to receiver) {
	if p.n > 0 {
		to.reported(p.text[:p.n])
	}
	p.n = 0
}

func (p *parser) endReport(to receiver) {
	p.endReported(to)
	p.report = 0
	to.reported(nil)
}
