package ctitest_test

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"callbox/cti/ctitest"
)

// lossy passes datagrams between one caller and a phone and loses the first of
// each kind.
func lossy(t *testing.T, to netip.AddrPort) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 65536)
		var caller netip.AddrPort
		seen := map[string]bool{}
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			target := to
			if from == to {
				target = caller
			} else {
				caller = from
			}
			kind, _, _ := strings.Cut(string(buf[:n]), "\r\n")
			if !seen[kind] {
				seen[kind] = true
				continue
			}
			_, _ = conn.WriteToUDPAddrPort(buf[:n], target) // it is lossy anyway
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return conn.LocalAddr().String()
}

// TestLostMessages loses the first INVITE, 100, 180, 200 and 487.
func TestLostMessages(t *testing.T) {
	a, b := start(t, ctitest.PhoneConfig{User: "1"}), start(t, ctitest.PhoneConfig{User: "1001"})
	for range 2 {
		call, err := a.Call(patient(t), "1001", ctitest.CallOptions{Server: lossy(t, b.Addr())})
		if err != nil {
			t.Fatal(err)
		}
		agent := <-b.Incoming()
		agent.Ring()
		if err := agent.Answer(); err != nil {
			t.Fatal(err)
		}
		if err := call.WaitAnswered(patient(t)); err != nil {
			t.Fatal(err)
		}
		await(t, agent.Acked(), "ACK")
		call.Hangup()
		await(t, agent.Ended(), "BYE")
	}
	call, err := a.Call(patient(t), "1001", ctitest.CallOptions{Server: lossy(t, b.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	agent := <-b.Incoming()
	agent.Reject(486, "Busy Here")
	await(t, call.Ended(), "486")
	if call.Status() != 486 {
		t.Errorf("status %d", call.Status())
	}
}

// FuzzMessage reads what no phone sends.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z\r\nTo: <sip:1@h>;tag=x\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\r\nm: <sip:a@b\r\nCSeq:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ctitest.ParseMessage(data)
		if err != nil {
			return
		}
		_, _, _, _, _ = m.Method(), m.Code(), m.URI(), m.Seq(), m.Branch()
		_ = m.Tag("To")
		if _, err := ctitest.ParseMessage(m.Reply(200, "OK", "tag").Bytes()); err != nil && !strings.ContainsAny(string(data), "\r\n") {
			t.Errorf("a reply to %q does not parse: %v", data, err)
		}
	})
}
