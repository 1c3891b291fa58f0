package ctitest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
)

var (
	_ cti.Leg    = (*ctitest.Leg)(nil)
	_ media.Port = (*ctitest.Port)(nil)
	_ cti.Dialer = ctitest.Dialer{}
)

func TestLegOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := ctitest.Dialer{Ring: func(l *ctitest.Leg) {
			time.AfterFunc(time.Second, l.Alert)
			time.AfterFunc(3*time.Second, l.PickUp)
			time.AfterFunc(9*time.Second, l.RemoteHangup)
		}}
		start := time.Now()
		leg, err := d.Dial(t.Context(), "sip:1001", cti.Number{Raw: "13800138000"}, "call")
		if err != nil {
			t.Fatal(err)
		}
		<-leg.Alerting()
		if at := time.Since(start); at != time.Second {
			t.Errorf("alerting after %v", at)
		}
		if err := leg.Answer(t.Context()); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("Answer = %v after %v", err, time.Since(start))
		}
		<-leg.Done()
		if !errors.Is(leg.Err(), cti.ErrRemoteHangup) || time.Since(start) != 9*time.Second {
			t.Errorf("Err = %v after %v", leg.Err(), time.Since(start))
		}
	})
}

func TestLegRefused(t *testing.T) {
	leg := ctitest.NewLeg(cti.Origin{Direction: cti.Out, Device: "sip:1001"}, nil)
	leg.Refuse(cti.ErrBusy)
	if err := leg.Answer(context.Background()); !errors.Is(err, cti.ErrBusy) {
		t.Errorf("Answer = %v", err)
	}
	leg.Hangup(cti.CauseNormal)
	if cause, hung := leg.Cause(); hung {
		t.Errorf("hung up with %q what was over", cause)
	}
}

func TestLegIn(t *testing.T) {
	leg := ctitest.Incoming("13800138000", "4001234567")
	if err := leg.Answer(context.Background()); err != nil || leg.Origin().DID != "4001234567" {
		t.Errorf("Answer = %v, %+v", err, leg.Origin())
	}
	leg.Hangup(cti.CauseBusy)
	if cause, hung := leg.Cause(); !hung || cause != cti.CauseBusy || leg.Err() != nil {
		t.Errorf("cause %q, Err %v", cause, leg.Err())
	}
}

// heardBy is a sink that counts samples.
type heardBy struct{ end int64 }

func (h *heardBy) Sound(_ media.Side, at int64, payload []byte) { h.end = at + int64(len(payload)) }

func TestPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := ctitest.NewPort(media.PCMU)
		prompt := media.NewPrompt("welcome", ctitest.Sine(440, 16000))
		start := time.Now()
		if err := p.Play(t.Context(), prompt); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("Play = %v after %v", err, time.Since(start))
		}
		prompt.Loop = true
		time.AfterFunc(time.Second, p.Close)
		if err := p.Play(t.Context(), prompt); !errors.Is(err, media.ErrClosed) {
			t.Errorf("Play on a closed port = %v", err)
		}
		if played := p.Played(); len(played) != 2 || played[0] != "welcome" {
			t.Errorf("played %q", played)
		}
		p.Press("1#")
		if a, b := <-p.Digits(), <-p.Digits(); a != '1' || b != '#' {
			t.Errorf("digits %c %c", a, b)
		}
		p.Send("42")
		var sink heardBy
		p.Tap(&sink)
		p.Speak(make([]byte, 160))
		p.Speak(make([]byte, 160))
		if p.Sent() != "42" || sink.end != 320 || p.Stats().Received != 2 {
			t.Errorf("sent %q, %d samples, %+v", p.Sent(), sink.end, p.Stats())
		}
	})
}
