package cmpp

// Terminate asks the other side to end the connection (CMPP_TERMINATE); either
// side may send it.
type Terminate struct{}

// Command is CmdTerminate.
func (*Terminate) Command() Command { return CmdTerminate }

// AppendBody implements PDU; the body is empty.
func (*Terminate) AppendBody(b []byte, _ Version) ([]byte, error) { return b, nil }

// Decode implements PDU; what stands in the body is not looked at.
func (*Terminate) Decode([]byte, Version) error { return nil }

// TerminateResp answers a Terminate (CMPP_TERMINATE_RESP).
type TerminateResp struct{}

// Command is CmdTerminateResp.
func (*TerminateResp) Command() Command { return CmdTerminateResp }

// AppendBody implements PDU; the body is empty.
func (*TerminateResp) AppendBody(b []byte, _ Version) ([]byte, error) { return b, nil }

// Decode implements PDU; what stands in the body is not looked at.
func (*TerminateResp) Decode([]byte, Version) error { return nil }
