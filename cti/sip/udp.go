package sip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	udpBuffer  = 4 << 20 // bytes asked for in the kernel, so that bursts wait instead of being lost
	reviveEach = 200 * time.Millisecond
)

// udpSocket is a UDP listener that outlives its descriptor: when reading fails
// it listens again, and the library above never learns of it. Only messages
// that the gate lets pass are read from it.
type udpSocket struct {
	addr    netip.AddrPort // as bound, with the real port
	gate    func(*packet) bool
	log     *slog.Logger
	revived *atomic.Uint64
	closed  chan struct{}

	mu   sync.Mutex
	conn *net.UDPConn
}

func listenUDP(addr netip.AddrPort, log *slog.Logger, revived *atomic.Uint64) (*udpSocket, error) {
	conn, err := openUDP(addr)
	if err != nil {
		return nil, err
	}
	bound := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &udpSocket{
		addr: netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()),
		log:  log, revived: revived, conn: conn, closed: make(chan struct{}),
	}, nil
}

func openUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on udp://%s: %w", addr, err)
	}
	_ = conn.SetReadBuffer(udpBuffer) // the kernel may give less
	return conn, nil
}

// ReadFrom gives the next message that passed the gate.
func (u *udpSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		conn := u.current()
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			if !u.revive(conn, err) {
				return 0, nil, net.ErrClosed
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		p := packet{data: b[:n], from: from, local: u.addr, transport: "UDP", reply: u.reply}
		if u.gate(&p) {
			return copy(b, p.data), net.UDPAddrFromAddrPort(from), nil
		}
	}
}

func (u *udpSocket) current() *net.UDPConn {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.conn
}

// revive listens again on the same address until it works; false when the
// socket was closed for good.
func (u *udpSocket) revive(broken *net.UDPConn, why error) bool {
	if u.isClosed() {
		return false
	}
	u.log.Error("udp listener lost, listening again", "addr", u.addr, "err", why)
	_ = broken.Close()
	for {
		conn, err := openUDP(u.addr)
		if err == nil && u.replace(conn) {
			u.revived.Add(1)
			return true
		}
		select {
		case <-u.closed:
			return false
		case <-time.After(reviveEach):
		}
	}
}

func (u *udpSocket) replace(conn *net.UDPConn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.isClosed() {
		_ = conn.Close()
		return false
	}
	u.conn = conn
	return true
}

func (u *udpSocket) isClosed() bool {
	select {
	case <-u.closed:
		return true
	default:
		return false
	}
}

func (u *udpSocket) reply(data []byte, to netip.AddrPort) {
	_, _ = u.current().WriteToUDPAddrPort(data, to) // an answer may be lost, as any datagram
}

// WriteTo sends b from the listener's own port.
func (u *udpSocket) WriteTo(b []byte, to net.Addr) (int, error) { return u.current().WriteTo(b, to) }

// LocalAddr is the listener's address.
func (u *udpSocket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(u.addr) }

// Close closes the listener for good.
func (u *udpSocket) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.isClosed() {
		return nil
	}
	close(u.closed)
	if err := u.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close udp://%s: %w", u.addr, err)
	}
	return nil
}

// SetDeadline is there for net.PacketConn only.
func (u *udpSocket) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline is there for net.PacketConn only.
func (u *udpSocket) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// SetWriteDeadline is there for net.PacketConn only.
func (u *udpSocket) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
