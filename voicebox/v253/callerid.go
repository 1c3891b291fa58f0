package v253

import (
	"bytes"
	"encoding/hex"
	"strings"

	"callbox/cti/media/dsp"
)

// report gathers the lines of one caller ID: TAG=value with or without blanks
// around =, in any order, each tag optional (V.253 §9.2.3 and what chips make
// of it), or a hex dump of the exchange's message (+VCID=2).
type report struct {
	caller     dsp.CallerID
	date, hour string
	ringEnded  bool // the report was a ring's cadence
	held       bool // a line of it came
}

// take reads one line and says whether it belongs to a report.
func (r *report) take(text []byte) bool {
	tag, value, found := bytes.Cut(text, []byte("="))
	if !found {
		return r.dump(text)
	}
	name := strings.ToUpper(string(bytes.TrimSpace(tag)))
	value = bytes.TrimSpace(value)
	switch name {
	case "DATE":
		r.date = fourDigits(value)
	case "TIME":
		r.hour = fourDigits(value)
	case "NMBR":
		r.number(value)
	case "NAME":
		r.name(value)
	case "DDN", "DDN_NMBR":
		r.caller.Dialled = number(value)
	case "MESG":
		r.message(value)
	case "DRON":
		r.ringEnded = true
		return true
	case "DROF":
		return true
	default:
		return false
	}
	r.held = true
	return true
}

// done gives what was gathered and begins anew; false when that says nothing
// of a caller.
func (r *report) done() (dsp.CallerID, bool) {
	c := r.caller
	if c.Time == "" && r.date != "" && r.hour != "" {
		c.Time = r.date + r.hour
	}
	*r = report{}
	c.Private = c.Private && c.Number == ""
	c.Absent = c.Absent && c.Number == "" && !c.Private
	return c, c.Number != "" || c.Name != "" || c.Private || c.Absent
}

func (r *report) number(value []byte) {
	switch strings.ToUpper(string(value)) {
	case "P", "PRIVATE":
		r.caller.Private = true
	case "O", "OUT_OF_AREA", "OUT OF AREA", "":
		r.caller.Absent = true
	default:
		r.caller.Number = number(value)
	}
}

func (r *report) name(value []byte) {
	switch string(value) {
	case "P":
		r.caller.Private = true
	case "O", "":
	default:
		r.caller.Name = dsp.DecodeName(value)
	}
}

// number keeps what may stand in a telephone number; anything else is noise.
func number(value []byte) string {
	if len(value) > 32 || strings.Trim(string(value), "0123456789+*#ABCD-() .") != "" {
		return ""
	}
	return string(value)
}

func fourDigits(value []byte) string {
	if len(value) != 4 || strings.Trim(string(value), "0123456789") != "" {
		return ""
	}
	return string(value)
}

// dump reads a bare hex dump of the whole message, type to checksum.
func (r *report) dump(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) < 8 || len(text)%2 != 0 || string(text[:2]) != "80" && string(text[:2]) != "04" {
		return false
	}
	raw, err := hex.DecodeString(string(text))
	if err != nil {
		return false
	}
	r.held = true
	r.parse(raw)
	return true
}

// message reads MESG: the whole message in hex, or single parameters of it.
func (r *report) message(value []byte) {
	raw, err := hex.DecodeString(string(value))
	if err != nil || len(raw) < 3 || r.parse(raw) || len(raw) > 250 {
		return
	}
	// A caller that is not available, in case these parameters name none.
	whole := append([]byte{0x80, byte(len(raw) + 3)}, raw...)
	whole = append(whole, 0x04, 1, 'O')
	var sum byte
	for _, b := range whole {
		sum += b
	}
	r.parse(append(whole, -sum))
}

func (r *report) parse(raw []byte) bool {
	c, err := dsp.ParseCallerID(raw)
	if err != nil {
		return false
	}
	was := r.caller
	r.caller = c
	r.caller.Number = first(c.Number, was.Number)
	r.caller.Name = first(c.Name, was.Name)
	r.caller.Dialled = first(c.Dialled, was.Dialled)
	r.caller.Private = c.Private || was.Private
	r.caller.Absent = c.Absent || was.Absent
	return true
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
