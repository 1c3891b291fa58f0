package sip

import (
	"strings"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

// originOf is who calls whom, as far as the trunk can be believed: its
// P-Asserted-Identity (RFC 3325) before From, nobody where privacy is asked for.
func (s *Server) originOf(req *wire.Request, t *trunk) cti.Origin {
	from := cti.Number{Raw: userOf(&req.From().Address), Name: shown(unquote(req.From().DisplayName))}
	if id, ok := asserted(req); ok {
		from = id
	}
	if withheld(req) || strings.EqualFold(from.Raw, "anonymous") {
		from = cti.Number{Raw: "anonymous"}
	}
	did := userOf(&req.Recipient)
	return cti.Origin{
		Direction: cti.In, Device: cti.Device("trunk:" + t.Name + "/" + from.Raw),
		From: from, To: cti.Number{Raw: did}, DID: did, Line: t.Name,
	}
}

func asserted(req *wire.Request) (cti.Number, bool) {
	h := req.GetHeader("p-asserted-identity")
	if h == nil {
		return cti.Number{}, false
	}
	var uri wire.Uri
	var params wire.HeaderParams
	first := firstAddress(h.Value())
	name, err := wire.ParseAddressValue(first, &uri, &params)
	if err != nil || userOf(&uri) == "" {
		return cti.Number{}, false
	}
	return cti.Number{Raw: userOf(&uri), Name: shown(unquote(name))}, true
}

// firstAddress cuts a list of addresses at its first comma outside of quotes
// and brackets.
func firstAddress(list string) string {
	quoted, inside := false, false
	for i, r := range list {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '<' && !quoted:
			inside = true
		case r == '>' && !quoted:
			inside = false
		case r == ',' && !quoted && !inside:
			return list[:i]
		}
	}
	return list
}

// withheld says whether the caller asked for privacy (RFC 3323 §4.2).
func withheld(req *wire.Request) bool {
	h := req.GetHeader("privacy")
	if h == nil {
		return false
	}
	for p := range strings.SplitSeq(h.Value(), ";") {
		switch strings.ToLower(strings.TrimSpace(p)) {
		case "id", "user", "header":
			return true
		}
	}
	return false
}
