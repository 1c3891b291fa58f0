package sip

import (
	"net"
	"time"
)

// WithTimers shortens RFC 3261's timers for a test.
func (c Config) WithTimers(t1, t2, failover time.Duration) Config {
	c.timers = timers{t1: t1, t2: t2, failover: failover}
	return c
}

// BreakListeners closes the sockets under the listeners, as a lost interface
// would.
func (s *Server) BreakListeners() {
	for _, u := range s.udp {
		_ = u.current().Close()
	}
	for _, t := range s.tcp {
		_ = t.current().Close()
	}
}

// PoolSize is how many UDP sources the library remembers.
func (s *Server) PoolSize() int { return s.ua.TransportLayer().Pool("udp").Size() }

// Pending is how many INVITEs the gate remembers.
func (s *Server) Pending() int { return s.invites.size() }

var _ net.PacketConn = (*udpSocket)(nil)

// Inspectors for table tests of pure functions.
var (
	Shown            = shown
	UserPart         = userPart
	FirstAddress     = firstAddress
	BodyLength       = bodyLength
	Frame            = frame
	StrayBreak       = strayBreak
	BareBadRequest   = bareBadRequest
	ReadSDP          = read
	ErrNoCodec       = errNoCodec
	ErrSRTP          = errSRTP
	ErrBadSDP        = errBadSDP
	NewTestShield    = newShield
	NewTestNonces    = newNonces
	StrikeLimit      = strikeLimit
	StrangerRate     = strangerRate
	BanTime          = banTime
	NonceLife        = nonceLife
	ConnsPerAddress  = connsPerAddress
)
