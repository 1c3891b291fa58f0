//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPhoneInTheBrowser runs the page's tests of its own telephone in Chromium:
// callers of SIPp say one tone, the microphone says another, and both are looked
// for in the page and in the recordings.
func TestPhoneInTheBrowser(t *testing.T) {
	t.Parallel()
	site := usualSite
	for _, phone := range []string{"1001", "1002"} {
		site = strings.Replace(site, fmt.Sprintf("extension: %q, sip_password: %q, ", phone, "sip-"+phone), "", 1)
	}
	site = strings.Replace(site, "ring_timeout: 5s, wrap_up: 2s", "ring_timeout: 30s, wrap_up: 60s", 1)
	b := newBox(t, layout{site: site, extra: "webrtc: {port: 0}\n"})
	wall, _, _ := strings.Cut(b.command("key", "add", "wall", "--scope", "wallboard"), " ")
	dir := t.TempDir()
	put(t, filepath.Join(dir, "tone.al"), toneALaw(1100, time.Second))
	put(t, filepath.Join(dir, "mic.wav"), toneWAV(620, 4*time.Second))
	caller := fmt.Sprintf("cd %s && exec sipp %s -sf %s -i 127.0.0.1 -mi 127.0.0.1 -p %d -mp %d -s 057188880001 -nostdin -m 1 > /dev/null",
		dir, b.sip, absolute(t, "testdata/listen.xml"), freePort(t), freePort(t))
	inTheBrowser(t, "e2e:phone", "CALLBOX_URL="+b.http, "CALLBOX_AGENT=1001:secret-1001", "CALLBOX_SECOND=secret-1002",
		"CALLBOX_CALL="+caller, "CALLBOX_MIC="+filepath.Join(dir, "mic.wav"), "CALLBOX_WALL="+wall)
	var list struct{ Items []map[string]any }
	b.call("GET", "/api/v1/calls?result=answered", nil, &list)
	if len(list.Items) != 3 {
		t.Fatalf("%d answered calls, want 3", len(list.Items))
	}
	for _, record := range list.Items {
		sound := b.audio(record["id"].(string))
		said, spoken := toneSeconds(sound.left, 1100, 8000), toneSeconds(sound.right, 620, 8000)
		t.Logf("call %v: the caller %.1f s on the left, the page %.1f s on the right", record["id"], said, spoken)
		if said < 2 || spoken < 1 {
			t.Errorf("call %v: the caller %.1f s on the left, the page %.1f s on the right", record["id"], said, spoken)
		}
	}
}
