//go:build !linux

package media

import "net"

func announceArrival(*net.UDPConn) {}

// receive reads one packet into buf.
func receive(conn *net.UDPConn, buf, _ []byte) (int, arrival, error) {
	n, from, err := conn.ReadFromUDPAddrPort(buf)
	return n, arrival{from: from, whole: true}, err
}
