//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestKilledMidCall kills the daemon while a caller talks: after the restart
// the record is there and says what happened, and the recording plays.
func TestKilledMidCall(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	b.pin()
	phone := agentPhone(t, b, "1001", 620, "PCMA/8000/1")
	wang := b.login("1001")
	wang.connect(0)
	wang.ready()
	caller := sipp(t, b, "listen.xml", "-s", "057188880001")
	pop := wang.event("delivered")
	phone.tell("accept", "")
	wang.event("established")
	time.Sleep(3 * time.Second) // the talk that must not be lost
	b.end(syscall.SIGKILL)
	b.start()
	caller.succeed(5 * time.Second) // the BYE that the crash kept back
	var call map[string]any
	if status := b.call("GET", fmt.Sprintf("/api/v1/calls/%v", pop["call_id"]), nil, &call); status != 200 {
		t.Fatalf("the call is lost: %d", status)
	}
	if call["result"] != "answered" || call["cause"] != "crash" || call["hangup_side"] != "box" {
		t.Errorf("result %v, cause %v, side %v", call["result"], call["cause"], call["hangup_side"])
	}
	if state := at(t, call, "recording", "state"); state != "partial" {
		t.Errorf("recording = %v", call["recording"])
	}
	rec := b.audio(fmt.Sprint(pop["call_id"]))
	if s := toneSeconds(rec.left, 1100, 8000); s < 2.5 {
		t.Errorf("%.1f s of the caller left, want 2.5 or more of 3", s)
	}
	again := b.login("1001")
	again.connect(0)
	if state := at(t, again.event("snapshot"), "agent", "state"); state != "workingAfterCall" && state != "ready" {
		t.Errorf("the agent comes back %v", state)
	}
}

// TestFilesLeftBehind holds the recordings' folder against the records.
func TestFilesLeftBehind(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	sipp(t, b, "talk.xml", "-d", "1000").succeed(20 * time.Second)
	record := b.record("abandoned")
	started := instant(t, at(t, record, "times", "answer")).In(time.FixedZone("CST", 8*3600))
	file := filepath.Join(b.dir, "data", "recordings", started.Format("2006/01/02"), record["id"].(string)+".wav")
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	b.end(syscall.SIGTERM)
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended with %d:\n%s", code, tail(b.output()))
	}
}
