package cti

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/internal/guard"
	"callbox/internal/stamp"
)

// deskLimit is how long the floor may take to lend a desk.
const deskLimit = 5 * time.Second

// agentScheme begins the device of an agent whose desk is asked first.
const agentScheme = "agent"

// deskLeg is the leg to an agent whose desk was lent to the call. It gives the
// desk back when it is over.
type deskLeg struct {
	Leg
	call *Call
	desk Desk

	judged chan struct{} // closed when Answer knows
	once   sync.Once
	mu     sync.Mutex
	talked bool
}

// dialDesk borrows an agent's desk and rings its phone; the agent's screen shows
// the call when that alerts.
func (c *Call) dialDesk(t Target) (Leg, error) {
	ctx, cancel := context.WithTimeout(c.ctx, deskLimit)
	defer cancel()
	_, desks, err := c.server.outlets()
	if err != nil {
		return nil, err
	}
	desk, err := desks.Lend(ctx, t, c.id)
	if err != nil {
		return nil, fmt.Errorf("desk of %s: %w", t.Agent, err)
	}
	leg, err := c.ringAs(desk.Device(), c.Record().From)
	if err != nil {
		desk.Free(false)
		return nil, err
	}
	l := &deskLeg{Leg: leg, call: c, desk: desk, judged: make(chan struct{})}
	agent := desk.Agent()
	c.update(func(r *CDR) {
		r.Offers = append(r.Offers, Offer{Agent: agent.ID, Start: stamp.Now(), Why: "called"})
	})
	guard.Go("desk of a called agent", c.log, l.follow)
	return l, nil
}

// ringAs dials a device, showing as. The leg is hung up when the call ends.
func (c *Call) ringAs(d Device, as Number) (Leg, error) {
	dialer, err := c.server.dialer(d.Scheme())
	if err != nil {
		return nil, err
	}
	leg, err := dialer.Dial(c.ctx, d, as, c.id)
	if err != nil {
		return nil, fmt.Errorf("ring %s: %w", d, err)
	}
	context.AfterFunc(c.ctx, func() {
		if !errors.Is(context.Cause(c.ctx), errCeded) { // it may have gone over to another call
			leg.Hangup(CauseCanceled)
		}
	})
	return leg, nil
}

// follow pops the call up and frees the desk at the leg's end.
func (l *deskLeg) follow() {
	select {
	case <-l.Alerting():
		l.call.Delivered(l.desk.Agent(), l.Leg)
	case <-l.Done():
	}
	<-l.Done()
	select {
	case <-l.judged: // what the far side said
	case <-l.call.ctx.Done():
	}
	l.mu.Lock()
	talked := l.talked
	l.mu.Unlock()
	l.end(OfferCanceled)
	l.desk.Free(talked)
}

// Answer waits for the agent, at most the desk's ring time. It is called once.
func (l *deskLeg) Answer(ctx context.Context) error {
	defer close(l.judged)
	ring, cancel := context.WithTimeoutCause(ctx, l.desk.Ring(), ErrNoAnswer)
	defer cancel()
	err := l.Leg.Answer(ring)
	if err == nil && !l.desk.Picked(ctx) {
		err = ErrCanceled
	}
	if err != nil {
		l.end(offerOutcome(err))
		return err
	}
	l.mu.Lock()
	l.talked = true
	l.mu.Unlock()
	l.end(OfferAnswered)
	return nil
}

// end writes how the offer went, once.
func (l *deskLeg) end(outcome string) {
	agent := l.desk.Agent().ID
	l.once.Do(func() {
		l.call.update(func(r *CDR) {
			for i := range r.Offers {
				if r.Offers[i].Agent == agent && r.Offers[i].End.IsZero() {
					r.Offers[i].End, r.Offers[i].Outcome = stamp.Now(), outcome
				}
			}
		})
		if outcome != OfferAnswered {
			l.call.note(Event{Type: EventConnectionCleared, AgentID: agent, ConnectionID: l.ID(), Cause: outcome})
		}
	})
}
