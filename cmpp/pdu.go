package cmpp

import (
	"encoding/binary"
	"fmt"
)

// PDU is a message without its header. The implementations are the pointers
// to this package's message structs.
type PDU interface {
	// Command tells which message it is.
	Command() Command
	// AppendBody puts the body in v's layout behind b. It returns ErrField,
	// and b as it was, for a value that does not fit.
	AppendBody(b []byte, v Version) ([]byte, error)
	// Decode reads a body in v's layout. What it keeps is copied, so body may
	// be used again. It returns ErrShort for a body that ends too early.
	Decode(body []byte, v Version) error
}

// Append puts the whole frame of p behind b.
func Append(b []byte, v Version, sequence uint32, p PDU) ([]byte, error) {
	start := len(b)
	out, err := p.AppendBody(Header{Command: p.Command(), Sequence: sequence}.Append(b), v)
	if err != nil {
		return b, fmt.Errorf("encode %v: %w", p.Command(), err)
	}
	length := len(out) - start
	if length > MaxFrame {
		return b, fmt.Errorf("encode %v: %w: %d bytes", p.Command(), ErrFrameLength, length)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(length))
	return out, nil
}

// New gives an empty message for a command, nil for one that is not known.
func New(c Command) PDU {
	switch c {
	case CmdConnect:
		return new(Connect)
	case CmdConnectResp:
		return new(ConnectResp)
	case CmdTerminate:
		return new(Terminate)
	case CmdTerminateResp:
		return new(TerminateResp)
	case CmdSubmit:
		return new(Submit)
	case CmdSubmitResp:
		return new(SubmitResp)
	case CmdDeliver:
		return new(Deliver)
	case CmdDeliverResp:
		return new(DeliverResp)
	case CmdQuery:
		return new(Query)
	case CmdQueryResp:
		return new(QueryResp)
	case CmdCancel:
		return new(Cancel)
	case CmdCancelResp:
		return new(CancelResp)
	case CmdActiveTest:
		return new(ActiveTest)
	case CmdActiveTestResp:
		return new(ActiveTestResp)
	}
	return nil
}

// Decode reads the body of the message that c names. It returns ErrCommand
// for a command that this package does not have: such a frame may be skipped,
// the stream is still in step. ErrShort and ErrField mean that a length inside
// the body lies; nothing was kept by it.
func Decode(v Version, c Command, body []byte) (PDU, error) {
	p := New(c)
	if p == nil {
		return nil, fmt.Errorf("%w: 0x%08x", ErrCommand, uint32(c))
	}
	if err := p.Decode(body, v); err != nil {
		return nil, fmt.Errorf("decode %v: %w", c, err)
	}
	return p, nil
}
