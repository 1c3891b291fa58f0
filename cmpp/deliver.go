package cmpp

// Deliver brings a text from a phone, or a status report (CMPP_DELIVER).
type Deliver struct {
	MsgID              MsgID
	DestID             string // access number and extension, 21 bytes
	ServiceID          string // 10 bytes
	TPPID              uint8
	TPUDHI             uint8
	MsgFmt             Format // means nothing in a report
	SrcTerminalID      string // sender, 32 bytes (21 in 2.x)
	SrcTerminalType    uint8  // 3.0: 1 for a pseudo code
	RegisteredDelivery uint8  // 1 makes it a status report
	MsgContent         []byte // text, or a Report
	LinkID             string // 20 bytes (8 reserved ones in 2.x)
}

// Command is CmdDeliver.
func (*Deliver) Command() Command { return CmdDeliver }

// IsReport tells whether the content is a status report, see Report.
func (p *Deliver) IsReport() bool { return p.RegisteredDelivery == 1 }

// HasUDH tells whether the content starts with a user data header. Besides
// bit 0, which the protocol names, gateways set bit 6, copied from SMPP's
// esm_class.
func (p *Deliver) HasUDH() bool { return hasUDH(p.TPUDHI) }

func hasUDH(b uint8) bool { return b&0x41 != 0 }

// AppendBody implements PDU.
func (p *Deliver) AppendBody(b []byte, v Version) ([]byte, error) {
	w := build(b)
	w.id(p.MsgID)
	w.str("Dest_Id", p.DestID, 21)
	w.str("Service_Id", p.ServiceID, 10)
	w.u8(p.TPPID, p.TPUDHI, uint8(p.MsgFmt))
	w.str("Src_terminal_Id", p.SrcTerminalID, v.number())
	if v.Wide() {
		w.u8(p.SrcTerminalType)
	}
	w.u8(p.RegisteredDelivery)
	w.content(p.MsgContent, 255)
	w.str("LinkID", p.LinkID, v.link())
	return w.done()
}

// Decode implements PDU. A LinkID that is cut short is taken as far as it
// goes: one vendor's report frames lack 11 bytes of it.
func (p *Deliver) Decode(body []byte, v Version) error {
	c := cursor{b: body}
	p.MsgID = c.id()
	p.DestID = c.str(21)
	p.ServiceID = c.str(10)
	p.TPPID, p.TPUDHI, p.MsgFmt = c.u8(), c.u8(), Format(c.u8())
	p.SrcTerminalID = c.str(v.number())
	if v.Wide() {
		p.SrcTerminalType = c.u8()
	}
	p.RegisteredDelivery = c.u8()
	p.MsgContent = c.content(c.u8())
	p.LinkID = c.rest(v.link())
	return c.err()
}

// DeliverResp answers a Deliver (CMPP_DELIVER_RESP) with that Deliver's own
// MsgID, also when it was a report.
type DeliverResp struct {
	MsgID  MsgID
	Result Result
}

// Command is CmdDeliverResp.
func (*DeliverResp) Command() Command { return CmdDeliverResp }

// AppendBody implements PDU.
func (p *DeliverResp) AppendBody(b []byte, v Version) ([]byte, error) {
	return appendOutcome(b, p.MsgID, p.Result, v)
}

// Decode implements PDU. The body's length, not v, decides the layout.
func (p *DeliverResp) Decode(body []byte, _ Version) (err error) {
	p.MsgID, p.Result, err = decodeOutcome(body)
	return err
}
