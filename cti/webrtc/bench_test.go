package webrtc

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
)

const peersVar = "WEBRTC_TEST_PEERS"

// TestPeers are the pages of BenchmarkLegs, in a process of their own so that
// their work is not counted: each writes its offer and reads its answer.
func TestPeers(t *testing.T) {
	var n int
	if _, err := fmt.Sscan(os.Getenv(peersVar), &n); err != nil {
		t.Skip("a part of BenchmarkLegs")
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	for range n {
		b := newBrowser(t, browserConfig{hz: agentHz})
		fmt.Println("offer", base64.StdEncoding.EncodeToString([]byte(b.offer())))
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := base64.StdEncoding.DecodeString(line[:len(line)-1])
		if err := b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: string(answer)}); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = in.ReadString('\n') // until the benchmark ends
}

// BenchmarkLegs measures what pages cost the box, 50 packets a second both ways:
// in calls, each with another page, and without, when silence is sent.
func BenchmarkLegs(b *testing.B) {
	const pages, span = 20, 5 * time.Second
	s := start(b, Config{})
	sitAll(b, s, pages)
	for b.Loop() {
		idle := shareOfCore(span, pages)
		legs := make([]*leg, pages)
		for i := range legs {
			legs[i] = s.call(b, fmt.Sprint(i))
			if i%2 == 1 {
				s.engine.Bridge(legs[i-1].Media(), legs[i].Media())
			}
		}
		before := legs[0].Media().Stats()
		b.ReportMetric(shareOfCore(span, pages), "%core/leg")
		b.ReportMetric(idle, "%core/idle-page")
		after := legs[0].Media().Stats()
		b.ReportMetric(float64(after.Received-before.Received)/span.Seconds(), "in/s")
		b.ReportMetric(float64(after.Sent-before.Sent)/span.Seconds(), "out/s")
		for _, l := range legs {
			l.Hangup("normal")
		}
	}
}

// sitAll makes pages of another process the phones of users 0 to n-1.
func sitAll(b *testing.B, s *box, n int) {
	b.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestPeers$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", peersVar, n))
	child.Stderr = os.Stderr
	to, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	from, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = to.Close(); _ = child.Wait() })
	lines := bufio.NewReaderSize(from, 1<<16)
	for i := range n {
		var word, text string
		if _, err := fmt.Fscan(lines, &word, &text); err != nil || word != "offer" {
			b.Fatal(word, err)
		}
		offer, _ := base64.StdEncoding.DecodeString(text)
		answer, err := s.Offer(b.Context(), fmt.Sprint(i), "a", string(offer))
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(to, base64.StdEncoding.EncodeToString([]byte(answer)))
	}
	for i := range n {
		eventually(b, "the page is the phone", func() bool { return s.Reachable(fmt.Sprint(i)) })
	}
}

// shareOfCore is how much of a core, in per cent, this process needs for each of n
// while span passes.
func shareOfCore(span time.Duration, n int) float64 {
	before := cpu()
	time.Sleep(span)
	return 100 * float64(cpu()-before) / float64(span) / float64(n)
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
