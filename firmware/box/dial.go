package box

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds of what one command may play, so that no line keeps the box busy for
// ever.
const (
	maxMoves  = 128
	maxTone   = 60000 * ms
	dialLimit = 5000 * ms // how long dial tone is waited for
	flashTime = 100 * ms
)

// dial is ATD: digits, pauses, flashes and waits, then, without ; at the end,
// the supervision of the call.
func (m *modem) dial(arg string) error {
	digits, stays := strings.CutSuffix(arg, ";")
	if !stays && m.class != voice {
		return errRefused // there is no data modem behind it
	}
	moves, err := m.dialling(digits)
	if err != nil {
		return err
	}
	if m.set.hook != hookOff {
		m.lift()
		moves = append([]move{m.begins()}, moves...)
	}
	if !stays {
		moves = append(moves, move{kind: awaitsEnd, left: math.MaxInt})
	}
	m.start(&job{moves: moves, dials: true})
	return nil
}

// begins waits for dial tone, or with ATX0, 1, 3 for S6 seconds.
func (m *modem) begins() move {
	if m.set.blind {
		return move{kind: rests, left: m.set.registers[6] * 1000 * ms}
	}
	return move{kind: awaitsDial, left: dialLimit}
}

func (m *modem) dialling(digits string) (moves []move, err error) {
	for _, c := range []byte(digits) {
		switch {
		case strings.IndexByte(keys, c) >= 0:
			moves = append(moves, m.digit(c, m.set.toneLength)...)
		case c == ',':
			moves = append(moves, move{kind: rests, left: m.set.registers[8] * 1000 * ms})
		case c == 'W':
			moves = append(moves, move{kind: awaitsDial, left: dialLimit})
		case c == '!':
			moves = append(moves, flash(flashTime)...)
		case strings.IndexByte("TP-()@", c) < 0:
			return nil, fmt.Errorf("%w: %q in a number", errRefused, c)
		}
	}
	if len(moves) > maxMoves {
		return nil, fmt.Errorf("%w: too many digits", errRefused)
	}
	return moves, nil
}

// digit is a digit of so many hundredths of a second, and its pause.
func (m *modem) digit(key byte, length int) []move {
	return []move{{kind: sounds, key: key, left: length * 10 * ms}, {kind: rests, left: max(8, m.set.toneLength) * 10 * ms}}
}

func flash(length int) []move {
	return []move{{kind: flashes, left: length}, {kind: rests, left: 40 * ms}}
}

// tones is +VTS: 1,2,# digits, {5,20} a digit of 200 ms, {!,60} a flash of
// 600 ms, [f1,f2,t] tones of t hundredths of a second, ! a flash.
func (m *modem) tones(arg string) error {
	if m.set.hook != hookOff {
		return errNoDevice
	}
	var moves []move
	for rest := arg; rest != ""; {
		if rest[0] == ',' || rest[0] == '"' {
			rest = rest[1:]
			continue
		}
		some, behind, err := m.tone(rest)
		if err != nil {
			return err
		}
		moves, rest = append(moves, some...), behind
	}
	if len(moves) > maxMoves {
		return fmt.Errorf("%w: too many tones", errRefused)
	}
	m.start(&job{moves: moves})
	return nil
}

func (m *modem) tone(s string) (moves []move, rest string, err error) {
	switch closing := map[byte]string{'{': "}", '[': "]"}[s[0]]; {
	case closing != "":
		inner, behind, ok := strings.Cut(s[1:], closing)
		if !ok {
			return nil, "", fmt.Errorf("%w: %s is not closed", errRefused, s)
		}
		if closing == "}" {
			moves, err = m.timed(inner)
		} else {
			moves, err = m.dual(inner)
		}
		return moves, behind, err
	case s[0] == '!':
		return flash(flashTime), s[1:], nil
	case strings.IndexByte(keys, s[0]) >= 0:
		return m.digit(s[0], m.set.toneLength), s[1:], nil
	}
	return nil, "", fmt.Errorf("%w: no tone %q", errRefused, s[0])
}

// timed reads the inside of {5,20}.
func (m *modem) timed(inner string) ([]move, error) {
	key, length, _ := strings.Cut(inner, ",")
	n, err := hundredths(length, m.set.toneLength)
	switch {
	case err != nil:
		return nil, err
	case key == "!":
		return flash(n * 10 * ms), nil
	case len(key) != 1 || strings.IndexByte(keys, key[0]) < 0:
		return nil, fmt.Errorf("%w: no digit %q", errRefused, key)
	}
	return m.digit(key[0], n), nil
}

// dual reads the inside of [f1,f2,t]; a frequency that is not there is none.
func (m *modem) dual(inner string) ([]move, error) {
	parts := strings.Split(inner, ",")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: a tone is [hz,hz,time]", errRefused)
	}
	n, err := hundredths(parts[2], m.set.toneLength)
	if err != nil {
		return nil, err
	}
	tone := move{kind: rests, left: n * 10 * ms}
	for _, part := range parts[:2] {
		if part == "" || part == "0" {
			continue
		}
		hz, err := strconv.Atoi(part)
		if err != nil || hz < 100 || hz > 3800 {
			return nil, fmt.Errorf("%w: no frequency %q", errRefused, part)
		}
		tone.kind, tone.hz = sounds, append(tone.hz, float64(hz))
	}
	return []move{tone}, nil
}

func hundredths(s string, usual int) (int, error) {
	if s == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxTone/(10*ms) {
		return 0, fmt.Errorf("%w: no time %q", errRefused, s)
	}
	return n, nil
}

// lift takes the line off hook.
func (m *modem) lift() {
	m.set.hook = hookOff
	m.ears.reset()
}
