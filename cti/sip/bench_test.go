package sip_test

import (
	"context"
	"fmt"
	"testing"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// BenchmarkIncomingCall is one call after the other over loopback: INVITE,
// 180, 200, ACK, BYE, 200, with a media port each. Both ends are counted.
func BenchmarkIncomingCall(b *testing.B) {
	r := start(b)
	w := r.raw("127.0.0.1")
	n := 0
	for b.Loop() {
		n++
		w.send(w.invite(fmt.Sprint("bench", n)))
		ok := w.expect("INVITE", 200)
		w.send(w.within("ACK", 1, ok))
		w.send(w.within("BYE", 2, ok))
		w.expect("BYE", 200)
	}
}

// BenchmarkRing is the way from Dial to Alerting: the part of the screen pop
// that is SIP's.
func BenchmarkRing(b *testing.B) {
	w := carrierSocket(b)
	r := start(b, w.toward())
	for b.Loop() {
		leg, err := r.Dial(context.Background(), "trunk:out/139", cti.Number{Raw: "138"}, "c")
		if err != nil {
			b.Fatal(err)
		}
		var invite *ctitest.Message
		for invite == nil || invite.Method() != "INVITE" {
			invite = w.next(patience)
		}
		w.reply(invite, 180, "uas")
		<-leg.Alerting()
		w.reply(invite, 486, "uas")
		<-leg.Done()
	}
}
