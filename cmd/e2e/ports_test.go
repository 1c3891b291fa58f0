//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// TestPortsUsedUp calls more often than there are ports for sound: those who
// find none are told to come again later, nobody else notices, and a port rests
// for 10 s before it serves another call.
func TestPortsUsedUp(t *testing.T) {
	t.Parallel()
	const pairs = 10
	b := newBox(t, layout{site: ordealSite(1, "http://127.0.0.1:9"), sip: `
  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]
  rtp_ports: 31000-31019
  trunks:
    - {name: carrier, address: "127.0.0.1:5080", from: [127.0.0.1/32], caller_id: "4001234567"}
`})
	ctx, stop := context.WithCancel(context.Background())
	carrier, err := ctitest.NewPhone(ctitest.PhoneConfig{Server: b.sip, User: "13800138000"})
	if err != nil {
		t.Fatal(err)
	}
	var runs guard.Group
	runs.Go("carrier", func() { _ = carrier.Run(ctx) })
	t.Cleanup(func() { stop(); runs.Wait() })
	call := func() (*ctitest.Talk, int) {
		talk, err := carrier.Call(ctx, toPrompt, ctitest.CallOptions{})
		if err != nil {
			t.Fatal(err)
		}
		limit, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_ = talk.WaitAnswered(limit) // the status tells
		return talk, talk.Status()
	}
	var talks []*ctitest.Talk
	for i := range pairs + 2 {
		talk, code := call()
		want := 200
		if i >= pairs {
			want = 503
		}
		if code != want {
			t.Errorf("call %d: %d, want %d", i+1, code, want)
		}
		if code == 200 {
			talks = append(talks, talk)
		}
	}
	b.line(`level=ERROR.*call refused.*no RTP port is free`)
	freed := time.Now()
	talks[0].Hangup()
	<-talks[0].Ended()
	for {
		talk, code := call()
		if rested := time.Since(freed); code == 200 {
			if rested < 10*time.Second {
				t.Errorf("a port serves again after %v", rested)
			}
			talk.Hangup()
			break
		} else if rested > 10*time.Second+patience {
			t.Fatalf("no port serves again after %v: %d", rested, code)
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, talk := range talks[1:] {
		select {
		case <-talk.Ended():
			t.Error("a call ended that had its port")
		default:
		}
	}
	if lines := strings.Count(b.output(), "no RTP port is free"); lines > 40 {
		t.Errorf("%d lines about it", lines)
	}
}
