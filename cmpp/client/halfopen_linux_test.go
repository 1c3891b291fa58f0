package client

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"callbox/cmpp/cmpptest"
)

const apart = "CALLBOX_TEST_APART"

// TestHalfOpenConnection: when the network goes away without a word, the loss
// is found by the heartbeat: 30 s of silence, then an ACTIVE_TEST that the
// kernel cannot bring over for 30 s. It runs in a network of its own, whose
// loopback is taken down.
func TestHalfOpenConnection(t *testing.T) {
	if os.Getenv("CALLBOX_LONG") == "" {
		t.Skip("takes a minute: CALLBOX_LONG=1")
	}
	if os.Getenv(apart) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHalfOpenConnection$", "-test.v")
		cmd.Env = append(os.Environ(), apart+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Fatal(err)
		}
		return
	}
	loopback(t, "up")
	p := connect(t, Config{}, cmpptest.Config{})
	loopback(t, "down")
	start := time.Now()
	for p.client.State().Up {
		time.Sleep(10 * time.Millisecond)
	}
	took, why := time.Since(start), p.client.State().Why
	t.Logf("found after %v: %s", took, why)
	if took > 75*time.Second || !strings.Contains(why, "timed out") {
		t.Errorf("found after %v: %s", took, why)
	}
}

func loopback(t *testing.T, state string) {
	t.Helper()
	if out, err := exec.Command("ip", "link", "set", "lo", state).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
