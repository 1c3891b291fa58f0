package cti

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"callbox/internal/guard"

	"github.com/google/uuid"
)

// acceptPhone serves a call that an agent's own phone makes: as if ordered for
// that agent, but the phone is there already.
func (s *Server) acceptPhone(ctx context.Context, leg Leg) error {
	o := leg.Origin()
	call, handler, err := s.ownOrder(ctx, leg)
	if err != nil {
		leg.Hangup(refusalOf(err))
		return fmt.Errorf("call from the phone %s: %w", o.Agent, err)
	}
	call.open()
	defer s.release(call)
	return call.finish(call.serve(handler))
}

// refusalOf is the cause by which a phone's call is refused.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, ErrBadNumber), errors.Is(err, ErrNotFound):
		return CauseNotFound
	case errors.Is(err, ErrShutdown), errors.Is(err, errNoExit), errors.Is(err, ErrTooMany):
		return CauseCongestion
	case errors.Is(err, ErrBusy):
		return CauseBusy
	}
	return causeRejected
}

// causeRejected is of a leg, not of a record: the party may not do that.
const causeRejected = "rejected"

// ownOrder makes the call that a phone asks for. Emergency numbers are dialled
// for whoever holds the phone, logged on or not.
func (s *Server) ownOrder(ctx context.Context, leg Leg) (*Call, Handler, error) {
	from := leg.Origin()
	_, desks, err := s.outlets()
	if err != nil {
		return nil, nil, err
	}
	who, known := desks.Find(from.Agent)
	o := Order{To: from.To.Raw, Agent: who.Agent, By: "user:" + who.Agent}
	urgent := slices.Contains(emergency, from.To.Raw)
	if !known || who.Agent == "" {
		o.By = "phone:" + from.Agent
		if !urgent {
			return nil, nil, ErrRejected
		}
	}
	phone := &handset{Leg: leg}
	if first, agent := s.inHand(who.Agent, leg.Device()); first != nil {
		return s.deskless(ctx, o, withoutDesk{agent, phone, first})
	}
	call, handler, err := s.order(ctx, o)
	if err != nil && urgent {
		call, handler, err = s.deskless(ctx, o, withoutDesk{who: Ref{ID: from.Agent}, phone: phone})
	}
	if err != nil {
		return nil, nil, err
	}
	call.own = phone
	return call, handler, nil
}

// inHand is the leg by which an agent talks in another call by this telephone;
// nil for none. Its desk is there: a second call from its keys, to hand the first
// one on, needs none.
func (s *Server) inHand(agent string, phone Device) (Leg, Ref) {
	for _, c := range s.live() {
		leg := c.legOf(agent)
		if agent == "" || leg == nil || leg.Device() != phone {
			continue
		}
		if a := c.Record().Agent; a != nil && a.ID == agent {
			return leg, *a
		}
		return leg, Ref{ID: agent}
	}
	return nil, Ref{}
}

// legOf is the leg by which an agent takes part in the call; nil for none.
func (c *Call) legOf(agent string) Leg {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.others {
		if h.agent == agent {
			return h.leg
		}
	}
	return nil
}

// deskless makes a call without a desk: to an emergency number, or the second
// one of a telephone.
func (s *Server) deskless(ctx context.Context, o Order, by withoutDesk) (*Call, Handler, error) {
	way, err := s.reachable(ctx, o.By, o.To)
	if err != nil {
		return nil, nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("call id: %w", err)
	}
	call, err := s.outgoing(context.WithoutCancel(ctx), id.String(), way)
	if err != nil {
		return nil, nil, err
	}
	call.belongs(by.who, way)
	call.deskless = true
	return call, by, s.admit(call)
}

// withoutDesk serves a call from a phone whose agent has no free desk.
type withoutDesk struct {
	who   Ref
	phone *handset
	first Leg // of the call that has the desk; nil: none has
}

// deskEach is how often a second call asks for the desk of the first one.
const deskEach = 200 * time.Millisecond

// Handle implements [Handler].
func (w withoutDesk) Handle(ctx context.Context, call *Call) (Outcome, error) {
	if err := w.phone.Answer(ctx); err != nil {
		return Outcome{Kind: Failed, Side: AgentSide, Cause: CauseCanceled}, nil
	}
	if w.first != nil {
		guard.Go("desk of a second call", call.log, func() { w.takeDesk(call) })
	}
	return call.Connect(ctx, w.who, w.phone)
}

// takeDesk borrows the desk once the first call has let it go, so that nothing is
// offered to a telephone that is in use.
func (w withoutDesk) takeDesk(call *Call) {
	select {
	case <-w.first.Done():
	case <-w.phone.Done():
		return
	}
	for again := time.NewTicker(deskEach); ; {
		select {
		case <-again.C:
		case <-w.phone.Done():
			again.Stop()
			return
		}
		if desk := call.ownDesk(w.who.ID); desk != nil {
			again.Stop()
			call.update(func(*CDR) { call.deskless = false })
			<-w.phone.Done()
			desk.Free(true)
			return
		}
	}
}

// handset is the leg of a phone that calls by itself, for handlers that would
// ring it: it is there already. Answer lets its holder hear how the call goes,
// where it can be heard before the answer; complete answers.
type handset struct {
	Leg
	completed atomic.Bool
}

// Answer lets sound flow.
func (h *handset) Answer(ctx context.Context) error {
	if h.completed.Load() {
		return nil
	}
	if p, ok := h.Leg.(Progresser); ok {
		err := p.Progress(ctx)
		if err == nil || !errors.Is(err, ErrNotServed) {
			return err
		}
	}
	return h.Leg.Answer(ctx)
}

// complete answers an agent's own phone now that the far side did.
func complete(ctx context.Context, leg Leg) error {
	h, ok := leg.(*handset)
	if !ok || h.completed.Swap(true) {
		return nil
	}
	return h.Leg.Answer(ctx)
}

// Wishes are the leg's.
func (h *handset) Wishes() <-chan Wish {
	if w, ok := h.Leg.(Wisher); ok {
		return w.Wishes()
	}
	return nil
}

// OnHold is the leg's.
func (h *handset) OnHold() bool {
	held, ok := h.Leg.(Holder)
	return ok && held.OnHold()
}
