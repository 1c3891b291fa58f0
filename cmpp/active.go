package cmpp

// ActiveTest asks whether the other side is still there (CMPP_ACTIVE_TEST);
// either side may send it.
type ActiveTest struct{}

// Command is CmdActiveTest.
func (*ActiveTest) Command() Command { return CmdActiveTest }

// AppendBody implements PDU; the body is empty.
func (*ActiveTest) AppendBody(b []byte, _ Version) ([]byte, error) { return b, nil }

// Decode implements PDU; what stands in the body is not looked at.
func (*ActiveTest) Decode([]byte, Version) error { return nil }

// ActiveTestResp answers an ActiveTest (CMPP_ACTIVE_TEST_RESP).
type ActiveTestResp struct{}

// Command is CmdActiveTestResp.
func (*ActiveTestResp) Command() Command { return CmdActiveTestResp }

// AppendBody implements PDU: one reserved byte.
func (*ActiveTestResp) AppendBody(b []byte, _ Version) ([]byte, error) { return append(b, 0), nil }

// Decode implements PDU. Some gateways leave the reserved byte out.
func (*ActiveTestResp) Decode([]byte, Version) error { return nil }
