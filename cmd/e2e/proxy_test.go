//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kamailio is a carrier's registrar and proxy, which asks the box at boxPort for
// its password.
func kamailio(t *testing.T, boxPort int) (p *process, address string) {
	t.Helper()
	text, err := os.ReadFile("testdata/kamailio.cfg")
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), freePort(t)
	put(t, dir+"/kamailio.cfg", []byte(strings.NewReplacer("PORT", strconv.Itoa(port), "BOX", strconv.Itoa(boxPort)).Replace(string(text))))
	p = launch(t, dir, sbin(t, "kamailio"), "-f", "kamailio.cfg", "-DD", "-E", "-w", dir, "-Y", dir, "-m", "16", "-M", "4")
	return p, "127.0.0.1:" + strconv.Itoa(port)
}

// sbin is a program that may stand beside everybody's PATH.
func sbin(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name
		}
	}
	t.Fatalf("%s is not installed", name)
	return ""
}

// TestThroughAProxy has Kamailio as the carrier: the box registers there with a
// password, is called and calls through it, with routes recorded.
func TestThroughAProxy(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	proxy, address := kamailio(t, port)
	b := newBox(t, layout{sip: fmt.Sprintf(`
  listen: [udp://127.0.0.1:%d, tcp://127.0.0.1:0]
  rtp_ports: 20000-29999
  trunks:
    - {name: carrier, address: "%s", from: [127.0.0.1/32], caller_id: "4001234567", register: true, username: "057188880001", password: trunk-secret, realm: carrier.example, expires: 60s, number_format: national}
`, port, address)})
	proxy.line(`registered 057188880001`)
	wait(t, "the trunk to be up", func() bool {
		var r struct {
			Parts map[string]struct{ OK bool }
		}
		b.call("GET", "/readyz", nil, &r)
		return r.Parts["trunk carrier"].OK
	})
	far := newBaresip(t, fmt.Sprintf("<sip:02155667788@%s>;auth_user=02155667788;auth_pass=trunk-secret;regint=60;ptime=20;answermode=manual", address), 1100, "PCMA/8000/1")
	proxy.line(`registered 02155667788`)
	wang, phone := seat(t, b, "1001", 620)

	far.tell("dial", "sip:057188880001@"+address)
	wang.event("delivered")
	phone.tell("accept", "")
	wang.event("established")
	time.Sleep(2 * time.Second)
	far.tell("hangup", "")
	wang.event("callCleared")
	in := b.record("answered")
	if at(t, in, "from", "e164") != "+862155667788" || in["hangup_side"] != "caller" || in["did"] != "057188880001" {
		t.Errorf("incoming: from %v, did %v, ended by %v", in["from"], in["did"], in["hangup_side"])
	}
	wang.event("agentReady")

	wang.must("makeCall", map[string]any{"to": "02155667788", "ref": "WO-1"})
	phone.line(`(?i)incoming call`)
	time.Sleep(300 * time.Millisecond)
	phone.tell("accept", "")
	far.line(`(?i)incoming call`)
	time.Sleep(300 * time.Millisecond)
	far.tell("accept", "")
	wang.event("established")
	time.Sleep(2 * time.Second)
	id := wang.lastCall()
	wang.must("clearConnection", map[string]any{"call_id": id})
	wang.event("callCleared")
	out := b.final(id)
	if out["direction"] != "out" || at(t, out, "to", "e164") != "+862155667788" || out["ref"] != "WO-1" || out["hangup_side"] != "agent" {
		t.Errorf("outgoing: %v to %v, ref %v, ended by %v", out["direction"], out["to"], out["ref"], out["hangup_side"])
	}
	for _, record := range []map[string]any{in, out} {
		rec := b.audio(record["id"].(string))
		wantTone(t, "recording, left", rec.left, 8000, 1100, 1, 6)
		wantTone(t, "recording, right", rec.right, 8000, 620, 1, 6)
	}
}

// TestProxyGoesAway sees the trunk go down and come back.
func TestProxyGoesAway(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	proxy, address := kamailio(t, port)
	b := newBox(t, layout{sip: fmt.Sprintf(`
  listen: [udp://127.0.0.1:%d, tcp://127.0.0.1:0]
  trunks:
    - {name: carrier, address: "%s", from: [127.0.0.1/32], health: 1s}
`, port, address)})
	up := func(want bool) func() bool {
		return func() bool {
			var r struct {
				Parts map[string]struct{ OK bool }
			}
			b.call("GET", "/readyz", nil, &r)
			return r.Parts["trunk carrier"].OK == want
		}
	}
	wait(t, "the trunk to be up", up(true))
	wang := b.login("boss")
	wang.connect(0)
	proxy.end(syscall.SIGTERM)
	wait(t, "the trunk to be down", up(false))
	wang.frame("lineState outOfService", func(f map[string]any) bool {
		return f["type"] == "lineState" && f["line"] == "carrier" && at(t, f, "user_data", "state") == "outOfService"
	})
}
