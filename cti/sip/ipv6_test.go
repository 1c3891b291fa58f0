package sip_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/cti/sip"
)

// six is a rig on the loopback of IPv6, whose neighbours are a trunk.
func six(t *testing.T) *rig {
	t.Helper()
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here")
	} else {
		_ = c.Close()
	}
	return start(t, func(c *sip.Config, _ *rig) {
		c.Listen = []string{"udp://[::1]:0", "tcp://[::1]:0"}
		c.Trunks[0].From = []string{"::1/128"}
	})
}

// RFC 5118: messages that try a parser's IPv6, by the numbers of its sections.
func TestTortureOfIPv6(t *testing.T) {
	r := six(t)
	r.calls.do(sayBusy)
	const registers = "INVITE sip:4001234567@{to}"
	for i, tt := range []struct {
		section string
		code    int
		edit    []string
	}{
		{"4.1 a reference in brackets", 401, register(registers, "REGISTER sip:[2001:db8::10]", "To: <sip:4001234567@{to}>", "To: sip:user@example.com", "<sip:caller@{me}>", "<sip:[2001:db8::1]>")},
		{"4.2 a reference without brackets", 400, register(registers, "REGISTER sip:2001:db8::10", "To: <sip:4001234567@{to}>", "To: sip:user@example.com")},
		{"4.3 a port that may be part of the address", 401, register(registers, "REGISTER sip:[2001:db8::10:5070]", "<sip:caller@{me}>", "<sip:[2001:db8::1]>")},
		{"4.4 a port that cannot", 401, register(registers, "REGISTER sip:[2001:db8::10]:5070", "<sip:caller@{me}>", "<sip:[2001:db8::1]>")},
		{"4.5 received in brackets", 200, []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", ";rport", ";received=[2001:db8::9:255];rport"}},
		{"4.5 received without", 200, []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", ";rport", ";received=2001:db8::9:255;rport"}},
		{"4.6 addresses in the SDP", taken, []string{"{sdp}", "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed for today's meeting\r\nc=IN IP6 ::1\r\nt=3338481189 3370017201\r\nm=audio 6000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\nm=video 6024 RTP/AVP 107\r\na=rtpmap:107 H263-1998/90000\r\n"}},
		{"4.7 addresses of both kinds in headers", 481, []string{
			"INVITE sip:4001234567@{to}", "BYE sip:user@host.example.net", "1 INVITE", "1 BYE", "Max-Forwards",
			"Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\nMax-Forwards",
		}},
		{"4.8 addresses of both kinds in the SDP", taken, []string{"{sdp}", "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\nm=audio 22334 RTP/AVP 8\r\nc=IN IP6 ::1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:107 H263-1998/90000\r\n"}},
		{"4.9 addresses of IPv4 in IPv6", taken, []string{"<sip:caller@{me}>", "<sip:user@[::ffff:192.0.2.10]:19823>", "{sdp}", "v=0\r\no=rtp 2890844527 2890844527 IN IP6 ::ffff:192.0.2.2\r\ns=-\r\nc=IN IP6 ::ffff:192.0.2.2\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n"}},
		{"4.10 three colons, which RFC 3261's grammar has", 200, []string{"INVITE sip:4001234567@{to}", "OPTIONS sip:user@[2001:db8:::192.0.2.1]", "1 INVITE", "1 OPTIONS"}},
	} {
		t.Run(tt.section, func(t *testing.T) {
			w := r.raw("::1")
			w.t = t
			text := w.invite(fmt.Sprint("six", i), tt.edit...)
			w.send(text)
			got := silence
			for m := w.next(time.Second); m != nil; m = w.next(time.Second) {
				if strings.Contains(m.Get("Via"), "[[") {
					t.Errorf("Via %q", m.Get("Via"))
				}
				if got = m.Code(); got >= 200 {
					break
				}
			}
			if got != tt.code {
				t.Errorf("answer %d, want %d, to\n%s", got, tt.code, text)
			}
		})
	}
}

// A whole call by IPv6, with UDP and TCP.
func TestCallByIPv6(t *testing.T) {
	r := six(t)
	w := r.raw("::1")
	ok := w.call("six")
	if !strings.Contains(ok.Get("Contact"), "@[::1]:") || !strings.Contains(string(ok.Body), "IN IP6 ::1") {
		t.Errorf("Contact %q, SDP\n%s", ok.Get("Contact"), ok.Body)
	}
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	c := r.dialTCP()
	c.send(c.invite("sixtcp"))
	c.expect("INVITE", 200)
}
