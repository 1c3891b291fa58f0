package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// caller is who sent an INVITE.
type caller struct {
	kind  callerKind
	trunk *trunk
}

type callerKind int

const (
	stranger callerKind = iota
	phone
	carrier
)

// whoCalls decides before anything is made: a live binding's address or an
// Authorization header is a phone, then the trunks' from decides, everybody
// else is a stranger.
func (s *Server) whoCalls(from netip.AddrPort, req *wire.Request) caller {
	if s.bindings.at(from) != "" || req.GetHeader("authorization") != nil || len(ownCredentials(req)) > 0 {
		return caller{kind: phone}
	}
	if t := s.trunks.caller(from, userOf(&req.Recipient)); t != nil {
		return caller{kind: carrier, trunk: t}
	}
	return caller{kind: stranger}
}

// onInvite is the goroutine of an incoming call: it lives as long as the call.
func (s *Server) onInvite(req *wire.Request, tx *wire.ServerTx) {
	in := s.invites.take(req)
	if in == nil {
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", s.stableTag(req)))
		return
	}
	defer func() { in.release(time.Now()) }()
	leg, fault := s.seize(req, tx, in)
	if fault != nil {
		s.respond(tx, response(req, fault.code, fault.reason, in.tag, fault.headers...))
		return
	}
	defer in.leave()
	defer leg.Hangup(cti.CauseError) // only a panic leaves it open until here
	s.count.calls.Add(1)
	s.ringBack(leg)
	err := s.deps.Calls.Accept(s.running, leg)
	if err != nil {
		leg.log.Warn("call ended with an error", "err", err)
	}
	leg.Hangup(causeOf(err))
}

// ringBack lets the caller hear ringing until the box answers, unless the
// CANCEL was quicker. A caller that insists on PRACK and made no offer gets ours
// with it (RFC 3262 §5).
func (s *Server) ringBack(l *inLeg) {
	var offer []byte
	if l.offer == nil && l.wants == mustPRACK {
		offer = l.ourOffer()
		l.dialog0.set(ours)
	}
	if err := l.provisional(l.life, 180, "Ringing", offer, offer != nil); err != nil {
		l.log.Warn("180 not sent", "err", err)
	}
	if !l.in.onCancel(l.canceled) {
		l.canceled()
	}
}

// seize makes the leg of an INVITE, or says how to refuse it.
func (s *Server) seize(req *wire.Request, tx *wire.ServerTx, in *incoming) (*inLeg, *fault) {
	s.respond(tx, response(req, 100, "Trying", ""))
	if s.draining.Load() {
		return nil, congested("Shutting Down")
	}
	ep := s.endpointAt(req.Transport(), tx.Connection().LocalAddr())
	if ep == nil {
		return nil, congested("No Listener")
	}
	asked, f := s.readInvite(req, in)
	if f != nil {
		return nil, f
	}
	if !in.enter() {
		return nil, congested("Too Many Calls")
	}
	leg, err := s.newInLeg(req, tx, in, ep, asked)
	if err != nil {
		in.leave()
		s.log.Error("call refused", "err", err)
		return nil, congested("No Port For Sound")
	}
	return leg, nil
}

// invitation is what an INVITE asks for, as far as we can give it.
type invitation struct {
	offer *described // nil: the 2xx is to have ours
	wants reliability
	timer session
}

func (s *Server) readInvite(req *wire.Request, in *incoming) (invitation, *fault) {
	var asked invitation
	var f *fault
	if asked.wants, f = agreeReliability(req, in.trunk.prack()); f != nil {
		return asked, f
	}
	if asked.timer, f = readTimer(req).judge(s.interval); f != nil {
		return asked, f
	}
	asked.offer, f = readOffer(req, in.laws(), s.srtpOf(in.trunk))
	return asked, f
}

func congested(why string) *fault {
	return &fault{code: 503, reason: why, headers: []wire.Header{wire.NewHeader("Retry-After", "5")}}
}

// readOffer reads the offer of an INVITE, nil for one without (a late offer).
func readOffer(req *wire.Request, laws []media.Law, srtp string) (*described, *fault) {
	body := bodySDP(req)
	if len(body) == 0 {
		return nil, nil
	}
	d, err := read(body, laws, srtp)
	switch {
	case err == nil:
		return &d, nil
	case errors.Is(err, errBadSDP):
		return nil, bad("unreadable SDP")
	}
	return nil, &fault{code: 488, reason: "Not Acceptable Here: " + err.Error()}
}

func (s *Server) newInLeg(req *wire.Request, tx *wire.ServerTx, in *incoming, ep *endpoint, asked invitation) (*inLeg, error) {
	rtp, err := s.deps.Engine.Open(ep.addr.Addr())
	if err != nil {
		return nil, err
	}
	origin := s.originOfCaller(req, in)
	base, err := s.newLeg(origin.Device, origin, rtp)
	if err != nil {
		return nil, err
	}
	base.trunk, base.laws = in.trunk, in.laws()
	base.sdp.addr = netip.AddrPortFrom(s.advertised(ep, in.from.Addr()), rtp.LocalAddr().Port())
	base.sdp.seal.want(s.srtpOf(in.trunk), ep.transport == "TLS")
	base.fax = in.trunk != nil
	base.alert()
	l := &inLeg{leg: base, invitation: asked, req: req, tx: tx, in: in, ep: ep, dialog0: asServer(req, in.tag, ep, in.from)}
	l.dialog0.symmetric = l.dialog0.symmetric || in.phone != ""
	l.dialog0.reliable = newReliable(req.CSeq().SeqNo)
	base.unasked = func() { s.respond(tx, response(req, 487, "Request Terminated", in.tag)) }
	base.mayBecome(l.dialog0)
	s.legs.add(base, l.Hangup)
	return l, nil
}

// originOfCaller is who calls: somebody behind a trunk, or the extension whose
// phone it is, whatever its From says.
func (s *Server) originOfCaller(req *wire.Request, in *incoming) cti.Origin {
	if in.phone == "" {
		return s.originOf(req, in.trunk)
	}
	dialled := userOf(&req.Recipient)
	return cti.Origin{
		Direction: cti.Out, Device: cti.Device("sip:" + in.phone),
		From: cti.Number{Raw: in.phone}, To: cti.Number{Raw: dialled}, DID: dialled, Agent: in.phone,
	}
}

// inLeg is a call that came in.
type inLeg struct {
	*leg
	invitation
	req     *wire.Request
	tx      *wire.ServerTx
	in      *incoming
	ep      *endpoint
	dialog0 *dialog // early until Answer

	hearing sync.Mutex // guards what follows; one of Progress and Answer at a time
	heard   bool       // sound flows before the answer
}

// Progress sends 183 with our answer and lets sound flow: [cti.Progresser]. A
// caller that waits for our offer hears nothing before it has answered that.
func (l *inLeg) Progress(ctx context.Context) error {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	switch {
	case !l.stillRings():
		return l.refusal()
	case l.heard:
		return nil
	case l.offer == nil:
		return fmt.Errorf("early sound to a caller without an offer: %w", cti.ErrNotServed)
	}
	if err := l.start(*l.offer, bodySDP(l.req)); err != nil {
		return fmt.Errorf("early sound: %w", err)
	}
	l.heard = true
	return l.provisional(ctx, 183, "Session Progress", l.ourAnswer(*l.offer), false)
}

func (l *inLeg) stillRings() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == ringing
}

// Answer sends 200 with our answer, or our offer where the INVITE had none. It
// waits for the PRACK of a provisional response with a description
// (RFC 3262 §3).
func (l *inLeg) Answer(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	l.hearing.Lock()
	defer l.hearing.Unlock()
	if !l.stillRings() {
		return l.refusal()
	}
	if err := l.awaitPRACK(ctx, true); err != nil {
		return err
	}
	d := l.dialog0
	body, late := l.lastWord(d)
	var take func(*wire.Request)
	if late {
		take = l.lateAnswer(d)
	}
	pending := d.await(l.req.CSeq().SeqNo, take) // before anybody can hang up
	if !l.pickUp(d) {
		return l.refusal()
	}
	if l.offer != nil && !l.heard {
		if err := l.start(*l.offer, bodySDP(l.req)); err != nil {
			l.log.Error("sound does not start", "err", err)
		}
	}
	res := l.accepted(body)
	d.watch(l.timer, time.Now())
	l.s.keep(d)
	l.s.respond(l.tx, res)
	l.s.work.Go("2xx until ACK", func() { l.s.repeat2xx(l.leg, d, pending, l.tx, res) })
	return nil
}

// lastWord is the description for the 2xx: our answer, what we said in a
// provisional response, or, late, our offer; nil where the PRACK had the answer
// to that already.
func (l *inLeg) lastWord(d *dialog) (body []byte, late bool) {
	switch {
	case l.offer == nil && l.wants == mustPRACK:
		return nil, false
	case l.offer == nil:
		d.set(ours)
		return l.ourOffer(), true
	case l.heard:
		body = l.lastSaid()
	default:
		body = l.ourAnswer(*l.offer)
	}
	d.set(settled)
	return body, false
}

// refusal is why Answer came too late; nil when the leg already talks.
func (l *inLeg) refusal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state == talking:
		return nil
	case l.err != nil:
		return l.err
	}
	return cti.ErrCleared
}

func (l *inLeg) accepted(body []byte) *wire.Response {
	headers := append(abilities(), l.s.contact(l.ep, l.in.from.Addr()))
	res := response(l.req, 200, "OK", l.in.tag, append(headers, l.timer.promise()...)...)
	if body != nil {
		setSDP(res, body)
	}
	return res
}

func setSDP(m wire.Message, body []byte) {
	m.AppendHeader(wire.NewHeader("Content-Type", "application/sdp"))
	m.SetBody(body)
}

// canceled ends a ringing leg by the peer's CANCEL. After a 2xx it has no
// effect: the peer will send ACK and BYE.
func (l *inLeg) canceled() {
	if _, first := l.endFrom(cti.ErrRemoteHangup, ringing); first {
		l.s.respond(l.tx, response(l.req, 487, "Request Terminated", l.in.tag))
	}
}

// finals are the responses to an INVITE that is not taken, by cause.
var finals = map[string]fault{
	cti.CauseNormal:     {code: 480, reason: "Temporarily Unavailable"},
	cti.CauseBusy:       {code: 486, reason: "Busy Here"},
	cti.CauseNoAnswer:   {code: 480, reason: "Temporarily Unavailable"},
	cti.CauseCanceled:   {code: 487, reason: "Request Terminated"},
	cti.CauseCongestion: *congested("Service Unavailable"),
	cti.CauseNotFound:   {code: 404, reason: "Not Found"},
	cti.CauseTimeout:    {code: 480, reason: "Temporarily Unavailable"},
	"rejected":          {code: 603, reason: "Decline"},
}

// Hangup ends the call: a final response while it rings, BYE when it talks.
func (l *inLeg) Hangup(cause string) {
	was, first := l.end(nil)
	if !first {
		return
	}
	if was == talking {
		l.farewell()
		return
	}
	f, ok := finals[cause]
	if !ok {
		f = fault{code: 500, reason: "Server Internal Error"}
	}
	l.s.respond(l.tx, response(l.req, f.code, f.reason, l.in.tag, f.headers...))
}
