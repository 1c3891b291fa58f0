package sip_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// RFC 4028 §9, table 2 and the text around it.
func TestSessionTimerIsJudged(t *testing.T) {
	const half = 30 * time.Minute
	for name, tt := range map[string]struct {
		asked sip.Timer
		usual time.Duration
		want  string // of Session-Expires
		least string // Min-SE of a 422
	}{
		"none asked":              {sip.Timer{Known: true}, half, "", ""},
		"caller knows":            {sip.Timer{Known: true, Interval: 1800}, half, "1800;refresher=uac", ""},
		"caller takes it":         {sip.Timer{Known: true, Interval: 1800, Refresher: "uac"}, half, "1800;refresher=uac", ""},
		"caller leaves it to us":  {sip.Timer{Known: true, Interval: 1800, Refresher: "uas"}, half, "1800;refresher=uas", ""},
		"a proxy asked":           {sip.Timer{Interval: 1800}, half, "1800;refresher=uas", ""},
		"a proxy asks too little": {sip.Timer{Interval: 60}, half, "", ""},
		"too little":              {sip.Timer{Known: true, Interval: 89}, half, "", "90"},
		"least":                   {sip.Timer{Known: true, Interval: 90}, half, "90;refresher=uac", ""},
		"longer than ours":        {sip.Timer{Known: true, Interval: 7200}, half, "1800;refresher=uac", ""},
		"their least":             {sip.Timer{Known: true, Interval: 7200, Least: 3600}, half, "3600;refresher=uac", ""},
		"off":                     {sip.Timer{Known: true, Interval: 60}, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, least := sip.JudgeTimer(tt.asked, tt.usual); got != tt.want || least != tt.least {
				t.Errorf("Session-Expires %q, Min-SE %q, want %q, %q", got, least, tt.want, tt.least)
			}
		})
	}
}

// RFC 4028 §10: who refreshes does it at half time, nobody waits to the end.
func TestSessionTimerIsDue(t *testing.T) {
	for name, tt := range map[string]struct {
		interval, idle time.Duration
		ours           bool
		want           string
	}{
		"none":                    {0, time.Hour, true, ""},
		"just begun":              {1800 * time.Second, 0, true, ""},
		"last instant":            {1800 * time.Second, 900*time.Second - 1, true, ""},
		"half time":               {1800 * time.Second, 900 * time.Second, true, "refresh"},
		"half time of the peer's": {1800 * time.Second, 900 * time.Second, false, ""},
		"32 s before":             {1800 * time.Second, 1768 * time.Second, false, "expired"},
		"not yet":                 {1800 * time.Second, 1768*time.Second - 1, false, ""},
		"a third before":          {90 * time.Second, 60 * time.Second, false, "expired"},
		"a third and an instant":  {90 * time.Second, 60*time.Second - 1, false, ""},
		"not refreshed by us":     {90 * time.Second, 60 * time.Second, true, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sip.TimerDue(tt.interval, tt.idle, tt.ours); got != tt.want {
				t.Errorf("due %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSessionTimerOfCaller(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("timer", "Content-Type", "Supported: timer\r\nSession-Expires: 1800\r\nContent-Type")
	if got := ok.Get("Session-Expires"); got != "1800;refresher=uac" || ok.Get("Require") != "timer" {
		t.Errorf("Session-Expires %q, Require %q", got, ok.Get("Require"))
	}
	leg := r.leg()
	w.send(w.within("UPDATE", 2, ok, "Content-Length", "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\nContent-Length"))
	if got := w.expect("UPDATE", 200).Get("Session-Expires"); got != "600;refresher=uac" {
		t.Errorf("after UPDATE %q", got)
	}
	r.Tick(time.Now().Add(567 * time.Second))
	select {
	case <-leg.Done():
		t.Error("ended before its time")
	default:
	}
	r.Tick(time.Now().Add(569 * time.Second))
	w.reply(w.request("BYE"), 200, "")
	await(t, leg.Done(), "the end of a session that nobody refreshed")
	if !errors.Is(leg.Err(), cti.ErrLineLost) {
		t.Errorf("Err = %v", leg.Err())
	}
}

func TestSessionIntervalTooSmall(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("small", "Content-Type", "Supported: timer\r\nSession-Expires: 30\r\nContent-Type"))
	if got := w.expect("INVITE", 422).Get("Min-SE"); got != "90" {
		t.Errorf("Min-SE %q", got)
	}
	if n := r.Stats().Calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}
	ok := w.call("large")
	w.send(w.within("UPDATE", 2, ok, "Content-Length", "Supported: timer\r\nx: 30\r\nContent-Length"))
	w.expect("UPDATE", 422)
}

// We refresh by UPDATE where the peer takes it.
func TestSessionRefreshByUpdate(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.call("mine", "Content-Type", "Supported: timer\r\nAllow: INVITE, BYE, UPDATE\r\nSession-Expires: 600;refresher=uas\r\nContent-Type")
	leg := r.leg()
	r.Tick(time.Now().Add(301 * time.Second))
	update := w.request("UPDATE")
	if update.Get("Session-Expires") != "600;refresher=uac" || update.Get("Min-SE") != "90" || update.Body != "" {
		t.Errorf("%+v\n%s", update.Headers, update.Body)
	}
	w.reply(update, 422, "", "Min-SE", "1200")
	update = w.request("UPDATE")
	if update.Get("Session-Expires") != "1200;refresher=uac" || update.Get("Min-SE") != "1200" {
		t.Errorf("after 422: %+v", update.Headers)
	}
	w.reply(update, 200, "", "Session-Expires", "1200;refresher=uac", "Require", "timer")
	eventually(t, "the new interval", func() bool { return r.TimerOf(leg.ID()) == 1200*time.Second })
	r.Tick(time.Now().Add(601 * time.Second))
	w.reply(w.request("UPDATE"), 481, "")
	w.request("BYE")
	await(t, leg.Done(), "the end of a call that the peer knows no more")
	if !errors.Is(leg.Err(), cti.ErrLineLost) {
		t.Errorf("Err = %v", leg.Err())
	}
}

// Without UPDATE it is a re-INVITE with what we said last, the version too.
func TestSessionRefreshByReinvite(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.SessionTimer = 10 * time.Minute })
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	if invite.Get("Session-Expires") != "600" || invite.Get("Min-SE") != "90" || !strings.Contains(invite.Get("Supported"), "timer") {
		t.Errorf("%+v", invite.Headers)
	}
	w.reply(invite, 422, "uas", "Min-SE", "900")
	w.request("ACK")
	invite = w.request("INVITE")
	if invite.Get("Session-Expires") != "900" || invite.Get("Min-SE") != "900" || invite.Seq() != 2 {
		t.Errorf("after 422: %+v", invite.Headers)
	}
	w.reply(invite, 200, "uas", "Session-Expires", "900;refresher=uac", "Require", "timer")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
	r.Tick(time.Now().Add(451 * time.Second))
	again := w.request("INVITE")
	if again.Body != invite.Body || again.Tag("To") != "uas" || again.Seq() != 3 || again.Get("Session-Expires") != "900;refresher=uac" {
		t.Errorf("re-INVITE %v\n%s\nthe INVITE had\n%s", again.Headers, again.Body, invite.Body)
	}
	w.reply(again, 200, "", "Session-Expires", "900;refresher=uac", "Contact", "<sip:moved@"+w.addr()+">")
	if ack := w.request("ACK"); ack.Seq() != 3 {
		t.Errorf("ACK of %d", ack.Seq())
	}
	w.reply(again, 200, "") // it was lost: the ACK again
	w.request("ACK")
	leg.Hangup(cti.CauseNormal)
	w.reply(w.request("BYE"), 200, "")
}

// Row 7 of glare: we own the Call-ID, so we wait longer than the peer.
func TestRefreshMeetsGlare(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	w.reply(w.request("INVITE"), 200, "uas", "Session-Expires", "1800;refresher=uac")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
	r.Tick(time.Now().Add(901 * time.Second))
	again := w.request("INVITE")
	w.send(w.inside("UPDATE", 1, again, "Content-Length", "Content-Type: application/sdp\r\nContent-Length", "\r\n\r\n", "\r\n\r\n{sdp}"))
	w.expect("UPDATE", 491)
	began := time.Now()
	w.reply(again, 491, "")
	w.request("ACK")
	second := w.request("INVITE")
	if waited := time.Since(began); waited < 2100*time.Millisecond || waited > 4500*time.Millisecond {
		t.Errorf("again after %v, want 2.1 to 4 s", waited)
	}
	w.reply(second, 200, "")
	w.request("ACK")
}

// The trunk may ask for credentials within a call, too.
func TestRefreshIsAuthenticated(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].Username, c.Trunks[1].Password = "box", "secret" })
	leg := r.dial("trunk:out/139")
	w.reply(w.request("INVITE"), 200, "uas", "Session-Expires", "1800;refresher=uac")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
	r.Tick(time.Now().Add(901 * time.Second))
	w.reply(w.request("INVITE"), 407, "", "Proxy-Authenticate", `Digest realm="carrier", nonce="n1", algorithm=MD5, qop="auth"`)
	w.request("ACK")
	again := w.request("INVITE")
	if !strings.Contains(again.Get("Proxy-Authorization"), `username="box"`) {
		t.Errorf("%+v", again.Headers)
	}
	w.reply(again, 200, "")
	if ack := w.request("ACK"); ack.Get("Proxy-Authorization") == "" {
		t.Error("the ACK bears no credentials")
	}
}

func TestSessionTimerOff(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.SessionTimer = -1 })
	r.dial("trunk:out/139")
	if invite := w.request("INVITE"); invite.Get("Session-Expires") != "" {
		t.Errorf("Session-Expires %q", invite.Get("Session-Expires"))
	}
	v := r.raw("127.0.0.1")
	if ok := v.call("off", "Content-Type", "Supported: timer\r\nSession-Expires: 1800\r\nContent-Type"); ok.Get("Session-Expires") != "" {
		t.Errorf("Session-Expires %q", ok.Get("Session-Expires"))
	}
}

// call makes a call from w that is answered, and gives the 200 that was
// acknowledged.
func (w *raw) call(id string, edit ...string) *ctitest.Message {
	w.t.Helper()
	w.send(w.invite(id, edit...))
	ok := w.expect("INVITE", 200)
	w.send(w.within("ACK", 1, ok))
	return ok
}

// inside makes a request of the callee in the dialog that the box's INVITE made.
func (w *raw) inside(method string, seq int, invite *ctitest.Message, edit ...string) string {
	w.t.Helper()
	_, host, _ := strings.Cut(strings.Trim(invite.Get("Contact"), "<>"), "@")
	w.to = netip.MustParseAddrPort(host)
	res := invite.Reply(200, "OK", "uas")
	turned := &ctitest.Message{Start: res.Start}
	turned.Add("From", res.Get("To"))
	turned.Add("To", res.Get("From"))
	turned.Add("Call-ID", res.Get("Call-ID"))
	turned.Add("Contact", invite.Get("Contact"))
	return w.within(method, seq, turned, edit...)
}

// An answer with less than the least does not have us talk of nothing else.
func TestHastySessionIsSlowedDown(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	w.reply(w.request("INVITE"), 200, "uas", "Session-Expires", "1;refresher=uac")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	if got := r.TimerOf(leg.ID()); got != 90*time.Second {
		t.Errorf("interval %v", got)
	}
}
