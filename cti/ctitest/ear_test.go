package ctitest

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"callbox/cti/media"
)

// TestBentPackets has an ear take packets that lie about their length.
func TestBentPackets(t *testing.T) {
	var e ear
	for _, b := range [][]byte{
		nil,
		{0x80},
		make([]byte, 12),
		{0x8f, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		{0x90, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
		{0xa0, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff},
		{0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
		{0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
	} {
		e.take(b, 101, time.Now())
	}
	if e.total != 0 || e.pressed != "" {
		t.Errorf("heard %d samples and %q", e.total, e.pressed)
	}
	big := make([]byte, 12+20000)
	big[0], big[1] = 0x80, byte(media.PCMA)
	e.take(big, 101, time.Now())
	if got := e.latest(media.SampleRate); len(got) != media.SampleRate {
		t.Errorf("%d samples of a second", len(got))
	}
}

func TestNoAllocationAPacket(t *testing.T) {
	s := newSound([]media.Law{media.PCMA}, nil)
	if err := s.open(netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	sink, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = sink.Close(), s.conn.Close() })
	s.agreed = agreement{law: media.PCMA, events: 101, way: "sendrecv", remote: sink.LocalAddr().(*net.UDPAddr).AddrPort()}
	s.Tone(440)
	s.Listen(440)
	if n := testing.AllocsPerRun(100, s.frame); n > 0 {
		t.Errorf("%v allocations a frame sent", n)
	}
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, byte(media.PCMA)
	if n := testing.AllocsPerRun(100, func() { s.ear.take(packet, 101, time.Now()) }); n > 0 {
		t.Errorf("%v allocations a packet heard", n)
	}
}
