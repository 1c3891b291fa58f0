package dsp

import (
	"bytes"
	"strings"
)

// Codes that stand where the number should (ETSI EN 300 659-1 annex B): B code C.
const (
	dtmfAbsent  = "00"
	dtmfPrivate = "10"
)

// shortestNumber is the fewest digits of a number in DTMF, which has no checksum: 110.
const shortestNumber = 3

// AppendDTMFCallerID makes the Chinese form: D number C. A withheld number is B10C, an
// absent one B00C, as ETSI EN 300 659-1 has them; China's networks send nothing then.
func AppendDTMFCallerID(to []int16, c CallerID, k Keying) []int16 {
	number := cut(onlyDigits(c.Number), longestNumber)
	switch {
	case c.Private:
		return AppendDTMF(to, "B"+dtmfPrivate+"C", k)
	case number == "":
		return AppendDTMF(to, "B"+dtmfAbsent+"C", k)
	}
	return AppendDTMF(to, "D"+number+"C", k)
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// parseKeys reads keys as a caller ID: China and others D number C, ETSI A number, D
// redirecting number, B reason, C; each may begin with D, A or B and end with # or
// nothing. Denmark has D1# for withheld, D2# and D3# for absent.
func parseKeys(keys []byte) (CallerID, bool) {
	switch string(keys) {
	case "D1#":
		return CallerID{Mode: "dtmf", Private: true}, true
	case "D2#", "D3#":
		return CallerID{Mode: "dtmf", Absent: true}, true
	}
	c := CallerID{Mode: "dtmf"}
	for rest := bytes.TrimRight(keys, "C#"); len(rest) > 0; {
		digits := rest[1:]
		if next := bytes.IndexAny(digits, "ABD"); next >= 0 {
			digits = digits[:next]
		}
		if !c.readKeys(rest[0], digits) {
			return CallerID{}, false
		}
		rest = rest[1+len(digits):]
	}
	return c.settled(), c.Number != "" || c.Private || c.Absent
}

// readKeys takes what follows one letter. A letter alone is passed over: noise may have doubled it.
func (c *CallerID) readKeys(letter byte, digits []byte) bool {
	switch {
	case len(digits) == 0:
		return true
	case letter == 'B' && string(digits) == dtmfAbsent:
		c.Absent = true
		return true
	case letter == 'B' && string(digits) == dtmfPrivate:
		c.Private = true
		return true
	case len(digits) < shortestNumber || len(digits) > longestNumber || len(bytes.Trim(digits, "0123456789")) > 0:
		return false
	case c.Number == "":
		c.Number = string(digits)
		return true
	}
	return letter == 'D' // the number that was redirected: not the caller's
}

// keys gathers what may be a caller ID, key by key.
type keys struct {
	dtmf  *DTMF
	now   int64
	quiet int64 // since when no key is heard
	held  [longestKeys]Digit
	count int
	found [4]Digit
}

// A caller ID has at most longestKeys keys: A, D and B with all that belongs to them.
const longestKeys = 48

// The rhythm of an exchange, in samples: 50 to 100 ms on, as long off.
const (
	keysStep    = 40                // what keys takes at once
	keysEnd     = 300 * Rate / 1000 // silence that ends a caller ID
	keysGap     = 150 * Rate / 1000 // longest pause within one that no finger made
	keysLongest = 250 * Rate / 1000 // longest key that no finger pressed
)

func newKeys() keys { return keys{dtmf: NewDTMF(), quiet: -keysEnd} }

// hear takes at most keysStep samples and gives the key that became sure.
func (k *keys) hear(in []int16) (Digit, bool) {
	found := k.dtmf.Detect(in, k.found[:0])
	k.now += int64(len(in))
	if k.dtmf.Active() {
		k.quiet = k.now
	}
	if len(found) == 0 {
		return Digit{}, false
	}
	return found[0], true
}

// over says that no key has been heard for as long as ends a caller ID.
func (k *keys) over() bool { return !k.dtmf.Active() && k.now-k.quiet >= keysEnd }

func (k *keys) hold(d Digit) {
	k.held[k.count] = d
	k.count++
}

// parse reads what is held.
func (k *keys) parse() (CallerID, bool) {
	var raw [longestKeys]byte
	for i, d := range k.held[:k.count] {
		raw[i] = d.Key
	}
	return parseKeys(raw[:k.count])
}

func startsCallerID(key byte) bool { return key == 'A' || key == 'B' || key == 'D' }

func endsCallerID(key byte) bool { return key == 'C' || key == '#' }
