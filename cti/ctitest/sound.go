package ctitest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
)

// A key's times, in frames: 100 ms long, 80 ms to the next (ITU-T Q.24 asks for
// 40 and 40).
const (
	digitFrames = 5
	pauseFrames = 4
)

const keys = "0123456789*#ABCD"

// sound is a call's sound: RTP over a socket of its own, G.711 and telephone
// events.
type sound struct {
	laws []media.Law
	conn *net.UDPConn
	slot int // on the beat
	done chan struct{}
	once sync.Once
	crew guard.Crew

	mu      sync.Mutex // guards what follows
	started bool
	closed  bool
	agreed  agreement
	seal    seal
	version int // of our SDP
	muted   bool
	held    bool // we said that we would not send

	play    media.Prompt // what is played, from
	at      int
	played  chan struct{} // closed at its end; nil for a loop
	keys    []rune
	step    int    // of the key that is being sent, 0 for none
	began   uint32 // its RTP time
	pause   int
	seq     uint16
	stamp   uint32
	ssrc    uint32
	sent    int
	packet  [12 + media.FrameSamples]byte
	silence [media.FrameSamples]byte
	ear     ear
}

func newSound(laws []media.Law, suites []string) *sound {
	return &sound{
		laws: laws, seal: seal{suites: suites}, done: make(chan struct{}), ssrc: rand.Uint32(), agreed: agreement{law: laws[0]},
		seq: uint16(rand.Uint32()), stamp: rand.Uint32(),
	}
}

// open binds the RTP socket.
func (s *sound) open(at netip.Addr) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return fmt.Errorf("phone: rtp: %w", err)
	}
	s.conn = conn
	return nil
}

// RTP is where the phone hears.
func (s *sound) RTP() netip.AddrPort {
	a := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// start lets sound flow as the peer's SDP says; later calls change it.
func (s *sound) start(text string) error {
	a, err := s.agree(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if err := s.seal.use(a.crypto); err != nil {
		s.mu.Unlock()
		return err
	}
	s.agreed = a
	for i := range s.silence {
		s.silence[i] = a.law.Silence()
	}
	first := !s.started && !s.closed
	s.started = true
	s.mu.Unlock()
	if first {
		s.crew.Go("phone hears", s.hear)
		commonBeat.join(s)
	}
	return nil
}

// hold says whether we promised to send nothing.
func (s *sound) hold(way string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = way == "inactive" || way == "recvonly"
}

func (s *sound) close() {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		started := s.started
		s.mu.Unlock()
		close(s.done)
		if started {
			commonBeat.leave(s)
		}
		_ = s.conn.Close()
		<-s.crew.Quiet()
	})
}

// frame sends the next 20 ms: a key, what is played, or silence.
func (s *sound) frame() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.stamp += media.FrameSamples }()
	quiet := s.held || s.agreed.way == "sendonly" || s.agreed.way == "inactive"
	if s.closed || s.muted || quiet || s.agreed.remote.Addr().IsUnspecified() {
		return
	}
	if !s.keyFrame() {
		s.write(uint8(s.agreed.law), s.stamp, s.nextFrame(), s.sent == 0)
	}
}

// nextFrame is 20 ms of what is played, shorter at its end.
func (s *sound) nextFrame() []byte {
	from := s.play.PCMA
	if s.agreed.law == media.PCMU {
		from = s.play.PCMU
	}
	if len(from) == 0 {
		return s.silence[:]
	}
	n := copy(s.packet[12:], from[min(s.at, len(from)):])
	s.at += n
	if s.at < len(from) {
		return s.packet[12 : 12+n]
	}
	if !s.play.Loop {
		s.stopPlaying()
		return s.packet[12 : 12+n]
	}
	for n < media.FrameSamples {
		s.at = copy(s.packet[12+n:], from)
		n += s.at
	}
	return s.packet[12:]
}

func (s *sound) stopPlaying() {
	if s.played != nil {
		close(s.played)
	}
	s.play, s.at, s.played = media.Prompt{}, 0, nil
}

// write sends one RTP packet (RFC 3550 §5.1); the caller holds mu.
func (s *sound) write(pt uint8, stamp uint32, data []byte, marker bool) {
	b := s.packet[:12+copy(s.packet[12:], data)]
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], stamp)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	s.seq++
	b, err := s.seal.close(b)
	if err != nil {
		return
	}
	if _, err := s.conn.WriteToUDPAddrPort(b, s.agreed.remote); err == nil {
		s.sent++
	}
}

// keyFrame sends the next 20 ms of a key (RFC 4733 §2.5.1): its duration grows
// from packet to packet and its end stands three times. False when no key is
// to be sent now. The caller holds mu.
func (s *sound) keyFrame() bool {
	if s.pause > 0 {
		s.pause--
		return false
	}
	if len(s.keys) == 0 || s.agreed.events == 0 {
		return false
	}
	if s.step++; s.step == 1 {
		s.began = s.stamp
	}
	duration := s.step * media.FrameSamples
	event := [4]byte{byte(strings.IndexRune(keys, s.keys[0])), 10, byte(duration >> 8), byte(duration)}
	if s.step < digitFrames {
		s.write(s.agreed.events, s.began, event[:], s.step == 1)
		return true
	}
	event[1] |= 0x80
	for range 3 {
		s.write(s.agreed.events, s.began, event[:], false)
	}
	s.keys, s.step, s.pause = s.keys[1:], 0, pauseFrames
	return true
}

// hear reads what the other side sends.
func (s *sound) hear() {
	buf := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		now := time.Now()
		s.mu.Lock()
		if inner := s.seal.open(buf[:n]); inner != nil {
			s.ear.take(inner, s.agreed.events, now)
		}
		s.mu.Unlock()
	}
}

// Tone makes the phone send a sine of hz, rounded to whole ones, from now on;
// 0 for silence.
func (s *sound) Tone(hz float64) {
	if hz == 0 {
		s.begin(media.Prompt{}, nil)
		return
	}
	s.begin(tone(hz), nil)
}

// Babble makes the phone send what sounds like a voice of pitch Hz (see
// [Speech]) from now on.
func (s *sound) Babble(pitch float64) {
	name := fmt.Sprintf("speech %.0f", pitch)
	s.begin(looped(name, func() []int16 { return Speech(pitch, 9*media.SampleRate) }), nil)
}

// Play sends a prompt in place of what was sent and returns at its end, when
// something else is played, or when ctx or the call ends; silence follows. A
// looped prompt goes on after Play, which returns at once.
func (s *sound) Play(ctx context.Context, p media.Prompt) {
	if p.Loop {
		s.begin(p, nil)
		return
	}
	end := make(chan struct{})
	s.begin(p, end)
	select {
	case <-end:
	case <-s.done:
	case <-ctx.Done():
		s.mu.Lock()
		if s.played == end {
			s.stopPlaying()
		}
		s.mu.Unlock()
	}
}

func (s *sound) begin(p media.Prompt, end chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopPlaying()
	s.play, s.played = p, end
	if end != nil && len(p.PCMA) == 0 {
		s.stopPlaying()
	}
}

// Mute stops sending RTP altogether, as a broken line would.
func (s *sound) Mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = on
}

// Press sends keys 0-9*#A-D as telephone events (RFC 4733), one after the
// other: 100 ms each and 80 ms between. It does not wait for them.
func (s *sound) Press(digits string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range digits {
		if strings.ContainsRune(keys, key) {
			s.keys = append(s.keys, key)
		}
	}
}
