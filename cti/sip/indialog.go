package sip

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

const (
	ackPatience  = 100 * time.Millisecond // a re-INVITE waits so long for the ACK that may still be on its way
	turnPatience = 20 * time.Millisecond  // and any request for one that was sent before it
)

// inDialogHandlers serve requests of the peer within a dialog, one at a time.
var inDialogHandlers = map[wire.RequestMethod]func(*Server, *dialog, *wire.Request, *wire.ServerTx){
	wire.BYE:     (*Server).onBye,
	wire.INVITE:  (*Server).onReinvite,
	wire.UPDATE:  (*Server).onUpdate,
	wire.PRACK:   (*Server).onPrack,
	wire.INFO:    (*Server).onInfo,
	wire.REFER:   (*Server).onRefer,
	wire.NOTIFY:  (*Server).onNotify,
	wire.OPTIONS: (*Server).onOptions,
}

// onInDialog puts the peer's requests in order and hands them on.
func (s *Server) onInDialog(req *wire.Request, tx *wire.ServerTx) {
	d := s.dialogs.find(req)
	handler := inDialogHandlers[req.Method]
	if d == nil || d.isOver() || handler == nil {
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", ""))
		return
	}
	seq := req.CSeq().SeqNo
	if req.Method == wire.INVITE && !d.beginInvite(seq) {
		s.respond(tx, response(req, 491, "Request Pending", ""))
		return
	}
	if d.skips(req) {
		time.Sleep(turnPatience)
	}
	d.serial.Lock()
	defer d.serial.Unlock()
	defer d.endInvite(seq)
	if d.isOver() { // while this one waited
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", ""))
		return
	}
	from, err := netip.ParseAddrPort(req.Source())
	if err != nil || !d.accept(req, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())) {
		s.respond(tx, response(req, 500, "Out Of Order", ""))
		return
	}
	handler(s, d, req, tx)
}

// beginInvite lets one offer be open at a time; a second one meets 491
// (RFC 3261 §14.2).
func (d *dialog) beginInvite(seq uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inviting != 0 && d.inviting != seq {
		return false
	}
	d.inviting = seq
	return true
}

// endInvite says that the offer of INVITE seq is answered. It comes before the
// answer is sent: the peer may have the next one ready.
func (d *dialog) endInvite(seq uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inviting == seq {
		d.inviting = 0
	}
}

// isConfirmed says whether the INVITE that made d was answered, and the leg
// talks there.
func (d *dialog) isConfirmed() bool { return d.leg.current() == d }

func (s *Server) onBye(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	if d.caller && !d.isConfirmed() { // who was called may not end what it has not answered
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", ""))
		return
	}
	s.respond(tx, response(req, 200, "OK", ""))
	d.leg.remoteBye(d)
}

func (s *Server) onOptions(_ *dialog, req *wire.Request, tx *wire.ServerTx) {
	s.respond(tx, response(req, 200, "OK", "", abilities()...))
}

// onNotify takes what a peer tells us without having been asked.
func (s *Server) onNotify(_ *dialog, req *wire.Request, tx *wire.ServerTx) {
	s.respond(tx, response(req, 200, "OK", ""))
}

// onReinvite answers hold, refresh and change of address. It waits a moment
// for the ACK of the offer before, which may still be under way.
func (s *Server) onReinvite(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	if !d.isConfirmed() { // the first INVITE has no answer yet (§14.2)
		f := theirs.glare()
		s.respond(tx, response(req, f.code, f.reason, "", f.headers...))
		return
	}
	if p := d.busy(); p != nil {
		select {
		case <-p.done:
		case <-time.After(ackPatience):
			s.respond(tx, response(req, 491, "Request Pending", ""))
			return
		}
	}
	res := s.renegotiated(d, req)
	if !res.IsSuccess() {
		d.endInvite(req.CSeq().SeqNo)
		s.respond(tx, res)
		return
	}
	var take func(*wire.Request)
	if len(bodySDP(req)) == 0 {
		d.set(ours)
		take = d.leg.lateAnswer(d)
	}
	pending := d.await(req.CSeq().SeqNo, take)
	d.endInvite(req.CSeq().SeqNo)
	s.respond(tx, res)
	s.keep(d)
	s.work.Go("2xx until ACK", func() { s.repeat2xx(d.leg, d, pending, tx, res) })
}

// lateAnswer takes the answer in the ACK of a 2xx with an offer of ours.
func (l *leg) lateAnswer(d *dialog) func(*wire.Request) {
	return func(ack *wire.Request) {
		d.set(settled)
		if err := l.takeAnswer(ack); err != nil {
			l.log.Warn("the answer in the ACK is of no use", "err", err)
		}
	}
}

// onUpdate answers an offer without INVITE (RFC 3311), or a mere refresh.
func (s *Server) onUpdate(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	s.respond(tx, s.renegotiated(d, req))
	if d.isConfirmed() {
		s.keep(d)
	}
}

// renegotiated is the answer to a re-INVITE or UPDATE. What is refused changes
// nothing, neither the sound nor where the peer is reached.
func (s *Server) renegotiated(d *dialog, req *wire.Request) *wire.Response {
	timer, f := readTimer(req).judge(s.interval)
	if f != nil {
		return response(req, f.code, f.reason, "", f.headers...)
	}
	body, f := s.offered(d, req)
	if f != nil {
		return response(req, f.code, f.reason, "", f.headers...)
	}
	d.retarget(req)
	d.watch(timer, time.Now())
	headers := append([]wire.Header{allow(), s.contact(d.ep, d.hop().Addr())}, timer.promise()...)
	res := response(req, 200, "OK", "", headers...)
	if body != nil {
		setSDP(res, body)
	}
	return res
}

// offered is our description for a request with an offer, or an INVITE that
// asks for one; nil where there is none.
func (s *Server) offered(d *dialog, req *wire.Request) ([]byte, *fault) {
	offer := bodySDP(req)
	if len(offer) == 0 && req.Method != wire.INVITE {
		return nil, nil
	}
	if f := d.open().glare(); f != nil {
		return nil, f
	}
	body, err := d.leg.renegotiate(offer)
	switch {
	case errors.Is(err, cti.ErrWrongState):
		return nil, &fault{code: 481, reason: "Call/Transaction Does Not Exist"}
	case errors.Is(err, errBadSDP):
		return nil, bad("unreadable SDP")
	case err != nil:
		return nil, &fault{code: 488, reason: "Not Acceptable Here"}
	}
	d.described(offer, true)
	return body, nil
}

// onInfo takes keys of application/dtmf-relay and application/dtmf.
func (s *Server) onInfo(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	key, ok := infoKey(contentType(req), string(req.Body()))
	switch {
	case len(req.Body()) == 0:
	case !ok:
		s.respond(tx, response(req, 415, "Unsupported Media Type", ""))
		return
	default:
		d.leg.rtp.Press(key)
	}
	s.respond(tx, response(req, 200, "OK", ""))
}

func infoKey(kind, body string) (string, bool) {
	value := strings.TrimSpace(body)
	if kind == "application/dtmf-relay" {
		value = ""
		for line := range strings.Lines(body) {
			name, v, _ := strings.Cut(line, "=")
			if strings.EqualFold(strings.TrimSpace(name), "signal") {
				value = strings.TrimSpace(v)
			}
		}
	} else if kind != "application/dtmf" {
		return "", false
	}
	if len(value) != 1 || !strings.Contains("0123456789*#ABCD", strings.ToUpper(value)) {
		return "", false
	}
	return strings.ToUpper(value), true
}

// repeat2xx sends our 2xx again, at intervals doubling from T1 to T2, until its
// ACK comes. Without one after 64 T1 the leg is ended with BYE
// (RFC 3261 §13.3.1.4); the library does neither.
func (s *Server) repeat2xx(l *leg, d *dialog, p *pendingAck, tx *wire.ServerTx, res *wire.Response) {
	wait := s.timers.t1
	limit := time.After(s.timers.giveUp())
	for {
		select {
		case <-p.done:
			return
		case <-s.life.Done():
			d.giveUpAck()
			return
		case <-limit:
			s.count.unacked.Add(1)
			d.giveUpAck()
			l.lose()
			return
		case <-time.After(wait):
			s.respond(tx, res)
			wait = min(2*wait, s.timers.t2)
		}
	}
}
