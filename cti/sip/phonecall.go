package sip

import (
	"net/netip"
	"regexp"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// phoneDials is what a phone may dial: numbers with their visual separators,
// codes, and agents by their ids.
var phoneDials = regexp.MustCompile(`^[0-9A-Za-z*#+._()-]{1,64}$`)

// admitPhone decides at the gate on an INVITE that a phone of ours sends: one
// without valid credentials is challenged here and leaves nothing behind. One
// that was let in before is the library's to answer.
func (s *Server) admitPhone(p packet, req *wire.Request, now time.Time) bool {
	if s.invites.repeats(p, req) {
		return true
	}
	extension, f := s.registrar.identify(req, p.from, now)
	if f == nil {
		f = checkDialled(req, extension)
	} else if !s.known(p.from) {
		s.refuse(p, now)
	}
	if f == nil {
		f = s.overloaded(req, now)
	}
	if f != nil {
		s.answer(p, req, f.code, f.reason, f.headers...)
		return false
	}
	switch in, state := s.invites.arrived(p, req, nil, now); state {
	case inviteNew:
		in.phone = extension // before the library learns of it
	case inviteCanceled:
		s.reply(p, req, 487, "Request Terminated", in.tag)
		return false
	case inviteMerged:
		s.answer(p, req, 482, "Loop Detected")
		return false
	}
	return true
}

// checkDialled checks who calls and whom: a phone calls as itself.
func checkDialled(req *wire.Request, extension string) *fault {
	switch dialled := userOf(&req.Recipient); {
	case userOf(&req.From().Address) != extension:
		return &fault{code: 403, reason: "Forbidden: From Is Another Extension"}
	case dialled == "":
		return &fault{code: 484, reason: "Address Incomplete"}
	case !phoneDials.MatchString(dialled):
		return &fault{code: 404, reason: "Not Found"}
	}
	return nil
}

// repeats says whether req is an INVITE that was let in from there before.
func (t *invites) repeats(p packet, req *wire.Request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	in, ok := t.byKey[cancelKey(req)]
	return ok && !in.isCanceledEarly() && in.from == p.from
}

// mayUse says whether a request from there may belong to d. A carrier's may
// come from any of its hosts, a phone's from the phone's address alone; its
// port may change behind NAT.
func (d *dialog) mayUse(from netip.AddrPort) bool {
	if d.leg != nil && d.leg.trunk != nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Addr() == from.Addr()
}
