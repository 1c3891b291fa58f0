package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// ErrNoPorts is returned by Open when every port of the range is in use or was
// so less than ten seconds ago.
var ErrNoPorts = errors.New("media: no RTP port is free")

const (
	portRest    = 10 * time.Second // before a port serves another call
	rtpBuffer   = 512 << 10        // bytes a socket keeps while the box is busy
	rtcpBuffer  = 4 << 10
	packetLimit = 2048
)

// sockets hands out pairs of sockets: RTP on an even port, RTCP on the odd one
// above (RFC 3550 §11). Ports come in random order, the longest unused first.
type sockets struct {
	first, last uint16

	mu    sync.Mutex
	queue []restingPort
}

type restingPort struct {
	port uint16
	till time.Time
}

func newSockets(first, last uint16) *sockets {
	s := &sockets{first: first, last: last}
	for p := int(first) + int(first)%2; p < int(last); p += 2 {
		s.queue = append(s.queue, restingPort{port: uint16(p)})
	}
	rand.Shuffle(len(s.queue), func(i, j int) { s.queue[i], s.queue[j] = s.queue[j], s.queue[i] })
	return s
}

// take removes the port that rested longest.
func (s *sockets) take(now time.Time) (uint16, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || s.queue[0].till.After(now) {
		return 0, false
	}
	p := s.queue[0].port
	s.queue = s.queue[1:]
	return p, true
}

// give puts a port back to rest.
func (s *sockets) give(port uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, restingPort{port, time.Now().Add(portRest)})
}

// open binds a pair at local. A port that some other program holds is passed
// over.
func (s *sockets) open(local netip.Addr) (sound, control *socket, err error) {
	for {
		port, ok := s.take(time.Now())
		if !ok {
			return nil, nil, fmt.Errorf("%w in %d-%d", ErrNoPorts, s.first, s.last)
		}
		sound, control, err = listenPair(local, port)
		if err == nil {
			return sound, control, nil
		}
		s.give(port)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, nil, fmt.Errorf("opening an RTP port at %v: %w", local, err)
		}
	}
}

func listenPair(local netip.Addr, port uint16) (sound, control *socket, err error) {
	if sound, err = openOne(local, port, rtpBuffer); err != nil {
		return nil, nil, err
	}
	if control, err = openOne(local, port+1, rtcpBuffer); err != nil {
		return nil, nil, errors.Join(err, sound.conn.Close())
	}
	return sound, control, nil
}

func openOne(local netip.Addr, port uint16, buffer int) (*socket, error) {
	conn, err := listen(local, port, buffer)
	if err != nil {
		return nil, err
	}
	announceArrival(conn)
	s, err := newSocket(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func listen(local netip.Addr, port uint16, buffer int) (*net.UDPConn, error) {
	network := "udp4"
	if local.Is6() && !local.Is4In6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local.Unmap(), port)))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(buffer) // the kernel gives what it may
	return conn, nil
}

// arrival is what the kernel says of a packet.
type arrival struct {
	from  netip.AddrPort
	late  time.Duration // between its arrival and its being read
	drops uint32        // packets the socket had no room for, so far
	whole bool
}
