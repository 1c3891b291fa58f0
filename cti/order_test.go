package cti_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// exchange is a server whose ways out, desks and phones are legs in memory.
type exchange struct {
	*cti.Server
	ledger *ledger
	flows  map[string]handler

	mu    sync.Mutex
	legs  map[cti.Device]*ctitest.Leg
	as    map[cti.Device]cti.Number
	lent  map[string]int // by agent
	freed map[string]int
}

func newExchange(rules cti.Dialing) *exchange {
	x := &exchange{
		ledger: &ledger{}, flows: map[string]handler{}, legs: map[cti.Device]*ctitest.Leg{}, as: map[cti.Device]cti.Number{},
		lent: map[string]int{}, freed: map[string]int{},
	}
	x.Server = cti.NewServer(cti.Config{AreaCode: "0571", Dialing: rules, Log: slog.New(slog.DiscardHandler)},
		cti.Deps{Engine: engine{}, Recorder: shelf{}, Ledger: x.ledger})
	x.Register("trunk", x)
	x.Register("sip", x)
	x.SetRouter(x)
	x.SetOutgoing(x, x)
	return x
}

func (x *exchange) Exits(to cti.Number) []cti.Exit {
	return []cti.Exit{{Device: cti.Device("trunk:carrier/" + to.Raw), As: cti.Number{Raw: "4001234567"}, Line: "carrier"}}
}

func (x *exchange) Dial(_ context.Context, d cti.Device, as cti.Number, _ string) (cti.Leg, error) {
	leg := ctitest.NewLeg(cti.Origin{Direction: cti.Out, Device: d}, nil)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.legs[d], x.as[d] = leg, as
	return leg, nil
}

// rung is the leg that was dialled to d, once it is.
func (x *exchange) rung(t *testing.T, d cti.Device) *ctitest.Leg {
	t.Helper()
	synctest.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.legs[d] == nil {
		t.Fatalf("nobody dialled %s", d)
	}
	return x.legs[d]
}

func (x *exchange) Route(_ cti.Origin, next cti.Target) (cti.Handler, error) {
	if h, ok := x.flows[next.Flow]; ok {
		return h, nil
	}
	return nil, cti.ErrNotFound
}

func (x *exchange) Find(word string) (cti.Target, bool) {
	if word == "1001" || word == "1002" {
		return cti.Target{Agent: word}, true
	}
	return cti.Target{}, false
}

// Reserve gives a handler that rings the agent's phone as the floor's does.
func (x *exchange) Reserve(_ context.Context, agent, _ string) (cti.Ref, cti.Handler, error) {
	if _, ok := x.Find(agent); !ok {
		return cti.Ref{}, nil, cti.ErrWrongState
	}
	ref := cti.Ref{ID: agent, Name: "王芳"}
	return ref, handler(func(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
		leg, err := call.Ring(ctx, cti.Device("sip:"+agent))
		if err == nil {
			err = leg.Answer(ctx)
		}
		if err != nil {
			return cti.Outcome{Kind: cti.Failed}, nil
		}
		return call.Connect(ctx, ref, leg)
	}), nil
}

func (x *exchange) Lend(_ context.Context, t cti.Target, _ string) (cti.Desk, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lent[t.Agent] > x.freed[t.Agent] {
		return nil, cti.ErrWrongState
	}
	x.lent[t.Agent]++
	return lentDesk{x, t.Agent}, nil
}

func (x *exchange) Seat(context.Context, string) (cti.Ref, cti.Device, error) {
	return cti.Ref{}, "", cti.ErrNotFound
}

type lentDesk struct {
	x     *exchange
	agent string
}

func (d lentDesk) Agent() cti.Ref              { return cti.Ref{ID: d.agent, Name: "李雷"} }
func (d lentDesk) Device() cti.Device          { return cti.Device("sip:" + d.agent) }
func (d lentDesk) Ring() time.Duration         { return 20 * time.Second }
func (d lentDesk) Picked(context.Context) bool { return true }
func (d lentDesk) Free(bool) {
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	d.x.freed[d.agent]++
}

// last is the one record that was closed.
func (x *exchange) last(t *testing.T) cti.CDR {
	t.Helper()
	synctest.Wait()
	x.ledger.mu.Lock()
	defer x.ledger.mu.Unlock()
	if len(x.ledger.final) != 1 {
		t.Fatalf("%d records closed, want 1", len(x.ledger.final))
	}
	return x.ledger.final[0]
}

func TestCallForAFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		heard := ""
		x.flows["remind"] = func(_ context.Context, c *cti.Call) (cti.Outcome, error) {
			heard, _ = c.Record().UserData["ticket"].(string)
			return cti.Outcome{Kind: cti.Completed}, nil
		}
		if _, err := x.Make(t.Context(), cti.Order{To: "13800138000", Flow: "nobody"}); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("unknown flow: %v, want ErrNotFound", err)
		}
		order := cti.Order{To: "13800138000", Flow: "remind", Vars: map[string]any{"ticket": "T-1"}, Ref: "T-1"}
		if _, err := x.Make(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		x.rung(t, "trunk:carrier/13800138000").PickUp()
		r := x.last(t)
		if heard != "T-1" || *r.Result != cti.ResultCompleted || r.Ref != "T-1" || r.Direction != cti.Out {
			t.Errorf("heard %q; record %s %s %s", heard, *r.Result, r.Ref, r.Direction)
		}
	})
}

func TestTwoPartiesOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		order := cti.Order{First: "13800138000", To: "13900139000", Ref: "T-2"}
		if _, err := x.Make(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		first := x.rung(t, "trunk:carrier/13800138000")
		first.PickUp()
		second := x.rung(t, "trunk:carrier/13900139000")
		second.PickUp()
		synctest.Wait()
		time.Sleep(10 * time.Second)
		second.RemoteHangup()
		r := x.last(t)
		if *r.Result != cti.ResultAnswered || r.From.E164 != "+8613800138000" || r.To.E164 != "+8613900139000" || len(r.Legs) != 2 {
			t.Errorf("result %s, from %s to %s, %d legs", *r.Result, r.From.E164, r.To.E164, len(r.Legs))
		}
		if r.Agent != nil {
			t.Errorf("agent %+v in a call of none", r.Agent)
		}
		for _, d := range []cti.Device{"trunk:carrier/13800138000", "trunk:carrier/13900139000"} {
			if x.as[d].Raw != "4001234567" {
				t.Errorf("%s sees %q, want the hotline", d, x.as[d].Raw)
			}
		}
		<-first.Done()
	})
}

func TestCallToAColleague(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		if _, err := x.Make(t.Context(), cti.Order{To: "1002", Agent: "1001"}); err != nil {
			t.Fatal(err)
		}
		x.rung(t, "sip:1001").PickUp()
		colleague := x.rung(t, "sip:1002")
		if x.as["sip:1002"].Raw != "1001" {
			t.Errorf("the colleague sees %q, want 1001", x.as["sip:1002"].Raw)
		}
		colleague.PickUp()
		synctest.Wait()
		if e, ok := x.ledger.event(cti.EventEstablished); !ok || e.AgentID != "1001" {
			t.Errorf("established: %+v %v", e, ok)
		}
		colleague.RemoteHangup()
		if r := x.last(t); *r.Result != cti.ResultAnswered || r.Legs[0].Agent != "1002" {
			t.Errorf("result %s, the colleague's leg is %q's", *r.Result, r.Legs[0].Agent)
		}
		if x.lent["1002"] != 1 || x.freed["1002"] != 1 {
			t.Errorf("desk lent %d times, freed %d", x.lent["1002"], x.freed["1002"])
		}
	})
}

// What the colleague's telephone says is in the record.
func TestColleagueDoesNotTakeIt(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse func(*ctitest.Leg)
		want   string
	}{
		"busy":      {func(l *ctitest.Leg) { l.Refuse(cti.ErrBusy) }, cti.OfferBusy},
		"rejects":   {func(l *ctitest.Leg) { l.Refuse(cti.ErrRejected) }, cti.OfferRejected},
		"no answer": {func(*ctitest.Leg) {}, cti.OfferMissed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newExchange(cti.Dialing{})
				if _, err := x.Make(t.Context(), cti.Order{To: "1002", Agent: "1001"}); err != nil {
					t.Fatal(err)
				}
				x.rung(t, "sip:1001").PickUp()
				tt.refuse(x.rung(t, "sip:1002"))
				time.Sleep(time.Minute)
				if r := x.last(t); r.Offers[len(r.Offers)-1].Outcome != tt.want {
					t.Errorf("offers %+v, want %s", r.Offers, tt.want)
				}
				if x.freed["1002"] != 1 {
					t.Errorf("desk freed %d times", x.freed["1002"])
				}
			})
		})
	}
}

func TestPhoneCallsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		phone := handsetLeg("1001", "13800138000")
		over := make(chan error, 1)
		go func() { over <- x.Accept(t.Context(), phone) }()
		far := x.rung(t, "trunk:carrier/13800138000")
		if isClosed(phone.Answered()) || !phone.heard {
			t.Error("the phone is answered before the far side, or does not hear")
		}
		far.PickUp()
		synctest.Wait()
		if !isClosed(phone.Answered()) {
			t.Error("the phone is not answered when the far side is")
		}
		time.Sleep(time.Second)
		phone.RemoteHangup()
		if err := <-over; err != nil {
			t.Errorf("Accept: %v", err)
		}
		r := x.last(t)
		if *r.Result != cti.ResultAnswered || r.Direction != cti.Out || r.Agent == nil || r.Agent.ID != "1001" || r.HangupSide != cti.AgentSide {
			t.Errorf("record %s %s %+v %s", *r.Result, r.Direction, r.Agent, r.HangupSide)
		}
		if n := len(x.legs); n != 1 {
			t.Errorf("%d legs were dialled, want the far side's only", n)
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// handsetOf is a phone that calls: it can hear before it is answered.
type handsetOf struct {
	*ctitest.Leg
	heard bool
}

func (h *handsetOf) Progress(context.Context) error { h.heard = true; return nil }

func (h *handsetOf) Answer(ctx context.Context) error {
	h.PickUp()
	return h.Leg.Answer(ctx)
}

func handsetLeg(extension, to string) *handsetOf {
	return &handsetOf{Leg: ctitest.NewLeg(cti.Origin{
		Direction: cti.Out, Device: cti.Device("sip:" + extension), From: cti.Number{Raw: extension},
		To: cti.Number{Raw: to}, DID: to, Agent: extension,
	}, nil)}
}

func TestPhoneMayNotCallAnywhere(t *testing.T) {
	for _, c := range []struct {
		extension, to, cause string
		rung                 bool
	}{
		{"1001", "0085221234567", "rejected", false},
		{"1001", "12", cti.CauseNotFound, false},
		{"1009", "13800138000", "rejected", false},
		{"1009", "110", "", true}, // whoever holds the phone
	} {
		synctest.Test(t, func(t *testing.T) {
			x := newExchange(cti.Dialing{})
			phone := handsetLeg(c.extension, c.to)
			over := make(chan error, 1)
			go func() { over <- x.Accept(t.Context(), phone) }()
			synctest.Wait()
			if got := len(x.legs) > 0; got != c.rung {
				t.Errorf("%s dials %s: out %v, want %v", c.extension, c.to, got, c.rung)
			}
			if c.rung {
				phone.RemoteHangup()
			}
			<-over
			if c.rung && x.last(t).Times.ACWEnd.IsZero() {
				t.Error("a call without a desk waits for a wrap-up")
			}
			if cause, _ := phone.Cause(); !c.rung && cause != c.cause {
				t.Errorf("%s dials %s: refused with %q, want %q", c.extension, c.to, cause, c.cause)
			}
		})
	}
}

func TestTooManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{Agent: cti.Quota{CallsPerMinute: 1}})
		for i, want := range []error{nil, cti.ErrTooMany, cti.ErrTooMany} {
			if _, err := x.Make(t.Context(), cti.Order{To: "13800138000", Agent: "1001", By: "agent:1001"}); !errors.Is(err, want) {
				t.Errorf("call %d: %v, want %v", i, err, want)
			}
			synctest.Wait()
		}
		alarms := 0
		for _, e := range x.ledger.types() {
			if e == cti.EventAlarm {
				alarms++
			}
		}
		if alarms != 1 {
			t.Errorf("%d alarms, want 1", alarms)
		}
		x.rung(t, "sip:1001").Refuse(cti.ErrRejected)
		synctest.Wait()
	})
}

// A caller in a flow belongs to no agent: whoever may command it may end it.
func TestCallInAFlowIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(cti.Dialing{})
		x.flows[""] = func(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
			err := c.Answer(ctx)
			<-ctx.Done()
			return cti.Outcome{Kind: cti.Gone}, err
		}
		caller := ctitest.Incoming("13800138000", "4001234567")
		over := make(chan error, 1)
		go func() { over <- x.Accept(t.Context(), caller) }()
		synctest.Wait()
		id := x.Calls()[0].ID
		if _, err := x.Do(t.Context(), id, cti.Command{Name: "holdCall"}); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("hold: %v", err)
		}
		if _, err := x.Do(t.Context(), id, cti.Command{Name: cti.CmdClearConnection}); err != nil {
			t.Errorf("clear: %v", err)
		}
		<-over
		if r := x.last(t); *r.Result != cti.ResultCompleted || r.HangupSide != cti.BoxSide || r.Cause != cti.CauseNormal {
			t.Errorf("record %s %s %s", *r.Result, r.HangupSide, r.Cause)
		}
	})
}

// clicked is an agent's telephone that can be answered from the screen.
type clicked struct {
	*ctitest.Leg
	refuses bool
}

func (c *clicked) Lift(context.Context) error {
	if c.refuses {
		return cti.ErrWrongState
	}
	c.PickUp()
	return nil
}

func TestAnswerByAClick(t *testing.T) {
	for name, tt := range map[string]struct {
		phone func(*ctitest.Leg) cti.Leg
		want  error
	}{
		"a phone that can":      {func(l *ctitest.Leg) cti.Leg { return &clicked{Leg: l} }, nil},
		"one that refuses":      {func(l *ctitest.Leg) cti.Leg { return &clicked{Leg: l, refuses: true} }, cti.ErrWrongState},
		"one that knows it not": {func(l *ctitest.Leg) cti.Leg { return l }, cti.ErrWrongState},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newExchange(cti.Dialing{})
				x.flows[""] = func(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
					leg := tt.phone(ctitest.NewLeg(cti.Origin{Direction: cti.Out, Device: "sip:1001"}, nil))
					defer leg.Hangup(cti.CauseNormal)
					c.Delivered(cti.Ref{ID: "1001"}, leg)
					if err := leg.Answer(ctx); err != nil {
						return cti.Outcome{Kind: cti.Gone}, nil
					}
					return cti.Outcome{Kind: cti.Completed}, nil
				}
				caller := ctitest.Incoming("13800138000", "4001234567")
				over := make(chan error, 1)
				go func() { over <- x.Accept(t.Context(), caller) }()
				synctest.Wait()
				id := x.Calls()[0].ID
				if _, err := x.Do(t.Context(), id, cti.Command{Name: cti.CmdAnswerCall, By: "1002"}); !errors.Is(err, cti.ErrWrongState) {
					t.Errorf("whose telephone does not ring: %v", err)
				}
				if _, err := x.Do(t.Context(), id, cti.Command{Name: cti.CmdAnswerCall, By: "1001"}); !errors.Is(err, tt.want) {
					t.Errorf("answerCall: %v, want %v", err, tt.want)
				}
				synctest.Wait()
				if tt.want != nil {
					caller.RemoteHangup()
				}
				<-over
				if r := x.last(t); (*r.Result == cti.ResultCompleted) != (tt.want == nil) {
					t.Errorf("result %s", *r.Result)
				}
			})
		})
	}
}
