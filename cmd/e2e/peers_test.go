//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// baresip is a real SIP phone without sound hardware: it says a sine and
// writes what it hears into a file.
type baresip struct {
	*process
	t   *testing.T
	dir string
	sip string // where it listens
	ctl net.Conn
	rd  *bufio.Reader
}

// newBaresip starts a phone; account is its line in baresip's accounts file.
func newBaresip(t *testing.T, account string, hz int, codec string, modules ...string) *baresip {
	t.Helper()
	dir := t.TempDir()
	control, sip := freePort(t), freePort(t)
	var more strings.Builder
	for _, m := range modules {
		more.WriteString("module " + m + "\n")
	}
	put(t, filepath.Join(dir, "config"), []byte(fmt.Sprintf(`
sip_listen 127.0.0.1:%d
audio_source aufile,%s/tone.wav
audio_player aubridge,nil
audio_alert aubridge,nil
rtp_ports 15000-17999
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
%s
ctrl_tcp_listen 127.0.0.1:%d
snd_path %s
net_interface 127.0.0.1
`, sip, dir, more.String(), control, dir)))
	put(t, filepath.Join(dir, "tone.wav"), toneWAV(float64(hz), time.Minute))
	put(t, filepath.Join(dir, "accounts"), []byte(account+";audio_codecs="+codec+"\n"))
	put(t, filepath.Join(dir, "contacts"), nil)
	b := &baresip{t: t, dir: dir, sip: fmt.Sprintf("127.0.0.1:%d", sip), process: launch(t, dir, "baresip", "-f", dir, "-p", dir)}
	wait(t, "baresip's control port", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(control))
		if err == nil {
			b.ctl, b.rd = conn, bufio.NewReader(conn)
		}
		return err == nil
	})
	t.Cleanup(func() { b.ctl.Close() })
	return b
}

// agentPhone is a registered extension.
func agentPhone(t *testing.T, b *box, extension string, hz int, codec string) *baresip {
	t.Helper()
	phone := newBaresip(t, fmt.Sprintf("<sip:%s@%s>;auth_user=%s;auth_pass=sip-%s;regint=60;ptime=20;answermode=manual",
		extension, b.sip, extension, extension), hz, codec)
	phone.line(`(?i)(200 OK|successfully)`)
	return phone
}

// tell sends a command over baresip's control port.
func (b *baresip) tell(command, params string) {
	b.t.Helper()
	msg, err := json.Marshal(map[string]string{"command": command, "params": params, "token": "t"})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.ctl, "%d:%s,", len(msg), msg); err != nil {
		b.t.Fatalf("baresip %s: %v", command, err)
	}
}

// heard is what the phone decoded, from its dump.
func (b *baresip) heard() (samples []float64, rate float64) {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "*dec*.wav"))
	if err != nil || len(files) == 0 {
		all, _ := os.ReadDir(b.dir)
		b.t.Fatalf("baresip dumped nothing: %v %v", err, all)
	}
	return readPCM(b.t, files[len(files)-1])
}

// sipp runs one scenario of testdata against the box, as the carrier's trunk.
func sipp(t *testing.T, b *box, scenario string, args ...string) *process {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", scenario))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "tone.al"), toneALaw(1100, time.Second))
	put(t, filepath.Join(dir, "tone.pcap"), tonePCAP(1100, 10*time.Second))
	all := append([]string{
		b.sip, "-sf", file, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", strconv.Itoa(freePort(t)),
		"-s", "4001234567", "-mp", strconv.Itoa(freePort(t)), "-nostdin", "-m", "1", "-trace_err", "-error_file", "errors.log",
	}, args...)
	return launch(t, dir, "sipp", all...)
}

// succeed waits for SIPp and fails the test unless all its calls went well.
func (p *process) succeed(within time.Duration) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		p.t.Fatalf("%s still runs after %v:\n%s", p.cmd.Path, within, tail(p.output()))
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		errs, _ := os.ReadFile(filepath.Join(p.cmd.Dir, "errors.log"))
		p.t.Fatalf("%s ended with %d:\n%s\n%s", p.cmd.Path, code, tail(p.output()), errs)
	}
}

func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
