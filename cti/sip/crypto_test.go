package sip_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

const (
	cm80   = "AES_CM_128_HMAC_SHA1_80"
	cm32   = "AES_CM_128_HMAC_SHA1_32"
	gcm128 = "AEAD_AES_128_GCM"
	gcm256 = "AEAD_AES_256_GCM"
)

// keyOf is a key of the right size for suite, told apart by fill.
func keyOf(suite string, fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, media.KeyLength(suite)))
}

func cryptoLine(tag, suite string, fill byte) string {
	return "a=crypto:" + tag + " " + suite + " inline:" + keyOf(suite, fill) + "\r\n"
}

// RFC 4568 §6 and §9.1: what makes a line usable.
func TestCryptoLines(t *testing.T) {
	key := keyOf(cm80, 7)
	for name, tt := range map[string]struct {
		value string
		ok    bool
	}{
		"bare":             {"1 " + cm80 + " inline:" + key, true},
		"lifetime 2^48":    {"1 " + cm80 + " inline:" + key + "|2^48", true},
		"lifetime 2^20":    {"1 " + cm80 + " inline:" + key + "|2^20", true},
		"lifetime decimal": {"1 " + cm80 + " inline:" + key + "|1048576", true},
		"brief lifetime":   {"1 " + cm80 + " inline:" + key + "|2^10", false},
		"huge lifetime":    {"1 " + cm80 + " inline:" + key + "|2^999", false},
		"MKI":              {"1 " + cm80 + " inline:" + key + "|2^20|1:4", false},
		"MKI alone":        {"1 " + cm80 + " inline:" + key + "|1:4", false},
		"two keys":         {"1 " + cm80 + " inline:" + key + "|2^20|1:4;inline:" + key + "|2^20|2:4", false},
		"window hint":      {"1 " + cm80 + " inline:" + key + " WSH=64", true},
		"KDR":              {"1 " + cm80 + " inline:" + key + " KDR=1", false},
		"in the clear":     {"1 " + cm80 + " inline:" + key + " UNENCRYPTED_SRTP", false},
		"not proved":       {"1 " + cm80 + " inline:" + key + " UNAUTHENTICATED_SRTP", false},
		"other suite":      {"1 F8_128_HMAC_SHA1_80 inline:" + key, false},
		"short key":        {"1 " + cm80 + " inline:" + key[4:], false},
		"not base64":       {"1 " + cm80 + " inline:!!!!" + key[4:], false},
		"no key":           {"1 " + cm80, false},
		"other method":     {"1 " + cm80 + " prompt:" + key, false},
		"tag":              {"x " + cm80 + " inline:" + key, false},
		"long tag":         {"1234567890 " + cm80 + " inline:" + key, false},
		"longest tag":      {"123456789 " + cm80 + " inline:" + key, true},
		"without padding":  {"1 " + gcm128 + " inline:" + strings.TrimRight(keyOf(gcm128, 7), "="), true},
		"with padding":     {"1 " + gcm128 + " inline:" + keyOf(gcm128, 7), true},
		"nothing":          {"", false},
	} {
		if _, _, _, err := sip.ParseCrypto(tt.value); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want usable %v", name, err, tt.ok)
		}
	}
}

var answered = regexp.MustCompile(`a=crypto:(\S+) (\S+) inline:(\S+)`)

// What off, on and required make of offers (T8).
func TestSealedOffers(t *testing.T) {
	const avp, savp = "m=audio 40000 RTP/AVP 8\r\n", "m=audio 40002 RTP/SAVP 8\r\n"
	sealed := savp + cryptoLine("4", cm80, 1)
	for name, tt := range map[string]struct {
		srtp, sdp string
		code      int
		lines     string // profiles of the answer with a port, of others "-"
		tag       string // of the crypto line, "" for none
		suite     string
	}{
		"off, sealed":             {"off", sealed, 488, "", "", ""},
		"off, sealed and plain":   {"off", sealed + avp, 200, "- RTP/AVP", "", ""},
		"on, sealed":              {"on", sealed, 200, "RTP/SAVP", "4", cm80},
		"on, plain":               {"on", avp, 200, "RTP/AVP", "", ""},
		"on, plain with keys":     {"on", avp + cryptoLine("1", cm80, 1), 200, "RTP/AVP", "", ""},
		"on, plain and sealed":    {"on", avp + sealed, 200, "- RTP/SAVP", "4", cm80},
		"on, no usable key":       {"on", savp + cryptoLine("1", cm80, 1)[:60] + "\r\n", 488, "", "", ""},
		"on, no key":              {"on", savp, 488, "", "", ""},
		"on, with feedback":       {"on", "m=audio 40000 RTP/SAVPF 8\r\n" + cryptoLine("1", gcm128, 1), 200, "RTP/SAVPF", "1", gcm128},
		"off, with feedback":      {"off", "m=audio 40000 RTP/AVPF 8\r\n", 200, "RTP/AVPF", "", ""},
		"on, by DTLS":             {"on", "m=audio 40000 UDP/TLS/RTP/SAVPF 8\r\n", 488, "", "", ""},
		"required, plain":         {"required", avp, 488, "", "", ""},
		"required, plain, keys":   {"required", avp + cryptoLine("1", cm80, 1), 488, "", "", ""},
		"required, sealed":        {"required", sealed, 200, "RTP/SAVP", "4", cm80},
		"the best suite":          {"on", savp + cryptoLine("1", cm32, 1) + cryptoLine("2", cm80, 2) + cryptoLine("3", gcm256, 3), 200, "RTP/SAVP", "3", gcm256},
		"an unusable line before": {"on", savp + "a=crypto:1 AEAD_AES_256_GCM inline:xx|1:4\r\n" + cryptoLine("2", cm32, 2), 200, "RTP/SAVP", "2", cm32},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].SRTP = tt.srtp })
			w := r.raw("127.0.0.1")
			w.send(w.invite("offer", "{sdp}", bareSDP+tt.sdp))
			res := w.expect("INVITE", tt.code)
			if tt.code != 200 {
				return
			}
			if got := profilesOf(res.Body); got != tt.lines {
				t.Errorf("answered %q, want %q:\n%s", got, tt.lines, res.Body)
			}
			m := append(answered.FindStringSubmatch(res.Body), make([]string, 4)...)
			if m[1] != tt.tag || m[2] != tt.suite {
				t.Errorf("answered with tag %q, suite %q, want %q, %q", m[1], m[2], tt.tag, tt.suite)
			}
			if n := strings.Count(res.Body, "a=crypto"); tt.tag == "" && n > 0 || n > 1 {
				t.Errorf("%d crypto lines", n)
			}
		})
	}
}

const bareSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"

// profilesOf are the m-lines of an SDP: the profile, - for one turned down.
func profilesOf(body string) string {
	var all []string
	for line := range strings.Lines(body) {
		if f := strings.Fields(line); strings.HasPrefix(line, "m=") {
			if f[1] == "0" {
				f[2] = "-"
			}
			all = append(all, f[2])
		}
	}
	return strings.Join(all, " ")
}

func keyIn(t testing.TB, body string) string {
	t.Helper()
	m := answered.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no key in\n%s", body)
	}
	return m[3]
}

// A re-INVITE with the same key gets ours again, one with a new key a new one
// (RFC 4568 §7.1.4).
func TestKeysOfReinvites(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].SRTP = "on" })
	w := r.raw("127.0.0.1")
	version := 0
	offer := func(fill byte) string {
		version++
		return strings.Replace(bareSDP, "o=- 1 1", fmt.Sprint("o=- 1 ", version), 1) + "m=audio 40002 RTP/SAVP 8\r\n" + cryptoLine("1", cm80, fill)
	}
	w.send(w.invite("keys", "{sdp}", offer(1)))
	ok := w.expect("INVITE", 200)
	w.send(w.within("ACK", 1, ok))
	keys := []string{keyIn(t, ok.Body)}
	for i, fill := range []byte{1, 2, 2} {
		body := offer(fill)
		w.send(w.within("INVITE", 2+i, ok, "Content-Length: {length}\r\n\r\n", "Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n"+body))
		res := w.expect("INVITE", 200)
		w.send(w.within("ACK", 2+i, ok))
		keys = append(keys, keyIn(t, res.Body))
	}
	if keys[0] != keys[1] || keys[1] == keys[2] || keys[2] != keys[3] {
		t.Errorf("our keys: %q", keys)
	}
}

// A trunk that does not take a sealed offer is called again with a plain one,
// once, where that is allowed.
func TestRetreatFromSRTP(t *testing.T) {
	for name, tt := range map[string]struct {
		srtp  string
		codes []int
		want  []string // profiles offered
	}{
		"on, 488":         {"on", []int{488, 200}, []string{"RTP/SAVP", "RTP/AVP"}},
		"on, 415":         {"on", []int{415, 200}, []string{"RTP/SAVP", "RTP/AVP"}},
		"on, 488 twice":   {"on", []int{488, 488}, []string{"RTP/SAVP", "RTP/AVP"}},
		"on, 486":         {"on", []int{486}, []string{"RTP/SAVP"}},
		"on, plain taken": {"on", []int{200}, []string{"RTP/SAVP"}},
		"required, 488":   {"required", []int{488}, []string{"RTP/SAVP"}},
		"off":             {"off", []int{200}, []string{"RTP/AVP"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := carrierSocket(t)
			r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].SRTP = tt.srtp })
			leg := r.dial("trunk:out/13800138000")
			for i, code := range tt.codes {
				req := w.request("INVITE")
				if got := profilesOf(req.Body); got != tt.want[i] {
					t.Errorf("offer %d is %s, want %s", i, got, tt.want[i])
				}
				if n := strings.Count(req.Body, "a=crypto"); (n > 0) != (tt.want[i] == "RTP/SAVP") {
					t.Errorf("offer %d has %d crypto lines", i, n)
				}
				w.reply(req, code, "x")
				w.request("ACK")
			}
			answered := tt.codes[len(tt.codes)-1] == 200
			if err := leg.Answer(patient(t)); (err == nil) != answered {
				t.Errorf("Answer = %v", err)
			}
			if again := w.next(50 * time.Millisecond); again != nil && again.Method() == "INVITE" {
				t.Errorf("called once more:\n%s", again.Body)
			}
		})
	}
}

// An answer with a key for another suite than its tag's, or for none that was
// offered, is of no use.
func TestAnswersToSealedOffers(t *testing.T) {
	for name, tt := range map[string]struct {
		crypto string
		ok     bool
	}{
		"second offered":  {cryptoLine("2", media.Suites()[1], 1), true},
		"another's tag":   {cryptoLine("1", media.Suites()[1], 1), false},
		"not offered":     {cryptoLine("9", media.Suites()[0], 1), false},
		"nothing":         {"", false},
		"plain all along": {"plain", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := carrierSocket(t)
			r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].SRTP = "required" })
			leg := r.dial("trunk:out/13800138000")
			req := w.request("INVITE")
			sdp := bareSDP + "m=audio 40000 RTP/SAVP 8\r\n" + tt.crypto
			if tt.crypto == "plain" {
				sdp = plainSDP
			}
			res := req.Reply(200, "OK", "x")
			res.Add("Contact", "<sip:x@"+w.addr()+">")
			res.Add("Content-Type", "application/sdp")
			res.Body = sdp
			w.to = netip.MustParseAddrPort(r.addr("udp"))
			w.send(string(res.Bytes()))
			w.request("ACK")
			if !tt.ok {
				w.reply(w.request("BYE"), 200, "")
			}
			if err := leg.Answer(patient(t)); (err == nil) != tt.ok {
				t.Errorf("Answer = %v", err)
			}
		})
	}
}

// T8, DESIGN 8: keys are never in the log, however much it says.
func TestKeysStayOutOfTheLog(t *testing.T) {
	var log lockedBuffer
	r := start(t, nobody, plainCaller, secure, func(c *sip.Config, r *rig) {
		c.SRTP = "on"
		r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	p := r.phone(ctitest.PhoneConfig{
		Transport: "tls", Server: r.addr("tls"), User: "1001", Password: "secret1001", SRTP: media.Suites(), OnCall: toneFor(600),
	})
	if err := p.Register(patient(t), time.Minute); err != nil {
		t.Fatal(err)
	}
	caller := r.joins("sip:1001")
	talk := p.Talks()[0]
	caller.Hangup()
	await(t, talk.Ended(), "BYE")
	leg, err := r.Dial(context.Background(), "sip:1002", cti.Number{}, "c")
	if err == nil {
		leg.Hangup(cti.CauseNormal)
	}
	r.stop()
	keys := regexp.MustCompile(`inline:([A-Za-z0-9+/]{16})`).FindAllStringSubmatch(talk.Invite().Body, -1)
	if len(keys) != len(media.Suites()) || log.Len() == 0 {
		t.Fatalf("%d keys offered, %d bytes of log", len(keys), log.Len())
	}
	for _, k := range keys {
		if strings.Contains(log.String(), k[1]) {
			t.Error("a key is in the log")
		}
	}
	if strings.Contains(log.String(), "inline:") {
		t.Error("a crypto line is in the log")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
