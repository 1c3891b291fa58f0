//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemoInTheBrowser runs the demo as a newcomer does and the page's tests in
// Chromium against it, and watches a work order go round meanwhile.
func TestDemoInTheBrowser(t *testing.T) {
	demo := launch(t, t.TempDir(), absolute(t, program), "demo", "--listen", "127.0.0.1:0")
	page := demo.line(`agents' page\s+(http://\S+)`)[1]
	tickets := demo.line(`ticket system\s+(http://\S+)`)[1]
	inTheBrowser(t, "e2e", "CALLBOX_URL="+page, "CALLBOX_AGENT=1001:demo", "CALLBOX_SUPERVISOR=boss:demo", "CALLBOX_WAIT=90")
	wait(t, "an engineer who took a work order", func() bool {
		resp, err := http.Get(tickets)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(text), "<b>接单</b>") || strings.Contains(string(text), "<b>到达</b>") || strings.Contains(string(text), "<b>完成</b>")
	})
	if n := strings.Count(demo.output(), "panic"); n > 0 {
		t.Errorf("%d panics in the log:\n%s", n, tail(demo.output()))
	}
}

// TestEveryScreen looks at every screen of the demo in both languages, light and
// dark, wide and narrow. Where SCREENS names a folder the pictures go there.
func TestEveryScreen(t *testing.T) {
	t.Parallel()
	demo := launch(t, t.TempDir(), absolute(t, program), "demo", "--listen", "127.0.0.1:0")
	page := demo.line(`agents' page\s+(http://\S+)`)[1]
	shots := or(os.Getenv("SCREENS"), t.TempDir())
	inTheBrowser(t, "e2e:tour", "CALLBOX_URL="+page, "CALLBOX_AGENT=1001:demo", "CALLBOX_SUPERVISOR=admin:demo", "CALLBOX_SHOTS="+shots)
}

// TestLargeFloor shows a supervisor 500 agents who change each second, and a wall
// of figures, from the stand-in. It measures, and so belongs to the long tests.
func TestLargeFloor(t *testing.T) {
	if os.Getenv("CALLBOX_LONG") == "" {
		t.Skip("measures for a while; make soak runs it")
	}
	inTheBrowser(t, "e2e:grid")
}

// TestLinesInTheBrowser runs the page's tests over telephone lines: an agent
// dials a number that is busy, one that does not exist and one that answers;
// the number of who calls the agent's own telephone comes after the first ring;
// the supervisor sees a line in use, unplugged and back.
func TestLinesInTheBrowser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	firmware := simBox(t, dir, 2)
	lines := analogue(dir, 1, "057188880001", "") + analogue(dir, 2, "057188880002", `, mode: attend, desk: "1001"`)
	b := newBox(t, layout{trunk: "none", site: analogueSite, extra: "voicebox:\n" + lines})
	b.inService("line 1", "line 2")
	phone := newBaresip(t, fmt.Sprintf("<sip:1001@%s>;auth_user=1001;auth_pass=sip-1001;regint=60;ptime=20;answermode=auto", b.sip), 620, "PCMA/8000/1")
	phone.line(`(?i)(200 OK|successfully)`)
	put(t, filepath.Join(dir, "tone.wav"), toneWAV(1100, 10e9))
	far := func(name string, line int, script string) string {
		file := filepath.Join(dir, name)
		put(t, file, []byte(script))
		return fmt.Sprintf("CALLBOX_%s=%s sim line --connect %s/analog%d --number 13812345678 --script %s", name, absolute(t, program), dir, line, file)
	}
	inTheBrowser(t, "e2e:lines", "CALLBOX_URL="+b.http, "CALLBOX_AGENT=1001:secret-1001", "CALLBOX_SUPERVISOR=boss:secret-boss", "CALLBOX_WAIT=60",
		far("BUSY", 1, "await 13812345678\nringback 3s\nbusy\nwait 8s\n"),
		far("VACANT", 1, "await 13812345678\nvacant\nwait 8s\n"),
		far("ANSWERS", 1, "await 13812345678\nringback 3s\npickup\nplay tone.wav 10s\nexpect hangup 20s\n"),
		far("LATE", 2, "ring 2\nlift\nplay tone.wav 4s\nreplace\nhangup\nwait 1s\n"),
		far("MISSED", 2, "ring 2\nwait 1s\n"),
		fmt.Sprintf("CALLBOX_UNPLUG=kill -KILL %d", firmware.cmd.Process.Pid),
		fmt.Sprintf("CALLBOX_PLUG=%s sim box --dir %s --lines 2", absolute(t, program), dir),
	)
}

// inTheBrowser runs a script of the page's tests; screenshots are kept where
// CALLBOX_SHOTS says.
func inTheBrowser(t *testing.T, script string, env ...string) {
	t.Helper()
	run := exec.Command("npm", "run", "--silent", script)
	run.Dir = absolute(t, "../../web")
	run.Env = append(append(run.Environ(), "CALLBOX_SHOTS="+or(os.Getenv("CALLBOX_SHOTS"), t.TempDir())), env...)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("the page's tests: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, figures, ok := strings.Cut(line, "figures {"); ok {
			t.Logf("figures of the page: {%s", strings.TrimSpace(figures))
		}
	}
}
