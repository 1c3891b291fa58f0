//go:build e2e && qemu

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTwoLinesOfAnEmulatedBoard is the whole way with the firmware's arm64
// image: it boots once, two callers ring at the same moment, two agents answer.
func TestTwoLinesOfAnEmulatedBoard(t *testing.T) {
	dir := t.TempDir()
	ports := bootBoard(t, dir)
	extra := "voicebox:\n"
	for n, port := range ports {
		extra += fmt.Sprintf("  - {port: %q, label: line %d, number: %q}\n", port, n+1, "057188880001")
	}
	b := newBox(t, layout{site: analogueSite, extra: extra})
	b.inService("line 1", "line 2")
	var agents []*agent
	for i, id := range []string{"1001", "1002"} {
		phone := agentPhone(t, b, id, 620+100*i, "PCMA/8000/1")
		a := b.login(id)
		a.connect(0)
		a.ready()
		agents = append(agents, a)
		defer func() { phone.tell("hangup", "") }()
		go func() {
			phone.line(`(?i)incoming call`)
			phone.tell("accept", "")
		}()
	}
	var callers []*process
	for n, kind := range []string{"dtmf", "fsk"} {
		callers = append(callers, simLine(t, dir, n+1, "ring\nwait 4s\nplay tone.wav 5s\nhangup\nwait 3s\n",
			"--number", fmt.Sprintf("1380000000%d", n+1), "--callerid", kind))
	}
	for _, c := range callers {
		c.succeed(2 * time.Minute)
	}
	for _, a := range agents {
		a.event("callCleared")
	}
	var list struct{ Items []map[string]any }
	b.call("GET", "/api/v1/calls?result=answered", nil, &list)
	if len(list.Items) != 2 {
		t.Fatalf("%d answered calls, want 2", len(list.Items))
	}
	for _, record := range list.Items {
		rec := b.audio(record["id"].(string))
		left, right := toneSeconds(rec.left, 1100, 8000), toneSeconds(rec.right, 620, 8000)+toneSeconds(rec.right, 720, 8000)
		t.Logf("%v from %v: caller %.1f s left, agent %.1f s right", record["line"], at(t, record, "from", "e164"), left, right)
		want := "+861380000000" + record["line"].(string)[len("line "):]
		if at(t, record, "from", "e164") != want || left < 3 || right < 3 {
			t.Errorf("record %v", record)
		}
	}
}

// bootBoard starts QEMU with two lines, whose analogue sides are in dir, and
// gives their serial ports.
func bootBoard(t *testing.T, dir string) (ports []string) {
	t.Helper()
	image := absolute(t, or(os.Getenv("FIRMWARE"), "../../bin/firmware"))
	args := []string{
		"-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd.gz"),
		"-append", "quiet loglevel=1 rdinit=/init panic=-1 lines=2 serial=QT",
		"-chardev", "file,id=log,path=" + filepath.Join(dir, "console"), "-serial", "chardev:log", "-device", "virtio-serial-device",
	}
	for n := 1; n <= 2; n++ {
		args = append(args,
			"-chardev", fmt.Sprintf("pty,id=h%d", n), "-device", fmt.Sprintf("virtserialport,chardev=h%d,name=host%d", n, n),
			"-chardev", fmt.Sprintf("socket,id=l%d,path=%s/analog%d,server=on,wait=off", n, dir, n),
			"-device", fmt.Sprintf("virtserialport,chardev=l%d,name=line%d", n, n))
	}
	board := launch(t, dir, "qemu-system-aarch64", args...)
	for n := 1; n <= 2; n++ {
		ports = append(ports, board.line(fmt.Sprintf(`redirected to (\S+) \(label h%d\)`, n))[1])
	}
	wait(t, "the board", func() bool {
		console, _ := os.ReadFile(filepath.Join(dir, "console"))
		return bytes.Contains(console, []byte("READY"))
	})
	return ports
}
