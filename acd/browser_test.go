package acd_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"
)

// pages are the agents' pages that are phones: the floor's Browsers, and their
// dialer.
type pages struct {
	mu   sync.Mutex
	open map[string]bool
	legs []*page
}

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
	}
	p.Refuse(cti.ErrRejected)
	return true
}

func (p *pages) Reachable(agent string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[agent]
}

func (p *pages) Dial(_ context.Context, d cti.Device, _ cti.Number, _ string) (cti.Leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	leg := &page{ctitest.NewLeg(cti.Origin{Direction: cti.Out, Device: d}, nil)}
	leg.Alert()
	p.legs = append(p.legs, leg)
	return leg, nil
}

func (p *pages) last(t *testing.T) *page {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.legs) == 0 {
		t.Fatal("no page was rung")
	}
	return p.legs[len(p.legs)-1]
}

// show opens or closes an agent's page.
func (p *pages) show(floor *acdtest.Floor, agent string, open bool) {
	p.mu.Lock()
	p.open[agent] = open
	p.mu.Unlock()
	floor.PhoneChanged(agent)
	synctest.Wait()
}

// withPages runs a floor with two agents in repair, of whom the second has no
// extension.
func withPages(t *testing.T, test func(t *testing.T, floor *acdtest.Floor, p *pages)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pages{open: map[string]bool{}}
		floor := acdtest.Start(t, acd.Config{
			Agents: []acd.Agent{
				{ID: "1", Name: "Wang", Extension: "801", Queues: []string{"repair"}},
				{ID: "2", Name: "Li", Queues: []string{"repair"}},
			},
			Queues: []acd.Queue{{ID: "repair", RingTimeout: 10 * time.Second, WrapUp: time.Second}},
		}, func(d *acd.Deps) { d.Browsers = p })
		floor.Server.Register(cti.Browser, p)
		test(t, floor, p)
		floor.Stop()
	})
}

func TestPageBeforeTelephone(t *testing.T) {
	withPages(t, func(t *testing.T, floor *acdtest.Floor, p *pages) {
		floor.Seat(t, "1", "2")
		wantDevice := func(agent, device string) {
			t.Helper()
			synctest.Wait()
			if d := floor.Desk(t, agent); d.Device != device || d.Phone != (device != "") {
				t.Errorf("desk of %s: device %q, phone %v, want %q", agent, d.Device, d.Phone, device)
			}
		}
		wantDevice("1", "sip")
		wantDevice("2", "")
		p.show(floor, "1", true)
		p.show(floor, "2", true)
		wantDevice("1", "browser")
		wantDevice("2", "browser")
		if _, device, err := floor.Floor.Seat(t.Context(), "1"); err != nil || device != "browser:1" {
			t.Errorf("Seat = %s, %v", device, err)
		}
		floor.Phones.Plug("801", false)
		floor.PhoneChanged("801")
		wantDevice("1", "browser")
		p.show(floor, "1", false)
		wantDevice("1", "")
		events := floor.Store.Events(cti.EventAgentReady)
		if got := events[len(events)-1].UserData["device"]; got != "" {
			t.Errorf("the last event tells of device %q", got)
		}
	})
}

// A page that is offered a call is answered by a click, and refused by one; the
// next agent has it then.
func TestQueueRingsPages(t *testing.T) {
	withPages(t, func(t *testing.T, floor *acdtest.Floor, p *pages) {
		floor.Phones.Plug("801", false)
		floor.PhoneChanged("801")
		p.show(floor, "1", true)
		p.show(floor, "2", true)
		floor.Seat(t, "1", "2")
		caller := floor.Call(cti.Wanted{Queue: "repair"})
		first := p.last(t)
		time.Sleep(2 * time.Second)
		select {
		case <-first.Answered():
			t.Fatal("a queue's call answered itself")
		default:
		}
		refuser, taker := first.Device().Address(), map[string]string{"1": "2", "2": "1"}[first.Device().Address()]
		call := floor.Server.Calls()[0].ID
		if _, err := floor.Server.Do(t.Context(), call, cti.Command{Name: cti.CmdClearConnection, By: refuser}); err != nil {
			t.Fatalf("refused: %v", err)
		}
		if second := p.last(t); second == first || second.Device().Address() != taker {
			t.Fatalf("%s was rung after the refusal", second.Device())
		}
		if _, err := floor.Server.Do(t.Context(), call, cti.Command{Name: cti.CmdAnswerCall, By: taker}); err != nil {
			t.Fatalf("answered: %v", err)
		}
		synctest.Wait()
		r, _ := floor.Server.Call(call)
		if r.Agent == nil || r.Agent.ID != taker || len(r.Offers) != 2 || r.Offers[0].Outcome != cti.OfferRejected {
			t.Errorf("record %+v", r)
		}
		caller.RemoteHangup()
		time.Sleep(time.Minute)
	})
}

// An agent who clicked need not click again.
func TestOwnCallAnswersItself(t *testing.T) {
	withPages(t, func(t *testing.T, floor *acdtest.Floor, p *pages) {
		p.show(floor, "2", true)
		floor.Seat(t, "2")
		floor.Abroad.Plan(abroad, acdtest.Phone{Alerts: time.Second, After: time.Second, Talk: time.Minute})
		if _, err := floor.Make("2", customer); err != nil {
			t.Fatal(err)
		}
		leg := p.last(t)
		select {
		case <-leg.Answered():
		default:
			t.Fatal("the own page rings and waits")
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if r := floor.Store.Record(""); *r.Result != cti.ResultAnswered || r.Legs[1].Device != "browser:2" {
			t.Errorf("record %+v", r)
		}
	})
}

func TestSeatWithoutADesk(t *testing.T) {
	withPages(t, func(t *testing.T, floor *acdtest.Floor, p *pages) {
		p.show(floor, "boss", true)
		who, device, err := floor.Floor.Seat(t.Context(), "boss")
		if err != nil || who.ID != "boss" || device != "browser:boss" {
			t.Errorf("Seat = %+v, %s, %v", who, device, err)
		}
		p.show(floor, "boss", false)
		if _, _, err := floor.Floor.Seat(t.Context(), "boss"); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("Seat without a page = %v", err)
		}
	})
}
