package media

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

const expedited = 46 << 2 // DSCP EF, RFC 4594 table 3: telephony

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

const lateLimit = time.Minute // more is a clock that was set

// receive reads one packet into buf; oob is room for what the kernel tells.
func receive(conn *net.UDPConn, buf, oob []byte) (int, arrival, error) {
	n, m, flags, from, err := conn.ReadMsgUDPAddrPort(buf, oob)
	if err != nil {
		return 0, arrival{}, err
	}
	a := arrival{from: from, whole: flags&unix.MSG_TRUNC == 0}
	for rest := oob[:m]; len(rest) >= unix.SizeofCmsghdr; {
		head, data, more, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		rest = more
		if head.Level == unix.SOL_SOCKET {
			a.told(int(head.Type), data)
		}
	}
	return n, a, nil
}

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
