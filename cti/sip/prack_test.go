package sip_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

const (
	can100  = "Supported: 100rel\r\nContent-Type"
	must100 = "Require: 100rel\r\nContent-Type"
)

// hold keeps the box from answering until the test says so.
func (k *taker) hold() (answer func(), progress func()) {
	go1, go2 := make(chan struct{}), make(chan struct{})
	k.do(func(ctx context.Context, leg cti.Leg) error {
		for _, step := range []chan struct{}{go2, go1} {
			select {
			case <-step:
			case <-leg.Done():
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if step == go1 {
				return answerAndWait(ctx, leg)
			}
			if err := leg.(cti.Progresser).Progress(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return func() { close(go1) }, func() { close(go2) }
}

// prack acknowledges a provisional response of the box.
func (w *raw) prack(seq int, res *ctitest.Message, edit ...string) {
	w.t.Helper()
	rack := "RAck: " + res.Get("RSeq") + " " + res.Get("CSeq") + "\r\nContent-Length"
	w.send(w.within("PRACK", seq, res, append(edit, "Content-Length", rack)...))
}

// Our 183 with sound waits for its PRACK, and the 200 for both.
func TestProgressIsReliable(t *testing.T) {
	r := start(t, short)
	answer, progress := r.calls.hold()
	w := r.raw("127.0.0.1")
	w.send(w.invite("early", "Content-Type", can100))
	if ring := w.expect("INVITE", 180); ring.Get("RSeq") != "" {
		t.Error("a 180 without a description is reliable though only its support was told")
	}
	progress()
	res := w.expect("INVITE", 183)
	if res.Get("Require") != "100rel" || res.Get("RSeq") == "" || !strings.Contains(res.Body, "m=audio") {
		t.Fatalf("183: %+v\n%s", res.Headers, res.Body)
	}
	answer()
	for range 3 {
		if again := w.expect("INVITE", 183, 200); again.Code() != 183 || again.Get("RSeq") != res.Get("RSeq") {
			t.Fatalf("before the PRACK came %s", again.Start)
		}
	}
	w.send(w.within("PRACK", 2, res, "Content-Length", "RAck: 1 1 INVITE\r\nContent-Length"))
	w.expect("PRACK", 481)
	w.prack(3, res)
	w.expect("PRACK", 200)
	ok := w.expect("INVITE", 200)
	if ok.Body != res.Body {
		t.Errorf("200 says\n%s\n183 said\n%s", ok.Body, res.Body)
	}
	w.send(w.within("ACK", 1, ok))
	w.prack(4, res)
	w.expect("PRACK", 481) // a second time
}

func TestUnacknowledgedProgressEndsTheCall(t *testing.T) {
	r := start(t, short)
	_, progress := r.calls.hold()
	w := r.raw("127.0.0.1")
	w.send(w.invite("nopr", "Content-Type", can100))
	leg := r.leg()
	progress()
	n := 0
	for m := w.next(patience); m != nil && m.Code() != 504; m = w.next(patience) {
		if m.Code() == 183 {
			n++
		}
	}
	if n < 5 || n > 8 {
		t.Errorf("183 came %d times, want about 7 (doubling from T1 to 64 T1)", n)
	}
	await(t, leg.Done(), "the leg's end")
	if !errors.Is(leg.Err(), cti.ErrLineLost) {
		t.Errorf("Err = %v", leg.Err())
	}
}

// Requests are sent again at doubling intervals, on the clock.
func TestRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		ok := sip.Repeated(nil, nil, time.Second, 4*time.Second, 20*time.Second, func() { at = append(at, time.Since(began)) })
		want := []time.Duration{1, 3, 7, 11, 15, 19}
		for i := range want {
			if len(at) != len(want) || at[i] != want[i]*time.Second {
				t.Fatalf("sent at %v, want %v s", at, want)
			}
		}
		if ok || time.Since(began) != 20*time.Second {
			t.Errorf("gave up after %v", time.Since(began))
		}
		done := make(chan struct{})
		close(done)
		if !sip.Repeated(done, nil, time.Second, 0, time.Minute, func() {}) {
			t.Error("not done")
		}
	})
}

// A caller that insists gets its ringing reliably, and our offer in it where it
// made none; the answer comes in the PRACK.
func TestReliableRingingWithLateOffer(t *testing.T) {
	r := start(t)
	release := make(chan struct{})
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		<-release
		return answerAndWait(ctx, leg)
	})
	w := r.raw("127.0.0.1")
	w.send(w.invite("lateoffer", "Content-Type: application/sdp", "Require: 100rel", "{sdp}", ""))
	ring := w.expect("INVITE", 180)
	if ring.Get("RSeq") == "" || !strings.Contains(ring.Body, "m=audio") {
		t.Fatalf("180: %+v\n%s", ring.Headers, ring.Body)
	}
	close(release)
	w.prack(2, ring, "\r\n\r\n", "\r\nContent-Type: application/sdp\r\n\r\n{sdp}")
	w.expect("PRACK", 200)
	ok := w.expect("INVITE", 200)
	if ok.Body != "" {
		t.Errorf("the 200 describes again:\n%s", ok.Body)
	}
	w.send(w.within("ACK", 1, ok))
	if law := r.leg().Media().Law(); law != 8 {
		t.Errorf("law %v", law)
	}
}

func TestPrackSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		setting, header string
		code            int
		reliable        bool // the 180
	}{
		"off, required":  {"off", must100, 420, false},
		"off, supported": {"off", can100, 200, false},
		"on, required":   {"on", must100, 200, true},
		"required":       {"required", must100, 200, true},
		"required, none": {"required", "Content-Type", 421, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].PRACK = tt.setting })
			w := r.raw("127.0.0.1")
			w.send(w.invite("set", "Content-Type", tt.header))
			res := w.expect("INVITE", 180, 420, 421)
			if got := res.Get("RSeq") != ""; got != tt.reliable {
				t.Errorf("%s: reliable %v", res.Start, got)
			}
			if res.Code() == 180 {
				res = w.expect("INVITE", 200)
			}
			if res.Code() != tt.code {
				t.Errorf("%s, want %d", res.Start, tt.code)
			}
		})
	}
}

// The peer's provisional responses are acknowledged in their order, each branch
// of a fork by itself.
func TestPeersReliableResponses(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	if !strings.Contains(invite.Get("Supported"), "100rel") {
		t.Errorf("Supported %q", invite.Get("Supported"))
	}
	w.reply(invite, 183, "one", "Require", "100rel", "RSeq", "7", "Content-Type", "application/sdp")
	first := w.request("PRACK")
	if first.Get("RAck") != "7 1 INVITE" || first.Tag("To") != "one" || first.Seq() != 2 {
		t.Errorf("PRACK %+v", first.Headers)
	}
	w.reply(first, 200, "")
	w.reply(invite, 180, "one", "Require", "100rel", "RSeq", "9") // 8 is missing
	w.reply(invite, 180, "two", "Require", "100rel", "RSeq", "1")
	other := w.request("PRACK")
	if other.Get("RAck") != "1 1 INVITE" || other.Tag("To") != "two" {
		t.Errorf("PRACK %+v", other.Headers)
	}
	w.reply(other, 200, "")
	w.reply(invite, 183, "one", "Require", "100rel", "RSeq", "8")
	if m := w.request("PRACK"); m.Get("RAck") != "8 1 INVITE" || m.Tag("To") != "one" || m.Seq() != 3 {
		t.Errorf("PRACK %+v", m.Headers)
	} else {
		w.reply(m, 200, "")
	}
	w.reply(invite, 200, "one")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	if ack := w.request("ACK"); ack.Seq() != 1 || ack.Tag("To") != "one" {
		t.Errorf("ACK %+v", ack.Headers)
	}
	leg.Hangup(cti.CauseNormal)
	if bye := w.request("BYE"); bye.Seq() != 4 {
		t.Errorf("BYE %d", bye.Seq())
	}
}
