package sip

import (
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

// md5Only are phones, by the beginning of their User-Agent, that give up when
// any of several challenges is not MD5, instead of taking the one they know
// (RFC 8760 §2.4). baresip's library does so up to 1.x.
var md5Only = []string{"baresip v0.", "baresip v1."}

// understood are the digest algorithms that the sender of req is offered.
func understood(req *wire.Request) []string {
	agent := ""
	if h := req.GetHeader("User-Agent"); h != nil {
		agent = strings.ToLower(h.Value())
	}
	for _, name := range md5Only {
		if strings.HasPrefix(agent, name) {
			return algorithms[:1]
		}
	}
	return algorithms
}
