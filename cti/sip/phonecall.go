package sip

import (
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// admitPhone decides at the gate on an INVITE that a phone of ours sends: one
// without valid credentials is challenged here and leaves nothing behind.
func (s *Server) admitPhone(p packet, req *wire.Request, _ time.Time) bool {
	s.answer(p, req, 501, "Calls from phones are not yet supported")
	return false
}

// admitSubscribe decides at the gate on a SUBSCRIBE outside of a dialog.
func (s *Server) admitSubscribe(p packet, req *wire.Request, _ time.Time) bool {
	s.answer(p, req, 489, "Bad Event")
	return false
}
