package webrtc

import (
	"context"
	"log/slog"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a running server with its engine.
type box struct {
	*Server
	engine *media.Plain
}

func start(t testing.TB, cfg Config) *box {
	t.Helper()
	cfg.Loopback, cfg.Law = true, media.PCMA
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	engine, err := media.New(media.Config{Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, Deps{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("engine", func() { _ = engine.Run(ctx) })
	g.Go("server", func() { _ = s.Run(ctx) })
	g.Go("changes", func() {
		for {
			select {
			case <-s.Changes():
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		stop()
		g.Wait()
	})
	return &box{s, engine}
}

// browser is a page at the wire: a full ICE agent that offers both laws, the
// wrong one first, and says a tone.
type browser struct {
	t    testing.TB
	pc   *pion.PeerConnection
	mic  *mic
	work guard.Group
	stop context.CancelFunc

	mu      sync.Mutex
	hz      float64
	heard   []byte
	packets []rtp.Header
	codec   string
	seq     uint16
	ts      uint32
}

// mic is a track whose packets go out as they are, keys among the sound.
type mic struct {
	mu sync.Mutex
	to pion.TrackLocalWriter
	id uint32
}

func (m *mic) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.to, m.id = c.WriteStream(), uint32(c.SSRC())
	for _, codec := range c.CodecParameters() {
		if codec.MimeType == pion.MimeTypePCMA {
			return codec, nil
		}
	}
	return pion.RTPCodecParameters{}, pion.ErrUnsupportedCodec
}

func (m *mic) Unbind(pion.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.to = nil
	return nil
}

func (m *mic) ID() string              { return "mic" }
func (m *mic) RID() string             { return "" }
func (m *mic) StreamID() string        { return "mic" }
func (m *mic) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }

func (m *mic) say(h rtp.Header, payload []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to != nil {
		h.SSRC = m.id
		_, _ = m.to.WriteRTP(&h, payload)
	}
}

type browserConfig struct {
	tcp bool
	hz  float64 // 0: silence
}

func newBrowser(t testing.TB, cfg browserConfig) *browser {
	t.Helper()
	var set pion.SettingEngine
	set.LoggerFactory = quietLog{slog.New(slog.DiscardHandler)}
	set.SetIncludeLoopbackCandidate(true)
	set.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4})
	if cfg.tcp {
		set.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeTCP4})
	}
	m := &pion.MediaEngine{}
	for _, c := range []pion.RTPCodecParameters{
		{RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
		{RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8},
		{RTPCodecCapability: pion.RTPCodecCapability{MimeType: mimeEvent, ClockRate: 8000}, PayloadType: 126},
	} {
		if err := m.RegisterCodec(c, pion.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	reports := &interceptor.Registry{}
	if err := pion.ConfigureRTCPReports(reports); err != nil {
		t.Fatal(err)
	}
	pc, err := pion.NewAPI(pion.WithSettingEngine(set), pion.WithMediaEngine(m), pion.WithInterceptorRegistry(reports)).NewPeerConnection(pion.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, pc: pc, mic: &mic{}, hz: cfg.hz, seq: 65000, ts: 4294960000}
	sender, err := pc.AddTrack(b.mic)
	if err != nil {
		t.Fatal(err)
	}
	b.work.Go("reports", func() {
		for {
			if _, _, err := sender.ReadRTCP(); err != nil {
				return
			}
		}
	})
	pc.OnTrack(func(track *pion.TrackRemote, r *pion.RTPReceiver) {
		b.work.Go("reports", func() {
			for {
				if _, _, err := r.ReadRTCP(); err != nil {
					return
				}
			}
		})
		b.listen(track)
	})
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.work.Go("microphone", func() { b.speak(ctx) })
	t.Cleanup(b.close)
	return b
}

func (b *browser) close() {
	b.stop()
	_ = b.pc.Close()
	b.work.Wait()
}

// offer is what the page would send.
func (b *browser) offer() string {
	b.t.Helper()
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.pc.SetLocalDescription(offer); err != nil {
		b.t.Fatal(err)
	}
	return offer.SDP
}

// sit makes the page the user's phone and waits until it stands.
func (b *browser) sit(s *Server, user, session string) string {
	b.t.Helper()
	answer, err := s.Offer(b.t.Context(), user, session, b.offer())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answer}); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the page is connected", func() bool { return b.pc.ConnectionState() == pion.PeerConnectionStateConnected })
	eventually(b.t, "the page is the phone", func() bool {
		p := s.find(user)
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.live != nil && p.next == nil && p.session == session
	})
	return answer
}

func (b *browser) speak(ctx context.Context) {
	tick := time.NewTicker(media.Frame)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		header := rtp.Header{Version: 2, SequenceNumber: b.seq, Timestamp: b.ts, PayloadType: uint8(media.PCMA)}
		b.seq++
		b.ts += media.FrameSamples
		b.mu.Unlock()
		b.mic.say(header, toneFrame(b.hz, n))
	}
}

// toneFrame is the nth frame of a tone in A-law.
func toneFrame(hz float64, n int) []byte {
	var samples [media.FrameSamples]int16
	for i := range samples {
		if hz > 0 {
			samples[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(n*media.FrameSamples+i)/media.SampleRate))
		}
	}
	frame := make([]byte, media.FrameSamples)
	media.Encode(media.PCMA, frame, samples[:])
	return frame
}

// key sends a packet of the nth telephone event.
func (b *browser) key(t testing.TB, pt uint8, n uint32, payload string) {
	t.Helper()
	b.mu.Lock()
	b.seq++
	header := rtp.Header{Version: 2, SequenceNumber: b.seq - 1, Timestamp: 77 + n*8000, PayloadType: pt}
	b.mu.Unlock()
	b.mic.say(header, []byte(payload))
}

// skip loses packets on the way.
func (b *browser) skip(n uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq += n
	b.ts += uint32(n) * media.FrameSamples
}

func (b *browser) listen(track *pion.TrackRemote) {
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.codec = track.Codec().MimeType
		b.packets = append(b.packets, p.Header)
		b.heard = append(b.heard, p.Payload...)
		b.mu.Unlock()
	}
}

func (b *browser) received() []rtp.Header {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]rtp.Header{}, b.packets...)
}

// hears says how much of the last 200 ms is a tone.
func (b *browser) hears(hz float64) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return share(b.heard, hz)
}

func share(sound []byte, hz float64) float64 {
	const n = media.SampleRate / 5
	if len(sound) < n {
		return 0
	}
	samples := make([]int16, n)
	media.Decode(media.PCMA, samples, sound[len(sound)-n:])
	return ctitest.Share(samples, hz)
}

// party is the other side of a call: a pipe that says a tone and keeps what it
// hears.
type party struct {
	port media.Port
	mu   sync.Mutex
	got  []byte
}

func newParty(t testing.TB, e media.Engine, hz float64) *party {
	in, out := make(chan []byte, 8), make(chan []byte, 8)
	p := &party{port: e.Pipe(media.PCMA, in, out)}
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("party says", func() {
		defer close(in)
		tick := time.NewTicker(media.Frame)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case in <- toneFrame(hz, n):
			case <-ctx.Done():
				return
			}
		}
	})
	g.Go("party hears", func() {
		for {
			select {
			case frame := <-out:
				p.mu.Lock()
				p.got = append(p.got, frame...)
				p.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		stop()
		g.Wait()
	})
	return p
}

func (p *party) hears(hz float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return share(p.got, hz)
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within 5 s: %s", what)
}

// call rings a user's page and answers.
func (b *box) call(t testing.TB, user string) *leg {
	t.Helper()
	l, err := b.Dial(context.Background(), cti.Device("browser:"+user), cti.Number{}, "call")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.(cti.Lifter).Lift(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := l.Answer(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l.(*leg)
}

// join lets a leg and a party talk.
func (b *box) join(l *leg, p *party) { b.engine.Bridge(l.Media(), p.port) }

const (
	agentHz  = 1004
	callerHz = 620
)

func wantTones(t *testing.T, page *browser, caller *party) {
	t.Helper()
	eventually(t, "the page hears the caller", func() bool { return page.hears(callerHz) > 0.8 })
	eventually(t, "the caller hears the page", func() bool { return caller.hears(agentHz) > 0.8 })
	if page.hears(agentHz) > 0.2 || caller.hears(callerHz) > 0.2 {
		t.Errorf("own tones are heard: page %.2f, caller %.2f", page.hears(agentHz), caller.hears(callerHz))
	}
}
