package sip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// desk is a registered phone on a bare socket.
func (r *rig) desk(local, extension string) *raw {
	r.t.Helper()
	w := r.raw(local)
	to := []string{"To: <sip:4001234567@{to}>", "To: <sip:" + extension + "@{to}>"}
	res := w.register(2, w.answer(w.register(1, "", to...), extension, "secret"+extension, 1, "MD5"), to...)
	if res.Code() != 200 {
		r.t.Fatal(res.Start)
	}
	return w
}

// dial sends an INVITE of extension and, when asked, again with credentials; it
// gives the first answer to that beyond 100.
func (w *raw) dial(id, extension string, edit ...string) *ctitest.Message {
	w.t.Helper()
	edit = append(edit, `"王芳" <sip:13800138000@{me}>`, "<sip:"+extension+"@{to}>")
	w.send(w.invite(id, edit...))
	res := w.answeredIn(id, 1)
	if res.Code() != 407 {
		return res
	}
	auth := w.answer(res, extension, "secret"+extension, 1, "SHA-256")
	w.send(w.invite(id, append(edit, "z9hG4bK{id}", "z9hG4bK{id}2", "1 INVITE", "2 INVITE", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+auth)...))
	return w.answeredIn(id, 2)
}

func (w *raw) answered(seq int) *ctitest.Message {
	w.t.Helper()
	return w.answeredIn("", seq)
}

// answeredIn is the next answer beyond 100 to INVITE seq of a call, of any for
// "".
func (w *raw) answeredIn(call string, seq int) *ctitest.Message {
	w.t.Helper()
	for {
		m := w.next(patience)
		if m == nil {
			w.t.Fatal("no answer to INVITE")
		}
		if m.Method() == "INVITE" && m.Code() > 100 && m.Seq() == seq && (call == "" || m.Get("Call-ID") == call) {
			return m
		}
	}
}

// ring is a call taker that leaves a leg ringing.
func ring(ctx context.Context, leg cti.Leg) error { return wait(ctx, leg) }

func TestCallOfAPhone(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	res := w.dial("call", "1001", "INVITE sip:4001234567@{to}", "INVITE sip:%2B86138-0013@elsewhere.example")
	if res.Code() == 180 {
		res = w.answered(2)
	}
	if res.Code() != 200 {
		t.Fatal(res.Start)
	}
	o := r.leg().Origin()
	if o.Device != "sip:1001" || o.From.Raw != "1001" || o.DID != "+86138-0013" || o.Line != "" {
		t.Errorf("origin %+v", o)
	}
	w.send(w.within("ACK", 2, res))
	thief := r.raw("127.0.0.66")
	thief.send(strings.ReplaceAll(w.within("BYE", 3, res), w.addr(), thief.addr()))
	if m := thief.next(100 * time.Millisecond); m != nil && m.Code() != 481 {
		t.Errorf("a BYE from elsewhere: %s", m.Start)
	}
	if n := r.Stats().Legs; n != 1 {
		t.Fatalf("%d legs after a BYE from elsewhere", n)
	}
	w.send(w.within("INVITE", 4, res))
	if again := w.answered(4); again.Code() != 200 {
		t.Errorf("re-INVITE: %s", again.Start)
	}
	w.send(w.within("ACK", 4, res))
	w.send(w.within("BYE", 5, res))
	w.expect("BYE", 200)
	eventually(t, "over", func() bool { return r.Stats().Legs == 0 })
}

// T1: nobody without credentials of ours reaches anybody, and nothing is made
// for him.
func TestInviteWithoutCredentialsReachesNobody(t *testing.T) {
	r := start(t, nobody)
	w := r.raw("127.0.0.1")
	for i, number := range []string{"0086138", "00", "9", "1002"} {
		w.send(w.invite(fmt.Sprint("toll", i), "INVITE sip:4001234567@{to}", "INVITE sip:"+number+"@{to}"))
		if res := w.expect("INVITE", 403); res == nil {
			t.Error("not refused")
		}
		foreign := "Authorization: Digest username=\"1001\",realm=\"else\",nonce=\"x\",uri=\"sip:x\",response=\"y\"\r\n"
		w.send(w.invite(fmt.Sprint("forged", i), "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+foreign))
		res := w.expect("INVITE", 407)
		if all := res.All("Proxy-Authenticate"); len(all) != 2 || !strings.Contains(all[0], "MD5") || !strings.Contains(all[0], `realm="callbox"`) {
			t.Errorf("challenges %q", all)
		}
	}
	if n := r.Stats(); n.Calls != 0 || n.Legs != 0 || r.Pending() != 0 || n.Refused != 8 {
		t.Errorf("%+v, %d pending", n, r.Pending())
	}
}

func TestInviteOfAPhoneRefused(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	for name, tt := range map[string]struct {
		edit []string
		code int
	}{
		"another's From": {[]string{"From: \"王芳\" <sip:13800138000@{me}>", "From: <sip:1002@{to}>"}, 403},
		"no number":      {[]string{"INVITE sip:4001234567@{to}", "INVITE sip:{to}"}, 484},
		"no dialling":    {[]string{"INVITE sip:4001234567@{to}", "INVITE sip:a%0d%0ab@{to}"}, 404},
		"a code":         {[]string{"INVITE sip:4001234567@{to}", "INVITE sip:*72%23@{to}"}, 180},
		"an agent":       {[]string{"INVITE sip:4001234567@{to}", "INVITE sip:wang.fang@{to}"}, 180},
		"tel":            {[]string{"INVITE sip:4001234567@{to}", "INVITE tel:+86-571-88880001;phone-context=x"}, 180},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			if res := w.dial("refused"+strings.ReplaceAll(name, " ", ""), "1001", tt.edit...); res.Code() != tt.code {
				t.Errorf("%s, want %d", res.Start, tt.code)
			}
		})
	}
}

// The same credentials once more, or those of another, get nobody in; a wrong
// word counts towards the ban.
func TestInviteReplayed(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	from := []string{`"王芳" <sip:13800138000@{me}>`, "<sip:1001@{to}>"}
	w.send(w.invite("first", from...))
	auth := w.answer(w.expect("INVITE", 407), "1001", "secret1001", 1, "MD5")
	again := func(id, auth string) *ctitest.Message {
		w.send(w.invite(id, append(from, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+auth)...))
		return w.answered(1)
	}
	if res := again("second", auth); res.Code() != 180 {
		t.Fatal(res.Start)
	}
	w.answered(1) // 200
	if res := again("third", auth); res.Code() != 407 || !strings.Contains(res.Get("Proxy-Authenticate"), "stale=true") {
		t.Errorf("replay: %s", res.Start)
	}
	wrong := w.answer(again("fourth", ""), "1001", "guess", 1, "MD5")
	if res := again("fifth", wrong); res.Code() != 407 || strings.Contains(res.Get("Proxy-Authenticate"), "stale=true") {
		t.Errorf("wrong word: %s", res.Start)
	}
	if n := r.Stats(); n.Calls != 1 || n.AuthFailed != 1 {
		t.Errorf("%+v", n)
	}
}

// A repeated INVITE is the library's to answer, not a replay; CANCEL finds the
// call.
func TestInviteOfAPhoneRepeatedAndCanceled(t *testing.T) {
	r := start(t)
	r.calls.do(ring)
	w := r.desk("127.0.0.1", "1001")
	from := []string{`"王芳" <sip:13800138000@{me}>`, "<sip:1001@{to}>"}
	w.send(w.invite("first", from...))
	auth := w.answer(w.expect("INVITE", 407), "1001", "secret1001", 1, "MD5")
	text := w.invite("second", append(from, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+auth)...)
	w.send(text)
	w.expect("INVITE", 180)
	w.send(text)
	if res := w.answered(1); res.Code() != 180 {
		t.Errorf("repeated: %s", res.Start)
	}
	w.send(w.invite("second", append(from, "INVITE sip", "CANCEL sip", "1 INVITE", "1 CANCEL", "{sdp}", "")...))
	w.expect("CANCEL", 200)
	w.expect("INVITE", 487)
	if n := r.Stats(); n.Calls != 1 {
		t.Errorf("%d calls", n.Calls)
	}
}

// A phone behind a trunk's network that brings Authorization is a phone.
func TestPhoneBehindATrunksNetwork(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	from := []string{`"王芳" <sip:13800138000@{me}>`, "<sip:1002@{to}>"}
	w.send(w.invite("a", append(from, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nAuthorization: Digest username=\"1002\",realm=\"callbox\",nonce=\"0\",uri=\"sip:x\",response=\"0\"\r\n")...))
	auth := w.answer(w.expect("INVITE", 407), "1002", "secret1002", 1, "MD5")
	w.send(w.invite("b", append(from, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+auth)...))
	w.expect("INVITE", 200)
	if o := r.leg().Origin(); o.Device != "sip:1002" {
		t.Errorf("origin %+v", o)
	}
}
