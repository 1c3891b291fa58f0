package cti

import (
	"context"
	"fmt"
	"maps"
	"time"

	"callbox/internal/guard"
	"callbox/internal/number"

	"github.com/google/uuid"
)

// Order is a call to be made: for an agent, for a flow, or between two parties
// outside. One of Agent, Flow and First is set.
type Order struct {
	To    string         // in any form; of an agent's call also another agent's id or extension
	Agent string         // whose phone rings first
	Flow  string         // that serves the party once it answers
	First string         // the number that is called first and then joined with To
	Vars  map[string]any // the call's user_data from the start
	Ref   string         // the asker's own reference
	By    string         // who asks, for the limits: user:1001, key:NAME, phone:1001
}

// SetOutgoing says where calls go out, and who lends agents' desks for them.
// Before it there are none.
func (s *Server) SetOutgoing(e Exits, d Desks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits, s.desks = e, d
}

// outlets are the ways out and the desks that are lent; ErrNotServed where there
// are none yet, ErrShutdown while the box drains.
func (s *Server) outlets() (Exits, Desks, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return nil, nil, ErrShutdown
	case s.exits == nil || s.desks == nil:
		return nil, nil, ErrNotServed
	}
	return s.exits, s.desks, nil
}

// Make begins a call as ordered and gives its record as it begins; the call
// goes on by itself and [Server.Drain] waits for it. Errors: ErrBadNumber,
// ErrBarred, ErrTooMany, those of [Desks], ErrNotFound for a flow that is not
// there, ErrWrongState where nothing leads out, ErrShutdown.
func (s *Server) Make(ctx context.Context, o Order) (CDR, error) {
	call, handler, err := s.order(ctx, o)
	if err != nil {
		return CDR{}, fmt.Errorf("make a call: %w", err)
	}
	call.open()
	record := call.Record()
	guard.Go("outgoing call", call.log, func() { call.run(handler) })
	return record, nil
}

// run is the life of a call that was ordered.
func (c *Call) run(first Handler) {
	defer c.server.release(c)
	if err := c.finish(c.serve(first)); err != nil {
		c.log.Error("outgoing call not recorded", "err", err)
	}
}

// order checks a wish, and takes the desk and the call's place.
func (s *Server) order(ctx context.Context, o Order) (*Call, Handler, error) {
	way, err := s.reachable(ctx, o.By, o.outside())
	if err != nil {
		return nil, nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("call id: %w", err)
	}
	agent, handler, err := s.handlerOf(ctx, o, id.String())
	if err != nil {
		return nil, nil, err
	}
	call, err := s.outgoing(context.WithoutCancel(ctx), id.String(), way)
	if err != nil { // the desk's lease ends by itself
		return nil, nil, err
	}
	if agent.ID != "" {
		call.belongs(agent, way)
	}
	call.record.Ref = o.Ref
	maps.Copy(call.record.UserData, o.Vars)
	return call, handler, s.admit(call)
}

// belongs makes the call an agent's own; a colleague sees that agent's number.
func (c *Call) belongs(agent Ref, to party) {
	c.origin.Agent, c.record.Agent = agent.ID, &agent
	if to.agent.Agent != "" {
		c.origin.From = Number{Raw: agent.ID, Name: agent.Name}
		c.record.From = c.origin.From
	}
}

// outside is the number that the call's outside leg goes to.
func (o Order) outside() string {
	if o.First != "" {
		return o.First
	}
	return o.To
}

// handlerOf finds who serves an ordered call: the agent's desk, a flow, or the
// way to the second party.
func (s *Server) handlerOf(ctx context.Context, o Order, id string) (Ref, Handler, error) {
	switch {
	case o.First != "":
		second, err := s.reachable(ctx, o.By, o.To)
		return Ref{}, joining{to: second}, err
	case o.Flow != "":
		next := Target{Flow: o.Flow}
		_, err := s.route(Origin{Direction: Out}, next)
		return Ref{}, answering{next}, err
	}
	_, desks, err := s.outlets()
	if err != nil {
		return Ref{}, nil, err
	}
	return desks.Reserve(ctx, o.Agent, id)
}

// party is somebody whom a call can reach.
type party struct {
	to    Number
	agent Target // set for one of our own agents
	ways  []Exit
	by    string
}

// reachable finds how by gets to what to names: an agent's id or extension, else
// a number, which then counts as dialled.
func (s *Server) reachable(ctx context.Context, by, to string) (party, error) {
	exits, desks, err := s.outlets()
	if err != nil {
		return party{}, err
	}
	if t, ok := desks.Find(to); ok && t.Agent != "" {
		return party{to: Number{Raw: to}, agent: t, ways: []Exit{{Device: Device(agentScheme + ":" + t.Agent)}}, by: by}, nil
	}
	n, ok := s.dialled(to)
	if !ok {
		return party{}, ErrBadNumber
	}
	p := party{to: n, ways: exits.Exits(n), by: by}
	if len(p.ways) == 0 {
		return party{}, errNoExit
	}
	return p, s.mayDial(ctx, by, n)
}

// dialled reads a number that somebody wants to call. One without E.164 may be
// a short or a service number, which begin with 1 or 9 when they are long.
func (s *Server) dialled(text string) (Number, bool) {
	n := s.number(Number{Raw: number.Clean(text)})
	digits := len(n.Raw)
	ok := n.E164 != "" || digits >= 3 && digits <= 6 || digits > 6 && digits <= 20 && (n.Raw[0] == '1' || n.Raw[0] == '9')
	return n, ok
}

// outgoing makes a call whose outside leg is still to be found.
func (s *Server) outgoing(ctx context.Context, id string, p party) (*Call, error) {
	leg, err := s.seeker(p)
	if err != nil {
		return nil, err
	}
	call := newCall(ctx, s, id, leg)
	call.origin.To, call.record.To = p.to, p.to
	leg.dial = func(way Exit) (Leg, error) {
		call.takes(way)
		return call.dial(way, p)
	}
	return call, nil
}

// seek makes the leg to p for a part in this call; Answer dials.
func (c *Call) seek(p party) (*seeker, error) {
	leg, err := c.server.seeker(p)
	if err != nil {
		return nil, err
	}
	leg.dial = func(way Exit) (Leg, error) { return c.dial(way, p) }
	return leg, nil
}

// seeker is the leg to p; its time counts for who dialled.
func (s *Server) seeker(p party) (*seeker, error) {
	leg, err := newSeeker(p.ways)
	if err == nil && p.agent.Agent == "" {
		leg.spent = func(d time.Duration) { s.dialing.talked(p.by, d, time.Now()) }
	}
	return leg, err
}

// dial rings one way to p. The leg is hung up when the call ends.
func (c *Call) dial(way Exit, p party) (Leg, error) {
	if p.agent.Agent != "" {
		return c.dialDesk(p.agent)
	}
	return c.ringAs(way.Device, way.As)
}
