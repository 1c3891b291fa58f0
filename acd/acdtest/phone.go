package acdtest

import (
	"context"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// Phone is how an agent's phone behaves when it is rung.
type Phone struct {
	Alerts  time.Duration // rings after so long
	After   time.Duration // then, after so long, picks up …
	Refuses error         // … or refuses with this (cti.ErrBusy, cti.ErrRejected)
	Never   bool          // lets it ring
	Talk    time.Duration // hangs up after so long; 0: leaves that to the caller
	Dead    error         // cannot be rung at all
}

// Phones are all agents' phones: a cti.Dialer and the floor's Phones.
type Phones struct {
	mu    sync.Mutex
	plans map[string]Phone
	gone  map[string]bool
	rings []Ring
	legs  []*ctitest.Leg
}

func newPhones() *Phones { return &Phones{plans: map[string]Phone{}, gone: map[string]bool{}} }

// Ring is one time a phone was rung.
type Ring struct {
	Extension string
	At        time.Time
}

// Plan says how an extension's phone behaves from now on.
func (p *Phones) Plan(extension string, plan Phone) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plans[extension] = plan
}

// Plug connects a phone, or takes it away.
func (p *Phones) Plug(extension string, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone[extension] = !there
}

// Reachable is the floor's question.
func (p *Phones) Reachable(extension string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.gone[extension]
}

// Rings are the extensions rung so far, in order.
func (p *Phones) Rings() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, r := range p.rings {
		out = append(out, r.Extension)
	}
	return out
}

// Live is how many of the phones' legs are not over.
func (p *Phones) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, l := range p.legs {
		if !over(l, 0) {
			n++
		}
	}
	return n
}

// Dial rings a phone.
func (p *Phones) Dial(_ context.Context, d cti.Device, _ cti.Number, _ string) (cti.Leg, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan := p.plans[d.Address()]
	p.rings = append(p.rings, Ring{d.Address(), time.Now()})
	if plan.Dead != nil {
		return nil, plan.Dead
	}
	leg := ctitest.NewLeg(cti.Origin{Direction: cti.Out, Device: d}, nil)
	p.legs = append(p.legs, leg)
	guard.Go("phone", nil, func() { plan.act(leg) })
	return leg, nil
}

// act is what happens at the phone until the leg is over.
func (p Phone) act(leg *ctitest.Leg) {
	if over(leg, p.Alerts) {
		return
	}
	leg.Alert()
	if p.Never || over(leg, p.After) {
		return
	}
	if p.Refuses != nil {
		leg.Refuse(p.Refuses)
		return
	}
	leg.PickUp()
	if p.Talk > 0 && !over(leg, p.Talk) {
		leg.RemoteHangup()
	}
}
