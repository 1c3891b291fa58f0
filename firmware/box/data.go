package box

// phase is what the serial port carries.
type phase uint8

const (
	typing    phase = iota // command lines
	working                // a command takes time: dialling, tones
	transmit               // +VTX
	draining               // +VTX after its end: the buffer is played out
	receiving              // +VRX
	duplex                 // +VTR
)

// effect is what a code of the host does besides changing the phase.
type effect uint8

const (
	nothing effect = iota
	answerOK
	answerETX // DLE ETX, OK
	answerESC // DLE ESC, OK
	playOut
	clearBuffer
	pausePlay
	resumePlay
	louder
	softer
	digitsOff
	digitsOn
	oneShielded // a data byte 10 hex
	twoShielded
)

type step struct {
	to phase
	do effect
}

// codes is what DLE and a byte mean in a data state (V.253 §9). A code that is
// not here is nothing. DLE ! ends every state: a host resynchronises with it.
var codes = map[phase]map[byte]step{
	transmit: {
		etx: {draining, playOut}, '!': {typing, answerOK},
		can: {transmit, clearBuffer}, 'p': {transmit, pausePlay}, 'r': {transmit, resumePlay},
		'u': {transmit, louder}, 'd': {transmit, softer}, dle: {transmit, oneShielded}, sub: {transmit, twoShielded},
		'/': {transmit, digitsOff}, '~': {transmit, digitsOn},
	},
	draining: {can: {typing, answerOK}},
	receiving: {
		'!': {typing, answerETX}, esc: {typing, answerESC},
		'u': {receiving, louder}, 'd': {receiving, softer},
		'/': {receiving, digitsOff}, '~': {receiving, digitsOn},
	},
	duplex: {
		'^': {typing, answerETX}, '!': {typing, answerETX},
		can: {duplex, clearBuffer}, 'p': {duplex, pausePlay}, 'r': {duplex, resumePlay},
		'u': {duplex, louder}, 'd': {duplex, softer}, dle: {duplex, oneShielded}, sub: {duplex, twoShielded},
		'/': {duplex, digitsOff}, '~': {duplex, digitsOn},
	},
}

// code is pure; the modem stores the phase and only then acts.
func (p phase) code(c byte) (phase, effect) {
	s, ok := codes[p][c]
	if !ok {
		return p, nothing
	}
	return s.to, s.do
}

func (p phase) sends() bool    { return p == transmit || p == draining || p == duplex }
func (p phase) receives() bool { return p == receiving || p == duplex }

// data takes the host's bytes in a data state, until the state ends or, in
// +VTX, the buffer is full. It gives how many it took.
func (m *modem) data(in []byte) int {
	for i, c := range in {
		switch {
		case m.phase < transmit || m.phase == draining && !m.cancels(in[i:]):
			return i
		case m.holds(c):
			return i
		case m.escaped:
			m.escaped = false
			to, do := m.phase.code(c)
			m.phase = to
			m.carry(do)
		case c == dle:
			m.escaped = true
		default:
			m.push(c)
		}
	}
	return len(in)
}

// cancels says whether the next code throws the buffer away; all else waits
// until it was played.
func (m *modem) cancels(in []byte) bool {
	if m.escaped {
		return in[0] == can
	}
	return in[0] == dle && (len(in) == 1 || in[1] == can)
}

// holds says whether a byte waits where it is for room in the buffer: in +VTX,
// if it is sound. While the host pauses there will be no room; it is lost then.
func (m *modem) holds(c byte) bool {
	if m.phase != transmit || m.speaker.paused || m.speaker.n <= buffered-2 {
		return false
	}
	if m.escaped {
		return c == dle || c == sub
	}
	return c != dle
}

// push gives a data byte to the line.
func (m *modem) push(c byte) {
	if m.phase.sends() && !m.speaker.push(c) && !m.lost {
		m.lost = true // once until there is room again
		m.event(lostData)
	}
}

func (m *modem) carry(do effect) {
	switch do {
	case answerOK:
		m.finish(ok)
	case answerETX:
		m.send(dle, etx)
		m.finish(ok)
	case answerESC:
		m.send(dle, esc)
		m.finish(ok)
	case clearBuffer:
		m.speaker.clear()
	case pausePlay, resumePlay, playOut:
		m.speaker.paused = do == pausePlay
	case louder:
		m.set.transmitGain = min(m.set.transmitGain+decibel, 255)
	case softer:
		m.set.transmitGain = max(m.set.transmitGain-decibel, 1)
	case digitsOff, digitsOn:
		m.mute = do == digitsOff
	case oneShielded:
		m.push(dle)
	case twoShielded:
		m.push(dle)
		m.push(dle)
	}
}

// enter begins a data state; its CONNECT is the last thing of a command line.
func (m *modem) enter(p phase) error {
	off := m.set.hook == hookOff
	if !off && (p != receiving || m.set.hook != hookListen) {
		return errNoDevice
	}
	m.queue = nil
	m.phase, m.escaped, m.mute, m.lost, m.choked = p, false, false, false, false
	m.speaker.begin(m.set.codec)
	m.silence.begin()
	m.result(connect)
	return nil
}

// hear sends a frame of the line to the host.
func (m *modem) hear(in []int16) {
	if !m.phase.receives() {
		return
	}
	sound := m.scratch[:len(in)]
	amplify(sound, in, m.set.receiveGain)
	c := &m.set.codec
	plain := m.plain[:c.bytes()*len(in)]
	c.encode(plain, sound)
	m.shielded = appendShielded(m.shielded[:0], plain)
	if !m.out.put(m.shielded, soundLimit) {
		m.choked = true
		return
	}
	if m.choked {
		m.choked = false
		m.event(overrun)
	}
}

// say plays the host's sound into a frame of the line.
func (m *modem) say(out []int16) {
	if !m.phase.sends() {
		return
	}
	if m.speaker.fill(out, m.phase == draining) {
		m.event(underrun)
	}
	m.lost = m.lost && m.speaker.n == buffered
	amplify(out, out, m.set.transmitGain)
	if m.phase == draining && m.speaker.n == 0 {
		m.phase = typing
		m.finish(ok)
	}
}
