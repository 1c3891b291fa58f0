//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func (b *box) edit(file, old, now string) {
	b.t.Helper()
	path := filepath.Join(b.dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	put(b.t, path, []byte(strings.Replace(string(text), old, now, 1)))
}

// TestReload changes the site under a running daemon: a fault changes nothing,
// a good file takes effect.
func TestReload(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	b.edit("site.yaml", "{id: \"1002\"", "{id: \"1003\", name: 新人, password: secret-1003, extension: \"1003\", queues: [repair], colour: red}\n  - {id: \"1002\"")
	b.hup()
	b.line(`not reloaded.*colour: is no key`)
	b.login("1001")
	b.edit("site.yaml", ", colour: red", "")
	b.hup()
	b.line(`msg=reloaded`)
	b.login("1003")
	b.edit("callbox.yaml", `area_code: "0571"`, `area_code: "021"`)
	b.hup()
	b.line(`after a restart only.*area_code`)
}

func (b *box) hup() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		b.t.Fatal(err)
	}
}

// TestDrain ends the daemon while somebody talks to the menu: the call goes on
// until it ends by itself, and a new one is refused.
func TestDrain(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	caller := sipp(t, b, "talk.xml", "-d", "2500")
	wait(t, "a call", func() bool { return strings.Contains(b.get("/metrics"), "callbox_calls_active 1") })
	time.Sleep(500 * time.Millisecond) // the caller is in the greeting
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.line("draining: no new calls.* calls=1")
	refused := sipp(t, b, "talk.xml", "-timeout", "5s")
	<-refused.ended
	if refused.cmd.ProcessState.ExitCode() == 0 {
		t.Error("a new call was taken while draining")
	}
	caller.succeed(10 * time.Second)
	<-b.ended
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the daemon ended with %d", code)
	}
	if strings.Count(b.output(), `msg="call over"`) != 1 || !strings.Contains(b.output(), "recording=complete") {
		t.Errorf("the log:\n%s", tail(b.output()))
	}
}

// TestExportMovesHouse takes the site of one box to another; passwords still
// work there.
func TestExportMovesHouse(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	site := b.command("export")
	if strings.Contains(site, "secret-1001") || strings.Contains(site, "sip-1001") {
		t.Error("the export holds a password in clear text")
	}
	other := &box{t: t, dir: t.TempDir()}
	layout{site: "agents: []\n"}.write(t, other.dir)
	put(t, filepath.Join(other.dir, "moved.yaml"), []byte(site))
	other.command("apply", "-f", "moved.yaml")
	other.key, _, _ = strings.Cut(other.command("key", "add", "test", "--scope", "calls"), " ")
	put(t, filepath.Join(other.dir, "site.yaml"), []byte(site))
	other.start()
	other.login("1001").connect(0)
	agentPhone(t, other, "1001", 620, "PCMA/8000/1")
	if again := other.command("export"); again != site {
		t.Errorf("exported again it differs:\n%s\n---\n%s", site, again)
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layout{extra: "colour: red\n", site: "agents: [{id: \"1\", role: king}]\nflows: [{id: f, start: nowhere, nodes: {}}]\n"}.write(t, dir)
	cmd := exec.Command(absolute(t, program), "check")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("check ended with %v", err)
	}
	for _, want := range []string{"callbox.yaml:", "colour: is no key", "site.yaml:1:", "agents[0].role", "nowhere"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code := exec.Command(absolute(t, program), "nonsense").Run(); code == nil || code.Error() != "exit status 2" {
		t.Errorf("an unknown command: %v, want exit status 2", code)
	}
}
