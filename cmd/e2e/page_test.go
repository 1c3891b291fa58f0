//go:build e2e

package e2e

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti/media"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// page is an agent's page as a phone: its connection says a tone and keeps what
// it hears.
type page struct {
	agent *agent
	pc    *webrtc.PeerConnection
	track *webrtc.TrackLocalStaticRTP
	hz    float64

	mu    sync.Mutex
	heard []byte
}

// opensPage makes the agent's page the phone, over the socket that is connected.
func (a *agent) opensPage(hz float64) *page {
	a.t.Helper()
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	m := &webrtc.MediaEngine{}
	must(a.t, m.RegisterDefaultCodecs())
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	must(a.t, err)
	p := &page{agent: a, pc: pc, hz: hz}
	p.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: 8000}, "mic", "mic")
	must(a.t, err)
	_, err = pc.AddTrack(p.track)
	must(a.t, err)
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.listen(track) })
	offer, err := pc.CreateOffer(nil)
	must(a.t, err)
	must(a.t, pc.SetLocalDescription(offer))
	reply := a.do("media.offer", map[string]any{"sdp": offer.SDP})
	if reply["ok"] != true {
		a.t.Fatalf("media.offer: %v", reply)
	}
	answer := reply["result"].(map[string]any)["sdp"].(string)
	must(a.t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	ctx, stop := context.WithCancel(context.Background())
	go p.speak(ctx)
	a.t.Cleanup(func() { stop(); pc.Close() })
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *page) speak(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	packet := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: make([]byte, 160)}
	for n := 0; ; n += 160 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var samples [160]int16
		for i := range samples {
			samples[i] = int16(8000 * math.Sin(2*math.Pi*p.hz*float64(n+i)/8000))
		}
		media.Encode(media.PCMA, packet.Payload, samples[:])
		_ = p.track.WriteRTP(&packet)
		packet.SequenceNumber++
		packet.Timestamp += 160
	}
}

func (p *page) listen(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heard = append(p.heard, packet.Payload...)
		p.mu.Unlock()
	}
}

// hears is for how many seconds the page heard a tone so far.
func (p *page) hears(hz float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	samples := make([]int16, len(p.heard))
	media.Decode(media.PCMA, samples, p.heard)
	linear := make([]float64, len(samples))
	for i, v := range samples {
		linear[i] = float64(v)
	}
	return toneSeconds(linear, hz, 8000)
}

// TestCallReachesAPage is the whole way without a telephone: a caller presses 1
// in the menu, the agent's page rings and is answered by a click, both hear each
// other, the page is loaded again in the middle, and the record tells how it was.
func TestCallReachesAPage(t *testing.T) {
	t.Parallel()
	site := strings.Replace(usualSite, `extension: "1001", sip_password: "sip-1001", `, "", 1)
	b := newBox(t, layout{site: site, extra: "webrtc: {port: 0}\n"})
	wang := b.login("1001")
	wang.connect(0)
	if snapshot := wang.event("snapshot"); at(t, snapshot, "agent", "device") != "" {
		t.Errorf("device before the page = %v", at(t, snapshot, "agent", "device"))
	}
	wang.ready()
	first := wang.opensPage(620)
	wang.frame("the page is the phone", func(f map[string]any) bool {
		data, _ := f["user_data"].(map[string]any)
		return data["device"] == "browser"
	})
	var ready struct{ Parts map[string]map[string]any }
	if b.call("GET", "/readyz", nil, &ready); ready.Parts["webrtc"]["ok"] != true || ready.Parts["webrtc"]["address"] == nil {
		t.Errorf("readyz says of webrtc %v", ready.Parts["webrtc"])
	}
	caller := sipp(t, b, "digit.xml", "-d", "9000")
	pop := wang.event("delivered")
	call := pop["call_id"]
	if reply := wang.do("answerCall", map[string]any{"call_id": call}); reply["ok"] != true {
		t.Fatalf("answerCall: %v", reply)
	}
	wang.event("established")
	wait(t, "the caller's tone in the page", func() bool { return first.hears(1100) > 1 })
	if reply := wang.do("media.stats", map[string]any{"call_id": call, "rtt_ms": 3.5, "device": "test"}); reply["ok"] != true {
		t.Fatalf("media.stats: %v", reply)
	}
	first.pc.Close() // the page is loaded again
	wang.conn.Close()
	wang.connect(0)
	wang.event("snapshot")
	second := wang.opensPage(620)
	wait(t, "the caller's tone in the new page", func() bool { return second.hears(1100) > 1 })
	caller.succeed(40 * time.Second)
	wang.event("callCleared")
	record := b.record("answered")
	checkSound(t, b, record)
	legs := record["legs"].([]any)
	i := slices.IndexFunc(legs, func(l any) bool { return l.(map[string]any)["device"] == "browser:1001" })
	if i < 0 {
		t.Fatalf("legs %v", legs)
	}
	leg := legs[i].(map[string]any)
	if at(t, leg, "browser", "rtt_ms") != 3.5 || leg["secure"] != true || leg["mos"].(float64) < 3.5 {
		t.Errorf("leg %v", leg)
	}
}
