//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// secureBox listens by TLS too; its phones speak SRTP or not at all.
func secureBox(t *testing.T, srtp string) (b *box, tls string) {
	t.Helper()
	b = newBox(t, layout{sip: `
  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0, tls://127.0.0.1:0]
  tls: {self_signed: true}
  srtp: ` + srtp + `
  trunks:
    - {name: carrier, address: "127.0.0.1:5080", from: [127.0.0.1/32], caller_id: "4001234567"}
`})
	return b, regexp.MustCompile(`tls://([0-9.:]+)`).FindStringSubmatch(b.output())[1]
}

// TestTLSAndSRTP has baresip as the agent's phone by TLS with SRTP required: the
// caller over the plain trunk and the agent hear each other.
func TestTLSAndSRTP(t *testing.T) {
	t.Parallel()
	b, tls := secureBox(t, "required")
	phone := newBaresip(t, fmt.Sprintf("<sip:1001@%s;transport=tls>;auth_user=1001;auth_pass=sip-1001;regint=60;ptime=20;answermode=manual;mediaenc=srtp-mand",
		tls), 620, "PCMA/8000/1", "srtp.so")
	phone.line(`(?i)(200 OK|successfully)`)
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	sipp(t, b, "talk.xml", "-s", "057188880001", "-d", "5000")
	wang.event("delivered")
	phone.tell("accept", "")
	wang.event("established")
	wang.event("callCleared")
	record := b.record("answered")
	rec := b.audio(record["id"].(string))
	wantTone(t, "recording, left", rec.left, 8000, 1100, 2, 6)
	wantTone(t, "recording, right", rec.right, 8000, 620, 2, 6)
	heard, rate := phone.heard()
	wantTone(t, "agent", heard, rate, 1100, 2, 6)
	if leg := at(t, record, "legs", 1).(map[string]any); leg["secure"] != true {
		t.Errorf("the agent's leg: %v, want secure", leg)
	}
}

// linphone is linphonec, told by its standard input.
func linphone(t *testing.T, b *box, extension, transport, address string) *process {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "tone.wav"), toneWAV(620, time.Minute))
	put(t, filepath.Join(dir, "linphonerc"), []byte(fmt.Sprintf(`[sip]
sip_port=0
sip_tcp_port=0
sip_tls_port=%d
verify_server_certs=0
verify_server_cn=0
media_encryption=srtp
register_only_when_network_is_up=0
guess_hostname=0
auto_net_state_mon=0
[rtp]
audio_rtp_port=%d
[sound]
playback_dev_id=
ringer_dev_id=
capture_dev_id=
[net]
stun_server=
firewall_policy=0
mtu=1300
[video]
enabled=0
`, freePort(t), freePort(t))))
	if err := os.MkdirAll(filepath.Join(dir, ".local/share/linphone"), 0o700); err != nil { // it does not start without
		t.Fatal(err)
	}
	p := launch(t, dir, "env", "HOME="+dir, "linphonec", "-c", filepath.Join(dir, "linphonerc"), "-d", "0")
	p.say("soundcard use files", "play "+filepath.Join(dir, "tone.wav"), "record "+filepath.Join(dir, "heard.wav"))
	p.say(fmt.Sprintf("register sip:%s@%s sip:%s;transport=%s sip-%s", extension, address, address, transport, extension))
	wait(t, "linphone to register", func() bool {
		p.say("status register")
		return strings.Contains(p.output(), "registered, identity")
	})
	return p
}

// say writes lines to a program's standard input.
func (p *process) say(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		if _, err := p.in.Write([]byte(l + "\n")); err != nil {
			p.t.Fatalf("tell %s: %v", p.cmd.Path, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// TestLinphoneAnswers has linphone as the agent's phone.
func TestLinphoneAnswers(t *testing.T) {
	t.Parallel()
	b, tls := secureBox(t, "on")
	phone := linphone(t, b, "1001", "tls", tls)
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	sipp(t, b, "talk.xml", "-s", "057188880001", "-d", "6000")
	wang.event("delivered")
	phone.say("answer")
	wang.event("established")
	wang.event("callCleared")
	record := b.record("answered")
	rec := b.audio(record["id"].(string))
	wantTone(t, "recording, left", rec.left, 8000, 1100, 2, 7)
	wantTone(t, "recording, right", rec.right, 8000, 620, 2, 7)
	files, _ := filepath.Glob(filepath.Join(phone.cmd.Dir, "heard*.wav"))
	if len(files) == 1 {
		heard, rate := readPCM(t, files[0])
		wantTone(t, "agent", heard, rate, 1100, 2, 7)
	} else {
		t.Errorf("linphone wrote %v", files)
	}
	if leg := at(t, record, "legs", 1).(map[string]any); leg["secure"] != true {
		t.Errorf("the agent's leg: %v, want secure", leg)
	}
}
