//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHostileBytes throws what the internet throws at every open port; the
// daemon must go on serving.
func TestHostileBytes(t *testing.T) {
	_, centre, _ := newCentre(t)
	b := newBox(t, layout{smsc: centre})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 3000 {
		send(t, "udp", b.sip, mutated(random, b.sip))
	}
	for range 100 {
		send(t, "tcp", b.tcp, mutated(random, b.tcp))
		send(t, "tcp", strings.TrimPrefix(b.http, "http://"), mutated(random, b.http))
		send(t, "tcp", centre, noise(random, 200))
	}
	select {
	case <-b.ended:
		t.Fatalf("the daemon ended:\n%s", tail(b.output()))
	default:
	}
	if resp, err := http.Get(b.http + "/healthz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("healthz = %v, %v", resp, err)
	}
	sipp(t, b, "talk.xml", "-d", "500").succeed(20 * time.Second)
	metrics := b.get("/metrics")
	if !strings.Contains(metrics, "callbox_panics_total 0") || strings.Contains(metrics, `callbox_sip_faults_total{kind="malformed"} 0`) {
		t.Error("a panic, or malformed messages that were not counted")
	}
	if n := strings.Count(b.output(), "panic"); n > 0 {
		t.Errorf("%d panics in the log:\n%s", n, tail(b.output()))
	}
}

func send(t *testing.T, network, address string, payload []byte) {
	t.Helper()
	conn, err := net.DialTimeout(network, address, 2*time.Second)
	if err != nil {
		return // a ban or a full table is an answer, too
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = conn.Write(payload)
}

func noise(random *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// mutated is a SIP request with some bytes, lines or lengths changed.
func mutated(random *rand.Rand, target string) []byte {
	methods := []string{"INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "ACK", "SUBSCRIBE", "MESSAGE", "INFO", "UPDATE", "PRACK", "REFER", "XYZ"}
	method := methods[random.IntN(len(methods))]
	body := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
	msg := fmt.Sprintf("%s sip:4001234567@%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK%d\r\nFrom: <sip:1@x>;tag=%d\r\nTo: <sip:2@y>\r\nCall-ID: %d@x\r\nCSeq: 1 %s\r\nContact: <sip:1@127.0.0.1:5099>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, target, random.Uint32(), random.Uint32(), random.Uint32(), method, len(body), body)
	lines := strings.Split(msg, "\r\n")
	switch random.IntN(4) {
	case 0: // drop a line
		i := random.IntN(len(lines))
		lines = append(lines[:i], lines[i+1:]...)
	case 1: // double a line
		i := random.IntN(len(lines))
		lines = append(lines[:i+1], lines[i:]...)
	case 2: // a huge or strange value
		i := random.IntN(len(lines))
		lines[i] += strings.Repeat(string(rune(random.IntN(0x2100))), random.IntN(3000))
	}
	raw := []byte(strings.Join(lines, "\r\n"))
	for range random.IntN(8) {
		raw[random.IntN(len(raw))] = byte(random.Uint32())
	}
	if random.IntN(10) == 0 {
		raw = raw[:random.IntN(len(raw))]
	}
	return bytes.Clone(raw)
}
