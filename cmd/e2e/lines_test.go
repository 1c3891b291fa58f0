//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// simBox is the voice box's firmware as a process with so many lines.
func simBox(t *testing.T, dir string, lines int) *process {
	t.Helper()
	p := launch(t, dir, absolute(t, program), "sim", "box", "--dir", dir, "--lines", fmt.Sprint(lines))
	wait(t, "the box's lines", func() bool {
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("analog%d", lines)))
		return err == nil
	})
	return p
}

// simLine is an exchange and a caller on an analogue side of a box in dir.
func simLine(t *testing.T, dir string, line int, script string, args ...string) *process {
	t.Helper()
	file := filepath.Join(dir, fmt.Sprintf("script%d.txt", line))
	put(t, file, []byte(script))
	put(t, filepath.Join(dir, "tone.wav"), toneWAV(1100, 10*time.Second))
	put(t, filepath.Join(dir, "set.wav"), toneWAV(700, 10*time.Second))
	all := append([]string{"sim", "line", "--connect", filepath.Join(dir, fmt.Sprintf("analog%d", line)), "--script", file}, args...)
	return launch(t, dir, absolute(t, program), all...)
}

// analogue is the configuration of one line in mode answer, and more keys.
func analogue(dir string, line int, number, more string) string {
	return fmt.Sprintf("  - {port: %q, label: line %d, number: %q%s}\n", filepath.Join(dir, fmt.Sprintf("line%d", line)), line, number, more)
}

var analogueSite = strings.Replace(usualSite, `numbers: ["+8613800138000"]`, `numbers: ["+8613800138000", "13812345678"]`, 1)

// inService waits until /readyz shows every line.
func (b *box) inService(lines ...string) {
	b.t.Helper()
	wait(b.t, "lines in service", func() bool {
		var ready struct {
			Parts map[string]struct {
				OK  bool
				Why string
			}
		}
		b.call("GET", "/readyz", nil, &ready)
		for _, line := range lines {
			if !ready.Parts["line "+line].OK {
				return false
			}
		}
		return true
	})
}

// TestAnalogueCallReachesTheAgent is the way of a SIP call, over a telephone
// line: caller ID before or behind the first ring, menu, pop, both tones in the
// recording, busy tone at the end.
func TestAnalogueCallReachesTheAgent(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"DTMF":      {"--callerid", "dtmf"},
		"FSK, echo": {"--callerid", "fsk", "--level", "-20", "--hybrid", "10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			simBox(t, dir, 1)
			b := newBox(t, layout{site: analogueSite, extra: "voicebox:\n" + analogue(dir, 1, "4001234567", "")})
			b.inService("line 1")
			phone := agentPhone(t, b, "1001", 620, "PCMA/8000/1")
			wang := b.login("1001")
			wang.connect(0)
			wang.ready()
			caller := simLine(t, dir, 1, "ring\nrecord heard.wav\nwait 2500ms\ndigits 1\nwait 3s\nplay tone.wav 5s\nhangup\nwait 3s\n",
				append([]string{"--number", "13812345678"}, args...)...)
			pop := wang.event("delivered")
			if at(t, pop, "calling", "e164") != "+8613812345678" || at(t, pop, "user_data", "customer", "name") != "安顺物业" {
				t.Errorf("pop = %v", pop)
			}
			phone.tell("accept", "")
			wang.event("established")
			caller.succeed(60 * time.Second)
			wang.event("callCleared")
			record := b.record("answered")
			for key, want := range map[string]any{"hangup_side": "caller", "cause": "normal", "did": "4001234567", "line": "line 1"} {
				if record[key] != want {
					t.Errorf("record %s = %v, want %v", key, record[key], want)
				}
			}
			if got := at(t, record, "legs", 0, "hangup_detect"); got != "busy_tone" {
				t.Errorf("hangup_detect = %v", got)
			}
			rec := b.audio(record["id"].(string))
			left, right := toneSeconds(rec.left, 1100, 8000), toneSeconds(rec.right, 620, 8000)
			echo := toneSeconds(rec.left, 620, 8000) + toneSeconds(rec.left, 1000, 8000)
			t.Logf("left: caller %.1f s, echo %.1f s; right: agent %.1f s", left, echo, right)
			if left < 4 || right < 3 || echo > 0.5 {
				t.Errorf("left: caller %.1f s, echo %.1f s; right: agent %.1f s", left, echo, right)
			}
			heard, rate := readPCM(t, filepath.Join(dir, "heard.wav"))
			if s := toneSeconds(heard, 620, rate); s < 2 {
				t.Errorf("the caller heard the agent for %.1f s", s)
			}
		})
	}
}

// TestAttendedLine has an ordinary telephone beside the box: pop at the ring,
// busy while it is up, both people in the recording; a call that nobody takes
// is missed.
func TestAttendedLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	simBox(t, dir, 1)
	b := newBox(t, layout{site: analogueSite, extra: "voicebox:\n" + analogue(dir, 1, "057188880001", `, mode: attend, desk: "1001"`)})
	b.inService("line 1")
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	caller := simLine(t, dir, 1, "ring 2\nlift\nplay tone.wav 3s\nsay set.wav 3s\nreplace\nhangup\nwait 1s\n", "--number", "13812345678")
	pop := wang.event("delivered")
	wang.frame("the number", func(f map[string]any) bool {
		return f["call_id"] == pop["call_id"] && strings.Contains(fmt.Sprint(f["user_data"]), "安顺物业")
	})
	wang.event("established")
	caller.succeed(60 * time.Second)
	record := b.record("answered")
	if at(t, record, "agent", "id") != "1001" || at(t, record, "recording", "mixed") != true || at(t, record, "from", "e164") != "+8613812345678" {
		t.Errorf("record = %v", record)
	}
	rec := b.audio(record["id"].(string))
	if one, other := toneSeconds(rec.left, 1100, 8000), toneSeconds(rec.left, 700, 8000); one < 2 || other < 2 {
		t.Errorf("left: caller %.1f s, telephone %.1f s", one, other)
	}
	simLine(t, dir, 1, "ring 2\nwait 1s\n", "--number", "13812345678").succeed(60 * time.Second)
	missed := b.record("abandoned")
	if missed["where"] != "ringing" || at(t, missed, "offers", 0, "outcome") != "noAnswer" {
		t.Errorf("missed call = %v", missed)
	}
}

// TestSixteenLines ring at once: each is answered within a second of its number
// and knows the right one.
func TestSixteenLines(t *testing.T) {
	const lines = 16
	dir := t.TempDir()
	simBox(t, dir, lines)
	extra, labels := "voicebox:\n", []string{}
	for n := 1; n <= lines; n++ {
		extra += analogue(dir, n, fmt.Sprintf("0571888800%02d", n), "")
		labels = append(labels, fmt.Sprintf("line %d", n))
	}
	site := usualSite
	for n := 1; n <= lines; n++ {
		site = strings.Replace(site, "flows:\n", fmt.Sprintf("  - {number: \"0571888800%02d\", flow: hotline}\nflows:\n", n), 1)
	}
	site = strings.Replace(site, `  - {number: "057188880001", flow: direct}`+"\n", "", 1)
	b := newBox(t, layout{site: site, extra: extra})
	b.inService(labels...)
	var callers []*process
	for n := 1; n <= lines; n++ {
		kind := []string{"fsk", "dtmf"}[n%2]
		callers = append(callers, simLine(t, dir, n, "ring\nwait 2s\nhangup\nwait 2s\n", "--number", fmt.Sprintf("138000000%02d", n), "--callerid", kind))
	}
	for _, c := range callers {
		c.succeed(90 * time.Second)
	}
	var list struct{ Items []map[string]any }
	wait(t, "sixteen records", func() bool {
		b.call("GET", "/api/v1/calls?limit=100", nil, &list)
		return len(list.Items) == lines
	})
	slowest := time.Duration(0)
	for _, record := range list.Items {
		n := strings.TrimPrefix(record["line"].(string), "line ")
		if want := fmt.Sprintf("+86138000000%02s", n); at(t, record, "from", "e164") != want {
			t.Errorf("line %s: from %v, want %s", n, at(t, record, "from", "e164"), want)
		}
		took := instant(t, at(t, record, "times", "answer")).Sub(instant(t, at(t, record, "times", "caller_id")))
		slowest = max(slowest, took)
	}
	t.Logf("slowest from number to answer: %v", slowest)
	if slowest > time.Second {
		t.Errorf("slowest answer came %v behind its number, want 1s", slowest)
	}
}

// TestUnpluggedBox takes the box away in mid-call and gives it back.
func TestUnpluggedBox(t *testing.T) {
	dir := t.TempDir()
	firmware := simBox(t, dir, 1)
	b := newBox(t, layout{extra: "voicebox:\n" + analogue(dir, 1, "4001234567", "")})
	b.inService("line 1")
	boss := b.login("boss")
	boss.connect(0)
	simLine(t, dir, 1, "ring\nwait 60s\n", "--number", "13800138000")
	wait(t, "an answered call", func() bool { return strings.Contains(b.get("/metrics"), "callbox_recordings_active 1") })
	time.Sleep(time.Second) // some sound
	pulled := time.Now()
	firmware.end(syscall.SIGKILL)
	record := b.record("failed")
	if took := time.Since(pulled); took > 2*time.Second {
		t.Errorf("the call ended %v after the box was gone", took)
	}
	if record["cause"] != "line_lost" || record["hangup_side"] != "line" {
		t.Errorf("record = %v", record)
	}
	lost := boss.event("lineState")
	if took := lost["_at"].(time.Time).Sub(pulled); took > 5*time.Second || at(t, lost, "line") != "line 1" {
		t.Errorf("lineState after %v: %v", took, lost)
	}
	back := time.Now()
	simBox(t, dir, 1)
	b.inService("line 1")
	if took := time.Since(back); took > 10*time.Second {
		t.Errorf("in service %v after it came back", took)
	}
}

// TestClickToDial lets an agent call out over the box's line: what the far side
// does is told apart.
func TestClickToDial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	simBox(t, dir, 1)
	b := newBox(t, layout{trunk: "none", site: analogueSite, extra: "voicebox:\n" + analogue(dir, 1, "057188880001", "")})
	b.inService("line 1")
	phone := agentPhone(t, b, "1001", 620, "PCMA/8000/1")
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	for i, tt := range []struct{ far, result, cause string }{
		{"ringback 3s\npickup\nplay tone.wav 4s\nhangup\nwait 4s\n", "answered", "normal"},
		{"busy\n", "failed", "busy"},
		{"vacant\n", "failed", "notFound"},
	} {
		far := simLine(t, dir, 1, "await 13812345678\n"+tt.far)
		time.Sleep(500 * time.Millisecond) // the exchange is connected
		var made map[string]any
		if status := b.call("POST", "/api/v1/calls", map[string]any{"to": "13812345678", "agent": "1001"}, &made); status != 202 {
			t.Fatalf("POST /api/v1/calls: %d %v", status, made)
		}
		wait(t, "the agent's phone to ring", func() bool { return strings.Count(phone.output(), "Incoming call") == i+1 })
		phone.tell("accept", "")
		wang.event("callCleared")
		far.succeed(60 * time.Second)
		var record map[string]any
		wait(t, "its record", func() bool {
			b.call("GET", "/api/v1/calls/"+made["id"].(string), nil, &record)
			return record["result"] != nil
		})
		if record["result"] != tt.result || record["cause"] != tt.cause || record["direction"] != "out" || at(t, record, "from", "raw") != "057188880001" {
			t.Errorf("record of %q: %v %v %v", tt.far, record["result"], record["cause"], record)
		}
	}
}

// TestWhatIsHeard makes sounds and hears them, with minimodem as the judge of
// caller ID.
func TestWhatIsHeard(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command(absolute(t, program), args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("callbox %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("generate", "dtmf", "159#", "--twist", "-6", "--level", "-25", "-o", "keys.wav")
	if got := run("detect", "keys.wav"); strings.Count(got, `"dtmf"`) != 4 {
		t.Errorf("keys: %s", got)
	}
	run("generate", "callerid", "--mode", "fsk", "--number", "13812345678", "--name", "王芳", "-o", "id.wav")
	if got := run("detect", "id.wav"); !strings.Contains(got, "13812345678") || !strings.Contains(got, "王芳") {
		t.Errorf("caller ID: %s", got)
	}
	cmd := exec.Command("minimodem", "--rx", "callerid", "-f", "id.wav")
	cmd.Dir = dir
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "13812345678") {
		t.Errorf("minimodem: %v\n%s", err, out)
	}
}
