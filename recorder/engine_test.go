package recorder_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"callbox/cti/media"
	"callbox/recorder"
	"callbox/recorder/wav"
)

// party is the far end of an RTP port of the real engine.
type party struct {
	t    *testing.T
	conn *net.UDPConn
	to   netip.AddrPort
	law  media.Law
	ssrc uint32
	seq  uint16
	ts   uint32
}

// startEngine runs the real engine until the test ends.
func startEngine(t *testing.T) *media.Plain {
	t.Helper()
	engine, err := media.New(media.Config{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("engine: %v", err)
		}
	})
	return engine
}

// newParty is somebody on loopback, and the port that hears him.
func newParty(t *testing.T, engine *media.Plain, law media.Law) (*party, media.RTP) {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	port, err := engine.Open(loopback)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = port.Close() })
	p := &party{t: t, conn: conn, to: port.LocalAddr(), law: law, ssrc: 1, seq: 65530, ts: 1 << 31}
	p.agree(port, law)
	return p, port
}

// agree is an INVITE, or another one in the dialog.
func (p *party) agree(port media.RTP, law media.Law) {
	p.t.Helper()
	here, _ := p.conn.LocalAddr().(*net.UDPAddr)
	if err := port.Start(media.Stream{Remote: here.AddrPort(), Law: law}); err != nil {
		p.t.Fatal(err)
	}
	p.law = law
}

// say sends n frames of b, 20 ms apart.
func (p *party) say(b byte, n int) {
	next := time.Now()
	for range n {
		packet := binary.BigEndian.AppendUint16([]byte{0x80, byte(p.law)}, p.seq)
		packet = binary.BigEndian.AppendUint32(packet, p.ts)
		packet = binary.BigEndian.AppendUint32(packet, p.ssrc)
		if _, err := p.conn.WriteToUDPAddrPort(append(packet, fill(b)...), p.to); err != nil {
			p.t.Error(err)
		}
		p.seq, p.ts = p.seq+1, p.ts+frame
		next = next.Add(media.Frame)
		time.Sleep(time.Until(next))
	}
}

// A carrier's media server changes in the middle of the call (another SSRC,
// sequence and time, whose first packets are not yet believed), then the other
// law is agreed on: one file in the first law, all of it in its place.
func TestSourceAndLawChange(t *testing.T) {
	b, engine := newBench(t, nil), startEngine(t)
	far, port := newParty(t, engine, media.PCMA)
	stop := b.record(t, "x", port)
	const n = 15
	far.say(1, n)
	far.ssrc, far.seq, far.ts = 2, 7, 12345
	far.say(2, n)
	far.agree(port, media.PCMU)
	far.say(3, n)
	time.Sleep(100 * time.Millisecond)
	r := stop(t.Context())
	if r.State != recorder.Complete || r.MissingSeconds != 0 {
		t.Errorf("Result = %+v", r)
	}
	left, _ := b.channels(t, "x", wav.ALaw)
	var third [1]byte
	media.Convert(media.PCMU, media.PCMA, third[:], []byte{3})
	at := 0
	for _, said := range []byte{1, 2, third[0]} {
		first, last := bytes.IndexByte(left, said), bytes.LastIndexByte(left, said)
		if got := bytes.Count(left, []byte{said}); got < (n-3)*frame || last-first >= (n+4)*frame || first < at {
			t.Errorf("%d samples of %d from %d to %d, behind %d", got, said, first, last, at)
		}
		at = first + (n-2)*frame
	}
	if bytes.IndexByte(left, 3) >= 0 {
		t.Error("sound in the wrong law")
	}
}

// A call goes from a bridge to a room and back: the tap on the outside leg does
// not notice.
func TestBridgeRoomBridge(t *testing.T) {
	b, engine := newBench(t, nil), startEngine(t)
	outside, port := newParty(t, engine, media.PCMA)
	agent, desk := newParty(t, engine, media.PCMA)
	_, third := newParty(t, engine, media.PCMA)
	room := engine.Room()
	defer room.Close()
	stop := b.record(t, "x", port)
	const n = 20
	both := func() {
		done := make(chan struct{})
		go func() { defer close(done); agent.say(0x35, n) }()
		outside.say(0x25, n)
		<-done
	}
	undo := engine.Bridge(port, desk)
	both()
	undo()
	room.Hear(port, desk, third)
	room.Hear(desk, port, third)
	room.Hear(third, port, desk)
	both()
	room.Leave(port)
	room.Leave(desk)
	undo = engine.Bridge(port, desk)
	both()
	undo()
	time.Sleep(100 * time.Millisecond)
	r := stop(t.Context())
	if r.State != recorder.Complete || r.MissingSeconds != 0 {
		t.Errorf("Result = %+v", r)
	}
	left, right := b.channels(t, "x", wav.ALaw)
	for name, side := range map[string]struct {
		heard []byte
		said  byte
	}{"outside": {left, 0x25}, "agent": {right, 0x35}} {
		got := bytes.Count(side.heard, []byte{side.said})
		first, last := bytes.IndexByte(side.heard, side.said), bytes.LastIndexByte(side.heard, side.said)
		if got < (3*n-8)*frame || last-first < (3*n-4)*frame || last-first > (3*n+12)*frame {
			t.Errorf("%s: %d samples from %d to %d of %d", name, got, first, last, 3*n*frame)
		}
	}
}
