package cmpp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// HeaderLen is the size in bytes of a message header: Total_Length,
// Command_Id and Sequence_Id (section "消息头格式").
const HeaderLen = 12

// MaxFrame is the largest Total_Length in bytes that is read or written. The
// largest legal frame, a SUBMIT to 99 numbers, has 3,490 bytes.
const MaxFrame = 4096

var (
	// ErrFrameLength says that Total_Length is below HeaderLen or above
	// MaxFrame: the stream cannot be followed any further.
	ErrFrameLength = errors.New("cmpp: frame length out of range")
	// ErrShort says that a body ends before its mandatory fields.
	ErrShort = errors.New("cmpp: body too short")
	// ErrCommand says that a Command_Id is not one of this package's.
	ErrCommand = errors.New("cmpp: unknown command")
	// ErrField says that a value does not fit its field.
	ErrField = errors.New("cmpp: value does not fit its field")
)

// Version is a protocol version as CONNECT carries it: major number in the
// high nibble, minor number in the low one.
type Version uint8

// The versions in use. 2.1 has the layout of 2.0.
const (
	V20 Version = 0x20
	V21 Version = 0x21
	V30 Version = 0x30
)

// Wide tells whether the version uses the layout of 3.0: numbers of 32 bytes,
// results of 4 bytes, LinkID of 20.
func (v Version) Wide() bool { return v >= V30 }

// String gives the version as people write it, such as "3.0".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v>>4, v&0x0f) }

func (v Version) number() int {
	if v.Wide() {
		return 32
	}
	return 21
}

func (v Version) link() int {
	if v.Wide() {
		return 20
	}
	return 8
}

// Command is a Command_Id.
type Command uint32

// The commands between a service provider and a gateway. 0x00000003 is not used.
const (
	CmdConnect        Command = 0x00000001
	CmdConnectResp    Command = 0x80000001
	CmdTerminate      Command = 0x00000002
	CmdTerminateResp  Command = 0x80000002
	CmdSubmit         Command = 0x00000004
	CmdSubmitResp     Command = 0x80000004
	CmdDeliver        Command = 0x00000005
	CmdDeliverResp    Command = 0x80000005
	CmdQuery          Command = 0x00000006
	CmdQueryResp      Command = 0x80000006
	CmdCancel         Command = 0x00000007
	CmdCancelResp     Command = 0x80000007
	CmdActiveTest     Command = 0x00000008
	CmdActiveTestResp Command = 0x80000008
)

const answerBit Command = 0x80000000

// Answer gives the command that answers c.
func (c Command) Answer() Command { return c | answerBit }

// IsAnswer tells whether c answers a request.
func (c Command) IsAnswer() bool { return c&answerBit != 0 }

// commandNames has every request of the protocol. FWD and the routes run
// between gateways only; they have names for the log, and no messages here.
var commandNames = map[Command]string{
	CmdConnect: "CONNECT", CmdTerminate: "TERMINATE", CmdSubmit: "SUBMIT", CmdDeliver: "DELIVER",
	CmdQuery: "QUERY", CmdCancel: "CANCEL", CmdActiveTest: "ACTIVE_TEST",
	0x09: "FWD", 0x10: "MT_ROUTE", 0x11: "MO_ROUTE", 0x12: "GET_MT_ROUTE", 0x13: "MT_ROUTE_UPDATE",
	0x14: "MO_ROUTE_UPDATE", 0x15: "PUSH_MT_ROUTE_UPDATE", 0x16: "PUSH_MO_ROUTE_UPDATE", 0x17: "GET_MO_ROUTE",
}

// String gives the command's name, or its number in hex.
func (c Command) String() string {
	name, ok := commandNames[c&^answerBit]
	switch {
	case !ok:
		return fmt.Sprintf("command 0x%08x", uint32(c))
	case c.IsAnswer():
		return name + "_RESP"
	}
	return name
}

// Header stands in front of every message.
type Header struct {
	Length   uint32  // of the whole frame in bytes, header included
	Command  Command // what the body is
	Sequence uint32  // equal in a request and its answer; each side counts its own
}

// Append puts the 12 bytes of h behind b.
func (h Header) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, h.Length)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Command))
	return binary.BigEndian.AppendUint32(b, h.Sequence)
}

// ParseHeader reads a header. It returns ErrShort for fewer than HeaderLen
// bytes and ErrFrameLength for a length that no frame may have.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, fmt.Errorf("header of %d bytes: %w", len(b), ErrShort)
	}
	h := Header{
		Length:   binary.BigEndian.Uint32(b),
		Command:  Command(binary.BigEndian.Uint32(b[4:])),
		Sequence: binary.BigEndian.Uint32(b[8:]),
	}
	if h.Length < HeaderLen || h.Length > MaxFrame {
		return h, fmt.Errorf("%w: %d bytes", ErrFrameLength, h.Length)
	}
	return h, nil
}
