package media

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	expedited = 46 << 2 // DSCP EF, RFC 4594 table 3: telephony
	oobLimit  = 128     // bytes of what the kernel tells with a packet
)

// announceArrival makes the kernel tell with each packet when it came and how
// many found no room, so that a box short of CPU still places sound right; and it
// asks the network to hurry. It is no loss where it fails.
func announceArrival(conn *net.UDPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, expedited)
	})
}

// socket is a UDP socket that sound comes and goes by. Its system calls never
// wait, so the scheduler is not told of them: that alone is a sixth of what a
// packet costs, since each such notice wakes the runtime's monitor. And a buffer
// is held only while there is a packet in it, not while waiting for one.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	v6   bool

	// Of the one who reads:
	try func(fd uintptr) bool // recv, made once
	got *room
	err error

	// Of the one who sends:
	put    func(fd uintptr) bool // sendto, made once
	packet []byte
	failed error
	to     unix.RawSockaddrAny
	toLen  uintptr // 0: nowhere
}

// room is where the kernel puts one packet.
type room struct {
	head unix.Msghdr
	part unix.Iovec
	from unix.RawSockaddrAny
	n    int
	oob  [oobLimit]byte
	data [packetLimit]byte
}

var rooms = sync.Pool{New: func() any {
	r := new(room)
	r.part.Base = &r.data[0]
	r.part.SetLen(len(r.data))
	r.head.Name, r.head.Control, r.head.Iov = (*byte)(unsafe.Pointer(&r.from)), &r.oob[0], &r.part
	r.head.SetIovlen(1)
	return r
}}

func newSocket(conn *net.UDPConn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, raw: raw, v6: localOf(conn).Addr().Is6()}
	s.try, s.put = s.recv, s.sendto
	return s, nil
}

// receive waits for a packet and lets take have it, who does not keep it. The
// error is net.ErrClosed when the socket is closed.
func (s *socket) receive(take func(packet []byte, a arrival)) error {
	if err := s.raw.Read(s.try); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	r := s.got
	s.got = nil
	defer rooms.Put(r)
	take(r.data[:r.n], r.arrival())
	return nil
}

// poll is receive for a packet that is there already; it is false when none is.
func (s *socket) poll(take func(packet []byte, a arrival)) bool {
	err := s.raw.Read(func(fd uintptr) bool { s.recv(fd); return true })
	if err != nil || s.got == nil {
		return false
	}
	r := s.got
	s.got = nil
	defer rooms.Put(r)
	take(r.data[:r.n], r.arrival())
	return true
}

// recv is false when there is no packet yet.
func (s *socket) recv(fd uintptr) (done bool) {
	r := rooms.Get().(*room)
	err := r.recv(fd)
	for err == unix.EINTR {
		err = r.recv(fd)
	}
	if s.err = nil; err == 0 {
		s.got = r
		return true
	}
	rooms.Put(r)
	if err == unix.EAGAIN {
		return false
	}
	s.err = err
	return true
}

func (r *room) recv(fd uintptr) syscall.Errno {
	r.head.Namelen = unix.SizeofSockaddrAny
	r.head.SetControllen(len(r.oob))
	n, _, err := syscall.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&r.head)), unix.MSG_DONTWAIT)
	r.n = int(n)
	return err
}

// arrival is what the kernel told of the packet.
func (r *room) arrival() arrival {
	a := arrival{from: addressOf(&r.from), whole: r.head.Flags&unix.MSG_TRUNC == 0}
	for rest := r.oob[:r.head.Controllen]; len(rest) >= unix.SizeofCmsghdr; {
		head, data, more, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		rest = more
		if head.Level == unix.SOL_SOCKET {
			a.told(int(head.Type), data)
		}
	}
	return a
}

const lateLimit = time.Minute // more is a clock that was set

func (a *arrival) told(what int, data []byte) {
	switch {
	case what == unix.SO_RXQ_OVFL && len(data) >= 4:
		a.drops = binary.NativeEndian.Uint32(data)
	case what == unix.SO_TIMESTAMPNS && len(data) >= 16:
		came := time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
		a.late = time.Since(came) // by the wall clock: came has no other
		if a.late < 0 || a.late > lateLimit {
			a.late = 0
		}
	}
}

var errNowhere = errors.New("media: no address that this socket can send to")

// aim sets where packets go. A port of 0 or an address of the other family is
// nowhere.
func (s *socket) aim(to netip.AddrPort) {
	s.to, s.toLen = unix.RawSockaddrAny{}, 0
	switch {
	case to.Port() == 0:
	case s.v6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.to))
		a.Family, a.Addr = unix.AF_INET6, to.Addr().As16()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.Port))[:], to.Port())
		s.toLen = unix.SizeofSockaddrInet6
	case to.Addr().Is4():
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.to))
		a.Family, a.Addr = unix.AF_INET, to.Addr().As4()
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.Port))[:], to.Port())
		s.toLen = unix.SizeofSockaddrInet4
	}
}

// addressOf is the zero address for what is none of IP's.
func addressOf(from *unix.RawSockaddrAny) netip.AddrPort {
	switch from.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&a.Port))[:]))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(from))
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&a.Port))[:]))
	}
	return netip.AddrPort{}
}

// send lets one packet go. It never waits: a packet that the kernel has no room
// for now would be late later.
func (s *socket) send(packet []byte) error {
	if s.toLen == 0 || len(packet) == 0 {
		return errNowhere
	}
	s.packet = packet
	if err := s.raw.Write(s.put); err != nil {
		return err
	}
	return s.failed
}

func (s *socket) sendto(fd uintptr) (done bool) {
	_, _, err := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&s.packet[0])), uintptr(len(s.packet)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&s.to)), s.toLen)
	if s.failed = nil; err != 0 {
		s.failed = err
	}
	return true
}
