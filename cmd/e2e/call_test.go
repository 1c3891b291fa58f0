//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// record is the final record of the newest call of a result.
func (b *box) record(result string) map[string]any {
	b.t.Helper()
	var found map[string]any
	wait(b.t, "the record of a call "+result, func() bool {
		var list struct{ Items []map[string]any }
		b.call("GET", "/api/v1/calls?result="+result, nil, &list)
		if len(list.Items) > 0 {
			found = list.Items[0]
		}
		return found != nil
	})
	return found
}

// final is a call's record once it is final.
func (b *box) final(id any) map[string]any {
	b.t.Helper()
	var found map[string]any
	wait(b.t, "the final record", func() bool {
		found = nil
		b.call("GET", fmt.Sprint("/api/v1/calls/", id), nil, &found)
		return found["result"] != nil
	})
	return found
}

// audio is a call's recording as the API gives it.
func (b *box) audio(id string) recording {
	b.t.Helper()
	req, err := http.NewRequest("GET", b.http+"/api/v1/recordings/"+id+"/audio", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		b.t.Fatalf("audio: %s", resp.Status)
	}
	raw := make([]byte, 0, 1<<20)
	for buf := make([]byte, 1<<16); ; {
		n, err := resp.Body.Read(buf)
		raw = append(raw, buf[:n]...)
		if err != nil {
			break
		}
	}
	return readRecording(b.t, raw)
}

// get is the text of a page that wants no key.
func (b *box) get(path string) string {
	b.t.Helper()
	resp, err := http.Get(b.http + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no %v in %v", path, v)
			}
			v = m[k]
		case int:
			l, ok := v.([]any)
			if !ok || len(l) <= k {
				t.Fatalf("no %v in %v", path, v)
			}
			v = l[k]
		}
	}
	return v
}

func instant(t *testing.T, v any) time.Time {
	t.Helper()
	text, _ := v.(string)
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("no time: %v", v)
	}
	return got
}

// TestCallReachesTheAgent is the whole way: SIPp calls, presses 1 in the menu,
// baresip as agent 1001 answers, both hear each other, the caller hangs up.
func TestCallReachesTheAgent(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	phone := agentPhone(t, b, "1001", 620, "PCMU/8000/1")
	wang := b.login("1001")
	wang.connect(0)
	if snapshot := wang.event("snapshot"); at(t, snapshot, "agent", "state") != "notReady" || at(t, snapshot, "agent", "reason") != "login" {
		t.Errorf("snapshot agent = %v", snapshot["agent"])
	}
	wang.ready()
	caller := sipp(t, b, "digit.xml", "-d", "6000")
	pop := wang.event("delivered")
	if at(t, pop, "agent_id") != "1001" || at(t, pop, "calling", "e164") != "+8613800138000" {
		t.Errorf("pop = %v", pop)
	}
	if at(t, pop, "user_data", "customer", "name") != "安顺物业" || at(t, pop, "user_data", "customer", "open_tickets", 0, "ref") != "T-9" {
		t.Errorf("customer = %v", at(t, pop, "user_data", "customer"))
	}
	if path := fmt.Sprint(at(t, pop, "user_data", "ivr_path")); path != "[welcome menu repair]" {
		t.Errorf("ivr_path = %s", path)
	}
	if at(t, pop, "queue", "name") != "报修" {
		t.Errorf("queue = %v", pop["queue"])
	}
	late := pop["_at"].(time.Time).Sub(instant(t, pop["time"]))
	t.Logf("pop %v after the event", late)
	phone.tell("accept", "")
	wang.event("established")
	caller.succeed(40 * time.Second)
	wang.event("callCleared")
	wang.event("agentWorkingAfterCall")
	record := b.record("answered")
	for key, want := range map[string]any{"result": "answered", "hangup_side": "caller", "cause": "normal", "direction": "in", "did": "4001234567", "line": "carrier"} {
		if record[key] != want {
			t.Errorf("record %s = %v, want %v", key, record[key], want)
		}
	}
	if at(t, record, "recording", "state") != "complete" {
		t.Errorf("recording = %v", record["recording"])
	}
	checkSound(t, b, record)
	heard, rate := phone.heard()
	if s := toneSeconds(heard, 1100, rate); s < 2 {
		t.Errorf("the agent heard the caller's tone for %.1f s, want 2 or more", s)
	}
	wang.event("agentReady") // wrap-up over
}

// checkSound looks for both tones in the recording's channels and holds its
// length against the record.
func checkSound(t *testing.T, b *box, record map[string]any) {
	t.Helper()
	rec := b.audio(record["id"].(string))
	if rec.law != 6 {
		t.Errorf("format tag %d, want 6 (A-law)", rec.law)
	}
	left, right := toneSeconds(rec.left, 1100, 8000), toneSeconds(rec.right, 620, 8000)
	prompt := toneSeconds(rec.right, 1000, 8000)
	t.Logf("left: caller %.1f s; right: agent %.1f s, prompt %.1f s", left, right, prompt)
	if left < 2 || right < 2 || prompt < 0.8 {
		t.Errorf("tones in the recording: caller %.1f s left, agent %.1f s right, prompt %.1f s right", left, right, prompt)
	}
	if leak := toneSeconds(rec.left, 620, 8000) + toneSeconds(rec.right, 1100, 8000); leak > 0 {
		t.Errorf("the channels are mixed: %.1f s", leak)
	}
	length := float64(len(rec.left)) / 8000
	lasted := instant(t, at(t, record, "times", "hangup")).Sub(instant(t, at(t, record, "times", "answer"))).Seconds()
	if math.Abs(length-lasted) > 0.25 {
		t.Errorf("recording lasts %.2f s, the call %.2f s", length, lasted)
	}
}

func TestAgentHangsUp(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	phone := agentPhone(t, b, "1001", 620, "PCMA/8000/1")
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	caller := sipp(t, b, "listen.xml", "-s", "057188880001")
	pop := wang.event("delivered")
	phone.tell("accept", "")
	wang.event("established")
	time.Sleep(time.Second) // some talk
	if reply := wang.do("clearConnection", map[string]any{"call_id": pop["call_id"]}); reply["ok"] != true {
		t.Fatalf("clearConnection: %v", reply)
	}
	caller.succeed(10 * time.Second)
	if record := b.record("answered"); record["hangup_side"] != "agent" {
		t.Errorf("hangup_side = %v", record["hangup_side"])
	}
}

// TestCallerGivesUp ends the call at each stage and looks how soon the rest is
// over.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		did, pause, where string
		ring              bool
	}{
		"prompt":  {"4001234567", "700", "ivr", false},
		"queue":   {"057188880001", "900", "queue", false},
		"ringing": {"057188880001", "1500", "ringing", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, layout{})
			wang := b.login("1001")
			wang.connect(0)
			if tt.ring {
				agentPhone(t, b, "1001", 620, "PCMA/8000/1")
			}
			wang.ready()
			sipp(t, b, "talk.xml", "-s", tt.did, "-d", tt.pause).succeed(20 * time.Second)
			record := b.record("abandoned")
			if record["where"] != tt.where || record["hangup_side"] != "caller" {
				t.Errorf("where %v, side %v", record["where"], record["hangup_side"])
			}
			if tt.ring && at(t, record, "offers", 0, "outcome") != "canceled" {
				t.Errorf("offers = %v", record["offers"])
			}
		})
	}
}

func TestStrangersMakeNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{extra: ""})
	list := func() int {
		var got struct{ Items []any }
		b.call("GET", "/api/v1/calls", nil, &got)
		return len(got.Items)
	}
	// Another loopback address is in no trunk's from.
	p := sipp(t, b, "refused.xml", "-i", "127.0.0.2", "-timeout", "5s", "-timeout_error")
	<-p.ended
	if n := list(); n != 0 {
		t.Errorf("%d calls from a stranger, want none", n)
	}
	if text := b.get("/metrics"); !strings.Contains(text, "callbox_calls_active 0") {
		t.Errorf("metrics = %s", text)
	}
}

// TestManyCallers lets fifty callers in at once: everyone is answered and each
// has one record.
func TestManyCallers(t *testing.T) {
	b := newBox(t, layout{})
	const calls = 50
	sipp(t, b, "talk.xml", "-d", "2000", "-m", strconv.Itoa(calls), "-r", "25", "-l", strconv.Itoa(calls)).succeed(40 * time.Second)
	wait(t, "fifty records", func() bool {
		var list struct{ Items []map[string]any }
		b.call("GET", "/api/v1/calls?limit=200&result=abandoned", nil, &list)
		return len(list.Items) == calls
	})
}

func TestOneBoxOnly(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	second := launch(t, b.dir, absolute(t, program), "serve", "-c", "callbox.yaml")
	<-second.ended
	if code := second.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(second.output(), "in use by another callbox") {
		t.Errorf("second daemon ended with %d: %s", code, second.output())
	}
	var ready struct{ Ready bool }
	if status := b.call("GET", "/readyz", nil, &ready); status != 200 || !ready.Ready {
		t.Errorf("readyz of the first = %d %+v", status, ready)
	}
}

// TestBothHear lets baresip call baresip: each hears the other's tone, across
// the laws, and the box's music before.
func TestBothHear(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	phone := agentPhone(t, b, "1001", 620, "PCMU/8000/1")
	caller := newBaresip(t, "<sip:02155667788@127.0.0.1>;regint=0;ptime=20;answermode=manual", 1100, "PCMA/8000/1")
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	caller.tell("dial", "sip:057188880001@"+b.sip)
	pop := wang.event("delivered")
	if at(t, pop, "user_data", "customer") != nil || at(t, pop, "calling", "e164") != "+862155667788" {
		t.Errorf("pop of a stranger = %v", pop)
	}
	phone.tell("accept", "")
	wang.event("established")
	time.Sleep(3 * time.Second) // the talk
	caller.tell("hangup", "")
	wang.event("callCleared")
	b.record("answered")
	for who, heard := range map[string]struct {
		phone *baresip
		hz    float64
	}{"agent": {phone, 1100}, "caller": {caller, 620}} {
		samples, rate := heard.phone.heard()
		if s := toneSeconds(samples, heard.hz, rate); s < 2 {
			t.Errorf("the %s heard the other for %.1f s, want 2 or more", who, s)
		}
	}
}

// TestScannerFindsNothing lets sipvicious look for us from a foreign address.
func TestScannerFindsNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	_, port, _ := strings.Cut(b.sip, ":")
	out, err := exec.Command("svmap", "127.0.0.1", "-p", port, "-b", "127.0.0.2").CombinedOutput()
	if err != nil {
		t.Logf("svmap: %v", err) // finding nothing is an error to some versions
	}
	if strings.Contains(string(out), "127.0.0.1:"+port) {
		t.Errorf("svmap found us:\n%s", out)
	}
}
