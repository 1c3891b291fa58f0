package v253

import (
	"strings"
	"time"

	"callbox/cti/media/dsp"
)

// Kind is what a box tells unasked.
type Kind uint8

// The kinds of events, with their codes behind DLE (V.253 table 7).
const (
	Unknown           Kind = iota
	Ring                   // R, or the line RING in class 0: a burst of ringing
	RingEnded              // DRON: the burst is over
	CallerID               // X … . or plain lines: Event.Caller
	DigitBegan             // / and the digit, or a digit alone: Event.Digit
	DigitEnded             // ~: Event.Digit
	SetLifted              // H: the ordinary telephone on the box is off hook
	SetReplaced            // h
	LoopLost               // l: loop current interrupted
	Reversed               // L: the polarity changed
	Busy                   // b, K: each cadence of busy or reorder tone
	DialTone               // d, i
	Ringback               // r
	FaxCalling             // c, m, e: CNG or a data calling tone
	FaxAnswer              // a, f: 2100 or 2225 Hz
	ExtensionLifted        // P: another telephone on the same line is off hook
	ExtensionReplaced      // p
	Silence                // s: presumed hang-up, no voice at all
	Quiet                  // q: presumed end of message, quiet after voice
	Overrun                // o: the host read too slowly
	Underrun               // u: the host wrote too slowly
	Vacant                 // J: special information tone, no such number
	LostData               // Y: the host wrote more than fits
)

var kindNames = [...]string{
	"unknown", "ring", "ring ended", "caller id", "digit began", "digit ended", "set lifted", "set replaced",
	"loop lost", "reversed", "busy", "dial tone", "ringback", "fax calling", "fax answer", "extension lifted",
	"extension replaced", "silence", "quiet", "overrun", "underrun",
	"vacant", "lost data",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// Event is one thing that a box told, At the host's time of its last byte.
type Event struct {
	Kind   Kind
	Digit  byte         // of DigitBegan and DigitEnded
	Caller dsp.CallerID // of CallerID
	At     time.Time
}

// codes are the events that are one code; digits have a table of their own.
var codes = [128]Kind{
	'R': Ring, 'H': SetLifted, 'h': SetReplaced, 'l': LoopLost, 'L': Reversed, 'b': Busy, 'K': Busy,
	'd': DialTone, 'i': DialTone, 'r': Ringback, 'c': FaxCalling, 'm': FaxCalling, 'e': FaxCalling,
	'a': FaxAnswer, 'f': FaxAnswer, 'P': ExtensionLifted, 'p': ExtensionReplaced, 's': Silence, 'q': Quiet,
	'o': Overrun, 'u': Underrun, 'J': Vacant, 'Y': LostData,
}

// How close two of the same may lie before they are one that came twice.
const (
	doubledCode  = 50 * time.Millisecond
	doubledRing  = 500 * time.Millisecond
	doubledDigit = 100 * time.Millisecond // a box repeats the digit each 70 ms
)

// listed are the codes of V.253 table 7 beside the keys, and those that chips
// add to them.
const listed = "RbKdircmeafhHpPlLwWsquoTvVtJ$QSEYX@/~"

// doubtful is how long after a code that there is not no code is believed.
const doubtful = 500 * time.Millisecond

// teller turns codes into events; it is pure but for its memory.
type teller struct {
	last   byte // the last code that was no digit
	lastAt time.Time
	rang   time.Time
	keys   keys

	garbled time.Time // when a code came in a data state that there is not
}

// tell appends what a code means. In a data state nobody is called: the line
// is off hook or the set is up, and DLE R is noise.
func (t *teller) tell(to []Event, code byte, data bool, at time.Time) []Event {
	if data && t.suspect(code, at) || code >= byte(len(codes)) {
		return to
	}
	if key(code) || code == '/' || code == '~' {
		return t.keys.tell(to, code, at)
	}
	kind := codes[code]
	if kind == Unknown || kind == Ring && data || t.doubled(code, kind, at) {
		return to
	}
	return append(to, Event{Kind: kind, At: at})
}

// suspect says that a code in a data state is, or may be, made up of audio of
// which bytes were lost, and of noise: codes that V.253 does not have came with
// it. A key or a loss of the loop would be acted upon at once.
func (t *teller) suspect(code byte, at time.Time) bool {
	if !key(code) && !strings.ContainsRune(listed, rune(code)) {
		t.garbled = at
	}
	return at.Sub(t.garbled) < doubtful
}

func (t *teller) doubled(code byte, kind Kind, at time.Time) bool {
	if kind == Ring {
		again := !t.rang.IsZero() && at.Sub(t.rang) < doubledRing
		if !again {
			t.rang = at
		}
		return again
	}
	again := code == t.last && at.Sub(t.lastAt) < doubledCode
	t.last, t.lastAt = code, at
	return again
}

func key(code byte) bool {
	return code >= '0' && code <= '9' || code >= 'A' && code <= 'D' || code == '*' || code == '#'
}

// keys follows DLE / (a key begins), the key, repeated while it lasts, and
// DLE ~ (it ends). Boxes that have neither / nor ~ tell the key alone.
type keys struct {
	open bool // after /, before ~
	held byte // the key between them
	last byte // the last key that came alone
	at   time.Time
}

func (k *keys) tell(to []Event, code byte, at time.Time) []Event {
	switch {
	case code == '/':
		to = k.end(to, at) // when ~ was lost
		k.open = true
		return to
	case code == '~':
		to = k.end(to, at)
		k.open = false
		return to
	case k.open && k.held == 0:
		k.held = code
		return append(to, Event{Kind: DigitBegan, Digit: code, At: at})
	case k.open && k.held == code:
		return to
	case k.open: // another key without / between: both ~ and / were lost
		to = k.end(to, at)
		k.held = code
		return append(to, Event{Kind: DigitBegan, Digit: code, At: at})
	}
	return k.alone(to, code, at)
}

func (k *keys) end(to []Event, at time.Time) []Event {
	if k.held == 0 {
		return to
	}
	// Repeats that arrive behind a lost / belong to this key.
	k.last, k.at = k.held, at
	k.held = 0
	return append(to, Event{Kind: DigitEnded, Digit: k.last, At: at})
}

func (k *keys) alone(to []Event, code byte, at time.Time) []Event {
	again := code == k.last && at.Sub(k.at) < doubledDigit
	k.last, k.at = code, at
	if again {
		return to
	}
	return append(to, Event{Kind: DigitBegan, Digit: code, At: at}, Event{Kind: DigitEnded, Digit: code, At: at})
}
