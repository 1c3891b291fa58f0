package sip

import (
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// dialogKept is how long an ended dialog still answers repeated requests.
const dialogKept = 35 * time.Second

// dialog is our own record of one dialog (RFC 3261 §12): what requests within
// it are built from, and where it stands. The library's is not used.
type dialog struct {
	id        string
	callID    string
	localTag  string
	remoteTag string
	ep        *endpoint
	symmetric bool // requests go to where the peer's came from, not to its contact
	leg       *leg

	serial sync.Mutex // one request of the peer at a time

	mu       sync.Mutex // guards what follows
	local    wire.FromHeader
	remote   wire.ToHeader
	target   wire.Uri
	routes   []wire.Uri
	source   netip.AddrPort
	seq      uint32 // of our last request
	peerSeq  uint32 // of the peer's last request
	pending  *pendingAck
	lastAck  uint32 // CSeq of the last INVITE whose ACK came
	inviting uint32 // CSeq of the peer's re-INVITE that is being served, 0 for none
	over     time.Time
}

// pendingAck is a 2xx of ours that waits for its ACK.
type pendingAck struct {
	seq  uint32
	done chan struct{}
	take func(*wire.Request) // gets the ACK, for a late offer's answer
}

// dialogs are all dialogs by Call-ID and our tag.
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
	d := t.byID[dialogID(callIDOf(req), tagOf(req.To()))]
	t.mu.Unlock()
	if d == nil || d.remoteTag != tagOf(req.From()) {
		return nil
	}
	return d
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

func dialogID(callID, localTag string) string { return callID + " " + localTag }

// asServer makes the dialog of an INVITE that we answer (§12.1.1).
func asServer(req *wire.Request, tag string, ep *endpoint, from netip.AddrPort) *dialog {
	to := *req.To()
	to.Params = to.Params.Clone()
	to.Params.Add("tag", tag)
	d := &dialog{
		id: dialogID(callIDOf(req), tag), callID: callIDOf(req), localTag: tag, remoteTag: tagOf(req.From()),
		ep: ep, local: to.AsFrom(), remote: req.From().AsTo(), source: from,
		seq: 1, peerSeq: req.CSeq().SeqNo, symmetric: ep.isStream(),
	}
	d.target = *req.Contact().Address.Clone()
	for _, h := range req.GetHeaders("record-route") {
		if rr, ok := h.(*wire.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	return d
}

// asClient makes the dialog of an INVITE of ours that was answered (§12.1.2).
func asClient(req *wire.Request, res *wire.Response, ep *endpoint, to netip.AddrPort) *dialog {
	local, remote := *req.From(), *res.To()
	d := &dialog{
		id: dialogID(callIDOf(req), tagOf(req.From())), callID: callIDOf(req),
		localTag: tagOf(req.From()), remoteTag: tagOf(res.To()),
		ep: ep, local: local, remote: remote, source: to, seq: req.CSeq().SeqNo,
		target: *req.Recipient.Clone(),
	}
	if c := res.Contact(); c != nil {
		d.target = *c.Address.Clone()
	}
	routes := res.GetHeaders("record-route")
	for i := len(routes) - 1; i >= 0; i-- {
		if rr, ok := routes[i].(*wire.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	return d
}

// request builds the next request within the dialog (§12.2.1.1). An ACK takes
// the number of the INVITE it belongs to.
func (d *dialog) request(method wire.RequestMethod) *wire.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method != wire.ACK {
		d.seq++
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
	req.AppendHeader(&wire.CSeqHeader{SeqNo: d.seq, MethodName: method})
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

// hop is the address the next request goes to.
func (d *dialog) hop() netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.symmetric {
		return d.source
	}
	uri := d.target
	if len(d.routes) > 0 {
		uri = d.routes[0]
	}
	if addr, ok := uriAddr(&uri); ok {
		return addr
	}
	return d.source
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

// accept checks the order of a request of the peer (§12.2.2) and takes over
// where the peer is now reached; false when it is an old one.
func (d *dialog) accept(req *wire.Request, from netip.AddrPort) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	seq := req.CSeq().SeqNo
	if d.peerSeq != 0 && seq <= d.peerSeq {
		return false
	}
	d.peerSeq, d.source = seq, from
	if c := req.Contact(); c != nil && (req.Method == wire.INVITE || req.Method == wire.UPDATE) {
		d.target = *c.Address.Clone()
	}
	return true
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
