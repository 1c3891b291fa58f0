package sip_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/sip"
)

// twoAddresses is a rig whose trunk "out" has these addresses.
func twoAddresses(t *testing.T, first, second *raw, options ...option) *rig {
	t.Helper()
	r := start(t, append(options, first.toward())...)
	r.SetAddresses("out", first.addr(), second.addr())
	return r
}

// F11: which answers send a call to the trunk's next address.
func TestAnswersThatFailOver(t *testing.T) {
	for code, on := range map[int]bool{503: true, 403: false, 404: false, 408: false, 480: false, 486: false, 500: false, 502: false, 603: false} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			first, second := carrierSocket(t), carrierSocket(t)
			r := twoAddresses(t, first, second)
			leg := r.dial("trunk:out/139")
			first.reply(first.request("INVITE"), code, "one")
			first.request("ACK")
			if !on {
				if err := leg.Answer(patient(t)); err == nil {
					t.Error("answered")
				}
				if m := second.next(50 * time.Millisecond); m != nil {
					t.Errorf("%d was tried elsewhere: %s", code, m.Start)
				}
				return
			}
			second.reply(second.request("INVITE"), 200, "two")
			if err := leg.Answer(patient(t)); err != nil {
				t.Fatal(err)
			}
			second.request("ACK")
		})
	}
}

// 408 without ringing comes from a trunk whose own next hop is silent: another
// trunk may do better. After ringing it is the callee who does not answer.
func TestTimeoutBehindATrunk(t *testing.T) {
	for _, tt := range []struct {
		rings bool
		want  error
	}{{false, cti.ErrUnreachable}, {true, cti.ErrNoAnswer}} {
		w := carrierSocket(t)
		r := start(t, w.toward())
		leg := r.dial("trunk:out/139")
		inv := w.request("INVITE")
		if tt.rings {
			w.reply(inv, 180, "one")
			<-leg.Alerting()
		}
		w.reply(inv, 408, "one")
		if err := leg.Answer(patient(t)); !errors.Is(err, tt.want) {
			t.Errorf("rings %v: Answer = %v, want %v", tt.rings, err, tt.want)
		}
	}
}

// An address that asked for a pause is left out of the next calls; when all
// did, there is no way.
func TestRetryAfter(t *testing.T) {
	first, second := carrierSocket(t), carrierSocket(t)
	r := twoAddresses(t, first, second)
	leg := r.dial("trunk:out/139")
	first.reply(first.request("INVITE"), 503, "one", "Retry-After", "30 (full);duration=9")
	first.request("ACK")
	second.reply(second.request("INVITE"), 486, "two")
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrBusy) {
		t.Errorf("Answer = %v", err)
	}
	leg = r.dial("trunk:out/139")
	second.request("ACK")
	second.reply(second.request("INVITE"), 503, "two", "Retry-After", "30")
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("Answer = %v", err)
	}
	if m := first.next(50 * time.Millisecond); m != nil {
		t.Errorf("asked for a pause, and got %s", m.Start)
	}
	if _, err := r.Dial(t.Context(), "trunk:out/139", cti.Number{}, ""); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("Dial = %v", err)
	}
}

// A closed port is noticed long before silence is over, by UDP and TCP.
func TestRefusedAddress(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			closed := carrierSocket(t)
			_ = closed.conn.Close()
			alive, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = alive.Close() }()
			second := carrierSocket(t)
			r := start(t, closed.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Transport = transport })
			if transport == "tcp" {
				r.SetAddresses("out", closed.addr(), alive.Addr().String())
			} else {
				r.SetAddresses("out", closed.addr(), second.addr())
			}
			began := time.Now()
			leg := r.dial("trunk:out/139")
			defer leg.Hangup(cti.CauseCanceled)
			if transport == "tcp" {
				conn, err := alive.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
			} else {
				second.request("INVITE")
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the next address after %v", took)
			}
		})
	}
}

// A trunk whose only address is closed is given up at once.
func TestRefusedTrunk(t *testing.T) {
	closed := carrierSocket(t)
	_ = closed.conn.Close()
	r := start(t, closed.toward())
	began := time.Now()
	leg := r.dial("trunk:out/139")
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("Answer = %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("given up after %v", took)
	}
}

// What the silent address says after all rings nobody: CANCEL follows its 180,
// ACK and BYE its 200.
func TestLateAnswerOfAnAddress(t *testing.T) {
	for _, code := range []int{180, 200} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			late, alive := carrierSocket(t), carrierSocket(t)
			r := twoAddresses(t, late, alive, short)
			leg := r.dial("trunk:out/139")
			invite := late.request("INVITE")
			alive.reply(alive.request("INVITE"), 200, "two")
			if err := leg.Answer(patient(t)); err != nil {
				t.Fatal(err)
			}
			alive.request("ACK")
			late.reply(invite, code, "one")
			if code == 200 {
				if ack := late.request("ACK"); ack.Tag("To") != "one" {
					t.Errorf("ACK to %s", ack.Tag("To"))
				}
				late.reply(late.request("BYE"), 200, "")
			} else {
				late.reply(late.request("CANCEL"), 200, "one")
				late.reply(invite, 487, "one")
				late.request("ACK")
			}
			select {
			case <-leg.Done():
				t.Error("the call ended with it")
			default:
			}
			leg.Hangup(cti.CauseNormal)
			alive.reply(alive.request("BYE"), 200, "")
		})
	}
}

// A challenge is answered, and when nothing comes of that, the next address is
// asked without the answer.
func TestChallengeIsForgotten(t *testing.T) {
	first, second := carrierSocket(t), carrierSocket(t)
	r := start(t, short, first.toward(), func(c *sip.Config, _ *rig) {
		c.Trunks[1].Username, c.Trunks[1].Password = "box", "word"
	})
	r.SetAddresses("out", first.addr(), second.addr())
	leg := r.dial("trunk:out/139")
	defer leg.Hangup(cti.CauseCanceled)
	first.reply(first.request("INVITE"), 401, "one", "WWW-Authenticate", `Digest realm="r", nonce="n", algorithm=MD5, qop="auth"`)
	first.request("ACK")
	if m := first.request("INVITE"); m.Get("Authorization") == "" {
		t.Error("no credentials")
	}
	if m := second.request("INVITE"); m.Get("Authorization") != "" {
		t.Error(m.Get("Authorization"))
	}
}
