package sip

import (
	"slices"
	"strings"

	"callbox/cti"
	"callbox/internal/number"

	wire "github.com/emiago/sipgo/sip"
)

// Values of identity.
const (
	identityFrom = "from"
	identityPAI  = "pai"
	identityBoth = "both"
)

// anonymous is how a caller is called who does not want to be known.
const anonymous = "anonymous"

// presented is what the far side is told of who calls.
type presented struct {
	name, user, host string // of From
	asserted         string // number of P-Asserted-Identity, "" for none
	private          bool
}

// presents says how as is shown through the trunk, whose own host is host. A
// nil trunk is a phone of ours, which is shown everything.
func (t *trunk) presents(as cti.Number, host string) presented {
	given := as.Raw
	if given == "" {
		given = as.E164
	}
	p := presented{name: quotable(as.Name), user: given, host: host, private: given == anonymous}
	if t == nil {
		p.private = false
		if given == "" {
			p.user = anonymous
		}
		return p
	}
	if t.Register {
		p.host = t.domain()
	}
	if given == "" || p.private || !t.mayShow(as) {
		p.user = t.CallerID
	}
	return t.place(p)
}

// place puts the number where the trunk wants it (RFC 3325 §9.1): a caller who
// is not to be known is asserted to the carrier only.
func (t *trunk) place(p presented) presented {
	if t.Identity == identityPAI || t.Identity == identityBoth {
		p.asserted = p.user
	}
	switch {
	case p.private:
		p.name, p.user, p.host = "Anonymous", anonymous, "anonymous.invalid"
	case t.Identity == identityPAI && t.Username != "":
		p.user = t.Username
	case p.user == "":
		p.user = anonymous
	}
	return p
}

// mayShow says whether as is among the numbers that the carrier lets us show.
// Without caller_ids it is not asked.
func (t *trunk) mayShow(as cti.Number) bool {
	if len(t.CallerIDs) == 0 {
		return true
	}
	forms := slices.Concat(writings(as.Raw), writings(as.E164))
	for _, rule := range append([]string{t.CallerID}, t.CallerIDs...) {
		if rule != "" && slices.ContainsFunc(forms, func(n string) bool { return inBlock(rule, n) }) {
			return true
		}
	}
	return false
}

// inBlock says whether n is rule, or begins as rule does that ends in *.
func inBlock(rule, n string) bool {
	if block, ok := strings.CutSuffix(rule, "*"); ok {
		return strings.HasPrefix(n, block)
	}
	return rule == n
}

// writings are the ways to write n: as it is, and an E.164 number also without
// its + and as it is dialled in China.
func writings(n string) []string {
	switch {
	case n == "":
		return nil
	case strings.HasPrefix(n, "+"):
		return []string{n, n[1:], number.National(n)}
	}
	return []string{n}
}

func (p presented) from() wire.FromHeader {
	return wire.FromHeader{
		DisplayName: p.name,
		Address:     wire.Uri{Scheme: "sip", User: userPart(shown(p.user)), Host: p.host},
		Params:      wire.HeaderParams{{K: "tag", V: wire.GenerateTagN(20)}},
	}
}

// dress puts the headers of the identity on an INVITE (RFC 3325 §9, RFC 3323).
func (p presented) dress(req *wire.Request) {
	if p.asserted != "" {
		uri := wire.Uri{Scheme: "sip", User: userPart(shown(p.asserted)), Host: assertedHost(p, req)}
		req.AppendHeader(wire.NewHeader("P-Asserted-Identity", "<"+uri.String()+">"))
	}
	if p.private {
		req.AppendHeader(wire.NewHeader("Privacy", "id"))
	}
}

// assertedHost is the domain of an asserted number: the trunk's where From has
// none to give.
func assertedHost(p presented, req *wire.Request) string {
	if p.private {
		return req.Recipient.Host
	}
	return p.host
}

// dials is how the trunk wants a number dialled. A number without + is left as
// it is, but for the prefix.
func (t *trunk) dials(n string) string {
	if strings.HasPrefix(n, "+") {
		switch t.NumberFormat {
		case formatNational:
			n = number.National(n)
		case formatPlain:
			n = n[1:]
		}
	}
	return t.Prefix + n
}

// Values of number_format.
const (
	formatE164     = "e164"
	formatNational = "national"
	formatPlain    = "plain"
)

// Serves says whether calls to number to may go out by the trunk called name,
// by its numbers alone.
func (c Config) Serves(name string, to cti.Number) bool {
	for _, t := range c.Trunks {
		if t.Name == name {
			return t.serves(to)
		}
	}
	return false
}

func (t Trunk) serves(to cti.Number) bool {
	if len(t.Numbers) == 0 {
		return true
	}
	forms := slices.Concat(writings(to.E164), []string{to.Raw})
	return slices.ContainsFunc(t.Numbers, func(prefix string) bool {
		prefix = strings.TrimSuffix(prefix, "*")
		return slices.ContainsFunc(forms, func(n string) bool { return n != "" && strings.HasPrefix(n, prefix) })
	})
}
