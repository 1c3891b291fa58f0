//go:build !linux

package media

import (
	"net"
	"net/netip"
	"time"
)

func announceArrival(*net.UDPConn) {}

// socket is a UDP socket that sound comes and goes by.
type socket struct {
	conn *net.UDPConn
	buf  [packetLimit]byte
	to   netip.AddrPort
}

func newSocket(conn *net.UDPConn) (*socket, error) { return &socket{conn: conn}, nil }

// receive waits for a packet and lets take have it, who does not keep it. The
// error is net.ErrClosed when the socket is closed.
func (s *socket) receive(take func(packet []byte, a arrival)) error {
	n, from, err := s.conn.ReadFromUDPAddrPort(s.buf[:])
	if err == nil {
		take(s.buf[:n], arrival{from: from, whole: true})
	}
	return err
}

// poll is receive for a packet that is there already; it is false when none is.
func (s *socket) poll(take func(packet []byte, a arrival)) bool {
	_ = s.conn.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
	return s.receive(take) == nil
}

// aim sets where packets go.
func (s *socket) aim(to netip.AddrPort) { s.to = to }

// send lets one packet go.
func (s *socket) send(packet []byte) error {
	_, err := s.conn.WriteToUDPAddrPort(packet, s.to)
	return err
}
