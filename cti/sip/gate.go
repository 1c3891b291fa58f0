package sip

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"callbox/internal/guard"

	wire "github.com/emiago/sipgo/sip"
)

// packet is one message as it came from a socket, before the library sees it.
type packet struct {
	data      []byte
	from      netip.AddrPort
	local     netip.AddrPort
	transport string // UDP or TCP
	reply     func(data []byte, to netip.AddrPort)
}

// admit is the gate: it says whether the library may have p, whose data is then
// as the library can read it. What needs no
// transaction is answered here, so that strangers and nonsense leave no trace.
// Messages of one socket come one after the other, so CANCEL and ACK, which are
// taken here, can never overtake their INVITE.
func (s *Server) admit(p *packet) (pass bool) {
	err := guard.Call(func() { pass = s.inspect(p) })
	if err != nil {
		s.count.malformed.Add(1)
		s.log.Error("message refused after a panic", "from", p.from, "err", err)
		return false
	}
	return pass
}

func (s *Server) inspect(p *packet) bool {
	if s.life.Err() != nil {
		return false
	}
	if len(bytes.Trim(p.data, "\r\n\x00 ")) == 0 {
		return false // keep-alive
	}
	now := time.Now()
	known := s.known(p.from)
	if !s.hears(*p, known, now) {
		s.count.dropped.Add(1)
		return false
	}
	if !known && !strangersMay[methodOf(p.data)] {
		s.refuse(*p, now)
		return false
	}
	if len(p.data) <= messageLimit {
		p.data = tidied(p.data)
	}
	msg, err := s.parse(*p)
	if err != nil {
		s.malformed(*p, known, now)
		return false
	}
	switch m := msg.(type) {
	case *wire.Request:
		return s.request(*p, m, known, now)
	case *wire.Response:
		return known && m.Via() != nil && m.CSeq() != nil
	}
	return false
}

// hears says whether a message is read at all, by its source and first bytes.
// Trunks and registered phones always are, and answers of whom we asked; bans
// are for everybody else, so that they do not cut off an office whose one phone
// has an old password.
func (s *Server) hears(p packet, known bool, now time.Time) bool {
	a := p.from.Addr()
	switch {
	case s.trusts(p.from):
		return true
	case bytes.HasPrefix(p.data, []byte("SIP/")):
		return known
	case s.shield.isBanned(a, now):
		return false
	case isScanner(p.data):
		s.strike(a, scanning, now)
		return false
	}
	return known || s.shield.hears(a, now)
}

// isBarred says whether a may not even connect.
func (s *Server) isBarred(a netip.Addr) bool { return s.shield.isBanned(a, time.Now()) }

// trusts says whether from is a trunk's or a registered phone's very own.
func (s *Server) trusts(from netip.AddrPort) bool {
	return s.isTrunk(from.Addr()) || s.bindings.at(from) != ""
}

// isTrunk says whether a is a trunk's, whether it may call or not.
func (s *Server) isTrunk(a netip.Addr) bool {
	return s.trunks.mayCall(a) || slices.ContainsFunc(s.trunks, func(t *trunk) bool {
		return t.places != nil && t.places.holds(a)
	})
}

// known says whether from is a trunk's, a registered phone's, or somebody's
// whom we asked something.
func (s *Server) known(from netip.AddrPort) bool {
	a := from.Addr()
	return s.trunks.mayCall(a) || s.bindings.hasHost(a) || s.peers.has(a, time.Now())
}

// methodOf is the first word of a message.
func methodOf(data []byte) wire.RequestMethod {
	word, _, _ := bytes.Cut(data[:min(len(data), longestMethod+1)], []byte(" "))
	return wire.RequestMethod(word)
}

const longestMethod = len(wire.SUBSCRIBE)

func (s *Server) parse(p packet) (wire.Message, error) {
	if len(p.data) > messageLimit {
		return nil, errTooLong
	}
	if strayBreak(p.data) {
		return nil, errStray
	}
	if untidy(headOf(p.data)) {
		return nil, errUntidy
	}
	msg, err := s.read(p)
	if err != nil {
		return nil, err
	}
	msg.SetTransport(p.transport)
	msg.SetSource(p.from.String())
	return msg, nil
}

// read parses as the library will: what its goroutines would fall over, or end
// a connection for, is found here. In a stream it must find the same end of the
// message as we did.
func (s *Server) read(p packet) (wire.Message, error) {
	if p.transport == "UDP" {
		return s.parser.ParseSIP(p.data)
	}
	stream := s.parser.NewSIPStream()
	defer stream.Close()
	if _, err := stream.Write(p.data); err != nil {
		return nil, err
	}
	msg, _, err := stream.ParseNext()
	if err != nil {
		return nil, err
	}
	if stream.Buffer().Len() > 0 {
		return nil, errUnframed
	}
	return msg, nil
}

// malformed counts what could not be read. A known peer gets a 400 where there
// is enough to answer to; a stranger gets nothing.
func (s *Server) malformed(p packet, known bool, now time.Time) {
	s.count.malformed.Add(1)
	if !known {
		s.strike(p.from.Addr(), unwelcome, now)
		return
	}
	if answer := bareBadRequest(p.data); answer != nil {
		p.reply(answer, p.from)
	}
}

// request decides on one well-formed request.
func (s *Server) request(p packet, req *wire.Request, known bool, now time.Time) bool {
	if fault := precheck(req); fault != nil {
		s.count.malformed.Add(1)
		s.answer(p, req, fault.code, fault.reason, fault.headers...)
		if !known {
			s.refuse(p, now)
		}
		return false
	}
	switch req.Method {
	case wire.ACK:
		return s.admitAck(req, known)
	case wire.CANCEL:
		s.cancel(p, req)
		return false
	case wire.REGISTER:
		return s.registrar.admit(p, req, now)
	}
	if tagOf(req.To()) != "" {
		return s.admitInDialog(p, req, known, now)
	}
	return s.admitOutside(p, req, now)
}

// strangersMay are the methods of a stranger that are read at all; a BYE or
// re-INVITE may come from a host of the trunk's that never called.
var strangersMay = map[wire.RequestMethod]bool{
	wire.INVITE: true, wire.REGISTER: true, wire.ACK: true, wire.BYE: true, wire.UPDATE: true, wire.INFO: true,
}

// refuse counts a stranger's request.
func (s *Server) refuse(p packet, now time.Time) {
	s.count.refused.Add(1)
	s.strike(p.from.Addr(), unwelcome, now)
}

// strike counts an offence, and says once that it led to a ban. Trunks are never
// banned.
func (s *Server) strike(a netip.Addr, o offence, now time.Time) {
	if !s.isTrunk(a) && s.shield.strike(a, o, now) {
		s.log.Warn("address banned", "from", a, "why", offenceRules[o].why, "for", banTime)
	}
}

// admitAck takes the ACK of a 2xx; that of another answer belongs to the
// library's transaction. One that belongs to nothing would make a new one.
func (s *Server) admitAck(req *wire.Request, known bool) bool {
	d := s.dialogs.find(req)
	if d != nil && d.acknowledged(req) {
		return false
	}
	return known && (d != nil || s.invites.knows(req))
}

func (s *Server) admitInDialog(p packet, req *wire.Request, known bool, now time.Time) bool {
	if d := s.dialogs.find(req); d != nil && d.mayUse(p.from) {
		return true
	}
	if req.Method == wire.SUBSCRIBE && s.subscriptions.find(req, p.from) != nil {
		return true
	}
	if known {
		s.answer(p, req, 481, "Call/Transaction Does Not Exist")
	} else {
		s.refuse(p, now)
	}
	return false
}

// admitOutside decides on a request outside of any dialog.
func (s *Server) admitOutside(p packet, req *wire.Request, now time.Time) bool {
	switch req.Method {
	case wire.INVITE:
		return s.admitInvite(p, req, now)
	case wire.SUBSCRIBE:
		return s.admitSubscribe(p, req, now)
	case wire.OPTIONS:
		s.answer(p, req, 200, "OK", abilities()...)
	default:
		s.answer(p, req, 481, "Call/Transaction Does Not Exist")
	}
	return false
}

// admitInvite lets an INVITE in and remembers it, so that a CANCEL finds it
// whatever the library's goroutines do. Strangers are refused here, with
// nothing made for them.
func (s *Server) admitInvite(p packet, req *wire.Request, now time.Time) bool {
	who := s.whoCalls(p.from, req)
	switch who.kind {
	case stranger:
		s.refuse(p, now)
		s.answer(p, req, 403, "Forbidden")
		return false
	case phone:
		return s.admitPhone(p, req, now)
	}
	if f := s.overloaded(req, now); f != nil {
		s.answer(p, req, f.code, f.reason, f.headers...)
		return false
	}
	switch in, state := s.invites.arrived(p, req, who.trunk, now); state {
	case inviteCanceled:
		s.reply(p, req, 487, "Request Terminated", in.tag)
		return false
	case inviteMerged:
		s.answer(p, req, 482, "Loop Detected")
		return false
	}
	return true
}

// cancel ends an INVITE that still rings (RFC 3261 §9.2). One that we have not
// seen is remembered, in case the network turned the two around.
func (s *Server) cancel(p packet, req *wire.Request) {
	in := s.invites.canceled(req, time.Now())
	if in == nil {
		s.answer(p, req, 481, "Call/Transaction Does Not Exist")
		return
	}
	s.reply(p, req, 200, "OK", in.tag)
	in.stop()
}
