package box

import (
	"encoding/hex"
	"strings"

	"callbox/cti/media/dsp"
)

// ears are the detectors of a line. Whether the loop is closed decides who
// listens: caller ID comes to an idle line, digits and tones to a talking one.
type ears struct {
	plan   dsp.Plan
	digits *dsp.DTMF
	tones  *dsp.Tones
	fax    *dsp.Fax
	who    *dsp.Callers
	down   bool            // a digit is being heard
	tone   map[string]bool // tones that last
	keys   []dsp.Digit
	heard  []dsp.Heard
	found  []dsp.CallerID
}

func (e *ears) open(plan dsp.Plan) {
	e.plan, e.who = plan, dsp.NewCallers()
	e.keys, e.heard, e.found = make([]dsp.Digit, 0, 8), make([]dsp.Heard, 0, 8), make([]dsp.CallerID, 0, 2)
	e.renew()
}

// reset forgets what is half heard: the line's state changed.
func (e *ears) reset() {
	e.who.Reset()
	e.renew()
}

func (e *ears) renew() {
	e.digits, e.tones, e.fax = dsp.NewDTMF(), dsp.NewTones(e.plan), dsp.NewFax()
	e.down, e.tone = false, map[string]bool{}
}

// talk hears a closed loop.
func (e *ears) talk(m *modem, in []int16) {
	e.keys = e.digits.Detect(in, e.keys[:0])
	for _, k := range e.keys {
		e.keyUp(m)
		e.keyDown(m, k.Key)
	}
	if e.down && !e.digits.Active() {
		e.keyUp(m)
	}
	e.heard = e.tones.Detect(in, e.heard[:0])
	for _, h := range e.heard {
		e.progress(m, h)
	}
	switch e.fax.Detect(in) {
	case "cng":
		m.event(faxCalling)
	case "ced":
		m.event(faxAnswer)
	}
}

func (e *ears) keyDown(m *modem, key byte) {
	e.down = true
	if !m.mute && strings.IndexByte(keys, key) >= 0 {
		m.event(digitBegan)
		m.key(key)
	}
}

func (e *ears) keyUp(m *modem) {
	if e.down && !m.mute {
		m.event(digitEnded)
	}
	e.down = false
}

func (e *ears) progress(m *modem, h dsp.Heard) {
	known, ok := progressEvent[h.Name]
	if !ok {
		return
	}
	first := !e.tone[h.Name]
	e.tone[h.Name] = !h.Gone
	m.supervise(h)
	if !h.Gone && (first || h.Name != "dial") {
		m.event(known)
	}
}

// caller hears an idle line.
func (e *ears) caller(m *modem, in []int16) {
	e.found = e.who.Detect(in, e.found[:0])
	for _, c := range e.found {
		m.reportCaller(c, e.who.Raw())
	}
}

// reportCaller tells who calls: formatted (+VCID=1) or the message in hex (2).
func (m *modem) reportCaller(c dsp.CallerID, raw []byte) {
	switch {
	case m.set.callerID == 0:
	case m.set.callerID == 2 && c.Mode != "dtmf":
		m.report(callerNumber, []string{strings.ToUpper(hex.EncodeToString(raw))})
	default:
		m.report(callerNumber, callerLines(c, raw))
	}
}

func callerLines(c dsp.CallerID, raw []byte) (lines []string) {
	if len(c.Time) == 8 {
		lines = append(lines, "DATE="+plain(c.Time[:4]), "TIME="+plain(c.Time[4:]))
	}
	switch {
	case c.Private:
		lines = append(lines, "NMBR=P")
	case c.Number != "":
		lines = append(lines, "NMBR="+plain(c.Number))
	default:
		lines = append(lines, "NMBR=O")
	}
	if name := nameBytes(raw); c.Mode != "dtmf" && name != "" {
		lines = append(lines, "NAME="+plain(name))
	}
	return lines
}

// nameBytes finds the name of an MDMF message as it was received: type 07 in
// 80 len (type len data)* sum (ETSI EN 300 659-3 §5.4).
func nameBytes(raw []byte) string {
	if len(raw) < 3 || raw[0] != 0x80 {
		return ""
	}
	for rest := raw[2 : len(raw)-1]; len(rest) >= 2 && len(rest) >= 2+int(rest[1]); rest = rest[2+int(rest[1]):] {
		if rest[0] == 0x07 {
			return string(rest[2 : 2+int(rest[1])])
		}
	}
	return ""
}

// plain leaves out what could end a line or begin a code.
func plain(s string) string {
	kept := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		if c >= ' ' && c != 0x7F {
			kept = append(kept, c)
		}
	}
	return string(kept)
}
