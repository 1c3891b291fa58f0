package media

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func openSocket(t *testing.T, local string) *socket {
	t.Helper()
	conn, err := listen(netip.MustParseAddr(local), 0, rtpBuffer)
	if err != nil && netip.MustParseAddr(local).Is6() {
		t.Skipf("no IPv6 here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	announceArrival(conn)
	s, err := newSocket(conn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSocketCarriesPackets(t *testing.T) {
	for _, local := range []string{"127.0.0.1", "::1"} {
		t.Run(local, func(t *testing.T) {
			a, b := openSocket(t, local), openSocket(t, local)
			if err := a.send([]byte("x")); err == nil {
				t.Error("a packet went nowhere without an error")
			}
			a.aim(localOf(b.conn))
			packet, heard := bytes.Repeat([]byte("s"), 172), 0
			take := func(got []byte, how arrival) {
				if bytes.Equal(got, packet) && how.whole && unmapped(how.from) == localOf(a.conn) && how.late < time.Second {
					heard++
				}
			}
			n := testing.AllocsPerRun(200, func() {
				if err := errors.Join(a.send(packet), b.receive(take)); err != nil {
					t.Error(err)
				}
			})
			if n > 0 {
				t.Errorf("%v allocations a packet", n)
			}
			if heard < 200 {
				t.Errorf("%d packets came as they were sent", heard)
			}
			_ = b.conn.Close()
			if err := b.receive(take); !errors.Is(err, net.ErrClosed) {
				t.Errorf("receive from a closed socket = %v", err)
			}
		})
	}
}
