package box

import (
	"fmt"
	"strconv"
	"strings"
)

// verb is one command: what it does alone, with =v, with ? and with =?. What
// is nil is answered with ERROR, and so is all of a voice command outside
// class 8.
type verb struct {
	voice bool
	act   func(*modem) error
	set   func(*modem, string) error
	get   func(*modem) string
	test  string
	lists func() []string // =? with more than one line
}

// verbs are all commands beside the S registers.
var verbs = map[string]verb{
	"E": {set: oneOf(1, func(m *modem, n int) { m.format.echo = n == 1 })},
	"V": {set: oneOf(1, func(m *modem, n int) { m.format.words = n == 1 })},
	"Q": {set: oneOf(1, func(m *modem, n int) { m.format.silent = n == 1 })},
	"X": {set: oneOf(4, func(m *modem, n int) { m.set.blind = n < 2 || n == 3 })},
	"H": {set: oneOf(1, putDown)},
	"L": {set: oneOf(3, ignored)}, "M": {set: oneOf(3, ignored)}, "T": {set: oneOf(0, ignored)}, "P": {set: oneOf(0, ignored)},
	"&C": {set: oneOf(1, ignored)}, "&D": {set: oneOf(3, ignored)}, "&K": {set: oneOf(3, flow)},
	"Z":  {set: oneOf(0, func(m *modem, _ int) { m.reset() })},
	"&F": {set: oneOf(0, func(m *modem, _ int) { m.reset() })},
	"A":  {set: func(m *modem, _ string) error { return m.answerCall() }},
	"D":  {set: (*modem).dial},
	"I":  {set: (*modem).inform},

	"+GMI": text(func(*modem) string { return maker }), "+FMI": text(func(*modem) string { return maker }),
	"+GMM": text(model), "+FMM": text(model),
	"+GMR": text(func(m *modem) string { return m.cfg.Version }), "+FMR": text(func(m *modem) string { return m.cfg.Version }),
	"+GSN":  text(func(m *modem) string { return m.cfg.Serial }),
	"+GCAP": text(func(*modem) string { return "+GCAP: +FCLASS,+V" }),
	"+GCI": {
		set: func(_ *modem, arg string) error { return refuse(arg != "26") },
		get: func(*modem) string { return "+GCI: 26" }, test: "+GCI: (26)",
	},
	"+IFC": numbers(false, []bounds{{0, 2}, {0, 2}}, func(s *settings) []*int { return []*int{&s.flowIn, &s.flowOut} }),
	"+FCLASS": {
		set: (*modem).chooseClass, get: func(m *modem) string { return strconv.Itoa(m.class) }, test: "0,8",
	},

	"+VCID": numbers(false, []bounds{{0, 2}}, func(s *settings) []*int { return []*int{&s.callerID} }),
	"+VDR":  numbers(true, []bounds{{0, 1}, {0, 255}}, func(s *settings) []*int { return []*int{&s.ringReport, &s.ringDelay} }),
	"+VIT":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.inactivity} }),
	"+VSD":  numbers(true, []bounds{{0, 255}, {0, 255}}, func(s *settings) []*int { return []*int{&s.level, &s.patience} }),
	"+VTD":  numbers(true, []bounds{{4, 255}}, func(s *settings) []*int { return []*int{&s.toneLength} }),
	"+VGR":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.receiveGain} }),
	"+VGT":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.transmitGain} }),
	"+VRA":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.answerGap} }),
	"+VRN":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.answerNever} }),
	"+VNH":  numbers(true, []bounds{{0, 2}}, func(s *settings) []*int { return []*int{&s.hangUp} }),
	"+VPR":  numbers(true, []bounds{{0, 255}}, func(s *settings) []*int { return []*int{&s.rate} }),
	"+VEM": {
		voice: true, set: (*modem).chooseEvents, get: func(m *modem) string { return events(m.set.events) },
		test: "(00000000-FFFFFFFF)",
	},
	"+VIP": {voice: true, act: func(m *modem) error { m.initialize(); return nil }},
	"+VSM": {
		voice: true, set: (*modem).chooseCodec, lists: codecList,
		get: func(m *modem) string { return fmt.Sprintf("%d,8000,0,0", m.set.codec.number) },
	},
	"+VLS": {
		voice: true, set: (*modem).chooseHook, lists: hookList,
		get: func(m *modem) string { return strconv.Itoa(int(m.set.hook)) },
	},
	"+VTS": {voice: true, set: (*modem).tones, test: "(200-3800),(200-3800),(1-6000)"},
	"+VTX": {voice: true, act: func(m *modem) error { return m.enter(transmit) }},
	"+VRX": {voice: true, act: func(m *modem) error { return m.enter(receiving) }},
	"+VTR": {voice: true, act: func(m *modem) error { return m.enter(duplex) }},
}

const maker = "callbox"

func model(m *modem) string { return "callbox voice box " + m.cfg.Version }

// do runs one command.
func (m *modem) do(c command) error {
	if c.name[0] == 'S' && len(c.name) > 1 {
		return m.register(c)
	}
	v, known := verbs[c.name]
	if !known || v.voice && m.class != voice {
		return fmt.Errorf("%w: %s", errRefused, c.name)
	}
	return v.run(m, c)
}

func (v *verb) run(m *modem, c command) error {
	switch {
	case c.op == act && v.act != nil:
		return v.act(m)
	case c.op == set && v.set != nil:
		return v.set(m, c.arg)
	case c.op == get && v.get != nil:
		m.answer(v.get(m))
		return nil
	case c.op == test && v.lists != nil:
		m.answer(strings.Join(v.lists(), "\r\n"))
		return nil
	case c.op == test && v.test != "":
		m.answer(v.test)
		return nil
	}
	return fmt.Errorf("%w: %s in this form", errRefused, c.name)
}

// oneOf is a basic command with a number up to most.
func oneOf(most int, do func(*modem, int)) func(*modem, string) error {
	return func(m *modem, arg string) error {
		n, err := strconv.Atoi(arg)
		if err != nil || n > most {
			return fmt.Errorf("%w: %q", errRefused, arg)
		}
		do(m, n)
		return nil
	}
}

func ignored(*modem, int) {}

// text is a command that answers with a line.
func text(line func(*modem) string) verb {
	tell := func(m *modem) error { m.answer(line(m)); return nil }
	return verb{act: tell, get: line}
}

type bounds struct{ low, high int }

// numbers is a command that sets numbers within bounds; those that are not
// given stay.
func numbers(inVoice bool, within []bounds, of func(*settings) []*int) verb {
	var ranges []string
	for _, b := range within {
		ranges = append(ranges, fmt.Sprintf("(%d-%d)", b.low, b.high))
	}
	return verb{
		voice: inVoice, test: strings.Join(ranges, ","),
		set: func(m *modem, arg string) error { return fill(of(&m.set), within, arg) },
		get: func(m *modem) string {
			var all []string
			for _, n := range of(&m.set) {
				all = append(all, strconv.Itoa(*n))
			}
			return strings.Join(all, ",")
		},
	}
}

// fill sets all of a list or nothing.
func fill(to []*int, within []bounds, arg string) error {
	parts := strings.Split(arg, ",")
	if len(parts) > len(to) {
		return fmt.Errorf("%w: %q has too many numbers", errRefused, arg)
	}
	values := make([]int, len(parts))
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if part == "" && len(parts) > 1 {
			n, err = *to[i], nil
		}
		if err != nil || n < within[i].low || n > within[i].high {
			return fmt.Errorf("%w: %q", errRefused, part)
		}
		values[i] = n
	}
	for i, n := range values {
		*to[i] = n
	}
	return nil
}

func refuse(yes bool) error {
	if yes {
		return errRefused
	}
	return nil
}

// register is S7=60 and S7?; the box does not answer by itself (S0).
func (m *modem) register(c command) error {
	number, _ := strconv.Atoi(c.name[1:]) // letters are not there, a huge one is unknown
	value, known := m.set.registers[number]
	if !known {
		return fmt.Errorf("%w: %s", errRefused, c.name)
	}
	if c.op == get {
		m.answer(fmt.Sprintf("%03d", value))
		return nil
	}
	n, err := strconv.Atoi(c.arg)
	if err != nil || n > 255 || number == 0 && n != 0 || number >= 3 && number <= 5 && n != value {
		return fmt.Errorf("%w: %s=%s", errRefused, c.name, c.arg)
	}
	m.set.registers[number] = n
	return nil
}

// inform is ATI.
func (m *modem) inform(arg string) error {
	switch arg {
	case "0":
		m.answer(maker)
	case "3":
		m.answer(model(m))
	case "9":
		lines, err := selfTest()
		m.answer(strings.Join(lines, "\r\n"))
		return err
	default:
		return fmt.Errorf("%w: I%s", errRefused, arg)
	}
	return nil
}

func (m *modem) reset() {
	m.hang()
	m.class, m.set = 0, defaults()
	m.format = format{echo: true, words: true}
}

// initialize is +VIP; the hook stays.
func (m *modem) initialize() {
	kept := m.set
	m.set = defaults()
	m.set.hook, m.set.blind, m.set.registers, m.set.callerID = kept.hook, kept.blind, kept.registers, kept.callerID
}

// chooseClass leaves voice mode with the line on hook, unless +VNH forbids it.
func (m *modem) chooseClass(arg string) error {
	class, known := map[string]int{"0": 0, "8": voice, "8.0": voice}[arg]
	if !known {
		return fmt.Errorf("%w: class %s", errRefused, arg)
	}
	if m.class == voice && class != voice && m.set.hangUp == 0 {
		m.hang()
	}
	m.class = class
	return nil
}

func (m *modem) chooseEvents(arg string) (err error) {
	wanted, err := parseMask(arg)
	if err == nil {
		m.set.events = wanted
	}
	return err
}

// chooseCodec takes 5 or 5,8000 or 5,8000,0,0: the box compresses no silence.
func (m *modem) chooseCodec(arg string) error {
	number, rate, none, none2 := m.set.codec.number, 8000, 0, 0
	within := []bounds{{0, 255}, {8000, 8000}, {0, 0}, {0, 0}}
	if err := fill([]*int{&number, &rate, &none, &none2}, within, arg); err != nil {
		return err
	}
	c, known := findCodec(number)
	if !known {
		return fmt.Errorf("%w: codec %d", errRefused, number)
	}
	m.set.codec = c
	return nil
}

func codecList() (lines []string) {
	for _, c := range codecs {
		lines = append(lines, fmt.Sprintf("%d,%q,%d,0,(8000),(0),(0)", c.number, c.name, c.bits))
	}
	return lines
}

func (m *modem) chooseHook(arg string) error {
	n, err := strconv.Atoi(arg)
	switch to := hook(n); {
	case err != nil:
		return err
	case to == hookOff && m.set.hook != hookOff:
		m.lift()
	case to == hookOff:
	case to == hookOn || to == hookListen:
		m.hang()
		m.set.hook = to
	default:
		return fmt.Errorf("%w: +VLS=%d", errRefused, n)
	}
	return nil
}

func hookList() []string {
	at, talk, data := mask(lineEvents), mask(lineEvents, talkEvents), mask(lineEvents, talkEvents, dataEvents)
	line := func(h hook, devices string, busy, idle uint32) string {
		return fmt.Sprintf("%d,%q,%s,%s,%s", h, devices, events(busy), events(busy), events(idle))
	}
	return []string{line(hookOn, "", at, at), line(hookOff, "T", data, talk), line(hookListen, "t", data, talk)}
}

// putDown is ATH; with +VNH=2 it says so and does nothing.
func putDown(m *modem, n int) {
	switch {
	case n == 1:
		m.lift()
	case m.set.hangUp != 2:
		m.hang()
	}
}

func flow(m *modem, n int) {
	m.set.flowIn, m.set.flowOut = 2, 2
	if n != 3 {
		m.set.flowIn, m.set.flowOut = 0, 0
	}
}

// answerCall is ATA: the line off hook in voice mode.
func (m *modem) answerCall() error {
	if m.class != voice {
		return errRefused
	}
	m.lift()
	return nil
}
