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

// The commands between a service provider and a gateway that callbox speaks.
const (
	CmdConnect        Command = 0x00000001
	CmdConnectResp    Command = 0x80000001
	CmdTerminate      Command = 0x00000002
	CmdTerminateResp  Command = 0x80000002
	CmdSubmit         Command = 0x00000004
	CmdSubmitResp     Command = 0x80000004
	CmdDeliver        Command = 0x00000005
	CmdDeliverResp    Command = 0x80000005
	CmdActiveTest     Command = 0x00000008
	CmdActiveTestResp Command = 0x80000008
)

const answerBit Command = 0x80000000

// Answer gives the command that answers c.
func (c Command) Answer() Command { return c | answerBit }

// IsAnswer tells whether c answers a request.
func (c Command) IsAnswer() bool { return c&answerBit != 0 }

var commandNames = map[Command]string{
	CmdConnect: "CONNECT", CmdConnectResp: "CONNECT_RESP",
	CmdTerminate: "TERMINATE", CmdTerminateResp: "TERMINATE_RESP",
	CmdSubmit: "SUBMIT", CmdSubmitResp: "SUBMIT_RESP",
	CmdDeliver: "DELIVER", CmdDeliverResp: "DELIVER_RESP",
	CmdActiveTest: "ACTIVE_TEST", CmdActiveTestResp: "ACTIVE_TEST_RESP",
}

// String gives the command's name, or its number in hex.
func (c Command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	return fmt.Sprintf("command 0x%08x", uint32(c))
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
