package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

const (
	dialogKept = 35 * time.Second // an ended dialog still answers repeated requests
	hostsKept  = 8                // looked up for one dialog
)

// dialog is our own record of one dialog (RFC 3261 §12): what requests within
// it are built from, and where it stands. The library's is not used.
type dialog struct {
	id        string
	callID    string
	localTag  string
	remoteTag string
	ep        *endpoint
	symmetric bool // requests go to where the peer's came from, not to its contact
	caller    bool // the INVITE that made it was ours, and the Call-ID
	leg       *leg
	reliable  *reliable // our provisional responses, where the INVITE was the peer's

	serial sync.Mutex // one request of the peer at a time

	mu       sync.Mutex // guards what follows
	local    wire.FromHeader
	remote   wire.ToHeader
	target   wire.Uri
	routes   []wire.Uri
	source   netip.AddrPort
	found    map[string]netip.AddrPort // hosts of target and routes that were looked up
	seq      uint32                    // of our last request
	offering uint32                    // CSeq of our last INVITE, which its ACK repeats
	peerSeq  uint32                    // of the peer's last request
	pending  *pendingAck
	lastAck  uint32  // CSeq of the last INVITE whose ACK came
	inviting uint32  // CSeq of the peer's re-INVITE that is being served, 0 for none
	bargain  bargain // whose offer is open
	updates  bool    // the peer takes UPDATE
	refers   int     // REFERs of the peer so far
	body     []byte  // the peer's last description
	offered  bool    // which was an offer within the dialog
	session  watch
	over     time.Time
}

// pendingAck is a 2xx of ours that waits for its ACK.
type pendingAck struct {
	seq  uint32
	done chan struct{}
	take func(*wire.Request) // gets the ACK, for a late offer's answer
}

// dialogs are all dialogs by Call-ID and both tags: a forked call has several
// with one tag of ours.
type dialogs struct {
	mu   sync.Mutex
	byID map[string]*dialog
}

func newDialogs() *dialogs { return &dialogs{byID: map[string]*dialog{}} }

func (t *dialogs) add(d *dialog) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[d.id] = d
}

// find is the dialog a request of the peer belongs to, nil for none.
func (t *dialogs) find(req *wire.Request) *dialog {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[dialogKey(callIDOf(req), tagOf(req.To()), tagOf(req.From()))]
}

// named is the dialog of a Call-ID and two tags, whichever of them is ours.
func (t *dialogs) named(callID, a, b string) *dialog {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.byID[dialogKey(callID, a, b)]; d != nil {
		return d
	}
	return t.byID[dialogKey(callID, b, a)]
}

// drop forgets an early dialog, of which nothing more is to be said.
func (t *dialogs) drop(d *dialog) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[d.id] == d {
		delete(t.byID, d.id)
	}
}

// each is every dialog that is not over.
func (t *dialogs) each() []*dialog {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*dialog, 0, len(t.byID))
	for _, d := range t.byID {
		if !d.isOver() {
			all = append(all, d)
		}
	}
	return all
}

func (t *dialogs) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, d := range t.byID {
		if d.isOld(now) {
			delete(t.byID, id)
		}
	}
}

// open counts dialogs that are not over.
func (t *dialogs) open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, d := range t.byID {
		if !d.isOver() {
			n++
		}
	}
	return n
}

func dialogKey(callID, localTag, remoteTag string) string {
	return callID + " " + localTag + " " + remoteTag
}

// asServer makes the dialog of an INVITE that we answer (§12.1.1).
func asServer(req *wire.Request, tag string, ep *endpoint, from netip.AddrPort) *dialog {
	to := *req.To()
	to.Params = to.Params.Clone()
	to.Params.Add("tag", tag)
	d := &dialog{
		id: dialogKey(callIDOf(req), tag, tagOf(req.From())), callID: callIDOf(req), localTag: tag, remoteTag: tagOf(req.From()),
		ep: ep, local: to.AsFrom(), remote: req.From().AsTo(), source: from,
		seq: 1, peerSeq: req.CSeq().SeqNo, symmetric: ep.isStream(),
		target: *req.Contact().Address.Clone(), routes: routesOf(req), updates: allows(req, wire.UPDATE),
	}
	if len(bodySDP(req)) > 0 {
		d.bargain = theirs
	}
	return d
}

// routesOf are the addresses of Record-Route, in order.
func routesOf(m wire.Message) []wire.Uri {
	var all []wire.Uri
	for _, h := range m.GetHeaders("record-route") {
		if rr, ok := h.(*wire.RecordRouteHeader); ok {
			all = append(all, *rr.Address.Clone())
		}
	}
	return all
}

// allows says whether Allow names a method.
func allows(m wire.Message, method wire.RequestMethod) bool {
	return lists(m, string(method), "allow")
}

// lists says whether one of headers, which are lists of words, has word.
func lists(m wire.Message, word string, headers ...string) bool {
	for _, name := range headers {
		for _, h := range m.GetHeaders(name) {
			for w := range strings.SplitSeq(h.Value(), ",") {
				if strings.EqualFold(strings.TrimSpace(w), word) {
					return true
				}
			}
		}
	}
	return false
}

// asClient makes the dialog of an INVITE of ours that got a response with a tag,
// which leaves it early or not (§12.1.2).
func asClient(req *wire.Request, res *wire.Response, ep *endpoint, to netip.AddrPort) *dialog {
	d := &dialog{
		id: dialogKey(callIDOf(req), tagOf(req.From()), tagOf(res.To())), callID: callIDOf(req),
		localTag: tagOf(req.From()), remoteTag: tagOf(res.To()), caller: true,
		ep: ep, local: *req.From(), remote: *res.To(), source: to,
		seq: req.CSeq().SeqNo, offering: req.CSeq().SeqNo, target: *req.Recipient.Clone(), bargain: ours,
	}
	d.confirm(res)
	return d
}

// confirm takes over what a response to the INVITE that made d says of the way
// there: that of the 2xx counts (§13.2.2.4).
func (d *dialog) confirm(res *wire.Response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := res.Contact(); c != nil {
		d.target = *c.Address.Clone()
	}
	d.routes = routesOf(res)
	slices.Reverse(d.routes)
	d.updates = d.updates || allows(res, wire.UPDATE)
}

// retarget takes over where the peer is now reached, from a request of its that
// was served or from its 2xx to one of ours: INVITE and UPDATE only.
func (d *dialog) retarget(m wire.Message) {
	var contact *wire.ContactHeader
	switch v := m.(type) {
	case *wire.Request:
		contact = v.Contact()
	case *wire.Response:
		contact = v.Contact()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if contact != nil && !contact.Address.Wildcard {
		d.target = *contact.Address.Clone()
	}
	if len(m.GetHeaders("allow")) > 0 {
		d.updates = allows(m, wire.UPDATE)
	}
}

// request builds the next request within the dialog (§12.2.1.1). An ACK takes
// the number of the INVITE it belongs to.
func (d *dialog) request(method wire.RequestMethod) *wire.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	seq := d.offering
	if method != wire.ACK {
		d.seq++
		seq = d.seq
	}
	if method == wire.INVITE {
		d.offering = seq
	}
	target, routes := d.path()
	req := wire.NewRequest(method, target)
	for i := range routes {
		req.AppendHeader(&wire.RouteHeader{Address: routes[i]})
	}
	local, remote := d.local, d.remote
	callID := wire.CallIDHeader(d.callID)
	req.AppendHeader(&local)
	req.AppendHeader(&remote)
	req.AppendHeader(&callID)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: seq, MethodName: method})
	return req
}

// path is the Request-URI and the Route set; a strict router (no lr) is put
// into the Request-URI and the target at the end.
func (d *dialog) path() (wire.Uri, []wire.Uri) {
	if len(d.routes) == 0 || d.routes[0].UriParams.Has("lr") {
		return d.target, d.routes
	}
	first := d.routes[0]
	return first, append(append([]wire.Uri{}, d.routes[1:]...), d.target)
}

// hop is the address the next request goes to, as far as it is known without a
// name server.
func (d *dialog) hop() netip.AddrPort {
	at, _ := d.toward()
	return at
}

// toward is the address the next request goes to, and the host to look up for a
// better one, "" for none.
func (d *dialog) toward() (at netip.AddrPort, host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.symmetric {
		return d.source, ""
	}
	uri := d.target
	if len(d.routes) > 0 {
		uri = d.routes[0]
	}
	if addr, ok := uriAddr(&uri); ok {
		return throughNAT(addr, d.source), ""
	}
	host = uri.Host
	if uri.Port > 0 {
		host = net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	}
	if addr, ok := d.found[host]; ok {
		return addr, ""
	}
	return d.source, host
}

// throughNAT is where a peer is reached whose messages come from source: there,
// if the address that it names lies behind NAT.
func throughNAT(named, source netip.AddrPort) netip.AddrPort {
	if isInside(named.Addr()) && source.IsValid() && !isInside(source.Addr()) {
		return source
	}
	return named
}

// way is the address the next request within d goes to. A host that cannot be
// found is taken to be where the peer's last message came from.
func (s *Server) way(ctx context.Context, d *dialog) netip.AddrPort {
	at, host := d.toward()
	if host == "" {
		return at
	}
	found, err := s.lookUp(ctx, host, d.ep.transport)
	if err != nil {
		s.log.Info("host of a dialog not found", "host", shown(host), "err", err)
	}
	for _, a := range found {
		if a.Addr().Is4() == d.ep.addr.Addr().Is4() {
			at = a
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found == nil || len(d.found) >= hostsKept {
		d.found = map[string]netip.AddrPort{}
	}
	d.found[host] = at
	return at
}

// lookUp finds HOST or HOST:PORT by SRV, A and AAAA.
func (s *Server) lookUp(ctx context.Context, host, transport string) ([]netip.AddrPort, error) {
	at, err := newPlaces(s.names, host, strings.ToLower(transport))
	if err != nil {
		return nil, err
	}
	return at.addresses(ctx)
}

// uriAddr is the address in a URI, false when it names a host.
func uriAddr(u *wire.Uri) (netip.AddrPort, bool) {
	host := u.Host
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || u.Port < 0 || u.Port > 65535 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), orSIP(uint16(u.Port))), true
}

// accept checks the order of a request of the peer (§12.2.2); false when it is
// an old one.
func (d *dialog) accept(req *wire.Request, from netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	seq := req.CSeq().SeqNo
	if d.peerSeq != 0 && seq <= d.peerSeq {
		return false
	}
	d.peerSeq, d.source = seq, from
	return true
}

// skips says whether a request has come before one that the peer sent earlier,
// which may still be in another goroutine of the library's.
func (d *dialog) skips(req *wire.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peerSeq != 0 && req.CSeq().SeqNo > d.peerSeq+1
}

// described remembers what the peer said there, in an offer or an answer.
func (d *dialog) described(body []byte, offer bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.body, d.offered = body, offer
}

func (d *dialog) heard() (body []byte, offer bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.body, d.offered
}

// await expects the ACK of our 2xx to the INVITE seq.
func (d *dialog) await(seq uint32, take func(*wire.Request)) *pendingAck {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = &pendingAck{seq: seq, done: make(chan struct{}), take: take}
	return d.pending
}

// acknowledged takes an ACK; false when it is none of a 2xx of ours.
func (d *dialog) acknowledged(req *wire.Request) bool {
	d.mu.Lock()
	p := d.pending
	seq := req.CSeq().SeqNo
	if p == nil || p.seq != seq {
		again := d.lastAck == seq
		d.mu.Unlock()
		return again
	}
	d.pending, d.lastAck = nil, seq
	d.mu.Unlock()
	if p.take != nil {
		p.take(req)
	}
	close(p.done)
	return true
}

// giveUpAck stops waiting for an ACK.
func (d *dialog) giveUpAck() {
	d.mu.Lock()
	p := d.pending
	d.pending = nil
	d.mu.Unlock()
	if p != nil {
		close(p.done)
	}
}

// busy says whether a 2xx of ours is still without ACK.
func (d *dialog) busy() *pendingAck {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending
}

// finish marks the dialog over; true the first time.
func (d *dialog) finish(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over.IsZero() {
		return false
	}
	d.over = now
	return true
}

func (d *dialog) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.over.IsZero()
}

func (d *dialog) isOld(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.over.IsZero() && now.Sub(d.over) > dialogKept
}

// row is what is kept for a BYE after a crash.
func (d *dialog) row() DialogRow {
	to := d.hop()
	d.mu.Lock()
	defer d.mu.Unlock()
	row := DialogRow{
		ID: d.id, CallID: d.callID, Local: d.local.Value(), Remote: d.remote.Value(),
		Target: d.target.String(), Seq: d.seq, Transport: d.ep.transport,
		From: d.ep.addr.String(), To: to.String(),
	}
	for i := range d.routes {
		row.Routes = append(row.Routes, d.routes[i].String())
	}
	return row
}

// revived makes a dialog of a kept row, good for one BYE.
func revived(row DialogRow, ep *endpoint) (*dialog, error) {
	d := &dialog{id: row.ID, callID: row.CallID, ep: ep, symmetric: true, seq: row.Seq + 100}
	var err error
	if d.source, err = netip.ParseAddrPort(row.To); err != nil {
		return nil, fmt.Errorf("kept dialog %s: %w", strconv.Quote(row.ID), err)
	}
	if d.local.DisplayName, err = wire.ParseAddressValue(row.Local, &d.local.Address, &d.local.Params); err != nil {
		return nil, fmt.Errorf("kept dialog %s: %w", strconv.Quote(row.ID), err)
	}
	if d.remote.DisplayName, err = wire.ParseAddressValue(row.Remote, &d.remote.Address, &d.remote.Params); err != nil {
		return nil, fmt.Errorf("kept dialog %s: %w", strconv.Quote(row.ID), err)
	}
	if err = wire.ParseUri(row.Target, &d.target); err != nil {
		return nil, fmt.Errorf("kept dialog %s: %w", strconv.Quote(row.ID), err)
	}
	d.localTag, d.remoteTag = d.local.Params.GetOr("tag", ""), d.remote.Params.GetOr("tag", "")
	for _, r := range row.Routes {
		var u wire.Uri
		if err = wire.ParseUri(r, &u); err != nil {
			return nil, fmt.Errorf("kept dialog %s: %w", strconv.Quote(row.ID), err)
		}
		d.routes = append(d.routes, u)
	}
	return d, nil
}
