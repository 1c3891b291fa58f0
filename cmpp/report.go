package cmpp

import "time"

// The sizes in bytes of a report's body in the two layouts.
const (
	reportWide   = 71
	reportNarrow = 60
)

// Report is the content of a Deliver whose RegisteredDelivery is 1: what
// became of one segment to one number.
type Report struct {
	MsgID          MsgID  // that of the SUBMIT_RESP
	Stat           Stat   // 7 bytes
	SubmitTime     string // YYMMDDHHMM
	DoneTime       string // YYMMDDHHMM
	DestTerminalID string // 32 bytes, 21 in the short layout
	SMSCSequence   uint32
}

// Append puts the body behind b: 71 bytes for 3.0, 60 for 2.x.
func (r *Report) Append(b []byte, v Version) ([]byte, error) {
	w := build(b)
	w.id(r.MsgID)
	w.str("Stat", string(r.Stat), 7)
	w.str("Submit_time", r.SubmitTime, 10)
	w.str("Done_time", r.DoneTime, 10)
	w.str("Dest_terminal_Id", r.DestTerminalID, v.number())
	w.u32(r.SMSCSequence)
	return w.done()
}

// Decode reads a body. Its length alone chooses the layout, since 3.0 gateways
// send the 60-byte one too: anything below 71 bytes is read as that.
func (r *Report) Decode(content []byte) error {
	if len(content) < reportNarrow {
		return ErrShort
	}
	v := V20
	if len(content) >= reportWide {
		v = V30
	}
	c := cursor{b: content}
	r.MsgID = c.id()
	r.Stat = Stat(c.str(7))
	r.SubmitTime, r.DoneTime = c.str(10), c.str(10)
	r.DestTerminalID = c.str(v.number())
	r.SMSCSequence = c.u32()
	return c.err()
}

// reportTime is the form of Submit_time and Done_time.
const reportTime = "0601021504"

// ReportTime gives t as a report states it.
func ReportTime(t time.Time) string { return t.Format(reportTime) }

// Done gives Done_time in the gateway's zone, false when it is no time.
func (r *Report) Done(zone *time.Location) (time.Time, bool) {
	t, err := time.ParseInLocation(reportTime, r.DoneTime, zone)
	return t, err == nil
}

// Stat is a report's seven characters, as they came. Besides the named ones
// there are MA:xxxx and the like, and resellers add their own.
type Stat string

// The values that the protocol names.
const (
	StatDelivered     Stat = "DELIVRD"
	StatExpired       Stat = "EXPIRED"
	StatDeleted       Stat = "DELETED"
	StatUndeliverable Stat = "UNDELIV"
	StatAccepted      Stat = "ACCEPTD"
	StatUnknown       Stat = "UNKNOWN"
	StatRejected      Stat = "REJECTD"
)

// Final tells whether nothing else follows: anything but ACCEPTD and nothing.
func (s Stat) Final() bool { return s != StatAccepted && s != "" }

// Delivered tells whether the text is on the handset.
func (s Stat) Delivered() bool { return s == StatDelivered }
