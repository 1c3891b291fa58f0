//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilledMidCall kills the daemon while a caller talks: after the restart
// the record is there and says what happened, and the recording plays.
func TestKilledMidCall(t *testing.T) {
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

// TestKilledMidSubmit kills the daemon at random moments while texts flow; what
// was acknowledged reaches the centre.
func TestKilledMidSubmit(t *testing.T) {
	_, address, control := newCentre(t)
	b := newBox(t, layout{smsc: address})
	var acked []string
	for round := range 5 {
		stop := time.Now().Add(time.Duration(150+83*round) * time.Millisecond)
		for n := 0; time.Now().Before(stop); n++ {
			text := fmt.Sprintf("serial-%d-%d-end", round, n)
			body := map[string]any{"to": []string{"13800138000"}, "text": text, "class": "notice"}
			if status := b.call("POST", "/api/v1/sms/jobs", body, nil); status == 202 {
				acked = append(acked, text)
			}
		}
		b.end(syscall.SIGKILL)
		b.start()
	}
	t.Logf("%d texts acknowledged over 5 kills", len(acked))
	var all string
	wait(t, "every acknowledged text at the centre", func() bool {
		resp, err := http.Get(control + "/submits")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var raw json.RawMessage
		if json.NewDecoder(resp.Body).Decode(&raw) != nil {
			return false
		}
		all = string(raw)
		for _, text := range acked {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	})
}

// TestFilesLeftBehind holds the recordings' folder against the records.
func TestFilesLeftBehind(t *testing.T) {
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
