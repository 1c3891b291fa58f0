package sip_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// Sound flows before the answer, and the answer says the same again.
func TestProgress(t *testing.T) {
	r := start(t)
	answer, progress := r.calls.hold()
	w := r.raw("127.0.0.1")
	w.send(w.invite("progress"))
	w.expect("INVITE", 180)
	progress()
	early := w.expect("INVITE", 183)
	if early.Get("RSeq") != "" || !strings.Contains(early.Body, "m=audio") {
		t.Errorf("183: %+v\n%s", early.Headers, early.Body)
	}
	leg := r.leg()
	if err := leg.(cti.Progresser).Progress(patient(t)); err != nil {
		t.Errorf("a second Progress: %v", err)
	}
	answer()
	ok := w.expect("INVITE", 200)
	if ok.Body != early.Body || ok.Tag("To") != early.Tag("To") {
		t.Errorf("200 says\n%s\n183 said\n%s", ok.Body, early.Body)
	}
	w.send(w.within("ACK", 1, ok))
	if err := leg.(cti.Progresser).Progress(patient(t)); err != nil {
		t.Errorf("Progress of one who talks: %v", err)
	}
}

func TestProgressCarriesSound(t *testing.T) {
	r := start(t)
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		if err := leg.(cti.Progresser).Progress(ctx); err != nil {
			return err
		}
		return wait(ctx, leg)
	})
	call, err := r.phone(ctitest.PhoneConfig{}).Call(patient(t), "400", ctitest.CallOptions{From: "1"})
	if err != nil {
		t.Fatal(err)
	}
	leg := r.leg()
	eventually(t, "RTP before the answer", func() bool { return leg.Media().Stats().Sent > 5 })
	call.Hangup()
	await(t, leg.Done(), "the leg's end")
}

func TestProgressWithoutOffer(t *testing.T) {
	r := start(t)
	result := make(chan error, 1)
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		result <- leg.(cti.Progresser).Progress(ctx)
		return wait(ctx, leg)
	})
	w := r.raw("127.0.0.1")
	w.send(w.invite("nooffer", "Content-Type: application/sdp\r\n", "", "{sdp}", ""))
	if err := <-result; !errors.Is(err, cti.ErrNotServed) {
		t.Errorf("Progress = %v", err)
	}
}

// A caller may say BYE before the answer; the INVITE has its answer then, too.
func TestByeBeforeAnswer(t *testing.T) {
	r := start(t)
	r.calls.do(wait)
	w := r.raw("127.0.0.1")
	w.send(w.invite("earlybye"))
	ring := w.expect("INVITE", 180)
	leg := r.leg()
	w.send(w.within("BYE", 2, ring))
	codes := map[int]bool{}
	for range 2 {
		codes[w.next(patience).Code()] = true
	}
	if !codes[200] || !codes[487] {
		t.Errorf("got %v", codes)
	}
	await(t, leg.Done(), "the leg's end")
	if !errors.Is(leg.Err(), cti.ErrRemoteHangup) {
		t.Errorf("Err = %v", leg.Err())
	}
}

// An UPDATE without an offer moves an early dialog; one with an offer must wait
// until the first offer is answered.
func TestUpdateBeforeAnswer(t *testing.T) {
	r := start(t)
	answer, progress := r.calls.hold()
	w, other := r.raw("127.0.0.1"), r.raw("127.0.0.1")
	w.send(w.invite("earlyupdate", "Content-Type", can100))
	ring := w.expect("INVITE", 180)
	w.send(w.within("UPDATE", 2, ring, "Content-Length", "Content-Type: application/sdp\r\nContent-Length", "\r\n\r\n", "\r\n\r\n{sdp}"))
	if res := w.expect("UPDATE", 500); res.Get("Retry-After") == "" {
		t.Error("500 without Retry-After")
	}
	progress()
	early := w.expect("INVITE", 183)
	w.prack(3, early)
	w.expect("PRACK", 200)
	w.send(w.within("UPDATE", 4, ring, "Content-Length", "Content-Type: application/sdp\r\nContent-Length", "\r\n\r\n", "\r\n\r\n"+heldSDP("sendonly", 2)))
	if res := w.expect("UPDATE", 200); !strings.Contains(res.Body, "a=recvonly") {
		t.Errorf("UPDATE answered by\n%s", res.Body)
	}
	w.send(w.within("UPDATE", 5, ring, "<sip:caller@{me}>", "<sip:moved@"+other.addr()+">"))
	w.expect("UPDATE", 200)
	answer()
	ok := w.expect("INVITE", 200)
	if !strings.Contains(ok.Body, "a=recvonly") {
		t.Errorf("200 says\n%s", ok.Body)
	}
	w.send(w.within("ACK", 1, ok))
	leg := r.leg()
	leg.Hangup(cti.CauseNormal)
	if bye := other.request("BYE"); !strings.HasPrefix(bye.URI(), "sip:moved@") {
		t.Errorf("BYE to %q", bye.URI())
	}
}

// Of several branches that ring the latest is heard, until one answers.
func TestForkedEarlySound(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward())
	leg := r.dial("trunk:out/139")
	invite := w.request("INVITE")
	one, two := soundSocket(t), soundSocket(t)
	w.describe(invite, 183, "one", one)
	one.hears("the first branch")
	w.describe(invite, 183, "two", two)
	two.hears("the second branch")
	w.send(w.inside("UPDATE", 1, invite, "tag=uas", "tag=two"))
	w.expect("UPDATE", 200)
	w.send(w.inside("UPDATE", 1, invite, "tag=uas", "tag=none", "z9hG4bKUPDATE1", "z9hG4bKUPDATEnone"))
	w.expect("UPDATE", 481)
	w.describe(invite, 200, "one", nil) // as it said before
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	if ack := w.request("ACK"); ack.Tag("To") != "one" {
		t.Errorf("ACK to %q", ack.Tag("To"))
	}
	one.drain()
	one.hears("who answered")
	w.send(w.inside("UPDATE", 2, invite, "tag=uas", "tag=two"))
	w.expect("UPDATE", 481)
	leg.Hangup(cti.CauseNormal)
	if bye := w.request("BYE"); bye.Tag("To") != "one" {
		t.Errorf("BYE to %q", bye.Tag("To"))
	}
}

// Nothing of an early dialog is kept for a run after a crash, and it takes no
// second INVITE.
func TestEarlyDialogIsNotKept(t *testing.T) {
	r := start(t)
	r.calls.do(wait)
	w := r.raw("127.0.0.1")
	invite := w.invite("notkept")
	w.send(invite)
	ring := w.expect("INVITE", 180)
	w.send(w.within("UPDATE", 2, ring))
	w.expect("UPDATE", 200)
	w.send(w.within("INVITE", 3, ring))
	if res := w.expect("INVITE", 500); res.Get("Retry-After") == "" {
		t.Error("500 without Retry-After")
	}
	if n := r.dialogs.size(); n != 0 {
		t.Errorf("%d rows of a call that rings", n)
	}
	w.send(cancelOf(invite))
	w.expect("INVITE", 487)
	w.send(w.within("UPDATE", 4, ring))
	w.expect("UPDATE", 481)
}
