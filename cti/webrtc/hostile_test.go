package webrtc

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/media"
)

func TestHostileOffers(t *testing.T) {
	b := start(t, Config{})
	good := newBrowser(t, browserConfig{}).offer()
	change := func(old, text string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("the offer has no %q:\n%s", old, good)
		}
		return strings.Replace(good, old, text, 1)
	}
	for name, sdp := range map[string]string{
		"nothing":        "",
		"noise":          "v=0\r\n\x00\xff",
		"JSON":           `{"sdp":1}`,
		"no section":     good[:strings.Index(good, "m=audio")],
		"two sections":   good + good[strings.Index(good, "m=audio"):],
		"video":          change("m=audio", "m=video"),
		"application":    change("m=audio", "m=application"),
		"recvonly":       change("a=sendrecv", "a=recvonly"),
		"other law only": strings.ReplaceAll(change(" 0 8 126", " 0 126"), "a=rtpmap:8 PCMA/8000", "a=ptime:20"),
		"lite":           change("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
		"huge":           good + strings.Repeat("a=x\r\n", 10_000),
		"no fingerprint": strings.ReplaceAll(good, "a=fingerprint", "a=nofingerprint"),
		"no ufrag":       strings.ReplaceAll(good, "a=ice-ufrag", "a=x-ufrag"),
		"no mid":         strings.ReplaceAll(good, "a=mid:", "a=x-mid:"),
		"strange mid":    strings.ReplaceAll(good, "a=mid:", "a=mid:电"),
		"other codec":    change("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 opus/48000/2"),
		"many sources":   good + strings.Repeat("a=ssrc:1 x:y\r\n", 1500),
	} {
		answer, err := b.Offer(t.Context(), name, "a", sdp)
		if err == nil {
			t.Errorf("%s: answered\n%s", name, answer)
		}
		if !errors.Is(err, cti.ErrBadArgs) {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "nobody is left", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.phones) == 0 })
}

// Candidates of an offer are not looked at: no name is resolved, no address is
// tried.
func TestCandidatesAreTakenOut(t *testing.T) {
	good := newBrowser(t, browserConfig{}).offer()
	got, err := readOffer(good+"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=candidate:2 1 udp 1 intern.example 9 typ host\r\na=end-of-candidates\r\n", media.PCMA)
	if err != nil || strings.Contains(got, "candidate") || !strings.Contains(got, "ice-ufrag") {
		t.Errorf("%v\n%s", err, got)
	}
}

// Anything may come to the ports; the talk goes on.
func TestGarbage(t *testing.T) {
	b := start(t, Config{TCP: true})
	page := newBrowser(t, browserConfig{hz: agentHz})
	page.sit(b.Server, "1001", "a")
	caller := newParty(t, b.engine, callerHz)
	l := b.call(t, "1001")
	b.join(l, caller)
	udp, err := net.Dial("udp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	noise := make([]byte, 1400)
	for i := range 500 {
		_, _ = rand.Read(noise[:1+i%1400])
		noise[0] = []byte{0x00, 0x01, 0x16, 0x80, 0x90, 0xff}[i%6]
		_, _ = udp.Write(noise[:1+i%1400])
	}
	for range 20 {
		tcp, err := net.DialTimeout("tcp", b.Addr().String(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = tcp.Write(noise[:100])
		defer tcp.Close()
	}
	before := l.Media().Stats()
	wantTones(t, page, caller)
	time.Sleep(200 * time.Millisecond)
	if after := l.Media().Stats(); after.Received <= before.Received || after.Lost > 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func FuzzReadOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8 126\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=candidate:1 1 udp 1 a 9 typ host\r\n")
	f.Fuzz(func(t *testing.T, sdp string) {
		got, err := readOffer(sdp, media.PCMA)
		if err == nil && strings.Contains(got, "a=candidate") {
			t.Errorf("candidates are left in\n%s", got)
		}
	})
}

// A port that another daemon has: another one is taken, and the log says so.
func TestPortIsTaken(t *testing.T) {
	first := start(t, Config{TCP: true})
	var text strings.Builder
	second := start(t, Config{TCP: true, Port: int(first.Addr().Port()), Log: slog.New(slog.NewTextHandler(&text, nil))})
	if second.Addr().Port() == first.Addr().Port() || second.Addr().Port() == 0 || !strings.Contains(text.String(), "webrtc.port is taken") {
		t.Errorf("%v beside %v; the log: %s", second.Addr(), first.Addr(), &text)
	}
	newBrowser(t, browserConfig{}).sit(second.Server, "1001", "a")
}

func TestVirtualInterfaces(t *testing.T) {
	for name, want := range map[string]bool{
		"eth0": false, "enp3s0": false, "wlan0": false, "br0": false, "br-lan": false, "bond0": false,
		"docker0": true, "br-0a1b2c3d4e5f": true, "veth12ab": true, "tun0": true, "wg0": true, "tailscale0": true,
	} {
		if isVirtual(name) != want {
			t.Errorf("isVirtual(%s) = %v", name, !want)
		}
	}
}

// The certificate outlives the daemon.
func TestCertificate(t *testing.T) {
	cert, err := newCertificate()
	if err != nil || time.Until(cert.Expires()) < 10*365*24*time.Hour {
		t.Errorf("expires %v, %v", cert.Expires(), err)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, cfg := range []Config{{Port: -1}, {Port: 65536}, {ExternalIP: "0.0.0.0"}, {ExternalIP: "example.com"}} {
		if cfg.Validate() == nil {
			t.Errorf("%+v has no fault", cfg)
		}
	}
}
