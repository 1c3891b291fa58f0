package box

import (
	"errors"
	"math"
	"strconv"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// modem is all of a box but its goroutines: the host types, the line has
// frames, and what is told goes to the outbox. It waits for nothing.
type modem struct {
	cfg Config
	out *outbox

	// the host's side
	class  int
	format format
	set    settings
	typist typist
	phase  phase
	queue  []command // the rest of a command line
	job    *job      // what the command at work does, while working
	quiet  int64     // samples since the host's last byte

	// the data states
	speaker         speaker
	silence         silence
	escaped, mute   bool
	lost, choked    bool
	plain, shielded []byte
	scratch         [analog.Samples]int16

	// the line's side
	line   analog.Line // its last frame
	wires  wires
	bell   bell
	ears   ears
	deaf   int  // samples until own tones are no longer heard
	broken bool // the loop is opened for a moment: a flash
}

// format is how answers look: ATE, ATV, ATQ.
type format struct{ echo, words, silent bool }

// settings are what +VIP and ATZ put back.
type settings struct {
	codec                     codec
	hook                      hook
	callerID                  int
	ringReport, ringDelay     int // +VDR
	transmitGain, receiveGain int
	level, patience           int // +VSD
	inactivity                int // +VIT, seconds
	toneLength                int // +VTD, 10 ms
	answerGap, answerNever    int // +VRA, +VRN
	hangUp                    int // +VNH
	rate                      int // +VPR
	flowIn, flowOut           int // +IFC
	events                    uint32
	blind                     bool // ATX0, 1, 3: dials without dial tone
	registers                 map[int]int
}

// hook is a +VLS state.
type hook int

const (
	hookOn     hook = 0  // on hook, the set on the line
	hookOff    hook = 1  // off hook: T
	hookListen hook = 20 // on hook, listening: t
)

// voice is the class of voice mode.
const voice = 8

// Codec 5, A-law, is what telephone networks carry.
const firstCodec = 5

func defaults() settings {
	c, _ := findCodec(firstCodec)
	return settings{
		codec: c, transmitGain: 128, receiveGain: 128, level: 128, toneLength: 8, answerGap: 50, answerNever: 10,
		flowIn: 2, flowOut: 2, events: math.MaxUint32,
		registers: map[int]int{0: 0, 3: cr, 4: lf, 5: bs, 6: 2, 7: 60, 8: 2},
	}
}

func newModem(cfg Config, out *outbox) *modem {
	m := &modem{
		cfg: cfg, out: out, set: defaults(), format: format{echo: true, words: true},
		plain: make([]byte, 2*analog.Samples), shielded: make([]byte, 0, frameBytes),
	}
	m.ears.open(dsp.China())
	m.speaker.begin(m.set.codec)
	return m
}

// typed takes bytes of the host and gives how many; it comes again with the
// rest when the line went on.
func (m *modem) typed(in []byte) (taken int) {
	if len(in) > 0 {
		m.quiet = 0
	}
	for taken < len(in) {
		n := m.take(in[taken:])
		if n == 0 {
			break
		}
		taken += n
	}
	return taken
}

func (m *modem) take(in []byte) int {
	switch m.phase {
	case typing:
		m.typeByte(in[0])
		return 1
	case working:
		m.interrupt(in[0])
		return 1
	}
	return m.data(in)
}

// typeByte takes one byte of a command line.
func (m *modem) typeByte(c byte) {
	if m.format.echo && !m.typist.escaped && (c >= ' ' || c == cr || c == bs) {
		m.send(c)
	}
	body, overlong, done := m.typist.key(c)
	if !done {
		return
	}
	all, good := parse(body)
	if overlong || !good {
		m.finish(failed)
		return
	}
	m.queue = all
	m.advance()
}

// advance runs the rest of a command line: to its end, to an error, to a data
// state or to a command that takes time.
func (m *modem) advance() {
	m.phase = typing
	for len(m.queue) > 0 {
		c := m.queue[0]
		m.queue = m.queue[1:]
		if err := m.do(c); err != nil {
			m.finish(failed)
			return
		}
		if m.phase != typing {
			return
		}
	}
	m.finish(ok)
}

// finish ends a command line, and the state it led to.
func (m *modem) finish(r result) {
	m.phase, m.job, m.queue = typing, nil, nil
	m.typist.escaped, m.escaped = m.escaped, false
	m.result(r)
}

// errRefused and errNoDevice both end in ERROR; the words are for tests.
var (
	errRefused  = errors.New("not a command here")
	errNoDevice = errors.New("no device: the line is on hook")
)

// result is a final result: its words and its number (V.250 §5.7).
type result struct {
	words  string
	number int
}

var (
	ok         = result{"OK", 0}
	connect    = result{"CONNECT", 1}
	ringing    = result{"RING", 2}
	noCarrier  = result{"NO CARRIER", 3}
	failed     = result{"ERROR", 4}
	noDialTone = result{"NO DIALTONE", 6}
	busy       = result{"BUSY", 7}
	noAnswer   = result{"NO ANSWER", 8}
)

func (m *modem) result(r result) {
	switch {
	case m.format.silent:
	case m.format.words:
		m.send([]byte("\r\n" + r.words + "\r\n")...)
	default:
		m.send([]byte(strconv.Itoa(r.number) + "\r")...)
	}
}

// answer is a line of text before the result.
func (m *modem) answer(text string) {
	if m.format.words {
		text = "\r\n" + text
	}
	m.send([]byte(text + "\r\n")...)
}

// send drops what a host that never reads leaves no room for.
func (m *modem) send(b ...byte) { m.out.put(b, textLimit) }

// frame is 20 ms of the line: what comes in is judged, what goes out is made.
func (m *modem) frame(in *analog.Line, out *analog.Box) {
	m.line = *in
	m.listen(in)
	m.hear(in.Sound[:])
	out.Sound = [analog.Samples]int16{}
	m.say(out.Sound[:])
	m.work(out.Sound[:])
	m.idle()
	out.OffHook = m.set.hook == hookOff && !m.broken
}

// idle counts +VIT: a host that is silent while it holds the line loses it.
func (m *modem) idle() {
	m.quiet += analog.Samples
	held := m.set.hook != hookOn || m.phase >= transmit
	if m.set.inactivity == 0 || !held || m.quiet < int64(m.set.inactivity)*dsp.Rate {
		return
	}
	if m.phase.receives() {
		m.send(dle, etx)
	}
	if m.phase != typing {
		m.finish(ok)
	}
	m.hang()
	m.class = 0
}

// hang puts the line on hook.
func (m *modem) hang() {
	m.set.hook, m.broken = hookOn, false
	m.ears.reset()
}

// decibel is a decibel in steps of +VGT and +VGR.
const decibel = 4

// amplify takes a gain of V.253: 128 is as it is, a step is a quarter of a
// decibel; 0 (automatic) is as it is too.
func amplify(to, from []int16, gain int) {
	if gain == 128 || gain == 0 {
		copy(to, from)
		return
	}
	factor := float32(math.Pow(10, float64(gain-128)/(20*decibel)))
	for i, s := range from {
		to[i] = int16(max(math.MinInt16, min(math.MaxInt16, factor*float32(s))))
	}
}
