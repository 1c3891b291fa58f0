//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// TestDemoInTheBrowser runs the demo as a newcomer does and the page's tests in
// Chromium against it, and watches a work order go round meanwhile.
func TestDemoInTheBrowser(t *testing.T) {
	demo := launch(t, t.TempDir(), absolute(t, program), "demo", "--listen", "127.0.0.1:0")
	page := demo.line(`agents' page\s+(http://\S+)`)[1]
	tickets := demo.line(`ticket system\s+(http://\S+)`)[1]
	shots := t.TempDir()
	run := exec.Command("npm", "run", "--silent", "e2e")
	run.Dir = absolute(t, "../../web")
	run.Env = append(run.Environ(), "CALLBOX_URL="+page, "CALLBOX_AGENT=1001:demo", "CALLBOX_SUPERVISOR=boss:demo",
		"CALLBOX_WAIT=90", "CALLBOX_SHOTS="+shots)
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("the page's tests: %v\n%s", err, tail(string(out)))
	}
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
