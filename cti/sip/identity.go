package sip

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"callbox/cti"
	"callbox/internal/number"

	wire "github.com/emiago/sipgo/sip"
)

// originOf is who calls whom, as far as the trunk can be believed: its
// P-Asserted-Identity (RFC 3325) before Remote-Party-ID before From, nobody
// where privacy is asked for, and who forwarded the call.
func (s *Server) originOf(req *wire.Request, t *trunk) cti.Origin {
	from, sure := callerOf(req)
	did := t.called(req)
	o := cti.Origin{
		Direction: cti.In, Device: cti.Device("trunk:" + t.Name + "/" + from.Raw),
		From: from, To: cti.Number{Raw: did}, DID: did, Line: t.Name, Data: map[string]any{},
	}
	if sure {
		o.Data["asserted"] = true
	}
	for i, d := range diversionsOf(req) {
		o.Diverted = append(o.Diverted, d.by)
		if i == 0 {
			o.Data["diverted_from"], o.Data["diverted_reason"] = d.by.Raw, d.reason
		}
	}
	return o
}

// called is the number that was dialled: the Request-URI's user, or, where that
// is only what we registered as, who the call was meant for (RFC 7315 §4.2),
// else To.
func (t *trunk) called(req *wire.Request) string {
	did := numberIn(&req.Recipient)
	if !t.Register || did != t.Username {
		return did
	}
	if h := req.GetHeader("p-called-party-id"); h != nil {
		if p, ok := readParty(h.Value()); ok && number.Clean(p.raw) != "" {
			return p.raw
		}
	}
	if to := numberIn(&req.To().Address); number.Clean(to) != "" {
		return to
	}
	return did
}

// callerOf is the caller's number; sure says that the carrier vouches for it. A
// name that it does not vouch for is not put beside such a number.
func callerOf(req *wire.Request) (n cti.Number, sure bool) {
	from := someone{raw: numberIn(&req.From().Address), name: displayed(req.From().DisplayName), host: req.From().Address.Host}
	id, sure := asserted(req)
	if !sure {
		remote, ok := remoteParty(req)
		if !ok {
			remote = from
		}
		id = remote
	}
	if withheld(req) || id.isNobody() {
		return cti.Number{Raw: anonymous}, false
	}
	return cti.Number{Raw: id.raw, Name: id.shownName()}, sure
}

// someone is who a header names.
type someone struct {
	raw, name, host string
	params          wire.HeaderParams
	headers         wire.HeaderParams // of the URI
}

// readParty reads one name-addr, as a sip, sips or tel URI.
func readParty(text string) (someone, bool) {
	var uri wire.Uri
	var params wire.HeaderParams
	name, err := wire.ParseAddressValue(strings.TrimSpace(text), &uri, &params)
	if err != nil {
		return someone{}, false
	}
	return someone{
		raw: numberIn(&uri), name: displayed(name), host: uri.Host, params: params, headers: uri.Headers,
	}, true
}

// partiesIn are all of the headers called name that can be read, in order.
func partiesIn(req *wire.Request, name string) []someone {
	var all []someone
	for _, h := range req.GetHeaders(name) {
		for text := range addresses(h.Value()) {
			if p, ok := readParty(text); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// nobodies are the users that gateways put for a number that is not told, and
// the names with them; hidden are the ones that mean it so, whatever number
// stands beside.
var (
	nobodies = map[string]bool{
		"": true, "anonymous": true, "unavailable": true, "restricted": true, "withheld": true, "private": true, "unknown": true,
		"invalid": true, "unknown number": true, "id unavailable": true, "no number": true,
	}
	hidden = map[string]bool{
		"anonymous": true, "restricted": true, "withheld": true, "private": true,
		"number withheld": true, "withheld number": true, "private number": true,
	}
)

func (p someone) isNobody() bool {
	return nobodies[strings.ToLower(p.raw)] || hidden[strings.ToLower(p.name)] ||
		strings.HasSuffix(strings.ToLower(p.host), "anonymous.invalid")
}

// shownName is the name, unless it only says that there is none.
func (p someone) shownName() string {
	if name := strings.ToLower(p.name); nobodies[name] || hidden[name] {
		return ""
	}
	return p.name
}

func displayed(name string) string { return shown(unquote(strings.Trim(strings.TrimSpace(name), `"`))) }

// asserted is who the carrier says calls: of the two values there may be the
// one with a number (RFC 3325 §9.1).
func asserted(req *wire.Request) (someone, bool) {
	all := partiesIn(req, "p-asserted-identity")
	i := slices.IndexFunc(all, func(p someone) bool { return number.Clean(p.raw) != "" })
	if i < 0 {
		i = slices.IndexFunc(all, func(p someone) bool { return p.raw != "" })
	}
	if i < 0 {
		return someone{}, false
	}
	found := all[i]
	for _, p := range all {
		found.name = cmp.Or(found.name, p.name)
	}
	return found, true
}

// remoteParty is the caller of Remote-Party-ID, which never became an RFC and
// which older softswitches send.
func remoteParty(req *wire.Request) (someone, bool) {
	for _, p := range partiesIn(req, "remote-party-id") {
		if kind := param(p.params, "party"); kind != "" && !strings.EqualFold(kind, "calling") {
			continue
		}
		switch strings.ToLower(param(p.params, "privacy")) {
		case "full", "uri":
			return someone{raw: anonymous}, true
		case "name":
			p.name = ""
		}
		if p.raw != "" {
			return p, true
		}
	}
	return someone{}, false
}

// param is a parameter's value, its name in any case, without quotes.
func param(list wire.HeaderParams, name string) string {
	for _, p := range list {
		if strings.EqualFold(strings.TrimSpace(p.K), name) {
			return strings.Trim(strings.TrimSpace(p.V), `"`)
		}
	}
	return ""
}

// withheld says whether the caller asked for privacy (RFC 3323 §4.2).
func withheld(req *wire.Request) bool {
	for _, h := range req.GetHeaders("privacy") {
		for p := range strings.FieldsFuncSeq(h.Value(), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			switch strings.ToLower(p) {
			case "id", "user", "header":
				return true
			}
		}
	}
	return false
}

// numberIn is the user of a URI as received, without parameters. A local number
// of a tel URI, or of a SIP URI made of one, gets the prefix that it is local to
// in front (RFC 3966 §5.1.5).
func numberIn(u *wire.Uri) string {
	text := u.User
	if u.Scheme == "tel" {
		text = u.Raw()
	}
	text, params, _ := strings.Cut(text, ";")
	user := shown(unescape(text))
	for p := range strings.SplitSeq(params, ";") {
		name, area, _ := strings.Cut(p, "=")
		if strings.EqualFold(name, "phone-context") && strings.HasPrefix(area, "+") && localNumber.MatchString(user) {
			return number.Clean(area) + number.Clean(user)
		}
	}
	return user
}

var localNumber = regexp.MustCompile(`^[0-9().-]+$`)

// diversion is one forwarding of a call.
type diversion struct {
	by     cti.Number
	reason string // as RFC 5806 has it: unconditional, user-busy, no-answer …
}

// diversionsOf are the forwardings on a call's way to us, the last one first.
func diversionsOf(req *wire.Request) []diversion {
	var all []diversion
	for _, p := range partiesIn(req, "diversion") {
		if p.raw == "" {
			continue
		}
		d := diversion{by: cti.Number{Raw: p.raw, Name: p.name}, reason: cmp.Or(strings.ToLower(shown(param(p.params, "reason"))), "unknown")}
		if privacy := strings.ToLower(param(p.params, "privacy")); privacy == "full" || privacy == "uri" {
			d.by = cti.Number{Raw: anonymous}
		}
		all = append(all, d)
	}
	if len(all) > 0 {
		return all
	}
	return historyOf(req)
}

// reasons are the causes of RFC 4458 §2.1 in RFC 5806's words (RFC 7544 §7).
var reasons = map[string]string{
	"302": "unconditional", "486": "user-busy", "408": "no-answer", "480": "deflection", "487": "deflection",
	"503": "unavailable", "404": "unknown",
}

var causeOfURI = regexp.MustCompile(`(?i)cause=([0-9]{3})`)

// entry is one target of History-Info (RFC 7044): where the call was sent, and
// why from there on, or why to here.
type entry struct {
	index []int
	someone
	left, came string // causes
	forwarded  bool   // came here because another one forwarded it
}

// historyOf reads the forwardings out of History-Info: an entry forwarded the
// call when the next one came of it by a cause or by mapping.
func historyOf(req *wire.Request) []diversion {
	list := entriesOf(req)
	var all []diversion
	for i := len(list) - 1; i > 0; i-- {
		from := list[i-1]
		if !list[i].forwarded || from.raw == "" {
			continue
		}
		d := diversion{by: cti.Number{Raw: from.raw, Name: from.name}, reason: reasons[cmp.Or(list[i].came, from.left)]}
		d.reason = cmp.Or(d.reason, "unknown")
		if strings.Contains(strings.ToLower(unescape(param(from.headers, "privacy"))), "history") {
			d.by = cti.Number{Raw: anonymous}
		}
		all = append(all, d)
	}
	return all
}

func entriesOf(req *wire.Request) []entry {
	var all []entry
	for _, h := range req.GetHeaders("history-info") {
		for text := range addresses(h.Value()) {
			if e, ok := readEntry(text); ok {
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return slices.Compare(a.index, b.index) })
	for i := range all[:max(0, len(all)-1)] {
		next := &all[i+1]
		next.forwarded = next.forwarded || next.came != "" || reasons[all[i].left] != ""
	}
	return all
}

func readEntry(text string) (entry, bool) {
	p, ok := readParty(text)
	if !ok {
		return entry{}, false
	}
	e := entry{someone: p, forwarded: param(p.params, "mp") != ""}
	for part := range strings.SplitSeq(param(p.params, "index"), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		e.index = append(e.index, n)
	}
	uri, headers, _ := strings.Cut(text, "?")
	if m := causeOfURI.FindStringSubmatch(uri); m != nil {
		e.came = m[1]
	}
	if m := causeOfURI.FindStringSubmatch(unescape(headers)); m != nil {
		e.left = m[1]
	}
	return e, true
}

// addresses are the members of a list that commas outside of quotes and
// brackets part.
func addresses(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for list != "" {
			first := firstAddress(list)
			if strings.TrimSpace(first) != "" && !yield(first) {
				return
			}
			list = strings.TrimPrefix(list[len(first):], ",")
		}
	}
}

// firstAddress cuts a list of addresses at its first comma outside of quotes
// and brackets.
func firstAddress(list string) string {
	quoted, inside, escaped := false, false, false
	for i, r := range list {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quoted:
			escaped = true
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
