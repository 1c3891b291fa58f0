package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/netip"
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

func allow() wire.Header {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return wire.NewHeader("Allow", strings.Join(names, ", "))
}

// abilities are what OPTIONS and 2xx to INVITE say of us.
func abilities() []wire.Header {
	return []wire.Header{allow(), wire.NewHeader("Accept", "application/sdp"), wire.NewHeader("Supported", "timer, 100rel, norefersub")}
}

// response builds an answer to req with our tag in To.
func response(req *wire.Request, code int, reason, tag string, headers ...wire.Header) *wire.Response {
	res := wire.NewResponseFromRequest(req, code, reason, nil)
	res.SipVersion = "SIP/2.0"
	noteSource(res, req.Source())
	if to := res.To(); to != nil && code != 100 && tagOf(req.To()) == "" {
		to.Params.Add("tag", tag)
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// answer replies without a transaction; the tag is the same for a repeated
// request.
func (s *Server) answer(p packet, req *wire.Request, code int, reason string, headers ...wire.Header) {
	s.reply(p, req, code, reason, s.stableTag(req), headers...)
}

func (s *Server) reply(p packet, req *wire.Request, code int, reason, tag string, headers ...wire.Header) {
	if req.Method == wire.ACK {
		return
	}
	res := response(req, code, reason, tag, headers...)
	if !safe(res) {
		return
	}
	p.reply([]byte(res.String()), answerTo(p, req))
}

// answerTo is where a response goes: the source, and the port of Via unless the
// client asked for its own (RFC 3261 §18.2.2, RFC 3581).
func answerTo(p packet, req *wire.Request) netip.AddrPort {
	via := req.Via()
	if via == nil || p.transport != "UDP" || via.Params.Has("rport") {
		return p.from
	}
	port := via.Port
	if port <= 0 || port > 65535 {
		port = wire.DefaultUdpPort
	}
	return netip.AddrPortFrom(p.from.Addr(), uint16(port))
}

// stableTag is a To tag made of the request, so that nothing need be kept.
func (s *Server) stableTag(req *wire.Request) string {
	mac := hmac.New(sha256.New, s.secret)
	for _, text := range []string{callIDOf(req), tagOf(req.From()), branchOf(req)} {
		_, _ = io.WriteString(mac, text+"\x00")
	}
	return hex.EncodeToString(mac.Sum(nil)[:12])
}

// tagged is a From or To header.
type tagged interface {
	*wire.FromHeader | *wire.ToHeader
}

// tagOf is the tag parameter of a From or To header, "" for none.
func tagOf[H tagged](h H) string {
	var params wire.HeaderParams
	switch v := any(h).(type) {
	case *wire.FromHeader:
		if v == nil {
			return ""
		}
		params = v.Params
	case *wire.ToHeader:
		if v == nil {
			return ""
		}
		params = v.Params
	}
	return params.GetOr("tag", "")
}

func callIDOf(m wire.Message) string {
	if h := m.CallID(); h != nil {
		return h.Value()
	}
	return ""
}

func branchOf(m wire.Message) string {
	if v := m.Via(); v != nil {
		return v.Params.GetOr("branch", "")
	}
	return ""
}
