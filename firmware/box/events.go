package box

import (
	"fmt"
	"strconv"
	"strings"
)

// event is something the box tells without being asked: its code behind DLE
// and its bit in V.253's masks (+VEM, +VLS=?), counted from the left.
type event struct {
	code byte
	bit  int
}

var (
	ring          = event{'R', 3}
	setLifted     = event{'H', 8}
	setReplaced   = event{'h', 8}
	loopLost      = event{'l', 13}
	reversed      = event{'L', 14}
	busyTone      = event{'b', 19}
	dialTone      = event{'d', 20}
	ringback      = event{'r', 18}
	vacantTone    = event{'J', 11}
	faxCalling    = event{'c', 6}
	faxAnswer     = event{'a', 25}
	presumedEnd   = event{'s', 9}
	quietAfter    = event{'q', 10}
	overrun       = event{'o', 5}
	underrun      = event{'u', 23}
	lostData      = event{'Y', 31}
	digitBegan    = event{'/', 4}
	digitEnded    = event{'~', 4}
	callerNumber  = event{'X', 0}
	distinctRing  = event{'X', 2}
	keys          = "0123456789ABCD*#"
	progressEvent = map[string]event{
		"dial": dialTone, "ringback": ringback, "busy": busyTone, "congestion": busyTone, "vacant": vacantTone,
	}
)

// What can happen in each +VLS state, in the events of transmit, receive and
// idle alike.
var (
	lineEvents = []event{callerNumber, distinctRing, ring, setLifted, loopLost, reversed}
	talkEvents = []event{setLifted, loopLost, reversed, digitBegan, busyTone, dialTone, ringback, vacantTone, faxCalling, faxAnswer}
	dataEvents = []event{presumedEnd, quietAfter, overrun, underrun, lostData}
)

func mask(groups ...[]event) (all uint32) {
	for _, group := range groups {
		for _, e := range group {
			all |= 1 << (31 - e.bit)
		}
	}
	return all
}

// event tells e, if the host wants it: shielded in voice mode, nothing in
// class 0 (its RING and caller ID are text, see bell and caller).
func (m *modem) event(e event) {
	if m.class == voice && m.wants(e) {
		m.send(dle, e.code)
	}
}

func (m *modem) wants(e event) bool { return m.set.events&mask([]event{e}) != 0 }

// key tells a digit of the line.
func (m *modem) key(code byte) { m.event(event{code, digitBegan.bit}) }

// report tells lines of text: between RINGs in class 0, as a complex report in
// voice mode.
func (m *modem) report(e event, lines []string) {
	text := strings.Join(lines, "\r\n") + "\r\n"
	switch {
	case len(lines) == 0 || !m.wants(e):
	case m.class == voice:
		m.send(append(append([]byte{dle, 'X'}, text...), dle, '.')...)
	default:
		m.send([]byte("\r\n" + text)...)
	}
}

// events is a mask as +VEM and +VLS=? write it.
func events(mask uint32) string { return fmt.Sprintf("%08X", mask) }

func parseMask(s string) (uint32, error) {
	n, err := strconv.ParseUint(strings.Trim(s, `"`), 16, 32)
	return uint32(n), err
}
