package webrtc

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

const (
	socketBuffer = 1 << 20
	tcpQueue     = 64       // packets of a page that are not read yet
	tcpBuffer    = 64 << 10 // of a page that does not read; more is lost
	tcpFirst     = 5 * time.Second
	mostTCP      = 512 // connections
	portTries    = 10
)

// sockets are the ports that all pages come by: one of UDP at each address of the
// box, and one of TCP. It is an [ice.UDPMux] that follows the addresses as they
// come and go.
type sockets struct {
	cfg Config
	log *slog.Logger
	ice logging.LeveledLogger
	tcp *ice.TCPMuxDefault // nil: off

	mu    sync.Mutex // guards what follows
	port  int
	order []netip.Addr
	muxes map[netip.Addr]*ice.UDPMuxDefault
}

var _ ice.UDPMux = (*sockets)(nil)

func newSockets(cfg Config) *sockets {
	return &sockets{cfg: cfg, log: cfg.Log, ice: quietLog{cfg.Log}, muxes: map[netip.Addr]*ice.UDPMuxDefault{}}
}

// open binds the port that is configured, or another where that is taken.
func (s *sockets) open() error {
	err := s.bind(s.cfg.Port)
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	for range portTries { // of a free UDP port the TCP port may be taken
		if err = s.bind(0); err == nil {
			break
		}
	}
	if err == nil && s.cfg.Port != 0 {
		s.log.Warn("webrtc.port is taken, another one is used", "port", s.cfg.Port, "used", s.port)
	}
	return err
}

// bind takes all addresses at a port, or none; 0 is any.
func (s *sockets) bind(port int) error {
	s.port = port
	for _, at := range s.own() {
		if err := s.add(at); err != nil {
			s.close()
			return err
		}
	}
	if !s.cfg.TCP {
		return nil
	}
	host := ""
	if s.cfg.Loopback {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(s.port)))
	if err != nil {
		s.close()
		return fmt.Errorf("tcp: %w", err)
	}
	s.port = cmp.Or(s.port, l.Addr().(*net.TCPAddr).Port)
	s.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: &gate{Listener: l, slots: make(chan struct{}, mostTCP)}, Logger: s.ice,
		ReadBufferSize: tcpQueue, WriteBufferSize: tcpBuffer, FirstStunBindTimeout: tcpFirst,
	})
	return nil
}

// add binds one address. Callers hold mu, or nobody knows s yet.
func (s *sockets) add(at netip.Addr) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, uint16(s.port))))
	if err != nil {
		return fmt.Errorf("udp: %w", err)
	}
	_ = conn.SetReadBuffer(socketBuffer) // wishes only
	_ = conn.SetWriteBuffer(socketBuffer)
	s.port = cmp.Or(s.port, conn.LocalAddr().(*net.UDPAddr).Port)
	s.muxes[at] = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: s.ice})
	s.order = append(s.order, at)
	return nil
}

// refresh follows the box's addresses: those that came are bound, those that
// went are let go.
func (s *sockets) refresh() {
	now := s.own()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port == 0 && len(s.order) == 0 && s.tcp == nil {
		return // not open
	}
	there := map[netip.Addr]bool{}
	for _, at := range now {
		there[at] = true
		if s.muxes[at] != nil {
			continue
		}
		if err := s.add(at); err != nil {
			s.log.Warn("a new address of the box is not heard", "address", at, "err", err)
		}
	}
	kept := s.order[:0]
	for _, at := range s.order {
		if there[at] {
			kept = append(kept, at)
			continue
		}
		_ = s.muxes[at].Close()
		delete(s.muxes, at)
	}
	s.order = kept
}

// close frees all ports.
func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mux := range s.muxes {
		_ = mux.Close()
	}
	clear(s.muxes)
	s.order = nil
	if s.tcp != nil {
		_ = s.tcp.Close()
		s.tcp = nil
	}
}

func (s *sockets) addr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(s.port))
	}
	return netip.AddrPortFrom(s.order[0], uint16(s.port))
}

// has says whether an address is one of those bound.
func (s *sockets) has(ip net.IP) bool {
	at, _ := netip.AddrFromSlice(ip)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muxes[at.Unmap()] != nil
}

// own are the box's addresses at which pages may reach it.
func (s *sockets) own() []netip.Addr {
	loopback := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if s.cfg.Loopback {
		return loopback
	}
	var all []netip.Addr
	interfaces, err := net.Interfaces()
	if err != nil {
		s.log.Warn("the box's interfaces cannot be read", "err", err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || isVirtual(i.Name) {
			continue
		}
		all = append(all, addressesOf(i)...)
	}
	if len(all) == 0 {
		return loopback
	}
	return all
}

func addressesOf(i net.Interface) (all []netip.Addr) {
	addrs, err := i.Addrs()
	if err != nil { // the interface went just now
		return nil
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if at := p.Addr().Unmap(); err == nil && at.IsGlobalUnicast() {
			all = append(all, at)
		}
	}
	return all
}

// bridge is how Docker names the networks that people make.
var bridge = regexp.MustCompile(`^br-[0-9a-f]{12}$`)

// virtual are the beginnings of interfaces behind which no agent sits:
// containers, virtual machines, tunnels.
var virtual = []string{"docker", "veth", "virbr", "vmnet", "vboxnet", "cni", "flannel", "cali", "podman", "lxc", "tun", "tap", "utun", "wg", "zt", "tailscale", "ppp"}

func isVirtual(name string) bool {
	for _, p := range virtual {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return bridge.MatchString(name)
}

// mux is the socket at an address.
func (s *sockets) mux(at net.Addr) (*ice.UDPMuxDefault, error) {
	udp, ok := at.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("%v is no UDP address", at)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if mux := s.muxes[udp.AddrPort().Addr().Unmap()]; mux != nil {
		return mux, nil
	}
	return nil, fmt.Errorf("%v is not bound any more", at)
}

// GetConn implements [ice.UDPMux].
func (s *sockets) GetConn(ufrag string, at net.Addr) (net.PacketConn, error) {
	mux, err := s.mux(at)
	if err != nil {
		return nil, err
	}
	return mux.GetConn(ufrag, at)
}

// RemoveConnByUfrag implements [ice.UDPMux].
func (s *sockets) RemoveConnByUfrag(ufrag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mux := range s.muxes {
		mux.RemoveConnByUfrag(ufrag)
	}
}

// GetListenAddresses implements [ice.UDPMux].
func (s *sockets) GetListenAddresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]net.Addr, len(s.order))
	for i, at := range s.order {
		all[i] = net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, uint16(s.port)))
	}
	return all
}

// Close implements [ice.UDPMux]; the sockets are the server's.
func (s *sockets) Close() error { return nil }

// gate lets so many TCP connections in at a time; others are closed at once.
type gate struct {
	net.Listener
	slots chan struct{}
}

// Accept waits for a connection for which there is room.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case g.slots <- struct{}{}:
			return &guest{Conn: conn, leave: sync.OnceFunc(func() { <-g.slots })}, nil
		default:
			_ = conn.Close()
		}
	}
}

type guest struct {
	net.Conn
	leave func()
}

// Close makes room.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
