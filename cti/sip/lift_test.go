package sip_test

import (
	"errors"
	"testing"

	"callbox/cti"
	"callbox/internal/guard"
)

// A ringing desk phone is asked to answer by NOTIFY with Event talk in its early
// dialog; one that does not know that says so, and is still to be lifted.
func TestPhoneIsAnsweredFromHere(t *testing.T) {
	for code, want := range map[int]error{200: nil, 489: cti.ErrWrongState} {
		r := start(t)
		w := r.desk("127.0.0.1", "1001")
		leg := r.dial("sip:1001")
		lifter := leg.(cti.Lifter)
		if err := lifter.Lift(patient(t)); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("before it rings: %v", err)
		}
		invite := w.request("INVITE")
		w.reply(invite, 180, "uas")
		await(t, leg.Alerting(), "alerting")
		said := make(chan error, 1)
		guard.Go("lift", nil, func() { said <- lifter.Lift(patient(t)) })
		notify := w.request("NOTIFY")
		if notify.Get("Event") != "talk" || notify.Tag("To") != "uas" || notify.Get("Call-ID") != invite.Get("Call-ID") || notify.Seq() <= invite.Seq() {
			t.Errorf("%s %v", notify.Start, notify.Headers)
		}
		w.send(string(notify.Reply(code, "", "").Bytes()))
		if err := <-said; !errors.Is(err, want) {
			t.Errorf("%d: Lift = %v, want %v", code, err, want)
		}
		w.reply(invite, 200, "uas") // by itself, or lifted
		if err := leg.Answer(patient(t)); err != nil {
			t.Fatal(err)
		}
		if ack := w.request("ACK"); ack.Seq() != invite.Seq() {
			t.Errorf("ACK %d, INVITE %d", ack.Seq(), invite.Seq())
		}
		if err := lifter.Lift(patient(t)); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("in the talk: %v", err)
		}
		leg.Hangup(cti.CauseNormal)
		bye := w.request("BYE")
		if bye.Seq() <= notify.Seq() {
			t.Errorf("BYE %d behind NOTIFY %d", bye.Seq(), notify.Seq())
		}
		w.send(string(bye.Reply(200, "OK", "").Bytes()))
	}
}
