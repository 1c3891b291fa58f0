package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// short makes the timers of RFC 3261 25 times quicker than they are.
func short(c *sip.Config, _ *rig) {
	*c = c.WithTimers(20*time.Millisecond, 160*time.Millisecond, 300*time.Millisecond)
}

func TestIncomingCall(t *testing.T) {
	r := start(t)
	carrier := r.phone(ctitest.PhoneConfig{})
	call, err := carrier.Call(patient(t), "4001234567", ctitest.CallOptions{From: "13800138000", Name: "王芳"})
	if err != nil {
		t.Fatal(err)
	}
	leg := r.leg()
	await(t, call.Ringing(), "180")
	await(t, call.Answered(), "200")
	o := leg.Origin()
	if o.From.Raw != "13800138000" || o.From.Name != "王芳" || o.DID != "4001234567" || o.Line != "carrier" {
		t.Errorf("origin = %+v", o)
	}
	if leg.Media().Law() != media.PCMA {
		t.Errorf("law = %v, want the first offered", leg.Media().Law())
	}
	call.Press("159#")
	for _, want := range "159#" {
		if got := <-leg.Media().Digits(); got != want {
			t.Errorf("digit %c, want %c", got, want)
		}
	}
	call.Hangup()
	await(t, leg.Done(), "the leg's end")
	if !errors.Is(leg.Err(), cti.ErrRemoteHangup) {
		t.Errorf("Err = %v", leg.Err())
	}
	await(t, call.Ended(), "the call's end")
	eventually(t, "dialogs closed", func() bool { return r.dialogs.size() == 0 && r.Stats().Legs == 0 })
}

func TestSoundBothWays(t *testing.T) {
	r := start(t)
	carrier := r.phone(ctitest.PhoneConfig{Laws: []media.Law{media.PCMU}})
	desk := r.phone(ctitest.PhoneConfig{User: "1001", Password: "secret1001", Laws: []media.Law{media.PCMA}})
	if err := desk.Register(patient(t), time.Hour); err != nil {
		t.Fatal(err)
	}
	r.calls.do(func(ctx context.Context, in cti.Leg) error {
		out, err := r.Dial(ctx, "sip:1001", in.Origin().From, "call-7")
		if err != nil {
			return err
		}
		if err := errors.Join(out.Answer(ctx), in.Answer(ctx)); err != nil {
			return err
		}
		defer r.engine.Bridge(in.Media(), out.Media())()
		<-in.Done()
		out.Hangup(cti.CauseNormal)
		return nil
	})
	caller, err := carrier.Call(patient(t), "4001234567", ctitest.CallOptions{From: "13800138000"})
	if err != nil {
		t.Fatal(err)
	}
	agent := <-desk.Incoming()
	if agent.From() != "13800138000" || agent.Invite().Get("X-Callbox-Call") != "call-7" {
		t.Errorf("the agent's phone shows %q, call %q", agent.From(), agent.Invite().Get("X-Callbox-Call"))
	}
	agent.Ring()
	if err := agent.Answer(); err != nil {
		t.Fatal(err)
	}
	await(t, caller.Answered(), "answer")
	caller.Tone(440)
	agent.Tone(1000)
	if err := errors.Join(agent.WaitTone(patient(t), 440), caller.WaitTone(patient(t), 1000)); err != nil {
		t.Error(err)
	}
	caller.Hangup()
	await(t, agent.Ended(), "BYE to the agent")
}

// finals is what a caller sees when the box does not take the call.
func TestRefusals(t *testing.T) {
	for cause, want := range map[string]int{
		cti.CauseBusy: 486, cti.CauseNotFound: 404, cti.CauseCongestion: 503, cti.CauseCanceled: 487,
		cti.CauseNoAnswer: 480, cti.CauseNormal: 480, "rejected": 603, cti.CauseError: 500,
	} {
		t.Run(cause, func(t *testing.T) {
			r := start(t)
			r.calls.do(func(_ context.Context, leg cti.Leg) error { leg.Hangup(cause); return nil })
			call, err := r.phone(ctitest.PhoneConfig{}).Call(patient(t), "400", ctitest.CallOptions{From: "138"})
			if err != nil {
				t.Fatal(err)
			}
			await(t, call.Ended(), "refusal")
			if call.Status() != want {
				t.Errorf("status %d, want %d", call.Status(), want)
			}
		})
	}
	t.Run("no route", func(t *testing.T) {
		r := start(t)
		r.calls.do(func(context.Context, cti.Leg) error { return cti.ErrNotFound })
		w := r.raw("127.0.0.1")
		w.send(w.invite("noroute"))
		w.expect("INVITE", 404)
	})
}

func TestCongestion(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].MaxCalls = 1 })
	carrier := r.phone(ctitest.PhoneConfig{})
	first, err := carrier.Call(patient(t), "400", ctitest.CallOptions{From: "1"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, first.Answered(), "the first call")
	w := r.raw("127.0.0.1")
	w.send(w.invite("second"))
	if res := w.expect("INVITE", 503); res.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	first.Hangup()
	await(t, first.Ended(), "its end")
	eventually(t, "the place is free", func() bool { return r.TrunkCalls()["carrier"] == 0 })
	r.Drain()
	w.send(w.invite("third"))
	if res := w.expect("INVITE", 503); res.Get("Retry-After") == "" {
		t.Error("draining without Retry-After")
	}
}

// Row 1 of the library's list: CANCEL straight behind INVITE. Half of them ran
// before the INVITE's transaction existed.
func TestCancelRace(t *testing.T) {
	r := start(t)
	r.calls.do(wait)
	w := r.raw("127.0.0.1")
	const n = 300
	for i := range n {
		invite := w.invite(fmt.Sprintf("race%d", i))
		w.send(invite)
		w.send(cancelOf(invite))
		w.expect("INVITE", 487)
		w.send(ackOf(invite))
	}
	eventually(t, "no leg hangs", func() bool { return r.Stats().Legs == 0 })
}

func cancelOf(invite string) string {
	head, _, _ := strings.Cut(invite, "Content-Type")
	head = strings.NewReplacer("INVITE sip", "CANCEL sip", "1 INVITE", "1 CANCEL").Replace(head)
	return head + "Content-Length: 0\r\n\r\n"
}

func ackOf(invite string) string {
	return strings.NewReplacer("CANCEL sip", "ACK sip", "1 CANCEL", "1 ACK").Replace(cancelOf(invite))
}

func TestCancelBeforeInvite(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	invite := w.invite("turned")
	w.send(cancelOf(invite))
	w.expect("CANCEL", 481)
	w.send(invite)
	w.expect("INVITE", 487)
	if n := r.Stats().Calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A CANCEL that comes after the answer has no effect: ACK and BYE follow.
func TestCancelAfterAnswer(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	invite := w.invite("late")
	w.send(invite)
	ok := w.expect("INVITE", 200)
	leg := r.leg()
	w.send(cancelOf(invite))
	w.expect("CANCEL", 200)
	w.send(w.within("ACK", 1, ok))
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	await(t, leg.Done(), "the leg's end")
}

func TestSameTagInEveryAnswer(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	r.calls.do(wait)
	invite := w.invite("tags")
	w.send(invite)
	tag := w.expect("INVITE", 180).Tag("To")
	w.send(cancelOf(invite))
	if got := w.expect("INVITE", 487).Tag("To"); got != tag || tag == "" {
		t.Errorf("To tag %q after 180's %q", got, tag)
	}
}

// Row 3: a 200 without ACK is repeated with doubling gaps, then ended by BYE.
func TestNoAck(t *testing.T) {
	r := start(t, short)
	w := r.raw("127.0.0.1")
	w.send(w.invite("noack"))
	leg := r.leg()
	var times []time.Time
	for {
		m := w.next(patience)
		if m == nil {
			t.Fatal("no BYE came")
		}
		if m.Code() == 200 {
			times = append(times, time.Now())
		}
		if m.Method() == "BYE" && m.Code() == 0 {
			break
		}
	}
	await(t, leg.Done(), "the leg's end")
	if !errors.Is(leg.Err(), cti.ErrLineLost) || r.Stats().Unacked != 1 {
		t.Errorf("Err = %v, unacked %d", leg.Err(), r.Stats().Unacked)
	}
	if len(times) < 8 || len(times) > 14 {
		t.Fatalf("200 came %d times, want about 11 (T1 to T2, 64 T1 in all)", len(times))
	}
	// The third gap is four times the first: a busy machine shifts each a little.
	if first, third := times[1].Sub(times[0]), times[3].Sub(times[2]); third < first*3/2 {
		t.Errorf("gaps %v … %v do not double", first, third)
	}
}

func TestAckStopsRepeating(t *testing.T) {
	r := start(t, short)
	w := r.raw("127.0.0.1")
	w.send(w.invite("acked"))
	w.send(w.within("ACK", 1, w.expect("INVITE", 200)))
	if m := w.next(300 * time.Millisecond); m != nil {
		t.Errorf("after the ACK came %s", m.Start)
	}
}

// Row 4: after a re-INVITE with another contact, our BYE goes there.
func TestTargetRefresh(t *testing.T) {
	r := start(t)
	w, other := r.raw("127.0.0.1"), r.raw("127.0.0.1")
	w.send(w.invite("moved"))
	ok := w.expect("INVITE", 200)
	leg := r.leg()
	w.send(w.within("ACK", 1, ok))
	again := w.within("INVITE", 2, ok, "<sip:caller@{me}>", "<sip:moved@"+other.addr()+">", "Content-Length: {length}\r\n\r\n", "Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}")
	w.send(again)
	if w.expect("INVITE", 200).Seq() != 2 {
		w.expect("INVITE", 200)
	}
	w.send(w.within("ACK", 2, ok))
	leg.Hangup(cti.CauseNormal)
	bye := other.expect("BYE", 0)
	if !strings.HasPrefix(bye.URI(), "sip:moved@") {
		t.Errorf("BYE to %q", bye.URI())
	}
}

func TestHoldAndGlare(t *testing.T) {
	r := start(t)
	carrier := r.phone(ctitest.PhoneConfig{})
	call, err := carrier.Call(patient(t), "400", ctitest.CallOptions{From: "1"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, call.Answered(), "answer")
	for offer, want := range map[string]string{"sendonly": "recvonly", "inactive": "inactive", "sendrecv": "sendrecv"} {
		res, err := call.Reinvite(patient(t), offer)
		if err != nil {
			t.Fatal(err)
		}
		if res.Code() != 200 || !strings.Contains(res.Body, "a="+want+"\r\n") {
			t.Errorf("%s: %s\n%s", offer, res.Start, res.Body)
		}
	}
	call.Hangup()
	await(t, call.Ended(), "the end")
}

func TestReinviteBeforeAckMeets491(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("glare"))
	ok := w.expect("INVITE", 200)
	w.send(w.within("INVITE", 2, ok))
	w.expect("INVITE", 491)
}

func TestInDialog(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("inside"))
	ok := w.expect("INVITE", 200)
	w.send(w.within("ACK", 1, ok))
	w.send(w.within("OPTIONS", 2, ok))
	w.expect("OPTIONS", 200)
	w.send(w.within("UPDATE", 3, ok))
	w.expect("UPDATE", 200)
	w.send(w.within("INFO", 4, ok))
	w.expect("INFO", 200)
	w.send(w.within("INFO", 3, ok, "INFO3", "INFO3old"))
	w.expect("INFO", 500)
	w.send(w.within("BYE", 5, ok))
	w.expect("BYE", 200)
	w.send(w.within("BYE", 5, ok))
	w.expect("BYE", 200) // repeated
	w.send(w.within("BYE", 6, ok))
	w.expect("BYE", 481)
	w.send(strings.Replace(w.within("BYE", 7, ok), "tag=", "tag=x", 2))
	w.expect("BYE", 481)
}

func TestLateOffer(t *testing.T) {
	r := start(t)
	carrier := r.phone(ctitest.PhoneConfig{Laws: []media.Law{media.PCMU}})
	call, err := carrier.Call(patient(t), "400", ctitest.CallOptions{From: "1", NoSDP: true})
	if err != nil {
		t.Fatal(err)
	}
	leg := r.leg()
	await(t, call.Answered(), "answer")
	call.Press("5")
	select {
	case d := <-leg.Media().Digits():
		if d != '5' {
			t.Errorf("digit %c", d)
		}
	case <-time.After(patience):
		t.Error("no sound after a late offer")
	}
	if leg.Media().Law() != media.PCMU {
		t.Errorf("law %v", leg.Media().Law())
	}
}

func TestRecordRoute(t *testing.T) {
	r := start(t)
	w, proxy := r.raw("127.0.0.1"), r.raw("127.0.0.1")
	w.send(w.invite("routed", "Content-Type", "Record-Route: <sip:"+proxy.addr()+";lr>\r\nContent-Type"))
	ok := w.expect("INVITE", 200)
	if ok.Get("Record-Route") == "" {
		t.Error("Record-Route is not in the 200")
	}
	w.send(w.within("ACK", 1, ok))
	leg := r.leg()
	leg.Hangup(cti.CauseNormal)
	bye := proxy.expect("BYE", 0)
	if !strings.Contains(bye.Get("Route"), proxy.addr()) || !strings.Contains(bye.URI(), w.addr()) {
		t.Errorf("BYE %s, Route %s", bye.URI(), bye.Get("Route"))
	}
}

// Row 6: a message over the Ethernet size is sent all the same.
func TestLargeMessage(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	long := strings.Repeat("Record-Route: <sip:192.0.2.1;lr;x="+strings.Repeat("y", 200)+">\r\n", 10)
	w.send(w.invite("large", "Content-Type", long+"Content-Type"))
	w.expect("INVITE", 200)
}

func TestWhoCalled(t *testing.T) {
	r := start(t)
	r.calls.do(func(_ context.Context, leg cti.Leg) error { leg.Hangup(cti.CauseBusy); return nil })
	w := r.raw("127.0.0.1")
	const from = `"王芳" <sip:13800138000@{me}>`
	for i, tt := range []struct {
		edit      []string
		raw, name string
	}{
		{[]string{from, `<sip:+8613800138000@x>`}, "+8613800138000", ""},
		{[]string{from, `<sip:+8613800138000;phone-context=x@y;user=phone>`}, "+8613800138000", ""},
		{[]string{from, `"a \"b\" \\ c" <sip:1%2A2%233@x>`}, "1*2#3", `a "b" \ c`},
		{[]string{from, `"Anonymous" <sip:anonymous@anonymous.invalid>`}, "anonymous", ""},
		{[]string{"Content-Type", "Privacy: id\r\nP-Asserted-Identity: <sip:95588@x>\r\nContent-Type"}, "anonymous", ""},
		{[]string{"Content-Type", "P-Asserted-Identity: \"a,b\" <sip:95588@x>, <tel:+8695588>\r\nContent-Type"}, "95588", "a,b"},
		{[]string{"Content-Type", "P-Asserted-Identity: <tel:+8695588>\r\nContent-Type"}, "+8695588", ""},
		{[]string{from, `<sip:1'or'1'='1@x>`}, "1'or'1'='1", ""},
		{[]string{from, "\"<script>\u202eevil\x1b[1m\" <sip:1@x>"}, "1", "<script>\ufffdevil\ufffd[1m"},
		{[]string{from, `"` + strings.Repeat("长", 100) + `" <sip:1@x>`}, "1", strings.Repeat("长", 64)},
	} {
		w.send(w.invite(fmt.Sprintf("who%d", i), tt.edit...))
		w.expect("INVITE", 486)
		o := r.leg().Origin()
		if o.From.Raw != tt.raw || o.From.Name != tt.name {
			t.Errorf("%v: %q %q, want %q %q", tt.edit, o.From.Raw, o.From.Name, tt.raw, tt.name)
		}
	}
	w.send(w.invite("tel", "INVITE sip:4001234567@{to}", "INVITE tel:+864001234567"))
	w.expect("INVITE", 486)
	if did := r.leg().Origin().DID; did != "+864001234567" {
		t.Errorf("DID of a tel URI %q", did)
	}
}

func TestOffers(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].Codecs = []string{"PCMU", "G722"} })
	w := r.raw("127.0.0.1")
	for name, tt := range map[string]struct {
		sdp  string
		code int
	}{
		"first common":  {"m=audio 40000 RTP/AVP 9 8 0\r\n", 200},
		"none common":   {"m=audio 40000 RTP/AVP 9 8 18\r\n", 488},
		"only SRTP":     {"m=audio 40000 RTP/SAVP 0\r\n", 488},
		"SRTP or plain": {"m=audio 40000 RTP/SAVP 0\r\nm=audio 40002 RTP/AVP 0\r\n", 200},
		"with video":    {"m=video 40004 RTP/AVP 96\r\nm=audio 40002 RTP/AVP 0\r\n", 200},
		"no audio":      {"m=video 40004 RTP/AVP 96\r\n", 488},
		"refused":       {"m=audio 0 RTP/AVP 0\r\n", 488},
		"garbage":       {"m=audio x RTP/AVP 0\r\n", 400},
		"host name":     {"m=audio 40002 RTP/AVP 0\r\nc=IN IP4 phone.example\r\n", 488},
	} {
		sdp := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" + tt.sdp
		w.send(w.invite(strings.ReplaceAll(name, " ", ""), "{sdp}", sdp))
		res := w.expect("INVITE", tt.code)
		if want := strings.Count(tt.sdp, "m="); tt.code == 200 && strings.Count(res.Body, "m=") != want {
			t.Errorf("%s: %d streams answered, want %d:\n%s", name, strings.Count(res.Body, "m="), want, res.Body)
		}
	}
}

func TestMultipartBody(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("parts", "application/sdp", "multipart/mixed;boundary=b", "{sdp}",
		"--b\r\nContent-Type: application/isup\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n"+plainSDP+"\r\n--b--\r\n"))
	w.expect("INVITE", 200)
}

// A panic in the code that serves a call ends that call only.
func TestPanic(t *testing.T) {
	r := start(t)
	r.calls.do(func(context.Context, cti.Leg) error { panic("falls") })
	w := r.raw("127.0.0.1")
	w.send(w.invite("panic"))
	w.expect("INVITE", 500)
	eventually(t, "the panic is counted", func() bool { return r.Stats().Panics == 1 })
	r.calls.do(answerAndWait)
	w.send(w.invite("after"))
	w.expect("INVITE", 200)
	eventually(t, "no leg is left of it", func() bool { return r.Stats().Legs == 1 && r.TrunkCalls()["carrier"] == 1 })
}

func TestShutdownSaysGoodbye(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("talks"))
	w.send(w.within("ACK", 1, w.expect("INVITE", 200)))
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { defer close(done); r.stop() })
	bye := w.expect("BYE", 0)
	w.send(string(bye.Reply(200, "OK", "").Bytes()))
	await(t, done, "Run's end")
}

// What a crash left open gets its BYE after the start.
func TestByeAfterCrash(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("crash"))
	ok := w.expect("INVITE", 200)
	w.send(w.within("ACK", 1, ok))
	rows, _ := r.dialogs.Left(context.Background())
	if len(rows) != 1 {
		t.Fatalf("%d dialogs kept", len(rows))
	}
	second := start(t, func(_ *sip.Config, r *rig) { r.dialogs.Open(rows[0]) })
	bye := w.expect("BYE", 0)
	if bye.Get("Call-ID") != "crash" || bye.Tag("From") != ok.Tag("To") || bye.Tag("To") != ok.Tag("From") {
		t.Errorf("BYE %+v", bye)
	}
	w.to = netip.MustParseAddrPort(second.addr("udp"))
	w.send(string(bye.Reply(200, "OK", "").Bytes()))
	eventually(t, "the row is gone", func() bool { return second.dialogs.size() == 0 })
}

func TestOverTCP(t *testing.T) {
	r := start(t)
	c := r.dialTCP()
	c.send(c.invite("tcp"))
	ok := c.expect("INVITE", 200)
	leg := r.leg()
	c.send(c.within("ACK", 1, ok))
	leg.Hangup(cti.CauseNormal)
	bye := c.expect("BYE", 0)
	c.send(string(bye.Reply(200, "OK", "").Bytes()))
	c.send("\r\n\r\n") // keep-alive between messages
	c.send(c.invite("tcp2"))
	c.expect("INVITE", 200)
}

func TestIPv6(t *testing.T) {
	probe, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	_ = probe.Close()
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Listen = []string{"udp://[::1]:0"}
		c.Trunks[0].From = []string{"::1"}
	})
	w := r.raw("::1")
	w.send(w.invite("six", "{sdp}", strings.ReplaceAll(plainSDP, "IP4 127.0.0.1", "IP6 ::1")))
	ok := w.expect("INVITE", 200)
	if !strings.Contains(ok.Body, "c=IN IP6 ::1\r\n") {
		t.Error(ok.Body)
	}
	w.send(w.within("ACK", 1, ok))
	r.leg().Hangup(cti.CauseNormal)
	bye := w.expect("BYE", 0)
	if !strings.HasPrefix(bye.URI(), "sip:caller@[::1]:") || !strings.HasPrefix(bye.Get("Via"), "SIP/2.0/UDP [::1]:") {
		t.Errorf("%s\n%s", bye.Start, bye.Get("Via"))
	}
}

// Hanging up while the answer is on its way: the peer gets 200, then BYE after
// its ACK, or a refusal; never a 200 alone.
func TestHangupRacesAnswer(t *testing.T) {
	r := start(t)
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		var wg sync.WaitGroup
		wg.Go(func() { leg.Hangup(cti.CauseNormal) })
		_ = leg.Answer(ctx)
		wg.Wait()
		return nil
	})
	w := r.raw("127.0.0.1")
	for i := range 200 {
		invite := w.invite(fmt.Sprint("both", i))
		w.send(invite)
		res := w.expect("INVITE", 200, 480)
		for !strings.Contains(invite, "Call-ID: "+res.Get("Call-ID")+"\r\n") { // an earlier call's 200 again, which wants its ACK again
			w.send(w.within("ACK", 1, res))
			res = w.expect("INVITE", 200, 480)
		}
		if res.Code() == 480 {
			continue
		}
		w.send(w.within("ACK", 1, res))
		for over := false; !over; { // an earlier call's BYE may come again
			bye := w.expect("BYE", 0)
			w.send(string(bye.Reply(200, "OK", "").Bytes()))
			over = bye.Get("Call-ID") == res.Get("Call-ID")
		}
	}
	eventually(t, "all is over, no row is left", func() bool {
		for again := w.next(time.Millisecond); again != nil; again = w.next(time.Millisecond) {
			if again.Method() == "BYE" && !again.IsResponse() { // repeated, while we waited for something else
				w.send(string(again.Reply(200, "OK", "").Bytes()))
			}
		}
		s := r.Stats()
		return s.Legs == 0 && s.Dialogs == 0 && r.dialogs.size() == 0
	})
}
