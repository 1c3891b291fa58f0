package client

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDialledSocketFindsADeadPeer: keep-alive for a connection that rests,
// TCP_USER_TIMEOUT for one that does not.
func TestDialledSocketFindsADeadPeer(t *testing.T) {
	ln := listen(t)
	conn, err := Config{Address: ln.Addr().String()}.dialTCP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for _, o := range []struct {
			name              string
			level, opt, value int
		}{
			{"TCP_USER_TIMEOUT in ms", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 30_000},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE in s", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
			{"TCP_KEEPINTVL in s", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.opt); err != nil || got != o.value {
				t.Errorf("%s is %d, want %d (%v)", o.name, got, o.value, err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
