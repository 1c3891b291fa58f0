package cti_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// page is a leg that its party answers and refuses by a click.
type page struct{ *ctitest.Leg }

func (p *page) Lift(context.Context) error { p.PickUp(); return nil }

func (p *page) Reject() bool {
	select {
	case <-p.Answered():
		return false
	case <-p.Done():
		return false
	default:
		p.Refuse(cti.ErrRejected)
		return true
	}
}

// pages are a house's agents 1001… at pages.
type pages struct {
	*house
	rung []*page
}

func (p *pages) Dial(_ context.Context, d cti.Device, _ cti.Number, _ string) (cti.Leg, error) {
	leg := &page{p.leg(cti.Origin{Direction: cti.Out, Device: d})}
	leg.Alert()
	p.rung = append(p.rung, leg)
	return leg, nil
}

// inBrowsers is a talk of the caller with an agent at a page.
func inBrowsers(t *testing.T, test func(t *testing.T, call *cti.Call, p *pages)) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		p := &pages{house: &house{}}
		x.Register(cti.Browser, p)
		x.flows["desk"] = func(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
			test(t, call, p)
			return cti.Outcome{Kind: cti.Completed}, nil
		}
		if _, err := x.Make(t.Context(), cti.Order{To: "13900139000", Flow: "desk"}); err != nil {
			t.Fatal(err)
		}
		x.rung(t, "trunk:carrier/13900139000").PickUp()
		synctest.Wait()
	})
}

func TestRingOwn(t *testing.T) {
	ran := false
	inBrowsers(t, func(t *testing.T, call *cti.Call, p *pages) {
		ran = true
		own, err := call.RingOwn(t.Context(), "browser:1001")
		if err != nil || own.Answer(t.Context()) != nil {
			t.Errorf("the own page: %v", err)
		}
		if _, err := call.Ring(t.Context(), "browser:1002"); err != nil {
			t.Error(err)
		}
		select {
		case <-p.rung[1].Answered():
			t.Error("another's page answers by itself")
		default:
		}
		phone, err := call.RingOwn(t.Context(), "sip:1001")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-phone.(*ctitest.Leg).Answered():
			t.Error("a telephone answers by itself")
		default:
		}
	})
	if !ran {
		t.Error("the flow did not run")
	}
}

// What a page says is kept at its own leg, the newest.
func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		x.Register(cti.Browser, &pages{house: &house{}})
		x.flows["desk"] = func(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
			leg, err := call.RingOwn(ctx, "browser:1001")
			if err != nil {
				return cti.Outcome{Kind: cti.Failed}, err
			}
			return call.Bridge(ctx, cti.Ref{ID: "1001"}, leg)
		}
		made, err := x.Make(t.Context(), cti.Order{To: "13900139000", Flow: "desk"})
		if err != nil {
			t.Fatal(err)
		}
		caller := x.rung(t, "trunk:carrier/13900139000")
		caller.PickUp()
		synctest.Wait()
		for _, rtt := range []float64{30, 12.5} {
			if err := x.Observe(made.ID, "1001", cti.BrowserView{RTTMS: &rtt, Device: "USB"}); err != nil {
				t.Fatal(err)
			}
		}
		for call, agent := range map[string]string{made.ID: "1002", "another": "1001"} {
			if err := x.Observe(call, agent, cti.BrowserView{}); !errors.Is(err, cti.ErrNotFound) {
				t.Errorf("Observe(%s, %s) = %v", call, agent, err)
			}
		}
		r, _ := x.Call(made.ID)
		if v := r.Legs[1].Browser; v == nil || *v.RTTMS != 12.5 || v.Device != "USB" || r.Legs[0].Browser != nil {
			t.Errorf("legs %+v", r.Legs)
		}
		caller.RemoteHangup()
		synctest.Wait()
	})
}

// absent is a leg whose party may be away.
type absent struct {
	*ctitest.Leg
	quiet *bool
}

func (a absent) Quiet(others bool) { *a.quiet = others }

type absents struct {
	*house
	quiet map[cti.Device]*bool
}

func (a *absents) Dial(ctx context.Context, d cti.Device, as cti.Number, call string) (cti.Leg, error) {
	leg, err := a.house.Dial(ctx, d, as, call)
	if err != nil {
		return nil, err
	}
	a.quiet[d] = new(bool)
	return absent{leg.(*ctitest.Leg), a.quiet[d]}, nil
}

// Who is away is missed by a sound only where nobody else is heard.
func TestWhoIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := talk(t)
		a := &absents{h, map[cti.Device]*bool{}}
		h.Register("sip", a)
		h.must(t, "1001", cti.CmdConsultationCall, to("1002"))
		h.phone(t, "1002").PickUp()
		h.must(t, "2001", cti.CmdSupervise, map[string]any{"mode": cti.ModeListen})
		h.phone(t, "2001").PickUp()
		synctest.Wait()
		if *a.quiet["sip:1002"] || !*a.quiet["sip:2001"] {
			t.Errorf("asked: quiet %v; listens: quiet %v", *a.quiet["sip:1002"], *a.quiet["sip:2001"])
		}
		h.must(t, "1001", cti.CmdConferenceCall, nil)
		if !*a.quiet["sip:1002"] {
			t.Error("one of a conference is missed with a sound")
		}
		h.must(t, "1001", cti.CmdClearConnection, nil)
		if *a.quiet["sip:1002"] {
			t.Error("the last one with the caller is not missed, as somebody listens in")
		}
		h.caller.RemoteHangup()
		synctest.Wait()
	})
}

// Where an agent's page is lost in a talk, the record does not say that the agent
// hung up.
func TestPageIsLostInATalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := talk(t)
		h.phone(t, "1001").Refuse(cti.ErrLineLost)
		r := h.ends(t)
		if *r.Result != cti.ResultAnswered || r.Cause != cti.CauseLineLost || r.HangupSide != cti.LineSide {
			t.Errorf("%s %s, side %s", *r.Result, r.Cause, r.HangupSide)
		}
	})
}
