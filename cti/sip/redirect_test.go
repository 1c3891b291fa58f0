package sip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/sip"
)

// A trunk's 3xx leads to its own places, the best first, and nowhere else.
func TestRedirectWithinTheTrunk(t *testing.T) {
	w, other := carrierSocket(t), carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	w.reply(invite, 302, "uas", "Contact", "<sip:1390@"+other.addr()+">;q=0.5",
		"Contact", "<sip:evil@192.0.2.1>;q=1.0", "Contact", "<sip:evil@evil.example>;q=0.9", "Contact", "<mailto:a@b>", "Contact", "<sip:1391@"+w.addr()+">;q=0.7")
	w.request("ACK")
	second := w.request("INVITE")
	if !strings.HasPrefix(second.URI(), "sip:1391@") || second.Seq() != 2 || second.Get("Call-ID") != invite.Get("Call-ID") || second.Tag("From") != invite.Tag("From") {
		t.Errorf("%s %+v", second.Start, second.Headers)
	}
	w.reply(second, 480, "uas2")
	third := other.request("INVITE")
	if !strings.HasPrefix(third.URI(), "sip:1390@") {
		t.Error(third.Start)
	}
	other.reply(third, 200, "uas3")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
}

// It leads to five places at most, and never twice to one.
func TestRedirectEnds(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	n := 0
	for ; n < 20; n++ {
		m := w.expect("INVITE", 0)
		w.reply(m, 302, "uas", "Contact", fmt.Sprintf("<sip:%d@%s>", n/2, w.addr()))
		select {
		case <-leg.Done():
		case <-time.After(20 * time.Millisecond):
			continue
		}
		break
	}
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("Answer = %v", err)
	}
	if n > 6 {
		t.Errorf("%d INVITEs", n)
	}
}

// A phone that forwards its calls makes no call of ours.
func TestForwardOfAPhone(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	desk := r.desk("127.0.0.1", "1001")
	leg := r.dial("sip:1001")
	desk.reply(desk.request("INVITE"), 302, "uas", "Contact", "<sip:0013900@"+w.addr()+">")
	if err := leg.Answer(patient(t)); !errors.Is(err, cti.ErrRejected) {
		t.Errorf("Answer = %v", err)
	}
	if m := w.next(100 * time.Millisecond); m != nil && m.Method() == "INVITE" {
		t.Errorf("the trunk got %s", m.Start)
	}
}

// More calls than the limits meet 503 before anything is made for them.
func TestOverload(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Limits = sip.Limits{CallsPerSecond: 100, Calls: 2} })
	w := r.raw("127.0.0.1")
	one := w.call("load1")
	w.call("load2")
	invite := w.invite("load3")
	w.send(invite)
	res := w.expect("INVITE", 503)
	if res.Get("Retry-After") == "" || res.Tag("To") == "" {
		t.Errorf("%+v", res.Headers)
	}
	w.send(invite)
	if again := w.expect("INVITE", 503); again.Tag("To") != res.Tag("To") {
		t.Error("another tag the second time")
	}
	w.send(w.invite("load1")) // one that was taken comes again
	if m := w.next(50 * time.Millisecond); m != nil && m.Code() == 503 {
		t.Error("a repeated INVITE is refused")
	}
	if n := r.Stats(); n.Calls != 2 || r.Pending() != 2 {
		t.Errorf("%+v, %d pending", n, r.Pending())
	}
	if _, err := r.Dial(patient(t), "trunk:carrier/1", cti.Number{}, ""); !errors.Is(err, cti.ErrTooMany) {
		t.Errorf("Dial = %v", err)
	}
	w.send(w.within("BYE", 2, one))
	w.expect("BYE", 200)
	eventually(t, "a place is free", func() bool { return r.Stats().Legs == 1 })
	w.call("load4")
}

func TestCallsASecond(t *testing.T) {
	at := time.Now()
	o := sip.NewOverload(sip.Limits{CallsPerSecond: 10, Calls: 100})
	taken := func(legs int, now time.Time) (n int) {
		for range 50 {
			if o.Takes(legs, now) {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		after time.Duration
		legs  int
		want  int
	}{
		{0, 0, 10},
		{50 * time.Millisecond, 0, 0},
		{100 * time.Millisecond, 0, 1},
		{600 * time.Millisecond, 99, 5},
		{time.Hour, 0, 10},
		{2 * time.Hour, 100, 0},
		{2 * time.Hour, 0, 10},
	} {
		if got := taken(tt.legs, at.Add(tt.after)); got != tt.want {
			t.Errorf("after %v with %d legs: %d taken, want %d", tt.after, tt.legs, got, tt.want)
		}
	}
}
