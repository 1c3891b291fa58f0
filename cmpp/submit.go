package cmpp

import "fmt"

// MaxNumbers is how many receivers one SUBMIT may have (DestUsr_tl below 100).
const MaxNumbers = 99

// Submit hands one segment to the gateway (CMPP_SUBMIT). Sizes are those of
// 3.0; 2.x has numbers of 21 bytes, no number types and 8 reserved bytes where
// LinkID stands.
type Submit struct {
	MsgID              MsgID    // 0: the gateway gives it
	PkTotal            uint8    // segments of the message, from 1
	PkNumber           uint8    // which of them this is, from 1
	RegisteredDelivery uint8    // 1 asks for a status report (2.x also 2: a bill for the service provider)
	MsgLevel           uint8    // priority 0..9
	ServiceID          string   // 10 bytes
	FeeUserType        uint8    // 0 receiver, 1 sender, 2 service provider, 3 FeeTerminalID pays
	FeeTerminalID      string   // 32 bytes, with FeeUserType 3 only
	FeeTerminalType    uint8    // 3.0: 1 for a pseudo code
	TPPID              uint8    // GSM 03.40 protocol identifier
	TPUDHI             uint8    // 1 when the content starts with a user data header
	MsgFmt             Format   // alphabet of the content
	MsgSrc             string   // SP_Id, 6 bytes
	FeeType            string   // 2 bytes: 01 free, 02 each message, 03 monthly
	FeeCode            string   // price in fen, 6 bytes
	ValidTime          string   // empty, AbsoluteTime or RelativeTime: when the gateway gives up
	AtTime             string   // likewise: when it is to be sent
	SrcID              string   // access number and extension, 21 bytes: the sender that the phone shows
	DestTerminalID     []string // receivers, 1..MaxNumbers, 32 bytes each
	DestTerminalType   uint8    // 3.0: 1 for pseudo codes
	MsgContent         []byte   // at most 159 bytes of ASCII, else 140
	LinkID             string   // 20 bytes, on-demand services only
}

// Command is CmdSubmit.
func (*Submit) Command() Command { return CmdSubmit }

// HasUDH tells whether the content starts with a user data header. See
// Deliver.HasUDH.
func (p *Submit) HasUDH() bool { return hasUDH(p.TPUDHI) }

// AppendBody implements PDU.
func (p *Submit) AppendBody(b []byte, v Version) ([]byte, error) {
	w := build(b)
	w.id(p.MsgID)
	w.u8(p.PkTotal, p.PkNumber, p.RegisteredDelivery, p.MsgLevel)
	w.str("Service_Id", p.ServiceID, 10)
	p.appendFee(w, v)
	w.u8(p.TPPID, p.TPUDHI, uint8(p.MsgFmt))
	w.str("Msg_src", p.MsgSrc, 6)
	w.str("FeeType", p.FeeType, 2)
	w.str("FeeCode", p.FeeCode, 6)
	w.str("ValId_Time", p.ValidTime, 17)
	w.str("At_Time", p.AtTime, 17)
	w.str("Src_Id", p.SrcID, 21)
	p.appendNumbers(w, v)
	w.content(p.MsgContent, p.MsgFmt.limit())
	w.str("LinkID", p.LinkID, v.link())
	return w.done()
}

func (p *Submit) appendFee(w *builder, v Version) {
	w.u8(p.FeeUserType)
	w.str("Fee_terminal_Id", p.FeeTerminalID, v.number())
	if v.Wide() {
		w.u8(p.FeeTerminalType)
	}
}

func (p *Submit) appendNumbers(w *builder, v Version) {
	if n := len(p.DestTerminalID); n < 1 || n > MaxNumbers {
		w.fail("DestUsr_tl %d", n)
		return
	}
	w.u8(uint8(len(p.DestTerminalID)))
	for _, number := range p.DestTerminalID {
		w.str("Dest_terminal_Id", number, v.number())
	}
	if v.Wide() {
		w.u8(p.DestTerminalType)
	}
}

// Decode implements PDU. A LinkID that is cut short is taken as far as it goes.
func (p *Submit) Decode(body []byte, v Version) error {
	c := cursor{b: body}
	p.MsgID = c.id()
	p.PkTotal, p.PkNumber, p.RegisteredDelivery, p.MsgLevel = c.u8(), c.u8(), c.u8(), c.u8()
	p.ServiceID = c.str(10)
	p.FeeUserType = c.u8()
	p.FeeTerminalID = c.str(v.number())
	if v.Wide() {
		p.FeeTerminalType = c.u8()
	}
	p.TPPID, p.TPUDHI, p.MsgFmt = c.u8(), c.u8(), Format(c.u8())
	p.MsgSrc, p.FeeType, p.FeeCode = c.str(6), c.str(2), c.str(6)
	p.ValidTime, p.AtTime, p.SrcID = c.str(17), c.str(17), c.str(21)
	if err := p.decodeNumbers(&c, v); err != nil {
		return err
	}
	p.MsgContent = c.content(c.u8())
	p.LinkID = c.rest(v.link())
	return c.err()
}

func (p *Submit) decodeNumbers(c *cursor, v Version) error {
	n := int(c.u8())
	field := cursor{b: c.take(n * v.number())}
	if c.short {
		return ErrShort
	}
	if n < 1 || n > MaxNumbers {
		return fmt.Errorf("%w: DestUsr_tl %d", ErrField, n)
	}
	p.DestTerminalID = make([]string, n)
	for i := range p.DestTerminalID {
		p.DestTerminalID[i] = field.str(v.number())
	}
	if v.Wide() {
		p.DestTerminalType = c.u8()
	}
	return nil
}

// SubmitResp answers a Submit (CMPP_SUBMIT_RESP): 12 bytes in 3.0, 9 in 2.x.
// With several receivers MsgID stands for the first; see MsgID.Plus.
type SubmitResp struct {
	MsgID  MsgID
	Result Result
}

// Command is CmdSubmitResp.
func (*SubmitResp) Command() Command { return CmdSubmitResp }

// AppendBody implements PDU.
func (p *SubmitResp) AppendBody(b []byte, v Version) ([]byte, error) {
	return appendOutcome(b, p.MsgID, p.Result, v)
}

// Decode implements PDU. The body's length, not v, decides the layout.
func (p *SubmitResp) Decode(body []byte, _ Version) (err error) {
	p.MsgID, p.Result, err = decodeOutcome(body)
	return err
}

func appendOutcome(b []byte, id MsgID, r Result, v Version) ([]byte, error) {
	w := build(b)
	w.id(id)
	w.result("Result", uint32(r), v.Wide())
	return w.done()
}

func decodeOutcome(body []byte) (MsgID, Result, error) {
	c := cursor{b: body}
	id := c.id()
	r := Result(c.result(len(body) >= 12))
	return id, r, c.err()
}
