package cmpp

import "time"

// QueryType says what a Query asks for.
type QueryType uint8

// The types of a Query.
const (
	QueryTotal   QueryType = 0 // all texts of the day
	QueryService QueryType = 1 // those of one service
)

// Query asks for a day's counts (CMPP_QUERY, 27 bytes in every version).
type Query struct {
	Time    string    // the day, YYYYMMDD, see QueryDay
	Type    QueryType // what is counted
	Code    string    // Service_Id for QueryService, 10 bytes
	Reserve string    // 8 bytes
}

// QueryDay gives t's day, in t's own zone, as a Query names it.
func QueryDay(t time.Time) string { return t.Format("20060102") }

// Command is CmdQuery.
func (*Query) Command() Command { return CmdQuery }

// AppendBody implements PDU.
func (p *Query) AppendBody(b []byte, _ Version) ([]byte, error) {
	w := build(b)
	w.str("Time", p.Time, 8)
	w.u8(uint8(p.Type))
	w.str("Query_Code", p.Code, 10)
	w.str("Reserve", p.Reserve, 8)
	return w.done()
}

// Decode implements PDU. Reserve may be cut short.
func (p *Query) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.Time = c.str(8)
	p.Type = QueryType(c.u8())
	p.Code = c.str(10)
	p.Reserve = c.rest(8)
	return c.err()
}

// QueryResp answers a Query (CMPP_QUERY_RESP, 51 bytes in every version).
// MT counts texts to phones, MO texts from phones.
type QueryResp struct {
	Time        string
	Type        QueryType
	Code        string
	MTMessages  uint32 // MT_TLMsg: received from the service provider
	MTUsers     uint32 // MT_Tlusr: receivers of these
	MTForwarded uint32 // MT_Scs
	MTWaiting   uint32 // MT_WT
	MTFailed    uint32 // MT_FL
	MODelivered uint32 // MO_Scs
	MOWaiting   uint32 // MO_WT
	MOFailed    uint32 // MO_FL
}

// Command is CmdQueryResp.
func (*QueryResp) Command() Command { return CmdQueryResp }

// AppendBody implements PDU.
func (p *QueryResp) AppendBody(b []byte, _ Version) ([]byte, error) {
	w := build(b)
	w.str("Time", p.Time, 8)
	w.u8(uint8(p.Type))
	w.str("Query_Code", p.Code, 10)
	for _, n := range p.counts() {
		w.u32(*n)
	}
	return w.done()
}

// Decode implements PDU.
func (p *QueryResp) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.Time = c.str(8)
	p.Type = QueryType(c.u8())
	p.Code = c.str(10)
	for _, n := range p.counts() {
		*n = c.u32()
	}
	return c.err()
}

// counts gives the counts in their order on the wire.
func (p *QueryResp) counts() [8]*uint32 {
	return [...]*uint32{
		&p.MTMessages, &p.MTUsers, &p.MTForwarded, &p.MTWaiting, &p.MTFailed, &p.MODelivered, &p.MOWaiting, &p.MOFailed,
	}
}
