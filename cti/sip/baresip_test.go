package sip_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callbox/cti/sip"
)

// echoPhone starts baresip as extension 1001 by TLS. It answers by itself and
// says what it hears.
func (r *rig) echoPhone(more string) {
	r.t.Helper()
	program := baresipPath(r.t)
	dir := r.t.TempDir()
	for name, text := range map[string]string{
		"config": `
sip_listen 127.0.0.1:0
audio_source aubridge,echo
audio_player aubridge,echo
audio_alert aubridge,nothing
rtp_ports 15000-17999
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module srtp.so
module_app account.so
module_app menu.so
net_interface 127.0.0.1
`,
		"accounts": "<sip:1001@" + r.addr("tls") + ";transport=tls>;auth_user=1001;auth_pass=secret1001;" +
			"regint=60;answermode=auto;audio_codecs=PCMA;" + more + "\n",
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	var log lockedBuffer
	cmd := exec.Command(program, "-f", dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if r.t.Failed() {
			log.mu.Lock()
			r.t.Log(lastLines(log.String(), 30))
			log.mu.Unlock()
		}
	})
	eventually(r.t, "baresip registers", func() bool { return r.Reachable("1001") })
}

// A real phone registers by TLS and talks by SRTP: the caller's sound comes back
// from it. It goes on when SRTP is all that it takes, and when it takes none.
func TestBaresip(t *testing.T) {
	for name, tt := range map[string]struct{ srtp, account string }{
		"only SRTP": {"required", "mediaenc=srtp-mand"},
		"SRTP":      {"on", "mediaenc=srtp"},
		"plain":     {"on", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nobody, plainCaller, secure, func(c *sip.Config, _ *rig) { c.SRTP = tt.srtp })
			r.echoPhone(strings.TrimSuffix(tt.account, ";"))
			caller := r.joins("sip:1001")
			if err := caller.WaitTone(patient(t), 900); err != nil {
				t.Error(err)
			}
			caller.Hangup()
			eventually(t, "all is over", func() bool { return r.Stats().Legs == 0 })
		})
	}
}
