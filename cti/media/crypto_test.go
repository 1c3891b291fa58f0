package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func keyFor(suite string, seed byte) []byte {
	key := make([]byte, KeyLength(suite))
	for i := range key {
		key[i] = seed + byte(i)
	}
	return key
}

func sealing(t testing.TB, suite string) (*sealer, *opener) {
	t.Helper()
	s, err := newSealer(secret{suite, keyFor(suite, 1)})
	o, err2 := newOpener(secret{suite, keyFor(suite, 1)})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return s, o
}

func packetOf(ssrc uint32, seq uint16, payload string) []byte {
	b := make([]byte, rtpHeader, rtpHeader+len(payload)+sealRoom)
	b[0], b[1] = rtpVersion, byte(PCMA)
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	return append(b, payload...)
}

func mustSeal(t testing.TB, s *sealer, packet []byte) []byte {
	t.Helper()
	sealed, ok := s.seal(packet)
	if !ok {
		t.Fatalf("packet %d is not sealed", binary.BigEndian.Uint16(packet[2:]))
	}
	return slices.Clone(sealed)
}

func TestSuites(t *testing.T) {
	want := map[string]int{"AEAD_AES_256_GCM": 44, "AEAD_AES_128_GCM": 28, "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30}
	if all := Suites(); len(all) != len(want) || all[0] != "AEAD_AES_256_GCM" || all[3] != "AES_CM_128_HMAC_SHA1_32" {
		t.Errorf("Suites = %v", all)
	}
	for _, name := range Suites() {
		if got := KeyLength(name); got != want[name] {
			t.Errorf("KeyLength(%s) = %d, want %d", name, got, want[name])
		}
		s, o := sealing(t, name)
		packet := packetOf(7, 1, "spoken")
		sealed := mustSeal(t, s, packet)
		if bytes.Contains(sealed, []byte("spoken")) {
			t.Errorf("%s: the sound is in the clear", name)
		}
		for i := range sealed {
			bad := slices.Clone(sealed)
			bad[i] ^= 1
			if _, ok := o.open(bad, 0); ok {
				t.Errorf("%s: octet %d was changed and nobody saw it", name, i)
			}
		}
		clear, ok := o.open(sealed, 0)
		if !ok || !bytes.Equal(clear, packetOf(7, 1, "spoken")) {
			t.Errorf("%s: opened % x, %v", name, clear, ok)
		}
	}
	if KeyLength("NULL") != 0 {
		t.Error("an unknown suite has a key")
	}
}

func TestStartRefusesBadKeys(t *testing.T) {
	p, _ := heldPorts(t)
	good := keyFor("AEAD_AES_128_GCM", 1)
	for name, c := range map[string]Crypto{
		"unknown suite":    {"F8_128_HMAC_SHA1_80", good, good},
		"no keys":          {"AEAD_AES_128_GCM", nil, nil},
		"short remote key": {"AEAD_AES_128_GCM", good, good[1:]},
		"long local key":   {"AEAD_AES_128_GCM", append(good, 1), good},
	} {
		if err := p.Start(Stream{Remote: p.local, Law: PCMU, Crypto: &c}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if p.outlet.sealer != nil || p.opener != nil || p.outlet.law != PCMA {
		t.Error("a stream that was refused changed the port")
	}
}

// TestSealedRounds lets the numbers wrap five times, with losses, and with order
// lost around each wrap (RFC 3711 §3.3.1).
func TestSealedRounds(t *testing.T) {
	for _, name := range Suites() {
		s, o := sealing(t, name)
		random := rand.New(rand.NewPCG(1, 2))
		seq := 30000
		var waiting [][]byte
		for seq < 30000+5*65536 {
			step := 500
			if near := (seq + 40) % 65536; near < 80 {
				step = 1
			}
			seq += step
			sealed := mustSeal(t, s, packetOf(7, uint16(seq), "spoken"))
			if random.IntN(10) == 0 {
				continue // lost
			}
			if waiting = append(waiting, sealed); len(waiting) < 4 && step == 1 {
				continue
			}
			if step == 1 {
				random.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
			}
			for _, w := range waiting {
				if _, ok := o.open(w, 0); !ok {
					t.Fatalf("%s: packet %d of round %d is not opened", name, seq%65536, seq/65536)
				}
			}
			waiting = nil
		}
		if roc, _ := o.context.ROC(7); roc != 5 {
			t.Errorf("%s: round %d, want 5", name, roc)
		}
	}
}

func TestSealedOnce(t *testing.T) {
	s, o := sealing(t, Suites()[0])
	for _, tt := range []struct {
		seq  uint16
		want bool
	}{{100, true}, {100, false}, {101, true}, {105, true}, {103, true}, {103, false}, {40, false}, {42, true}, {42, false}, {200, true}, {136, false}, {137, true}} {
		if _, ok := s.seal(packetOf(7, tt.seq, "spoken")); ok != tt.want {
			t.Errorf("packet %d: sealed %v, want %v", tt.seq, ok, tt.want)
		}
	}
	sealed := mustSeal(t, s, packetOf(7, 300, "spoken"))
	again := slices.Clone(sealed)
	if _, ok := o.open(sealed, 0); !ok {
		t.Fatal("not opened")
	}
	if _, ok := o.open(again, 0); ok {
		t.Error("a packet was opened twice")
	}
}

func TestKeyChange(t *testing.T) {
	for _, name := range Suites() {
		old, before := sealing(t, name)
		now, err := newSealer(secret{name, keyFor(name, 99)})
		after, err2 := newOpener(secret{name, keyFor(name, 99)})
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if _, ok := before.open(mustSeal(t, old, packetOf(7, 65000, "spoken")), 0); !ok {
			t.Fatal("not opened")
		}
		after.follows(before, 1000)
		late, tooLate := mustSeal(t, old, packetOf(7, 65001, "spoken")), mustSeal(t, old, packetOf(7, 65002, "spoken"))
		first, second := mustSeal(t, now, packetOf(7, 65003, "spoken")), mustSeal(t, now, packetOf(7, 65004, "spoken"))
		for i, w := range []struct {
			packet []byte
			at     int64
			want   bool
		}{{first, 1000, true}, {late, 1000 + formerKeySpan - 1, true}, {tooLate, 1000 + formerKeySpan, false}, {second, 90000, true}} {
			clear, ok := after.open(w.packet, w.at)
			if ok != w.want || ok && string(clear[rtpHeader:]) != "spoken" {
				t.Errorf("%s: step %d: opened %v, want %v", name, i, ok, w.want)
			}
		}
		if after.former != nil {
			t.Error("the key before is kept for ever")
		}
	}
}

// TestSameKeysGoOn: sealing under a key from the start again would give away
// what was said.
func TestSameKeysGoOn(t *testing.T) {
	p, from := heldPorts(t)
	suite := Suites()[2]
	stream := func(local, remote byte) Stream {
		return Stream{Remote: from, Law: PCMA, Crypto: &Crypto{suite, keyFor(suite, local), keyFor(suite, remote)}}
	}
	start := func(s Stream) (*sealer, *opener) {
		if err := p.Start(s); err != nil {
			t.Fatal(err)
		}
		return p.outlet.sealer, p.opener
	}
	s1, o1 := start(stream(1, 2))
	if s2, o2 := start(stream(1, 2)); s1 != s2 || o1 != o2 {
		t.Error("a refresh began anew")
	}
	if s3, o3 := start(stream(1, 3)); s3 != s1 || o3 == o1 || o3.former == nil {
		t.Error("a new key of the party's changed the wrong side")
	}
	if s4, _ := start(stream(4, 3)); s4 == s1 {
		t.Error("a new key of ours was not taken")
	}
	if s5, o5 := start(Stream{Remote: from, Law: PCMA}); s5 != nil || o5 != nil {
		t.Error("keys stay where none were agreed on")
	}
}

func TestOneKeySpeaksForFewSources(t *testing.T) {
	s, o := sealing(t, Suites()[1])
	for ssrc := range uint32(200) {
		s.begun = false
		_, ok := o.open(mustSeal(t, s, packetOf(ssrc, 1, "spoken")), 0)
		if want := ssrc < mostSources; ok != want {
			t.Fatalf("source %d: opened %v", ssrc, ok)
		}
	}
	s.begun = false
	if _, ok := o.open(mustSeal(t, s, packetOf(3, 2, "spoken")), 0); !ok {
		t.Error("a known source is not heard any more")
	}
}

// sealedPorts are two bridged ports whose streams are sealed, and what seals for
// the first one's party.
func sealedPorts(t testing.TB, suite string) (p *rtpPort, from netip.AddrPort, party *sealer) {
	t.Helper()
	p, from = heldPorts(t)
	c := &Crypto{suite, keyFor(suite, 9), keyFor(suite, 1)}
	if err := p.Start(Stream{Remote: from, Law: PCMA, DTMF: 101, Crypto: c}); err != nil {
		t.Fatal(err)
	}
	party, _ = sealing(t, suite)
	return p, from, party
}

func TestSealedStreamLearnsFromSealedPacketsOnly(t *testing.T) {
	p, _ := heldPorts(t)
	suite := Suites()[0]
	party, _ := sealing(t, suite)
	named := netip.MustParseAddrPort("192.168.1.5:4000")
	public, thief := netip.MustParseAddrPort("203.0.113.9:5000"), netip.MustParseAddrPort("203.0.113.66:5000")
	err := p.Start(Stream{Remote: named, Law: PCMA, Symmetric: true, Crypto: &Crypto{suite, keyFor(suite, 9), keyFor(suite, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	var room rtp.Packet
	for n := range uint16(20) {
		p.take(packetOf(7, n, "false"), arrival{from: thief, whole: true}, &room)
		p.take(append(packetOf(7, n, "false"), make([]byte, 16)...), arrival{from: thief, whole: true}, &room)
	}
	if p.from.locked.IsValid() || p.Stats().Dropped != 40 || p.Stats().Received != 0 {
		t.Fatalf("locked on %v, %+v", p.from.locked, p.Stats())
	}
	for n := range uint16(20) {
		p.take(mustSeal(t, party, packetOf(7, n, "spoken")), arrival{from: public, whole: true}, &room)
	}
	if p.from.locked != public || p.Stats().Received != 16 {
		t.Errorf("locked on %v, %+v", p.from.locked, p.Stats())
	}
}

// TestStolenPackets: what a stranger caught and sends on before the party's own
// arrives must not use up its number.
func TestStolenPackets(t *testing.T) {
	p, from, party := sealedPorts(t, Suites()[0])
	var room rtp.Packet
	for n := range uint16(20) {
		sealed := mustSeal(t, party, packetOf(7, n, "spoken"))
		p.take(slices.Clone(sealed), arrival{from: netip.AddrPortFrom(from.Addr(), 9), whole: true}, &room)
		p.take(sealed, arrival{from: from, whole: true}, &room)
	}
	if s := p.Stats(); s.Received != 20 || s.Dropped != 20 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestNoAllocationPerSealedPacket(t *testing.T) {
	for _, suite := range Suites() {
		p, from, party := sealedPorts(t, suite)
		var room rtp.Packet
		packets := make([][]byte, 1200)
		for n := range packets {
			packets[n] = mustSeal(t, party, packetOf(7, uint16(n), string(make([]byte, 160))))
		}
		seq := 0
		in := testing.AllocsPerRun(1000, func() {
			p.take(packets[seq], arrival{from: from, whole: true}, &room)
			seq++
		})
		out := testing.AllocsPerRun(1000, func() { p.outlet.sound(uint16(p.outlet.last+1), 0, false, PCMA, packets[0][:160]) })
		if in > 0 || out > 0 {
			t.Errorf("%s: %v allocations a packet in, %v out", suite, in, out)
		}
		if got := p.Stats(); got.Received < 1000 || got.Sent < 1000 {
			t.Errorf("%s: %+v", suite, got)
		}
	}
}

// TestNothingInTheClear looks at all that leaves a sealed port: silence, a
// prompt, digits, sound of a bridge, reports, a change of keys, the end.
func TestNothingInTheClear(t *testing.T) {
	sound, reports := listenFor(t), listenFor(t)
	p, _ := heldPorts(t)
	suite := Suites()[0]
	_, open1 := sealing(t, suite)
	for _, seed := range []byte{1, 50} {
		c := &Crypto{suite, keyFor(suite, seed), keyFor(suite, 2)}
		s := Stream{Remote: addrOf(sound), Control: addrOf(reports), Law: PCMA, DTMF: 101, Crypto: c}
		if err := p.Start(s); err != nil {
			t.Fatal(err)
		}
		p.Send("12")
		now := p.engine.clock.now()
		for n := range int64(60) {
			p.out.forward(&heard{source: 77, ext: n, stream: n * 160, arrival: now + n*160, law: PCMU, payload: make([]byte, 160)})
			p.out.beat(now + n*FrameSamples)
			p.control.next = 0
			p.tend(now + n*FrameSamples)
			p.control.due = 0
		}
		if seed == 50 {
			_ = p.Close()
			after, err := newOpener(secret{suite, keyFor(suite, 50)})
			if err != nil {
				t.Fatal(err)
			}
			after.follows(open1, 0)
			open1 = after
		}
	}
	if got := drain(t, sound, func(b []byte) bool { _, ok := open1.open(b, 0); return ok }); got < 60 {
		t.Errorf("%d packets of sound", got)
	}
	if got := drain(t, reports, func(b []byte) bool {
		clear, ok := open1.openControl(b, 0)
		return ok && wellFormed(clear)
	}); got < 100 {
		t.Errorf("%d reports", got)
	}
}

func listenFor(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadBuffer(1 << 20)
	return conn
}

func addrOf(conn *net.UDPConn) netip.AddrPort { return conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// drain reads what came and counts it; each has to be right.
func drain(t testing.TB, conn *net.UDPConn, right func([]byte) bool) (n int) {
	t.Helper()
	b := make([]byte, packetLimit)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		size, err := conn.Read(b)
		if err != nil {
			return n
		}
		if n++; !right(b[:size]) {
			t.Errorf("datagram %d is not right: % x", n, b[:min(size, 24)])
		}
	}
}

func BenchmarkForwardSealed(b *testing.B) {
	for _, suite := range Suites() {
		b.Run(suite, func(b *testing.B) {
			p, from, party := sealedPorts(b, suite)
			packet := packetOf(7, 0, string(make([]byte, 160)))
			room, raw := rtp.Packet{}, make([]byte, 0, 400)
			b.ReportAllocs()
			for n := uint32(0); b.Loop(); n++ {
				raw = append(raw[:0], packet...)
				binary.BigEndian.PutUint16(raw[2:], uint16(n))
				binary.BigEndian.PutUint32(raw[4:], n*160)
				sealed, _ := party.seal(raw)
				p.take(sealed, arrival{from: from, whole: true}, &room)
			}
			if p.Stats().Dropped > 0 {
				b.Errorf("%+v", p.Stats())
			}
		})
	}
}
