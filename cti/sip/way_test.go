package sip_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// accepts has w's address take connections too; the first one is given.
func (w *raw) accepts() <-chan net.Conn {
	w.t.Helper()
	l, err := net.Listen("tcp", w.addr())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() })
	first := make(chan net.Conn, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		if conn, err := l.Accept(); err == nil {
			first <- conn
		}
	})
	w.t.Cleanup(wg.Wait)
	w.t.Cleanup(func() { _ = l.Close() })
	return first
}

// long is a call's id that makes an INVITE too long for a datagram.
var long = strings.Repeat("long", 300)

// A request over 1300 bytes goes by TCP, and says so (RFC 3261 §18.1.1); what
// belongs to it goes the same way.
func TestLongRequestGoesByTCP(t *testing.T) {
	w := carrierSocket(t)
	first := w.accepts()
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Health = -1 })
	leg, err := r.Dial(context.Background(), "trunk:out/138", cti.Number{Raw: "139"}, long)
	if err != nil {
		t.Fatal(err)
	}
	var c *wireTCP
	select {
	case conn := <-first:
		c = r.wireBy("tcp", conn)
	case <-time.After(patience):
		t.Fatal("no connection")
	}
	invite := c.expect("INVITE", 0)
	if via := invite.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TCP "+r.addr("tcp")) {
		t.Errorf("Via %s", via)
	}
	if contact := invite.Get("Contact"); contact != "<sip:callbox@"+r.addr("tcp")+";transport=tcp>" {
		t.Errorf("Contact %s", contact)
	}
	if invite.Get("X-Callbox-Call") != long {
		t.Error("the call's id was cut")
	}
	c.send(string(invite.Reply(180, "Ringing", "x").Bytes()))
	await(t, leg.Alerting(), "ringing")
	leg.Hangup(cti.CauseNormal)
	cancel := c.expect("CANCEL", 0)
	c.send(string(cancel.Reply(200, "OK", "x").Bytes()))
	c.send(string(invite.Reply(487, "Request Terminated", "x").Bytes()))
	c.expect("ACK", 0)
}

// Where nobody takes the connection, the datagram is as long as it is; that is
// remembered for five minutes.
func TestLongRequestWithoutTCP(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Health = -1 })
	for range 2 {
		leg, err := r.Dial(context.Background(), "trunk:out/138", cti.Number{Raw: "139"}, long)
		if err != nil {
			t.Fatal(err)
		}
		invite := w.request("INVITE")
		if invite.Get("X-Callbox-Call") != long || !strings.HasPrefix(invite.Get("Via"), "SIP/2.0/UDP "+r.addr("udp")) {
			t.Errorf("%s: Via %s", invite.Start, invite.Get("Via"))
		}
		if contact := invite.Get("Contact"); contact != "<sip:callbox@"+r.addr("udp")+">" {
			t.Errorf("Contact %s", contact)
		}
		w.reply(invite, 486, "x")
		w.request("ACK")
		await(t, leg.Done(), "busy")
	}
	now := time.Now()
	if !r.KeepsToUDP(w.addr(), now.Add(4*time.Minute)) || r.KeepsToUDP(w.addr(), now.Add(6*time.Minute)) {
		t.Error("not remembered for five minutes")
	}
}

// What peers with public addresses are told is the external address; others
// never see it.
func TestExternalAddress(t *testing.T) {
	r := start(t, secure, func(c *sip.Config, _ *rig) { c.ExternalIP = "203.0.113.9" })
	for peer, want := range map[string]string{
		"198.51.100.1:5060": "203.0.113.9", "192.168.1.7:5060": "127.0.0.1", "10.0.0.1:5060": "127.0.0.1",
		"172.16.9.9:5060": "127.0.0.1", "127.0.0.9:5060": "127.0.0.1", "169.254.1.1:5060": "127.0.0.1",
		"100.64.0.9:5060": "127.0.0.1", "[2001:db8::1]:5060": "127.0.0.1",
	} {
		for _, transport := range []string{"UDP", "TCP", "TLS"} {
			via, contact, sound, err := r.Told(transport, peer)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(via, transport+" "+want+":") || !strings.Contains(contact, "@"+want+":") || sound != want {
				t.Errorf("%s by %s is told %s, %s, %s; want %s", peer, transport, via, contact, sound, want)
			}
		}
	}
}

// RFC 3261 §18.2.1, RFC 3581: the answer goes to the source, and says where
// that was.
func TestReceivedAndRport(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	port := netip.MustParseAddrPort(w.addr()).Port()
	for name, tt := range map[string]struct {
		via  string // sent-by and parameters
		want []string
		not  string
	}{
		"behind NAT, rport": {"10.1.1.1:5060;rport", []string{";received=127.0.0.1", ";rport=" + strconv.Itoa(int(port))}, ";rport;"},
		"behind NAT":        {"10.1.1.1:" + strconv.Itoa(int(port)), []string{";received=127.0.0.1"}, "rport"},
		"name":              {"phone.example:" + strconv.Itoa(int(port)), []string{";received=127.0.0.1"}, "rport"},
		"as it says":        {"127.0.0.1:" + strconv.Itoa(int(port)), nil, "received"},
		"as it says, rport": {"127.0.0.1:5060;rport", []string{";rport=" + strconv.Itoa(int(port))}, ";rport;"},
	} {
		for _, method := range []string{"INVITE", "OPTIONS"} { // by a transaction, and without
			id := strings.NewReplacer(" ", "", ",", "").Replace(name) + method
			w.send(w.invite(id, "{me};branch=z9hG4bK{id};rport", tt.via+";branch=z9hG4bK{id}",
				"INVITE sip", method+" sip", "1 INVITE", "1 "+method))
			via := w.expect(method, 200).Get("Via")
			for _, want := range tt.want {
				if !strings.Contains(via+";", want+";") {
					t.Errorf("%s, %s: %s without %s", name, method, via, want)
				}
			}
			if strings.Contains(via+";", tt.not) {
				t.Errorf("%s, %s: %s", name, method, via)
			}
		}
	}
}

// Of several listeners the one with the route to the peer is used.
func TestListenerOfTheRoute(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Listen = []string{"udp://127.0.0.3:0", "udp://127.0.0.1:0", "tcp://127.0.0.3:0"}
	})
	if at := r.LeavesBy("UDP", "127.0.0.2:5060"); !strings.HasPrefix(at, "127.0.0.1:") {
		t.Errorf("by %s", at)
	}
	if at := r.LeavesBy("TCP", "127.0.0.2:5060"); !strings.HasPrefix(at, "127.0.0.3:") {
		t.Errorf("by %s", at)
	}
	for _, peer := range []string{"[2001:db8::1]:5060", "[::1]:5060"} {
		if at := r.LeavesBy("UDP", peer); !strings.Contains(at, "no udp listener reaches") {
			t.Errorf("by %s", at)
		}
	}
}

// IPv6 by TLS: what is named stands in brackets.
func TestIPv6ByTLS(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	_ = probe.Close()
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Listen = []string{"tls://[::1]:0"}
		c.TLS.SelfSigned = true
		c.Trunks[0].From = []string{"::1"}
	})
	c := r.dialTLS(anybody)
	c.send(c.invite("six", "{sdp}", strings.ReplaceAll(plainSDP, "IP4 127.0.0.1", "IP6 ::1")))
	ok := c.expect("INVITE", 200)
	if contact := ok.Get("Contact"); contact != "<sip:callbox@"+r.addr("tls")+";transport=tls>" {
		t.Errorf("Contact %s", contact)
	}
	c.send(c.within("ACK", 1, ok))
	r.leg().Hangup(cti.CauseNormal)
	bye := c.expect("BYE", 0)
	if !strings.HasPrefix(bye.Get("Via"), "SIP/2.0/TLS [::1]:") {
		t.Errorf("Via %s", bye.Get("Via"))
	}
	c.send(string(bye.Reply(200, "OK", "").Bytes()))
}

// Messages come whole whatever pieces they were sent in, and a ping between them
// gets its pong (RFC 5626 §3.5.1).
func TestEveryByteByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		one := "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
		two := "OPTIONS sip:b SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n"
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, b := range []byte("\r\n" + one + two + "\r\n\r\n" + two) {
				_, _ = there.Write([]byte{b})
			}
			_ = there.Close()
		})
		pongs := 0
		got, _ := io.ReadAll(sip.NewTestLink(counted{here, &pongs})) // until there is closed
		if string(got) != one+two+two {
			t.Errorf("%q", got)
		}
		if pongs != 1 {
			t.Errorf("%d pongs", pongs)
		}
		wg.Wait()
	})
}

// counted counts CRLFs that are written, and drops them.
type counted struct {
	net.Conn
	pongs *int
}

func (c counted) Write(b []byte) (int, error) {
	if string(b) == "\r\n" {
		*c.pongs++
	}
	return len(b), nil
}

// A connection of ours is kept alive by pings. A peer that has answered one and
// stops is gone; one that never does is left to TCP.
func TestPings(t *testing.T) {
	for name, tt := range map[string]struct {
		answers int           // of pings that are answered
		ends    time.Duration // 0: not by itself
	}{
		"answered twice": {2, 3*100*time.Second + 10*time.Second},
		"never answered": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				var wg sync.WaitGroup
				pings := 0
				wg.Go(func() {
					in := bufio.NewReader(there)
					for {
						if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
							return
						}
						if pings++; pings <= tt.answers {
							_, _ = there.Write([]byte("\r\n"))
						}
					}
				})
				began := time.Now()
				wg.Go(func() {
					if tt.ends == 0 {
						time.Sleep(time.Hour)
						_ = here.Close()
					}
				})
				_, err := sip.NewTestLink(here).Read(make([]byte, 100))
				took := time.Since(began)
				_, _ = here.Close(), there.Close()
				wg.Wait()
				switch {
				case err == nil:
					t.Error("no end")
				case tt.ends > 0 && took != tt.ends:
					t.Errorf("%v after %v, want the end after %v", err, took, tt.ends)
				case tt.ends == 0 && (took != time.Hour || pings < 30):
					t.Errorf("%v after %v and %d pings", err, took, pings)
				case errors.Is(err, io.EOF):
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// A trunk's TCP connection that was lost is made again for the next request.
func TestLostConnectionIsMadeAgain(t *testing.T) {
	carrier := startPhone(t, ctitest.PhoneConfig{Transport: "tcp", User: "138", OnCall: toneFor(600)})
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "out", Address: carrier.Addr().String(), Transport: "tcp", Health: -1})
	})
	for range 3 {
		leg := r.dial("trunk:out/138")
		if err := leg.Answer(patient(t)); err != nil {
			t.Fatal(err)
		}
		talk := carrier.Talks()[0]
		carrier.Break()
		eventually(t, "the loss is noticed", func() bool { return !r.Connected("TCP", carrier.Addr().String()) })
		leg.Hangup(cti.CauseNormal)
		await(t, talk.Ended(), "BYE by a new connection")
	}
}

// A trunk's far side that names an address of its own network, and sends from
// elsewhere, is answered there.
func TestThroughNAT(t *testing.T) {
	for _, tt := range []struct{ named, source, want string }{
		{"10.1.2.3:5060", "198.51.100.7:1024", "198.51.100.7:1024"},
		{"100.64.0.1:5060", "198.51.100.7:1024", "198.51.100.7:1024"},
		{"127.0.0.1:5060", "198.51.100.7:1024", "198.51.100.7:1024"},
		{"[fd00::1]:5060", "[2001:db8::7]:1024", "[2001:db8::7]:1024"},
		{"198.51.100.8:5060", "198.51.100.7:1024", "198.51.100.8:5060"}, // another machine of theirs
		{"10.1.2.3:5060", "10.1.2.4:5060", "10.1.2.3:5060"},             // of one network
		{"10.1.2.3:5060", "127.0.0.1:5060", "10.1.2.3:5060"},            // a proxy on this machine
		{"198.51.100.8:5060", "10.1.2.4:5060", "198.51.100.8:5060"},
	} {
		if got := sip.ThroughNAT(tt.named, tt.source); got != tt.want {
			t.Errorf("named %s, from %s: reached at %s, want %s", tt.named, tt.source, got, tt.want)
		}
	}
}
