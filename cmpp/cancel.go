package cmpp

// Cancel takes back a message that the gateway still holds (CMPP_CANCEL).
type Cancel struct {
	MsgID MsgID // that of the SUBMIT_RESP
}

// Command is CmdCancel.
func (*Cancel) Command() Command { return CmdCancel }

// AppendBody implements PDU.
func (p *Cancel) AppendBody(b []byte, _ Version) ([]byte, error) {
	w := build(b)
	w.id(p.MsgID)
	return w.done()
}

// Decode implements PDU.
func (p *Cancel) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.MsgID = c.id()
	return c.err()
}

// CancelResp answers a Cancel (CMPP_CANCEL_RESP): 4 bytes in 3.0, 1 in 2.x.
type CancelResp struct {
	SuccessID uint32 // 0: taken back; 1: not
}

// Done tells whether the message was taken back.
func (p *CancelResp) Done() bool { return p.SuccessID == 0 }

// Command is CmdCancelResp.
func (*CancelResp) Command() Command { return CmdCancelResp }

// AppendBody implements PDU.
func (p *CancelResp) AppendBody(b []byte, v Version) ([]byte, error) {
	w := build(b)
	w.result("Success_Id", p.SuccessID, v.Wide())
	return w.done()
}

// Decode implements PDU. The body's length, not v, decides the layout.
func (p *CancelResp) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.SuccessID = c.result(len(body) >= 4)
	return c.err()
}
