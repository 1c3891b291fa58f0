package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// idleSpan is how long desks are measured that have no call.
const idleSpan = 10 * time.Second

// browser compares agents at pages with the same agents at telephones: idle, and
// in bridged, recorded calls; and says what a page costs that becomes a phone.
func (b *bench) browser(ctx context.Context, dir string) (rows []row, err error) {
	n := max(1, b.calls/2)
	s, err := newStaff(ctx, b.program, dir, files{agents: n})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.warm(ctx); err != nil {
		return nil, err
	}
	s.behave(ctitest.Plan{})
	bare, _, err := s.spent(ctx, idleSpan)
	if err != nil {
		return nil, err
	}
	phones, err := s.minuteOf(ctx, n, b.talk, s.talkAll)
	if err != nil {
		return nil, fmt.Errorf("at telephones: %w", err)
	}
	set, err := s.openPages(ctx, bare)
	if err != nil {
		return nil, err
	}
	defer set.close()
	silent, _, err := s.spent(ctx, idleSpan)
	if err != nil {
		return nil, err
	}
	pages, err := s.minuteOf(ctx, n, b.talk, set.talkAll)
	if err != nil {
		return nil, fmt.Errorf("at pages: %w", err)
	}
	return []row{
		{fmt.Sprintf("%d pages become phones: CPU an offer, memory a page", n), fmt.Sprintf("%.1f ms, %d kB", 1000*set.cost, set.memory), ""},
		{"a page without a call, 50 packets/s of silence: CPU", fmt.Sprintf("%.2f %% of a core (registered telephones and screens %.2f %%, taken off)", 100*(silent-bare).Seconds()/idleSpan.Seconds()/float64(n), 100*bare.Seconds()/idleSpan.Seconds()/float64(n)), ""},
		{fmt.Sprintf("%d bridged, recorded calls for %v, agents at telephones: CPU a call-minute", n, b.talk), fmt.Sprintf("%.3f s", phones), ""},
		{"— the same agents at pages", fmt.Sprintf("%.3f s (%.2f times)", pages, pages/phones), ""},
	}, nil
}

// minuteOf is the processor time a call-minute, in seconds, of n calls that make
// makes; then they are over.
func (s *staff) minuteOf(ctx context.Context, n int, d time.Duration, make func(context.Context, int) ([]*ctitest.Talk, error)) (float64, error) {
	began := time.Now().Truncate(time.Second)
	calls, err := make(ctx, n)
	if err != nil {
		return 0, err
	}
	used, _, err := s.spent(ctx, d)
	if err != nil {
		return 0, err
	}
	err = s.heard(calls, 0.8)
	for _, c := range calls {
		c.Hangup()
	}
	if err == nil {
		_, err = s.api().answered(ctx, n, began)
	}
	s.behave(ctitest.Plan{})
	return used.Seconds() / (float64(n) * d.Minutes()), errors.Join(err, pause(ctx, time.Second))
}

// pages are the desks' pages as phones.
type pages struct {
	staff  *staff
	all    []*tab
	cost   float64 // seconds of processor time an offer
	memory int     // kB a page
	stop   context.CancelFunc
	work   guard.Group
}

// openPages makes every desk's page the phone; bare is what the box needs for
// idleSpan without.
func (s *staff) openPages(ctx context.Context, bare time.Duration) (*pages, error) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	set := &pages{staff: s, stop: stop}
	kB, err := s.rss()
	used, err2 := s.cpu()
	began := time.Now()
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	for _, d := range s.desks {
		p, err := newTab()
		if err != nil {
			set.close()
			return nil, err
		}
		set.all = append(set.all, p)
		if err := p.offer(ctx, d.screen); err != nil {
			set.close()
			return nil, fmt.Errorf("page of %s: %w", d.id, err)
		}
	}
	after, err := s.cpu()
	took := time.Since(began)
	set.work.Go("microphones", func() { set.speak(life) })
	silence := bare.Seconds() * took.Seconds() / idleSpan.Seconds()
	set.cost = ((after - used).Seconds() - silence) / float64(len(set.all))
	if err := errors.Join(err, pause(ctx, 2*time.Second)); err != nil {
		set.close()
		return nil, err
	}
	now, err := s.rss()
	set.memory = (now - kB) / len(set.all)
	return set, err
}

func (set *pages) close() {
	set.stop()
	set.work.Wait()
	for _, p := range set.all {
		_ = p.conn.Close() // the box goes, too
	}
}

// speak lets every page say the agent's tone.
func (set *pages) speak(ctx context.Context) {
	ticks := time.NewTicker(media.Frame)
	defer ticks.Stop()
	sound := media.NewPrompt("tone", ctitest.Sine(agentTone, media.SampleRate)).PCMA
	packet := rtp.Packet{Header: rtp.Header{Version: 2}}
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		from := int(packet.Timestamp) % len(sound)
		packet.Payload = sound[from : from+media.FrameSamples]
		for _, p := range set.all {
			_ = p.mic.WriteRTP(&packet) // what is not heard shows
		}
		packet.SequenceNumber++
		packet.Timestamp += media.FrameSamples
	}
}

// talkAll makes n calls, which the pages answer, and waits until each hears one.
func (set *pages) talkAll(ctx context.Context, n int) (calls []*ctitest.Talk, err error) {
	for range n {
		c, err := set.staff.call(ctx)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
		if err := pause(ctx, 40*time.Millisecond); err != nil {
			return nil, err
		}
	}
	err = until(ctx, startLimit, func() (bool, error) {
		heard := 0
		for _, p := range set.all {
			if p.hears(callerTone) > 0.8 {
				heard++
			}
		}
		return heard == n, nil
	})
	if err != nil {
		return nil, fmt.Errorf("not every page hears its caller: %w", err)
	}
	return calls, pause(ctx, 2*time.Second)
}

// tab is a browser's end of a connection.
type tab struct {
	conn *webrtc.PeerConnection
	mic  *webrtc.TrackLocalStaticRTP
	up   chan struct{}

	mu   sync.Mutex
	last [25][]byte // the newest packets
	next int
}

func newTab() (*tab, error) {
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	set.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	codecs := &webrtc.MediaEngine{}
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(codecs))
	conn, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	p := &tab{conn: conn, up: make(chan struct{})}
	sound := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: media.SampleRate}
	if p.mic, err = webrtc.NewTrackLocalStaticRTP(sound, "mic", "mic"); err == nil {
		_, err = conn.AddTrack(p.mic)
	}
	if err != nil {
		return nil, fmt.Errorf("page: %w", errors.Join(err, conn.Close()))
	}
	conn.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.listen(t) })
	conn.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(p.up)
		}
	})
	return p, nil
}

// offer makes the page the phone of a screen's agent, and lets the screen take
// what rings there.
func (p *tab) offer(ctx context.Context, s *screen) error {
	offer, err := p.conn.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	if err := p.conn.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	raw, err := s.ask(ctx, "media.offer", map[string]any{"sdp": offer.SDP})
	if err != nil {
		return err
	}
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	answer.Type = webrtc.SDPTypeAnswer
	if err := p.conn.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	s.liftAll()
	select {
	case <-p.up:
		return nil
	case <-time.After(startLimit):
		return errors.New("it is not connected")
	}
}

func (p *tab) listen(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.last[p.next%len(p.last)] = packet.Payload
		p.next++
		p.mu.Unlock()
	}
}

// hears is the share that a tone has in the newest sound.
func (p *tab) hears(hz float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sound []int16
	for i := range p.last {
		frame := p.last[(p.next+i)%len(p.last)]
		linear := make([]int16, len(frame))
		media.Decode(media.PCMA, linear, frame)
		sound = append(sound, linear...)
	}
	return ctitest.Share(sound, hz)
}
