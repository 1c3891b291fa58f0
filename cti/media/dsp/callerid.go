package dsp

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// What ParseCallerID refuses with.
var (
	ErrChecksum = errors.New("wrong checksum")
	ErrMessage  = errors.New("not a caller ID message")
)

// CallerID is who calls, as the exchange tells it.
type CallerID struct {
	Number  string // as received; "" when withheld or absent
	Name    string // UTF-8
	Time    string // MMDDHHMM, "" when absent
	Dialled string // the number that was dialled, where the exchange tells it
	Private bool   // withheld (P)
	Absent  bool   // not available (O)
	Mode    string // fsk or dtmf
}

// Message types (ETSI EN 300 659-3 §5.2, YD/T 1277.1): single and multiple data message.
const (
	typeSDMF        = 0x04
	typeSDMFWaiting = 0x06 // message waiting: received and passed over
	typeMDMF        = 0x80
	typeMDMFWaiting = 0x82
)

// Parameters of an MDMF message (ETSI EN 300 659-3 §5.3).
const (
	paramTime     = 0x01
	paramNumber   = 0x02
	paramDialled  = 0x03
	paramNoNumber = 0x04 // why there is no number: O or P
	paramName     = 0x07
	paramNoName   = 0x08 // why there is no name
)

// The longest that are sent (ETSI EN 300 659-3 §5.4: 20 digits, 50 characters), and the
// longest number that is taken: of one whose checksum is right nothing is left out.
const (
	longestNumber = 20
	longestName   = 50
	longestTaken  = 40
)

// MDMF makes the data message (YD/T 1277.1, ETSI EN 300 659-3), checksum included.
// A number that does not fit is cut at 20 digits, a name at 50 bytes.
func (c CallerID) MDMF() []byte {
	var body []byte
	if validTime(c.Time) {
		body = appendParam(body, paramTime, c.Time)
	}
	switch {
	case c.Private:
		body = appendParam(body, paramNoNumber, "P")
	case c.Number == "":
		body = appendParam(body, paramNoNumber, "O")
	default:
		body = appendParam(body, paramNumber, cut(c.Number, longestNumber))
	}
	if c.Dialled != "" {
		body = appendParam(body, paramDialled, cut(c.Dialled, longestNumber))
	}
	if c.Name != "" {
		body = appendParam(body, paramName, encodeName(c.Name))
	}
	return sealed(typeMDMF, body)
}

// SDMF makes the short form: time and number. It cannot do without a time: an unknown one is all noughts.
func (c CallerID) SDMF() []byte {
	body := c.Time
	if !validTime(body) {
		body = "00000000"
	}
	switch {
	case c.Private:
		body += "P"
	case c.Number == "":
		body += "O"
	default:
		body += cut(c.Number, longestNumber)
	}
	return sealed(typeSDMF, []byte(body))
}

// ParseCallerID reads an MDMF or SDMF message, checksum included. It fails with ErrChecksum,
// or with ErrMessage for other kinds of message and for ones that tell nothing of a caller.
func ParseCallerID(message []byte) (CallerID, error) {
	if len(message) < 3 || len(message) != int(message[1])+3 {
		return CallerID{}, fmt.Errorf("reading %d bytes of caller ID: %w", len(message), ErrMessage)
	}
	if checksum(message) != 0 {
		return CallerID{}, fmt.Errorf("reading caller ID: %w", ErrChecksum)
	}
	c := CallerID{Mode: "fsk"}
	body := message[2 : len(message)-1]
	var err error
	switch message[0] {
	case typeMDMF:
		err = c.readMDMF(body)
	case typeSDMF:
		err = c.readSDMF(body)
	default:
		err = fmt.Errorf("type %#02x: %w", message[0], ErrMessage)
	}
	if err != nil {
		return CallerID{}, fmt.Errorf("reading caller ID: %w", err)
	}
	return c.settled(), nil
}

// settled resolves what contradicts itself: withheld goes before a number, a number before absent.
func (c CallerID) settled() CallerID {
	if c.Private {
		c.Number = ""
	}
	c.Absent = c.Absent && !c.Private && c.Number == ""
	return c
}

func (c *CallerID) readMDMF(body []byte) error {
	for len(body) > 0 {
		if len(body) < 2 || len(body) < int(body[1])+2 {
			return fmt.Errorf("parameter is cut off: %w", ErrMessage)
		}
		value := body[2 : 2+int(body[1])]
		if err := c.readParam(body[0], value); err != nil {
			return fmt.Errorf("parameter %#02x: %w", body[0], err)
		}
		body = body[2+len(value):]
	}
	if c.Number == "" && !c.Private && !c.Absent && c.Name == "" {
		return fmt.Errorf("tells no caller: %w", ErrMessage)
	}
	return nil
}

func (c *CallerID) readParam(kind byte, value []byte) error {
	switch kind {
	case paramTime:
		c.setTime(string(value))
	case paramNumber:
		return c.setNumber(string(value))
	case paramNoNumber:
		return c.setNumber(string(value[:min(len(value), 1)]))
	case paramDialled:
		if number := bare(string(value)); validNumber(number) {
			c.Dialled = number
		}
	case paramName:
		c.Name = DecodeName(value)
	}
	return nil
}

func (c *CallerID) readSDMF(body []byte) error {
	if len(body) < 9 {
		return fmt.Errorf("%d bytes are too few: %w", len(body), ErrMessage)
	}
	c.setTime(string(body[:8]))
	return c.setNumber(string(body[8:]))
}

// setTime leaves out what is no time: a wrong clock is no reason to lose the number.
func (c *CallerID) setTime(value string) {
	if validTime(value) {
		c.Time = value
	}
}

// setNumber takes a number or, in its place, the reason why there is none.
func (c *CallerID) setNumber(value string) error {
	value = bare(value)
	switch {
	case value == "P":
		c.Private = true
	case value == "O":
		c.Absent = true
	case !validNumber(value):
		return fmt.Errorf("no number: %w", ErrMessage)
	default:
		c.Number = value
	}
	return nil
}

// DecodeName turns a name's bytes (GB2312, or ASCII) into UTF-8. What cannot be shown is
// left out, also half a character at the end of a name that was cut.
func DecodeName(raw []byte) string {
	text, err := simplifiedchinese.GBK.NewDecoder().Bytes(raw)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.Map(shown, string(text)))
}

func shown(r rune) rune {
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// encodeName makes at most longestName bytes and never half a character; what GBK does not know becomes "?".
func encodeName(name string) string {
	var raw []byte
	gbk := encoding.ReplaceUnsupported(simplifiedchinese.GBK.NewEncoder())
	for _, r := range name {
		one, err := gbk.Bytes([]byte(string(r)))
		if err != nil || (len(one) == 1 && one[0] == encoding.ASCIISub) {
			one = []byte{'?'}
		}
		if len(raw)+len(one) > longestName {
			break
		}
		raw = append(raw, one...)
	}
	return string(raw)
}

func appendParam(to []byte, kind byte, value string) []byte {
	return append(append(to, kind, byte(len(value))), value...)
}

// sealed puts type, length and checksum around body, which is never longer than 255 bytes.
func sealed(kind byte, body []byte) []byte {
	message := append([]byte{kind, byte(len(body))}, body...)
	return append(message, -checksum(message))
}

// checksum is the sum modulo 256; over a whole message it is 0.
func checksum(message []byte) byte {
	var sum byte
	for _, b := range message {
		sum += b
	}
	return sum
}

// bare is a number without what exchanges of offices put in or fill it up with.
func bare(number string) string { return separators.Replace(number) }

var separators = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "\x00", "")

func validNumber(s string) bool {
	return s != "" && len(s) <= longestTaken && strings.Trim(s, "0123456789*#+") == ""
}

// validTime says whether s is a MMDDHHMM that a calendar can hold.
func validTime(s string) bool {
	if len(s) != 8 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	return s[:2] >= "01" && s[:2] <= "12" && s[2:4] >= "01" && s[2:4] <= "31" && s[4:6] <= "23" && s[6:] <= "59"
}

func cut(s string, most int) string {
	return s[:min(len(s), most)]
}
