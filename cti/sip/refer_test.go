package sip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// talk is a call that a desk phone makes, answered.
func (w *raw) talk(id, extension string, edit ...string) *ctitest.Message {
	w.t.Helper()
	ok := w.dial(id, extension, edit...)
	if ok.Code() == 180 {
		ok = w.expect("INVITE", 200)
	}
	if ok.Code() != 200 {
		w.t.Fatal(ok.Start)
	}
	w.send(w.within("ACK", ok.Seq(), ok))
	return ok
}

func (w *raw) refer(seq int, ok *ctitest.Message, to string, edit ...string) {
	w.t.Helper()
	w.send(w.within("REFER", seq, ok, append(edit, "Content-Length", "Refer-To: "+to+"\r\nContent-Length")...))
}

// notice is the next NOTIFY of the box, answered.
func (w *raw) notice() *ctitest.Message {
	w.t.Helper()
	m := w.request("NOTIFY")
	w.reply(m, 200, "")
	return m
}

func asked(t *testing.T, leg cti.Leg) cti.Wish {
	t.Helper()
	select {
	case w := <-leg.(cti.Wisher).Wishes():
		return w
	case <-patient(t).Done():
		t.Fatal("no wish came")
		return cti.Wish{}
	}
}

func TestBlindTransfer(t *testing.T) {
	for name, tt := range map[string]struct {
		reply error
		want  string
	}{
		"done": {nil, "SIP/2.0 200 OK\r\n"}, "busy": {fmt.Errorf("ring: %w", cti.ErrBusy), "SIP/2.0 486 Busy Here\r\n"},
		"unknown": {errors.New("x"), "SIP/2.0 503 Service Unavailable\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			w := r.desk("127.0.0.1", "1001")
			ok := w.talk("blind", "1001")
			leg := r.leg()
			w.refer(3, ok, "<sip:1002@anywhere.example>")
			if res := w.expect("REFER", 202); res.Get("Refer-Sub") != "" {
				t.Errorf("Refer-Sub %q", res.Get("Refer-Sub"))
			}
			wish := asked(t, leg)
			if wish.Kind != cti.WishTransfer || wish.To != "1002" || wish.With != "" {
				t.Errorf("%+v", wish)
			}
			first := w.notice()
			if first.Body != "SIP/2.0 100 Trying\r\n" || first.Get("Event") != "refer" || !strings.HasPrefix(first.Get("Subscription-State"), "active;expires=") || first.Get("Content-Type") != "message/sipfrag;version=2.0" {
				t.Errorf("%+v\n%s", first.Headers, first.Body)
			}
			wish.Reply <- tt.reply
			last := w.notice()
			if last.Body != tt.want || last.Get("Subscription-State") != "terminated;reason=noresource" {
				t.Errorf("%+v\n%s", last.Headers, last.Body)
			}
			w.refer(4, ok, "sip:1003@"+w.to.String())
			w.expect("REFER", 202)
			if second := w.notice(); second.Get("Event") != "refer;id=4" {
				t.Errorf("Event %q", second.Get("Event"))
			}
		})
	}
}

// A phone whose part is over with the transfer is told before it is hung up.
func TestTransferIsToldBeforeBye(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	ok := w.talk("done", "1001")
	leg := r.leg()
	w.refer(3, ok, "<sip:1002@anywhere.example>")
	w.expect("REFER", 202)
	wish := asked(t, leg)
	w.notice()
	leg.Hangup(cti.CauseNormal)
	wish.Reply <- nil
	var order []string
	for len(order) < 2 {
		m := w.next(5 * time.Second)
		if m == nil {
			t.Fatalf("after %s nothing came", order)
		}
		order = append(order, m.Method()+" "+strings.TrimSpace(m.Body))
		w.reply(m, 200, "")
	}
	if got := strings.Join(order, ", "); got != "NOTIFY SIP/2.0 200 OK, BYE " {
		t.Errorf("%s", got)
	}
}

// The other call of the same telephone is found by its tags, in both orders;
// another's is not.
func TestAttendedTransfer(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	one := w.talk("first", "1001")
	leg := r.leg()
	two := w.talk("second", "1001", "sip:4001234567@{to} SIP", "sip:1002@{to} SIP")
	other := r.leg()
	foreign := r.desk("127.0.0.1", "1002")
	three := foreign.talk("third", "1002")
	r.leg()
	replaces := func(m *ctitest.Message, a, b string) string {
		return "<sip:1002@" + w.to.String() + "?Replaces=" + m.Get("Call-ID") + "%3Bto-tag%3D" + m.Tag(a) + "%3Bfrom-tag%3D" + m.Tag(b) + ">"
	}
	for i, to := range []string{replaces(two, "To", "From"), replaces(two, "From", "To")} {
		w.refer(3+i, one, to)
		w.expect("REFER", 202)
		wish := asked(t, leg)
		if wish.Kind != cti.WishTransfer || wish.With != other.ID() || wish.To != "" {
			t.Errorf("%+v, want leg %s", wish, other.ID())
		}
		w.notice()
		wish.Reply <- nil
		w.notice()
	}
	for i, to := range []string{replaces(three, "To", "From"), replaces(one, "To", "From"), "<sip:1002@x?Replaces=none%3Bto-tag%3D1%3Bfrom-tag%3D2>"} {
		w.refer(5+i, one, to)
		w.expect("REFER", 202)
		w.notice()
		if last := w.notice(); last.Body != "SIP/2.0 481 Call/Transaction Does Not Exist\r\n" {
			t.Errorf("%s: %s", to, last.Body)
		}
	}
	if got := wished(t, leg); got != "" {
		t.Errorf("wish %q of a call that is none", got)
	}
}

func TestReferRefused(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	ok := w.talk("badrefer", "1001")
	leg := r.leg()
	for i, to := range []string{
		"<sip:anywhere.example>", "<mailto:a@b>", "<sip:1002@x;method=BYE>", "<sip:1%0d%0a2@x>", "<sip:1002@x>\r\nRefer-To: <sip:1003@x>",
	} {
		w.refer(3+i, ok, to)
		if res := w.expect("REFER", 400, 202, 416); res.Code() == 202 {
			t.Errorf("%q: %s", to, res.Start)
		}
	}
	w.send(w.within("REFER", 20, ok))
	w.expect("REFER", 400)
	if got := wished(t, leg); got != "" {
		t.Errorf("wish %q", got)
	}
}

// A trunk may not make us call anybody.
func TestReferFromTrunk(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("trunkrefer")
	w.refer(2, ok, "<sip:00861390@"+w.to.String()+">")
	w.expect("REFER", 403)
	if got := wished(t, r.leg()); got != "" {
		t.Errorf("wish %q", got)
	}
}

// RFC 4488: a phone that wants no notices gets none.
func TestReferWithoutSubscription(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	ok := w.talk("nosub", "1001")
	leg := r.leg()
	w.refer(3, ok, "<sip:1002@x>", "Max-Forwards", "Refer-Sub: false\r\nRequire: norefersub\r\nMax-Forwards")
	if res := w.expect("REFER", 202); res.Get("Refer-Sub") != "false" {
		t.Errorf("Refer-Sub %q", res.Get("Refer-Sub"))
	}
	asked(t, leg).Reply <- nil
	w.send(w.within("NOTIFY", 4, ok, "Content-Length", "Event: refer\r\nSubscription-State: active\r\nContent-Length"))
	if m := w.expect("NOTIFY", 0, 200); m.Code() != 200 {
		t.Errorf("the box said %s", m.Start)
	}
}
