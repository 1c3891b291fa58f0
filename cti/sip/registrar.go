package sip

import (
	"context"
	"crypto/subtle"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Times a binding may live, in seconds.
const (
	minExpires     = 60
	defaultExpires = 3600
	maxExpires     = 3600
)

const accountLimit = 2 * time.Second

// registrar lets phones register (RFC 3261 §10.3). A REGISTER without a valid
// nonce is challenged at the gate and leaves nothing behind; so only addresses
// that really receive what we send get any further.
type registrar struct {
	s      *Server
	nonces *nonces
}

// admit lets a REGISTER in that answers a challenge of ours.
func (r *registrar) admit(p packet, req *wire.Request, now time.Time) bool {
	creds, ok := credentialsOf(req)
	a := p.from.Addr()
	if ok && r.nonces.good(creds.Nonce, a, now) {
		return true
	}
	r.s.answer(p, req, 401, "Unauthorized", r.challenges(req, a, now, ok)...)
	return false
}

// credentialsOf is what a request brings for our realm.
func credentialsOf(req *wire.Request) (*digest.Credentials, bool) {
	for _, h := range req.GetHeaders("authorization") {
		c, err := digest.ParseCredentials(h.Value())
		if err == nil && c.Realm == Realm {
			return c, true
		}
	}
	return nil, false
}

func (r *registrar) challenges(req *wire.Request, a netip.Addr, now time.Time, stale bool) []wire.Header {
	nonce := r.nonces.issue(a, now)
	var headers []wire.Header
	for _, algorithm := range understood(req) {
		headers = append(headers, wire.NewHeader("WWW-Authenticate", challenge(algorithm, nonce, stale)))
	}
	return headers
}

// onRegister serves a REGISTER with a nonce of ours.
func (s *Server) onRegister(req *wire.Request, tx *wire.ServerTx) {
	from, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		s.respond(tx, response(req, 400, "Bad Request", s.stableTag(req)))
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	code, reason, headers := s.registrar.serve(req, from, time.Now())
	s.respond(tx, response(req, code, reason, s.stableTag(req), headers...))
}

func (r *registrar) serve(req *wire.Request, from netip.AddrPort, now time.Time) (int, string, []wire.Header) {
	creds, ok := credentialsOf(req)
	if !ok || !r.proves(creds, now) {
		r.failed(from, now)
		return 401, "Unauthorized", r.challenges(req, from.Addr(), now, false)
	}
	if !r.nonces.use(creds.Nonce, creds.Nc, now) {
		return 401, "Unauthorized", r.challenges(req, from.Addr(), now, true)
	}
	if userOf(&req.To().Address) != creds.Username {
		return 403, "Forbidden", nil
	}
	return r.register(req, creds.Username, from, now)
}

// proves checks the digest. An unknown user costs the same as a wrong word.
func (r *registrar) proves(c *digest.Credentials, _ time.Time) bool {
	ctx, cancel := context.WithTimeout(context.Background(), accountLimit)
	defer cancel()
	nobody := strings.Repeat("0", 64)
	md5, sha, known := r.s.deps.Accounts.HA1(ctx, c.Username)
	if !known {
		md5, sha = nobody[:32], nobody
	}
	want := expected(c, "REGISTER", md5, sha)
	same := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) == 1
	return known && same && want != "" && c.Username != ""
}

func (r *registrar) failed(from netip.AddrPort, now time.Time) {
	s := r.s
	s.count.authFailed.Add(1)
	if s.trunks.mayCall(from.Addr()) {
		return
	}
	if s.shield.wrong(from.Addr(), now) {
		s.log.Warn("address banned after wrong passwords", "from", from.Addr(), "for", banTime)
	}
}

// register does what the contacts of req ask for.
func (r *registrar) register(req *wire.Request, user string, from netip.AddrPort, now time.Time) (int, string, []wire.Header) {
	b := r.s.bindings
	contacts := contactsOf(req)
	for _, old := range b.of(user, now) {
		if old.CallID == callIDOf(req) && req.CSeq().SeqNo <= old.CSeq && len(contacts) > 0 {
			return 500, "Out Of Order", nil
		}
	}
	if len(contacts) == 1 && contacts[0].Address.Wildcard {
		if expiresOf(req, nil) != 0 {
			return 400, "Bad Request: * needs Expires 0", nil
		}
		b.remove(user, func(Binding) bool { return true })
		return 200, "OK", nil
	}
	if f := checkContacts(req, contacts); f != nil {
		return f.code, f.reason, f.headers
	}
	for _, c := range contacts {
		r.bind(req, c, user, from, now)
	}
	return 200, "OK", r.listed(user, now)
}

func contactsOf(req *wire.Request) []*wire.ContactHeader {
	var all []*wire.ContactHeader
	for _, h := range req.GetHeaders("contact") {
		if c, ok := h.(*wire.ContactHeader); ok {
			all = append(all, c)
		}
	}
	return all
}

func checkContacts(req *wire.Request, contacts []*wire.ContactHeader) *fault {
	for _, c := range contacts {
		if c.Address.Scheme != "sip" || c.Address.Wildcard || !plain(c.Address.String()) {
			return bad("contact")
		}
		if e := expiresOf(req, c); e > 0 && e < minExpires {
			return &fault{code: 423, reason: "Interval Too Brief", headers: []wire.Header{
				wire.NewHeader("Min-Expires", strconv.Itoa(minExpires)),
			}}
		}
	}
	return nil
}

// expiresOf is how many seconds a contact shall live: its own parameter, then
// the header, then an hour; never more.
func expiresOf(req *wire.Request, c *wire.ContactHeader) int {
	text := ""
	if c != nil {
		text, _ = c.Params.Get("expires")
	}
	if h := req.GetHeader("expires"); h != nil && text == "" {
		text = h.Value()
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return defaultExpires
	}
	return int(min(n, maxExpires))
}

func (r *registrar) bind(req *wire.Request, c *wire.ContactHeader, user string, from netip.AddrPort, now time.Time) {
	contact := c.Address.String()
	seconds := expiresOf(req, c)
	if seconds == 0 {
		r.s.bindings.remove(user, func(b Binding) bool { return b.Contact == contact })
		return
	}
	agent := ""
	if h := req.GetHeader("user-agent"); h != nil {
		agent = shown(h.Value())
	}
	r.s.bindings.put(Binding{
		User: user, Contact: contact, Source: from.String(), Transport: req.Transport(),
		Expires: now.Add(time.Duration(seconds) * time.Second),
		CallID:  callIDOf(req), CSeq: req.CSeq().SeqNo, UserAgent: agent,
	}, now)
}

// listed are the Contact headers of a 200.
func (r *registrar) listed(user string, now time.Time) []wire.Header {
	live := r.s.bindings.of(user, now)
	slices.SortFunc(live, func(a, b Binding) int { return strings.Compare(a.Contact, b.Contact) })
	var headers []wire.Header
	for _, b := range live {
		left := int(b.Expires.Sub(now).Round(time.Second) / time.Second)
		headers = append(headers, wire.NewHeader("Contact", "<"+b.Contact+">;expires="+strconv.Itoa(left)))
	}
	return headers
}

// Reachable says whether extension has a phone that can be rung.
func (s *Server) Reachable(extension string) bool {
	return len(s.bindings.of(extension, time.Now())) > 0
}

// Changes names the extensions that got or lost their phones, for one reader;
// [Server.Reachable] says which it was.
func (s *Server) Changes() <-chan string { return s.changes.out }
