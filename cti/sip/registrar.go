package sip

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
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

// registrar lets phones register (RFC 3261 §10.3) and says whose phone sends a
// request. A request without a valid nonce is challenged at the gate and leaves
// nothing behind; so only addresses that really receive what we send get any
// further.
type registrar struct {
	s      *Server
	nonces *nonces
}

// admit lets a request in that answers a challenge of ours.
func (r *registrar) admit(p packet, req *wire.Request, now time.Time) bool {
	if openQuestion(p.data) {
		r.s.answer(p, req, 400, "Bad Request: contact")
		return false
	}
	creds, brought := r.credentials(req, p.from.Addr(), now)
	if creds != nil {
		return true
	}
	f := r.challenge(req, p.from.Addr(), now, brought)
	r.s.answer(p, req, f.code, f.reason, f.headers...)
	return false
}

// openQuestion finds a Contact whose URI has headers and stands without
// brackets (RFC 3261 §20), which the library reads as if it had them.
func openQuestion(data []byte) bool {
	head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		name = bytes.TrimSpace(name)
		if !bytes.EqualFold(name, []byte("contact")) && !bytes.EqualFold(name, []byte("m")) {
			continue
		}
		if at := bytes.IndexAny(value, "?<\""); at >= 0 && value[at] == '?' {
			return true
		}
	}
	return false
}

// credentials are what a request brings for a living nonce of ours; brought
// says that it has some for our realm at least. A phone may repeat what it
// answered an older challenge with, in the other header.
func (r *registrar) credentials(req *wire.Request, a netip.Addr, now time.Time) (c *digest.Credentials, brought bool) {
	own := ownCredentials(req)
	for _, c := range own {
		if r.nonces.good(c.Nonce, a, now) {
			return c, true
		}
	}
	return nil, len(own) > 0
}

// ownCredentials are those that a request brings for our realm.
func ownCredentials(req *wire.Request) (own []*digest.Credentials) {
	for _, name := range []string{"authorization", "proxy-authorization"} {
		for _, h := range req.GetHeaders(name) {
			if c, err := digest.ParseCredentials(h.Value()); err == nil && c.Realm == Realm {
				own = append(own, c)
			}
		}
	}
	return own
}

// challenge asks for credentials (RFC 3261 §22): the registrar for its own
// sake, for calls and subscriptions as a proxy would, which is what phones
// expect on their way to somebody else.
func (r *registrar) challenge(req *wire.Request, a netip.Addr, now time.Time, stale bool) *fault {
	f, name := &fault{code: 407, reason: "Proxy Authentication Required"}, "Proxy-Authenticate"
	if req.Method == wire.REGISTER {
		f, name = &fault{code: 401, reason: "Unauthorized"}, "WWW-Authenticate"
	}
	nonce := r.nonces.issue(a, now)
	for _, algorithm := range understood(req) {
		f.headers = append(f.headers, wire.NewHeader(name, challenge(algorithm, nonce, stale)))
	}
	return f
}

// identify says whose credentials req brings, or how it is asked for better
// ones. Each is good once.
func (r *registrar) identify(req *wire.Request, from netip.AddrPort, now time.Time) (user string, f *fault) {
	a := from.Addr()
	creds, brought := r.credentials(req, a, now)
	switch {
	case creds == nil:
		return "", r.challenge(req, a, now, brought)
	case !r.proves(creds, req.Method):
		r.failed(from, now)
		return "", r.challenge(req, a, now, false)
	case !r.nonces.use(creds.Nonce, creds.Nc, now):
		return "", r.challenge(req, a, now, true)
	}
	return creds.Username, nil
}

// onRegister serves a REGISTER with a nonce of ours.
func (s *Server) onRegister(req *wire.Request, tx *wire.ServerTx) {
	from, err := sourceOf(req)
	if err != nil {
		s.respond(tx, response(req, 400, "Bad Request", s.stableTag(req)))
		return
	}
	code, reason, headers := s.registrar.serve(req, from, time.Now())
	s.respond(tx, response(req, code, reason, s.stableTag(req), headers...))
}

// sourceOf is where a request came from.
func sourceOf(req *wire.Request) (netip.AddrPort, error) {
	from, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("source of a request: %w", err)
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), nil
}

func (r *registrar) serve(req *wire.Request, from netip.AddrPort, now time.Time) (int, string, []wire.Header) {
	user, f := r.identify(req, from, now)
	switch {
	case f != nil:
		return f.code, f.reason, f.headers
	case userOf(&req.To().Address) != user:
		return 403, "Forbidden", nil
	}
	return r.register(req, user, from, now)
}

// proves checks the digest. An unknown user costs the same as a wrong word.
func (r *registrar) proves(c *digest.Credentials, method wire.RequestMethod) bool {
	nobody := strings.Repeat("0", 64)
	md5, sha, known := r.secrets(c.Username)
	if !known {
		md5, sha = nobody[:32], nobody
	}
	want := expected(c, string(method), md5, sha)
	same := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) == 1
	return known && same && want != "" && c.Username != ""
}

func (r *registrar) secrets(user string) (md5, sha256 string, known bool) {
	ctx, cancel := context.WithTimeout(context.Background(), accountLimit)
	defer cancel()
	return r.s.deps.Accounts.HA1(ctx, user)
}

// isExtension says whether user is one of ours.
func (r *registrar) isExtension(user string) bool {
	_, _, known := r.secrets(user)
	return known && user != ""
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
	for _, old := range b.all(user, now) {
		if old.CallID == callIDOf(req) && req.CSeq().SeqNo <= old.CSeq && len(contacts) > 0 {
			return 500, "Out Of Order", nil
		}
	}
	if len(contacts) == 1 && contacts[0].Address.Wildcard {
		if expiresOf(req, nil) != 0 {
			return 400, "Bad Request: * needs Expires 0", nil
		}
		b.remove(user, func(*binding) bool { return true })
		return 200, "OK", nil
	}
	if f := checkContacts(req, contacts, from.Addr()); f != nil {
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

func checkContacts(req *wire.Request, contacts []*wire.ContactHeader, from netip.Addr) *fault {
	for _, c := range contacts {
		switch {
		case c.Address.Wildcard || !plain(c.Value()):
			return bad("contact")
		case c.Address.Scheme == "sips" && req.Transport() != "TLS":
			return bad("a sips contact needs TLS")
		case c.Address.Scheme != "sip" && c.Address.Scheme != "sips":
			return bad("contact")
		case !isOwnAddress(&c.Address, from):
			return &fault{code: 403, reason: "Forbidden: Contact Of Another Address"}
		}
		if e := expiresOf(req, c); e > 0 && e < minExpires {
			return briefInterval()
		}
	}
	return nil
}

func briefInterval() *fault {
	return &fault{code: 423, reason: "Interval Too Brief", headers: []wire.Header{
		wire.NewHeader("Min-Expires", strconv.Itoa(minExpires)),
	}}
}

// sharedSpace are the addresses of carriers' NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isOwnAddress says whether a phone at from may name u as its contact: its own
// address, a private one behind NAT, or a name. A name is never looked up, since
// a phone is rung where it registers from.
func isOwnAddress(u *wire.Uri, from netip.Addr) bool {
	a, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	if err != nil {
		return true
	}
	a = a.Unmap()
	return a == from || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

// paramOf is a parameter of a contact, whatever the case of its name.
func paramOf(c *wire.ContactHeader, name string) string {
	for _, p := range c.Params {
		if strings.EqualFold(p.K, name) {
			return strings.Trim(p.V, `" `)
		}
	}
	return ""
}

// expiresOf is how many seconds a contact shall live: its own parameter, then
// the header, then an hour; never more.
func expiresOf(req *wire.Request, c *wire.ContactHeader) int {
	text := ""
	if c != nil {
		text = paramOf(c, "expires")
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
		r.s.bindings.remove(user, func(b *binding) bool { return b.Contact == contact })
		return
	}
	agent := ""
	if h := req.GetHeader("user-agent"); h != nil {
		agent = shown(h.Value())
	}
	r.s.bindings.put(binding{
		Binding: Binding{
			User: user, Contact: contact, Source: from.String(), Transport: req.Transport(),
			Expires: now.Add(time.Duration(seconds) * time.Second),
			CallID:  callIDOf(req), CSeq: req.CSeq().SeqNo, UserAgent: agent,
		},
		instance: paramOf(c, "+sip.instance"), q: preference(paramOf(c, "q")),
	})
}

// preference reads a q-value (RFC 3261 §20.10): 1 where there is none.
func preference(text string) float64 {
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

// listed are the Contact headers of a 200.
func (r *registrar) listed(user string, now time.Time) []wire.Header {
	live := r.s.bindings.all(user, now)
	slices.SortFunc(live, func(a, b binding) int { return strings.Compare(a.Contact, b.Contact) })
	var headers []wire.Header
	for _, b := range live {
		left := int(b.Expires.Sub(now).Round(time.Second) / time.Second)
		value := "<" + b.Contact + ">;expires=" + strconv.Itoa(left)
		if b.q < 1 {
			value += ";q=" + strconv.FormatFloat(b.q, 'g', 3, 64)
		}
		if b.instance != "" {
			value += `;+sip.instance="` + b.instance + `"`
		}
		headers = append(headers, wire.NewHeader("Contact", value))
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
