package sip

import (
	"strconv"
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

// sessionTimer lets a peer that wants a session timer refresh it by itself
// (RFC 4028 §9): we answer its re-INVITEs and UPDATEs.
func sessionTimer(req *wire.Request) []wire.Header {
	h := req.GetHeader("session-expires")
	if h == nil {
		h = req.GetHeader("x")
	}
	if h == nil || !offers(req, "timer") {
		return nil
	}
	interval, _, _ := strings.Cut(h.Value(), ";")
	seconds, err := strconv.ParseUint(strings.TrimSpace(interval), 10, 31)
	if err != nil || seconds == 0 || strings.Contains(h.Value(), "refresher=uas") {
		return nil
	}
	return []wire.Header{
		wire.NewHeader("Session-Expires", strconv.FormatUint(seconds, 10)+";refresher=uac"),
		wire.NewHeader("Require", "timer"),
	}
}
