package cmpp

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// MsgID is a message's number at the gateway: month 4 bits, day 5, hour 5,
// minute 6, second 6, gateway code 22, sequence 16. It carries no year, so it
// is unique only within a year at one gateway; from August on its top bit is
// set. In text and in JSON it is a string of 16 hex digits, since neither a
// signed integer nor a JSON number holds it.
type MsgID uint64

// NewMsgID makes the number that a gateway gives at t. gateway is cut to 22
// bits.
func NewMsgID(t time.Time, gateway uint32, sequence uint16) MsgID {
	id := uint64(t.Month())
	id = id<<5 | uint64(t.Day())
	id = id<<5 | uint64(t.Hour())
	id = id<<6 | uint64(t.Minute())
	id = id<<6 | uint64(t.Second())
	id = id<<22 | uint64(gateway&(1<<22-1))
	return MsgID(id<<16 | uint64(sequence))
}

// ParseMsgID reads what String writes.
func ParseMsgID(s string) (MsgID, error) {
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("Msg_Id %q is not 16 hex digits", s)
	}
	return MsgID(id), nil
}

// Sequence is the part that counts messages.
func (id MsgID) Sequence() uint16 { return uint16(id) }

// Gateway is the code of the gateway that gave the number.
func (id MsgID) Gateway() uint32 { return uint32(id>>16) & (1<<22 - 1) }

// Plus gives the number of the n-th receiver behind the first of a SUBMIT with
// several (appendix 1): only the sequence counts on, wrapping in its 16 bits.
func (id MsgID) Plus(n int) MsgID {
	return id&^0xffff | MsgID(uint16(int(id.Sequence())+n))
}

// Swapped gives the number with its bytes reversed, as a gateway on a
// little-endian machine may have sent it.
func (id MsgID) Swapped() MsgID { return MsgID(bits.ReverseBytes64(uint64(id))) }

// String gives 16 hex digits.
func (id MsgID) String() string {
	const digits = "0123456789abcdef"
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	out := make([]byte, 0, 16)
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// MarshalText gives 16 hex digits, also for JSON.
func (id MsgID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 16 hex digits.
func (id *MsgID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseMsgID(string(b))
	return err
}
