package cmpp

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"time"
)

// Connect asks for a log-in (CMPP_CONNECT, 27 bytes in every version).
type Connect struct {
	SourceAddr string   // SP_Id, at most 6 bytes
	Auth       [16]byte // see Authenticator
	Version    Version  // highest version the sender speaks
	Timestamp  uint32   // MMDDHHMMSS as a decimal number, see Timestamp
}

// Command is CmdConnect.
func (*Connect) Command() Command { return CmdConnect }

// AppendBody implements PDU.
func (p *Connect) AppendBody(b []byte, _ Version) ([]byte, error) {
	w := build(b)
	w.str("Source_Addr", p.SourceAddr, 6)
	w.u8(p.Auth[:]...)
	w.u8(uint8(p.Version))
	w.u32(p.Timestamp)
	return w.done()
}

// Decode implements PDU.
func (p *Connect) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.SourceAddr = c.str(6)
	copy(p.Auth[:], c.take(16))
	p.Version = Version(c.u8())
	p.Timestamp = c.u32()
	return c.err()
}

// ConnectResp answers a Connect (CMPP_CONNECT_RESP): 21 bytes in 3.0, 18 in
// 2.x, where Status has 1 byte.
type ConnectResp struct {
	Status  ConnectStatus
	Auth    [16]byte // see ISMGAuthenticator; zero when the log-in failed
	Version Version  // highest version the gateway speaks
	Narrow  bool     // decoding only: the answer came in the layout of 2.x
}

// Command is CmdConnectResp.
func (*ConnectResp) Command() Command { return CmdConnectResp }

// AppendBody implements PDU.
func (p *ConnectResp) AppendBody(b []byte, v Version) ([]byte, error) {
	w := build(b)
	w.result("Status", uint32(p.Status), v.Wide())
	w.u8(p.Auth[:]...)
	w.u8(uint8(p.Version))
	return w.done()
}

// Decode implements PDU. The body's length, not v, decides the layout: a
// gateway that speaks only 2.0 answers a 3.0 log-in in its own layout.
func (p *ConnectResp) Decode(body []byte, _ Version) error {
	c := cursor{b: body}
	p.Narrow = len(body) < 21
	p.Status = ConnectStatus(c.result(!p.Narrow))
	copy(p.Auth[:], c.take(16))
	p.Version = Version(c.u8())
	return c.err()
}

// ConnectStatus is the outcome of a log-in.
type ConnectStatus uint32

// The outcomes that the protocol names; 5 and above are the gateway's own.
const (
	ConnectOK         ConnectStatus = 0
	ConnectStructure  ConnectStatus = 1
	ConnectSource     ConnectStatus = 2
	ConnectAuth       ConnectStatus = 3
	ConnectTooHigh    ConnectStatus = 4
	ConnectOtherFault ConnectStatus = 5
)

var connectTexts = map[ConnectStatus]string{
	ConnectOK: "ok", ConnectStructure: "wrong message structure", ConnectSource: "illegal source address",
	ConnectAuth: "authentication failed", ConnectTooHigh: "version too high", ConnectOtherFault: "other fault",
}

// String gives number and meaning.
func (s ConnectStatus) String() string {
	if t, ok := connectTexts[s]; ok {
		return fmt.Sprintf("%d (%s)", uint32(s), t)
	}
	return fmt.Sprintf("%d", uint32(s))
}

// Timestamp gives t as CONNECT wants it: MMDDHHMMSS as a decimal number, in
// t's own zone.
func Timestamp(t time.Time) uint32 {
	n := int(t.Month())
	for _, part := range []int{t.Day(), t.Hour(), t.Minute(), t.Second()} {
		n = n*100 + part
	}
	return uint32(n)
}

// Authenticator is AuthenticatorSource: MD5 of Source_Addr, nine zero bytes,
// the shared secret and the timestamp as ten digits. An SP_Id shorter than its
// 6-byte field is padded with zeros in the digest, unless unpadded is set, as
// some gateways expect.
func Authenticator(spID, secret string, timestamp uint32, unpadded bool) [16]byte {
	in := make([]byte, 0, 64)
	in = append(in, spID...)
	if !unpadded && len(spID) < 6 {
		in = append(in, zeros[:6-len(spID)]...)
	}
	in = append(in, zeros[:9]...)
	in = append(in, secret...)
	in = fmt.Appendf(in, "%010d", timestamp)
	return md5.Sum(in) //nolint:gosec // the protocol's choice
}

// ISMGAuthenticator is AuthenticatorISMG: MD5 of Status (4 bytes, 1 in 2.x),
// the AuthenticatorSource of the CONNECT and the shared secret.
func ISMGAuthenticator(status ConnectStatus, source [16]byte, secret string, v Version) [16]byte {
	in := make([]byte, 0, 64)
	if v.Wide() {
		in = binary.BigEndian.AppendUint32(in, uint32(status))
	} else {
		in = append(in, uint8(status))
	}
	in = append(in, source[:]...)
	return md5.Sum(append(in, secret...)) //nolint:gosec // the protocol's choice
}
