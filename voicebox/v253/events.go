package v253

import (
	"time"

	"callbox/cti/media/dsp"
)

// Kind is what a box tells unasked.
type Kind uint8

// The kinds of events, with their code behind DLE (V.253 table 7).
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
)

// Event is one thing that a box told, At the host's time of its last byte.
type Event struct {
	Kind   Kind
	Digit  byte         // of DigitBegan and DigitEnded
	Caller dsp.CallerID // of CallerID
	At     time.Time
}
