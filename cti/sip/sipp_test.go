package sip_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
)

// sipp runs a scenario against the rig and fails with SIPp's own words.
func (r *rig) sipp(scenario string, args ...string) {
	r.t.Helper()
	path, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			r.t.Fatal("SIPp is not installed: Debian's package sip-tester has it")
		}
		r.t.Skip("SIPp is not installed")
	}
	dir := r.t.TempDir()
	file := filepath.Join(dir, "scenario.xml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	args = append([]string{r.addr("udp"), "-sf", file, "-i", "127.0.0.1", "-nostdin", "-timeout", "25", "-timeout_error", "-trace_err", "-error_file", filepath.Join(dir, "errors")}, args...)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		words, _ := os.ReadFile(filepath.Join(dir, "errors"))
		r.t.Fatalf("sipp: %v\n%s\n%s", err, words, lastLines(string(out), 40))
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

const (
	sippInvite = `<send retrans="500"><![CDATA[
INVITE sip:4001234567@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:13800138000@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:4001234567@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio 40000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>
`
	sippWithin = `<send %s><![CDATA[
%s [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: %d %s
Max-Forwards: 70
Content-Length: 0

]]></send>
`
	sippSame = `<send %s><![CDATA[
%s sip:4001234567@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-%d]
From: <sip:13800138000@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:4001234567@[remote_ip]:[remote_port]>%s
Call-ID: [call_id]
CSeq: 1 %s
Max-Forwards: 70
Content-Length: 0

]]></send>
`
	sippRinging = `<recv response="100" optional="true"/><recv response="180" optional="true"/>
`
)

func scenario(parts ...string) string {
	return `<?xml version="1.0" encoding="ISO-8859-1" ?><scenario name="callbox">` + strings.Join(parts, "") + "</scenario>"
}

func TestSIPpBasicCalls(t *testing.T) {
	r := start(t)
	began := time.Now()
	r.sipp(scenario(sippInvite, sippRinging, `<recv response="200" rrs="true"/>`,
		fmt.Sprintf(sippWithin, "", "ACK", 1, "ACK"), `<pause milliseconds="100"/>`,
		fmt.Sprintf(sippWithin, `retrans="500"`, "BYE", 2, "BYE"), `<recv response="200"/>`),
		"-m", "200", "-r", "200", "-l", "200")
	t.Logf("200 calls in %v: %+v", time.Since(began).Round(time.Millisecond), r.Stats())
	eventually(t, "nothing is left", func() bool { s := r.Stats(); return s.Legs == 0 && s.Dialogs == 0 })
}

// CANCEL follows INVITE without a pause, 200 times.
func TestSIPpCancelRace(t *testing.T) {
	r := start(t)
	r.calls.do(wait)
	r.sipp(scenario(strings.Replace(sippInvite, ` retrans="500"`, "", 1),
		fmt.Sprintf(sippSame, "", "CANCEL", 1, "", "CANCEL"),
		sippRinging, `<recv response="200" optional="true"/>`, sippRinging, `<recv response="487"/>`,
		fmt.Sprintf(sippSame, "", "ACK", 8, "[peer_tag_param]", "ACK")),
		"-m", "200", "-r", "200", "-l", "200", "-default_behaviors", "-abortunexp")
	eventually(t, "nothing is left", func() bool { return r.Stats().Legs == 0 })
}

// A caller that never sends ACK is hung up.
func TestSIPpNoAck(t *testing.T) {
	r := start(t, short)
	r.sipp(scenario(sippInvite, sippRinging, `<recv response="200"/><recv request="BYE"/>`,
		`<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`), "-m", "5", "-r", "5")
	if n := r.Stats(); n.Unacked != 5 || n.Legs != 0 {
		t.Errorf("%+v", n)
	}
}

// The box as caller, SIPp as the carrier's other side.
func TestSIPpAsCallee(t *testing.T) {
	w := carrierSocket(t)
	_ = w.conn.Close() // its address is SIPp's now
	r := start(t, w.toward())
	port := w.addr()[strings.LastIndexByte(w.addr(), ':')+1:]
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		r.sipp(scenario(`<recv request="INVITE" rrs="true"/>`, sippReply("180 Ringing", ""), `<pause milliseconds="10"/>`,
			sippReply("200 OK", "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 40002 RTP/AVP 0\n"),
			`<recv request="ACK"/><recv request="BYE"/>`, sippReply("200 OK", "")), "-m", "20", "-p", port)
	})
	for range 20 {
		leg := r.dial("trunk:out/139")
		if err := leg.Answer(patient(t)); err != nil {
			t.Fatal(err)
		}
		leg.Hangup(cti.CauseNormal)
	}
	select {
	case <-done:
	case <-time.After(2 * patience):
		t.Error("SIPp is not done")
	}
}

func sippReply(status, sdp string) string {
	kind := ""
	if sdp != "" {
		kind = "Content-Type: application/sdp\n"
	}
	return `<send><![CDATA[
SIP/2.0 ` + status + `
[last_Via:]
[last_From:]
[last_To:];tag=[pid]c[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port]>
` + kind + `Content-Length: [len]

` + sdp + `]]></send>`
}
