package sip_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/cti/media"
	"callbox/cti/sip"
)

// What an answer makes of streams that are no plain sound: their order is kept,
// their port is 0 (RFC 3264 §6).
func TestStreamsTurnedDown(t *testing.T) {
	r := start(t)
	const audio = "m=audio 40000 RTP/AVP 8\r\n"
	for name, tt := range map[string]struct {
		sdp  string
		code int
		want []string // beginnings of the answer's m-lines; %d is our port
	}{
		"fax alone":      {"m=image 40002 udptl t38\r\n", 488, nil},
		"fax beside":     {audio + "m=image 40002 udptl t38\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n", "m=image 0 udptl t38\r\n"}},
		"fax before":     {"m=image 40002 udptl t38\r\n" + audio, 200, []string{"m=image 0 udptl t38\r\n", "m=audio %d RTP/AVP 8\r\n"}},
		"video, text":    {"m=video 40002 RTP/AVP 96 97\r\n" + audio + "m=application 9 TCP/BFCP *\r\n", 200, []string{"m=video 0 RTP/AVP 96 97\r\n", "m=audio %d RTP/AVP 8\r\n", "m=application 0 TCP/BFCP *\r\n"}},
		"second sound":   {audio + "m=audio 40004 RTP/AVP 0\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n", "m=audio 0 RTP/AVP 0\r\n"}},
		"port 0 before":  {"m=audio 0 RTP/AVP 0\r\n" + audio, 200, []string{"m=audio 0 RTP/AVP 0\r\n", "m=audio %d RTP/AVP 8\r\n"}},
		"multicast":      {"m=audio 40000 RTP/AVP 8\r\nc=IN IP4 224.2.1.1/127\r\n", 488, nil},
		"multicast six":  {"m=audio 40000 RTP/AVP 8\r\nc=IN IP6 ff15::101\r\n", 488, nil},
		"port below":     {"m=audio -1 RTP/AVP 8\r\n", 400, nil},
		"port above":     {"m=audio 70000 RTP/AVP 8\r\n", 400, nil},
		"fax, in full":   {"m=image 40002 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\n", 488, nil},
		"fax by TCP":     {audio + "m=image 40002 TCP/TLS/UDPTL t38\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n", "m=image 0 TCP/TLS/UDPTL t38\r\n"}},
		"of the future":  {audio + "m=smell 40002 X/Y/Z 1 2\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n", "m=smell 0 X/Y/Z 1 2\r\n"}},
		"other under 8":  {"m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 L16/44100\r\n", 488, nil},
		"G.722 first":    {"m=audio 40000 RTP/AVP 9 8\r\na=rtpmap:9 G722/8000\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n"}},
		"dynamic":        {"m=audio 40000 RTP/AVP 97 8\r\na=rtpmap:97 PCMA/8000\r\n", 200, []string{"m=audio %d RTP/AVP 8\r\n"}},
		"by TCP":         {"m=audio 40000 TCP/RTP/AVP 8\r\n", 488, nil},
		"33 streams":     {strings.Repeat("m=video 40002 RTP/AVP 96\r\n", 32) + audio, 488, nil},
		"32 streams":     {strings.Repeat("m=video 40002 RTP/AVP 96\r\n", 31) + audio, 200, nil},
		"30 kB of lines": {audio + strings.Repeat("a=x-unknown:"+strings.Repeat("x", 80)+"\r\n", 320), 200, []string{"m=audio %d RTP/AVP 8\r\n"}},
	} {
		w := r.raw("127.0.0.1")
		w.send(w.invite(strings.NewReplacer(" ", "", ",", "").Replace(name), "{sdp}", bareSDP+tt.sdp))
		res := w.expect("INVITE", tt.code)
		var got []string
		for line := range strings.Lines(res.Body) {
			if strings.HasPrefix(line, "m=") {
				got = append(got, line)
			}
		}
		if tt.want != nil && len(got) != len(tt.want) {
			t.Errorf("%s: answered %q", name, got)
			continue
		}
		for i, want := range tt.want {
			var port int
			if strings.Contains(want, "%d") {
				if _, err := fmt.Sscanf(got[i], "m=audio %d ", &port); err != nil || port == 0 {
					t.Errorf("%s: %q", name, got[i])
				}
				want = fmt.Sprintf(want, port)
			}
			if got[i] != want {
				t.Errorf("%s: answered %q, want %q", name, got, tt.want)
			}
		}
	}
}

// A bundle is not agreed to; its tag stays with the stream (RFC 9143 §7.3).
func TestBundleIsNotAgreedTo(t *testing.T) {
	text := strings.Replace(bareSDP, "t=0 0\r\n", "t=0 0\r\na=group:BUNDLE a v\r\n", 1) +
		"m=audio 40000 RTP/AVP 8\r\na=mid:a\r\na=rtcp-mux\r\nm=video 40000 RTP/AVP 96\r\na=mid:v\r\n"
	stream, answer, err := sip.ReadOffer([]byte(text), "off")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(answer); strings.Contains(s, "BUNDLE") || !strings.Contains(s, "a=mid:a\r\n") || !strings.Contains(s, "a=rtcp-mux\r\n") {
		t.Errorf("answer\n%s", s)
	}
	if stream.Control != stream.Remote {
		t.Errorf("RTCP to %v, sound to %v", stream.Control, stream.Remote)
	}
}

// RFC 3605, RFC 5761: where RTCP goes.
func TestControlAddress(t *testing.T) {
	for line, want := range map[string]string{
		"":                                  "invalid AddrPort",
		"a=rtcp:53020\r\n":                  "127.0.0.1:53020",
		"a=rtcp:53020 IN IP4 127.0.0.9\r\n": "127.0.0.9:53020",
		"a=rtcp:53020 IN IP6 ::1\r\n":       "[::1]:53020",
		"a=rtcp-mux\r\n":                    "127.0.0.1:40000",
		"a=rtcp:53020\r\na=rtcp-mux\r\n":    "127.0.0.1:40000",
		"a=rtcp:0\r\n":                      "invalid AddrPort",
		"a=rtcp:-1\r\n":                     "invalid AddrPort",
		"a=rtcp:70000\r\n":                  "invalid AddrPort",
		"a=rtcp:9 IN IP4 224.0.0.1\r\n":     "invalid AddrPort",
		"a=rtcp:9 IN IP4 host.example\r\n":  "invalid AddrPort",
		"a=rtcp:\r\n":                       "invalid AddrPort",
	} {
		stream, answer, err := sip.ReadOffer([]byte(bareSDP+"m=audio 40000 RTP/AVP 8\r\n"+line), "off")
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.Control.String(); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
		if muxed := strings.Contains(line, "mux"); muxed { // in an answer it means nothing: we never offer it
			stream, err := sip.ReadAnswer([]byte(bareSDP + "m=audio 40000 RTP/AVP 8\r\n" + line))
			if err != nil || stream.Control == stream.Remote {
				t.Errorf("%q in an answer: RTCP to %v, %v", line, stream.Control, err)
			}
		}
		if agreed := strings.Contains(string(answer), "a=rtcp-mux"); agreed != strings.Contains(line, "mux") {
			t.Errorf("%q: rtcp-mux in the answer: %v", line, agreed)
		}
	}
}

// Whatever an SDP says: no panic, little time, an answer as long as the offer's
// lines allow, and a stream that can be started.
func FuzzSDP(f *testing.F) {
	for _, s := range []string{
		plainSDP, bareSDP, "",
		bareSDP + "m=audio 40002 RTP/SAVP 8\r\n" + cryptoLine("1", cm80, 1),
		bareSDP + "m=audio 40002 RTP/SAVPF 0 8\r\na=rtcp:9 IN IP6 ::1\r\na=rtcp-mux\r\na=mid:0\r\n" + cryptoLine("1", gcm256, 1),
		bareSDP + "m=image 1 udptl t38\r\na=T38FaxVersion:0\r\nm=audio 40000/2 RTP/AVP 97 8 101\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=inactive\r\n",
		"v=0\no=x 1 1 IN IP6 ::1\ns=-\nc=IN IP6 ::ffff:127.0.0.1\nt=0 0\nm=audio 5 RTP/AVP 0\n",
	} {
		f.Add([]byte(s), "on")
		f.Add([]byte(s), "off")
	}
	f.Fuzz(func(t *testing.T, body []byte, srtp string) {
		if len(body) > 64<<10 {
			return
		}
		began := time.Now()
		stream, answer, err := sip.ReadOffer(body, srtp)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil {
			return
		}
		if remote := stream.Remote; remote.Port() == 0 || remote.Addr().IsMulticast() || remote.Addr().Is4In6() {
			t.Errorf("sound to %v", remote)
		}
		if c := stream.Control; c != (netip.AddrPort{}) && (c.Port() == 0 || c.Addr().IsMulticast()) {
			t.Errorf("RTCP to %v", c)
		}
		if k := stream.Crypto; k != nil && (srtp == "off" || len(k.Remote) != media.KeyLength(k.Suite) || len(k.Local) != len(k.Remote)) {
			t.Errorf("keys of %q: %d and %d octets", k.Suite, len(k.Local), len(k.Remote))
		}
		if _, _, err := sip.ReadOffer(answer, srtp); err != nil {
			t.Errorf("answer: %v\n%s", err, answer)
		}
	})
}
