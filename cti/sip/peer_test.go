package sip_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// baresipPath is where baresip is; a test run that counts does not do without.
func baresipPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("baresip")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("baresip is not installed")
		}
		t.Skip("baresip is not installed")
	}
	return path
}

// baresip is a real phone of 1001, without sound, that takes commands.
func (r *rig) baresip() (tell func(command, params string)) {
	r.t.Helper()
	path := baresipPath(r.t)
	dir, control := r.t.TempDir(), loopbackPort(r.t)
	config := fmt.Sprintf("sip_listen 127.0.0.1:%d\naudio_source aubridge,x\naudio_player aubridge,x\naudio_alert aubridge,x\n"+
		"rtp_ports 18000-18999\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aubridge.so\nmodule uuid.so\nmodule_app account.so\nmodule_app menu.so\n"+
		"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:%d\nnet_interface 127.0.0.1\n", loopbackPort(r.t), control)
	account := "<sip:1001@" + r.addr("udp") + ">;auth_pass=secret1001;regint=60;answermode=manual;audio_codecs=PCMA/8000/1\n"
	for name, text := range map[string]string{"config": config, "accounts": account, "contacts": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "-f", dir, "-p", dir)
	cmd.Dir = dir
	if os.Getenv("SIP_LOG") != "" {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var conn net.Conn
	slowly(r.t, "baresip takes commands", func() (ok bool) {
		c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(control))
		conn = c
		return err == nil
	})
	r.t.Cleanup(func() { _ = conn.Close() })
	return func(command, params string) {
		r.t.Helper()
		msg, _ := json.Marshal(map[string]string{"command": command, "params": params, "token": "t"}) // strings always marshal
		if _, err := fmt.Fprintf(conn, "%d:%s,", len(msg), msg); err != nil {
			r.t.Fatal(err)
		}
	}
}

func loopbackPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// slowly waits for another program on a busy machine.
func slowly(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(4 * patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, 4*patience)
}

// baresip registers, calls, is answered and hangs up.
func TestPhoneOfBaresip(t *testing.T) {
	r := start(t, nobody)
	tell := r.baresip()
	slowly(t, "registered", func() bool { return r.Reachable("1001") })
	tell("dial", "sip:4001234567@"+r.addr("udp"))
	leg := r.leg()
	if o := leg.Origin(); o.Device != "sip:1001" || o.DID != "4001234567" {
		t.Errorf("origin %+v", o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := leg.Answer(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "talks", func() bool { return r.Stats().Dialogs == 1 })
	tell("hangup", "")
	slowly(t, "hung up", func() bool { return r.Stats().Legs == 0 })
	if n := r.Stats(); n.AuthFailed != 0 || n.Malformed != 0 || n.Unacked != 0 {
		t.Errorf("%+v", n)
	}
}

// A scenario of SIPp watches an extension and lets go of it.
func TestSIPpWatches(t *testing.T) {
	r := start(t)
	r.sipp(sippWatch, "-m", "5", "-l", "1", "-au", "1001", "-ap", "secret1001")
	eventually(t, "forgotten", func() bool { return r.Stats().Subscriptions == 0 })
}

const (
	sippSubscribe = `<send retrans="500"><![CDATA[
SUBSCRIBE sip:1002@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:1001@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:1002@[remote_ip]:[remote_port]>%s
Call-ID: [call_id]
CSeq: %d SUBSCRIBE
Contact: <sip:1001@[local_ip]:[local_port]>
Max-Forwards: 70
Event: dialog
Accept: application/dialog-info+xml
Expires: %d
%sContent-Length: 0

]]></send>
`
	sippNotified = `<recv request="NOTIFY"><action><ereg regexp="%s" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="%d"/></action></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
`
)

var sippWatch = `<?xml version="1.0"?><scenario name="watch">` +
	fmt.Sprintf(sippSubscribe, "", 1, 600, "") + `<recv response="407" auth="true"/>` +
	fmt.Sprintf(sippSubscribe, "", 2, 600, "[authentication]\n") + `<recv response="200" rrs="true"/>` +
	fmt.Sprintf(sippNotified, "active;expires=600", 1) +
	fmt.Sprintf(sippSubscribe, "[peer_tag_param]", 3, 0, "") + `<recv response="200"/>` +
	fmt.Sprintf(sippNotified, "terminated;reason=timeout", 2) + `<Reference variables="1,2"/></scenario>`
