package sip

import "time"

// LookAgain has the certificate's files looked at by the next handshake.
func (s *Server) LookAgain() {
	c := s.ways.certificate
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = time.Time{}
}
