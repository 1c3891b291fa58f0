package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// toward gives the rig a trunk "out" to w.
func (w *raw) toward() option {
	return func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "out", Address: w.addr(), CallerID: "4001234567"})
	}
}

// carrierSocket is a raw socket that is there before the rig.
func carrierSocket(t testing.TB) *raw {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{t: t, conn: conn, me: conn.LocalAddr().String(), transport: "UDP"}
}

// reply answers a request of the box.
func (w *raw) reply(req *ctitest.Message, code int, tag string, headers ...string) {
	w.t.Helper()
	res := req.Reply(code, "Reason", tag)
	if req.Method() == "INVITE" && code < 300 && code > 100 {
		res.Add("Contact", "<sip:carrier@"+w.addr()+">")
	}
	for i := 0; i < len(headers); i += 2 {
		res.Add(headers[i], headers[i+1])
	}
	if req.Method() == "INVITE" && code == 200 {
		res.Add("Content-Type", "application/sdp")
		res.Body = plainSDP
	}
	via := req.Get("Via")
	host, _, _ := strings.Cut(strings.TrimPrefix(via, "SIP/2.0/UDP "), ";")
	to, err := net.ResolveUDPAddr("udp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.WriteTo(res.Bytes(), to); err != nil {
		w.t.Fatal(err)
	}
}

// request waits for a request of the box.
func (w *raw) request(method string) *ctitest.Message { w.t.Helper(); return w.expect(method, 0) }

func (r *rig) dial(device cti.Device) cti.Leg {
	r.t.Helper()
	leg, err := r.Dial(context.Background(), device, cti.Number{Raw: "13800138000", Name: "王芳"}, "call-1")
	if err != nil {
		r.t.Fatal(err)
	}
	return leg
}

// Row 5: what we send leaves by the listener's own port, to a peer that was
// never seen before.
func TestDialTrunk(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/13900139000")
	buf := make([]byte, 65536)
	n, from, err := w.conn.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	if from.String() != r.addr("udp") {
		t.Errorf("INVITE came from %s, the listener is %s", from, r.addr("udp"))
	}
	invite, err := ctitest.ParseMessage(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(invite.URI(), "sip:13900139000@") || !strings.HasPrefix(invite.Get("From"), `"王芳" <sip:13800138000@`) || invite.Get("X-Callbox-Call") != "call-1" {
		t.Errorf("%s\nFrom: %s", invite.Start, invite.Get("From"))
	}
	w.reply(invite, 100, "")
	w.reply(invite, 180, "uas")
	await(t, leg.Alerting(), "alerting")
	w.reply(invite, 200, "uas")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	ack := w.request("ACK")
	if ack.Tag("To") != "uas" || ack.Seq() != invite.Seq() || !strings.HasPrefix(ack.URI(), "sip:carrier@") {
		t.Errorf("%s %v", ack.Start, ack.Headers)
	}
	w.reply(invite, 200, "uas") // the 200 again: the ACK again
	w.request("ACK")
	if leg.Media().Law() != media.PCMA {
		t.Errorf("law %v", leg.Media().Law())
	}
	leg.Hangup(cti.CauseNormal)
	bye := w.request("BYE")
	w.reply(bye, 200, "")
	eventually(t, "all over", func() bool { return r.Stats().Dialogs == 0 && r.TrunkCalls()["out"] == 0 })
}

// Row 2: a carrier that repeats 18x while it rings for long.
func TestManyProvisionals(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	for i := range 40 {
		w.reply(invite, 180+i%4, "uas")
	}
	w.reply(invite, 200, "uas")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
}

func TestDialFailures(t *testing.T) {
	for code, want := range map[int]error{
		486: cti.ErrBusy, 600: cti.ErrBusy, 603: cti.ErrRejected, 403: cti.ErrRejected, 480: cti.ErrNoAnswer,
		408: cti.ErrUnreachable, 404: cti.ErrNotFound, 500: cti.ErrUnreachable, 503: cti.ErrUnreachable, 302: cti.ErrUnreachable,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			w := carrierSocket(t)
			r := start(t, w.toward())
			leg := r.dial("trunk:out/139")
			w.reply(w.request("INVITE"), code, "uas")
			w.request("ACK")
			if err := leg.Answer(patient(t)); !errors.Is(err, want) {
				t.Errorf("Answer = %v, want %v", err, want)
			}
			await(t, leg.Done(), "the leg's end")
		})
	}
}

func TestDialRefusals(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].MaxCalls = 1 })
	for device, want := range map[cti.Device]error{
		"sip:1001": cti.ErrUnreachable, "trunk:none/139": cti.ErrNotFound, "trunk:carrier/139": cti.ErrUnreachable,
		"trunk:out/1000\r\nX-Evil: 1": cti.ErrNotFound, "trunk:out/1@evil": cti.ErrNotFound, "trunk:out/": cti.ErrNotFound, "fax:1": cti.ErrNotFound,
	} {
		if _, err := r.Dial(context.Background(), device, cti.Number{}, ""); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", device, err, want)
		}
	}
	leg := r.dial("trunk:out/139")
	if _, err := r.Dial(context.Background(), "trunk:out/139", cti.Number{}, ""); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("over max_calls: %v", err)
	}
	leg.Hangup(cti.CauseCanceled)
	eventually(t, "the place is free", func() bool { return r.TrunkCalls()["out"] == 0 })
}

// Finding 2: nothing that is shown can begin a header of its own.
func TestShownTextCannotInject(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg, err := r.Dial(context.Background(), "trunk:out/139", cti.Number{Raw: "138\r\nX-Evil: 1", Name: "a\"\r\nX-Evil: 2\\"}, "id\r\nX-Evil: 3")
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Hangup(cti.CauseCanceled)
	if invite := w.request("INVITE"); invite.Get("X-Evil") != "" || invite.Get("X-Callbox-Call") != "" {
		t.Errorf("%+v", invite.Headers)
	}
}

func TestHangupWhileRinging(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	leg.Hangup(cti.CauseCanceled) // before any response: CANCEL must wait
	await(t, leg.Done(), "the leg's end")
	if m := w.next(50 * time.Millisecond); m != nil && m.Method() == "CANCEL" {
		t.Error("CANCEL before a provisional response")
	}
	w.reply(invite, 180, "uas")
	cancel := w.request("CANCEL")
	if cancel.Branch() != invite.Branch() {
		t.Error("CANCEL has another branch")
	}
	w.reply(cancel, 200, "uas")
	w.reply(invite, 487, "uas")
	w.request("ACK")
}

// The 200 that crosses our CANCEL gets its ACK and then BYE.
func TestAnswerCrossesCancel(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	w.reply(invite, 180, "uas")
	await(t, leg.Alerting(), "alerting")
	leg.Hangup(cti.CauseCanceled)
	w.request("CANCEL")
	w.reply(invite, 200, "uas")
	w.request("ACK")
	w.reply(w.request("BYE"), 200, "")
}

// A forked call is answered twice: the second one is ended.
func TestForkedAnswer(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	w.reply(invite, 200, "one")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
	w.reply(invite, 200, "two")
	if ack := w.request("ACK"); ack.Tag("To") != "two" {
		t.Errorf("ACK to %q", ack.Tag("To"))
	}
	bye := w.request("BYE")
	if bye.Tag("To") != "two" {
		t.Errorf("BYE to %q", bye.Tag("To"))
	}
	w.reply(bye, 200, "")
	select {
	case <-leg.Done():
		t.Error("the leg ended with the fork")
	default:
	}
}

// T5: a challenge is answered for our own trunk's realm only.
func TestChallenge(t *testing.T) {
	for name, tt := range map[string]struct {
		realm  string
		answer bool
	}{"own": {"carrier.example", true}, "another's": {"other.example", false}} {
		t.Run(name, func(t *testing.T) {
			w := carrierSocket(t)
			r := start(t, w.toward(), func(c *sip.Config, _ *rig) {
				out := &c.Trunks[1]
				out.Username, out.Password, out.Realm = "box", "word", "carrier.example"
			})
			leg := r.dial("trunk:out/139")
			invite := w.request("INVITE")
			w.reply(invite, 407, "uas", "Proxy-Authenticate", `Digest realm="`+tt.realm+`", nonce="n", algorithm=MD5, qop="auth"`)
			w.request("ACK")
			if !tt.answer {
				if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrRejected) {
					t.Errorf("Answer = %v", err)
				}
				return
			}
			again := w.request("INVITE")
			if !strings.Contains(again.Get("Proxy-Authorization"), `username="box"`) || again.Seq() != invite.Seq()+1 || again.Branch() == invite.Branch() {
				t.Errorf("%+v", again.Headers)
			}
			w.reply(again, 200, "uas2")
			if err := leg.Answer(patient(t)); err != nil {
				t.Error(err)
			}
			w.request("ACK")
		})
	}
}

// All phones of an extension ring; the first that answers has the call.
func TestPhonesRingTogether(t *testing.T) {
	r := start(t)
	one := r.phone(ctitest.PhoneConfig{User: "1001", Password: "secret1001"})
	two := r.phone(ctitest.PhoneConfig{User: "1001", Password: "secret1001"})
	for _, p := range []*ctitest.Phone{one, two} {
		if err := p.Register(patient(t), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	leg := r.dial("sip:1001")
	a, b := <-one.Incoming(), <-two.Incoming()
	a.Ring()
	b.Ring()
	await(t, leg.Alerting(), "alerting")
	if err := b.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	await(t, a.Ended(), "CANCEL for the other phone")
	if a.Status() != 487 {
		t.Errorf("the other phone ended with %d", a.Status())
	}
	b.Hangup()
	await(t, leg.Done(), "the leg's end")
	if !errors.Is(leg.Err(), cti.ErrRemoteHangup) {
		t.Errorf("Err = %v", leg.Err())
	}

	leg = r.dial("sip:1001")
	a, b = <-one.Incoming(), <-two.Incoming()
	a.Reject(486, "Busy Here")
	b.Reject(480, "Unavailable")
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrBusy) {
		t.Errorf("Answer = %v, want busy, which says most", err)
	}
}

// F9: a trunk's silent address is left for the next one.
func TestFailover(t *testing.T) {
	silent, alive := carrierSocket(t), carrierSocket(t)
	r := start(t, short, silent.toward())
	r.SetAddresses("out", silent.addr(), alive.addr())
	leg := r.dial("trunk:out/139")
	silent.request("INVITE")
	invite := alive.request("INVITE")
	alive.reply(invite, 200, "uas")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	alive.request("ACK")
}

// A trunk that says nothing at all is given up long before its INVITE is; one
// that wakes up later is told so, and rings nobody.
func TestSilentTrunkIsLeft(t *testing.T) {
	for name, wake := range map[string]int{"wakes up": 180, "answers late": 200} {
		t.Run(name, func(t *testing.T) {
			w := carrierSocket(t)
			r := start(t, w.toward(), func(c *sip.Config, _ *rig) { *c = c.WithSilence(200 * time.Millisecond) })
			begin := time.Now()
			leg := r.dial("trunk:out/139")
			invite := w.request("INVITE")
			if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrUnreachable) {
				t.Fatalf("Answer = %v, want unreachable", err)
			}
			if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
				t.Errorf("given up after %v", took)
			}
			leg.Hangup(cti.CauseCongestion)
			w.reply(invite, wake, "uas")
			if wake == 200 {
				w.request("ACK")
				w.reply(w.request("BYE"), 200, "")
			} else {
				w.reply(w.request("CANCEL"), 200, "uas")
				w.reply(invite, 487, "uas")
				w.request("ACK")
			}
			eventually(t, "all over", func() bool { return r.Stats().Dialogs == 0 && r.TrunkCalls()["out"] == 0 })
		})
	}
}

// A trunk that said Trying is alive, however long the far side rings.
func TestTryingIsNoSilence(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { *c = c.WithSilence(100 * time.Millisecond) })
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	w.reply(invite, 100, "")
	select {
	case <-leg.Done():
		t.Fatalf("given up: %v", leg.Err())
	case <-time.After(400 * time.Millisecond):
	}
	w.reply(invite, 200, "uas")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
}

func TestReinviteFromPhone(t *testing.T) {
	r := start(t)
	p := r.phone(ctitest.PhoneConfig{User: "1001", Password: "secret1001"})
	if err := p.Register(patient(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	leg := r.dial("sip:1001")
	call := <-p.Incoming()
	if err := call.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	await(t, call.Acked(), "ACK")
	res, err := call.Reinvite(patient(t), "sendonly")
	if err != nil || !strings.Contains(res.Body, "a=recvonly") {
		t.Errorf("hold: %v %v", res, err)
	}
	leg.Hangup(cti.CauseNormal)
	await(t, call.Ended(), "BYE")
}

// A carrier's own ringback is heard before the answer, and the same stream goes
// on behind it.
func TestEarlySound(t *testing.T) {
	carrier := startPhone(t, ctitest.PhoneConfig{
		User: "carrier",
		OnCall: func(*ctitest.Talk) ctitest.Plan {
			return ctitest.Plan{Early: 440, Ring: 400 * time.Millisecond, Hz: 620}
		},
	})
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "out", Address: carrier.Addr().String()})
	})
	leg := r.dial("trunk:out/139")
	early, ok := leg.(cti.Early)
	if !ok {
		t.Fatal("a leg through a trunk has no early sound")
	}
	await(t, early.Early(), "early sound")
	await(t, leg.Alerting(), "alerting")
	eventually(t, "packets before the answer", func() bool { return leg.Media().Stats().Received > 5 })
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	before := leg.Media().Stats().Received
	eventually(t, "packets behind it", func() bool { return leg.Media().Stats().Received > before+5 })
	leg.Hangup(cti.CauseNormal)
}

// Whoever answers may hang up as soon as the ACK has come: the BYE finds the
// dialog, and a leg that talks.
func TestByeRightBehindAck(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	w.to = netip.MustParseAddrPort(r.addr("udp"))
	for i := range 100 {
		leg := r.dial("trunk:out/139")
		invite := w.request("INVITE")
		tag := fmt.Sprint("uas", i)
		w.reply(invite, 200, tag)
		w.request("ACK")
		contact := strings.Trim(invite.Get("Contact"), "<>")
		w.send(w.fill("BYE "+contact+" SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKbye{id}\r\nMax-Forwards: 70\r\n"+
			"From: "+invite.Get("To")+";tag="+tag+"\r\nTo: "+invite.Get("From")+"\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
			invite.Get("Call-ID")))
		w.expect("BYE", 200)
		await(t, leg.Done(), "the leg's end")
	}
}

// Answers that come several times at once are acknowledged by the same ACK; none
// is taken for another phone's, which would be hung up.
func TestRepeatedAnswersAtOnce(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	for i := range 20 {
		leg := r.dial("trunk:out/139")
		invite := w.request("INVITE")
		for range 8 {
			w.reply(invite, 200, fmt.Sprint("uas", i))
		}
		first := w.request("ACK")
		for m := w.next(20 * time.Millisecond); m != nil; m = w.next(20 * time.Millisecond) {
			if m.Method() != "ACK" || m.Get("Via") != first.Get("Via") {
				t.Fatalf("%s\n%s\nafter %s", m.Start, m.Get("Via"), first.Get("Via"))
			}
		}
		leg.Hangup(cti.CauseNormal)
		w.reply(w.request("BYE"), 200, "")
	}
}
