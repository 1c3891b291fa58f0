package cti

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/internal/number"
	"callbox/internal/stamp"

	"github.com/google/uuid"
)

// Limits of a call that we make.
const (
	answerLimit = 90 * time.Second // for the far side to pick up
	toneTime    = 3 * time.Second  // of a tone that says why nobody did
)

var (
	errAgentGone = errors.New("the agent hung up")
	errNoExit    = fmt.Errorf("no line or trunk leads out: %w", ErrWrongState)
)

// Order is a call to be made: for an agent, for a flow, or between two parties
// outside. One of Agent, Flow and First is set.
type Order struct {
	To    string         // in any form
	Agent string         // whose phone rings first
	Flow  string         // that serves the party once it answers
	First string         // the number that is called first and then joined with To
	Vars  map[string]any // the call's user_data from the start
	Ref   string         // the asker's own reference
	By    string         // who asks, for the limits: agent:1001, key:NAME
}

// SetOutgoing says where calls go out, and who lends agents' desks for them.
// Before it there are none.
func (s *Server) SetOutgoing(e Exits, d Desks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits, s.desks = e, d
}

// Make begins a call to a number for an agent, whose phone rings first, and
// gives its record as it begins; the call goes on by itself and [Server.Drain]
// waits for it. Errors: ErrBadNumber, those of [Desks], ErrWrongState where
// nothing leads out, ErrShutdown.
func (s *Server) Make(ctx context.Context, o Order) (CDR, error) {
	call, handler, err := s.order(ctx, o)
	if err != nil {
		return CDR{}, fmt.Errorf("make a call: %w", err)
	}
	call.open()
	record := call.Record()
	guard.Go("outgoing call", call.log, func() {
		defer s.release(call)
		if err := call.finish(call.serveBy(handler)); err != nil {
			call.log.Error("outgoing call not recorded", "err", err)
		}
	})
	return record, nil
}

// order checks a wish, and takes the desk and the call's place.
func (s *Server) order(ctx context.Context, o Order) (*Call, Handler, error) {
	s.mu.Lock()
	exits, desks, draining := s.exits, s.desks, s.draining
	s.mu.Unlock()
	switch {
	case draining:
		return nil, nil, ErrShutdown
	case exits == nil || desks == nil:
		return nil, nil, ErrNotServed
	}
	to, ok := s.dialled(o.To)
	if !ok {
		return nil, nil, ErrBadNumber
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("call id: %w", err)
	}
	ways := exits.Exits(to)
	if len(ways) == 0 {
		return nil, nil, errNoExit
	}
	agent, handler, err := desks.Reserve(ctx, o.Agent, id.String())
	if err != nil {
		return nil, nil, err
	}
	call, err := s.outgoing(context.WithoutCancel(ctx), id.String(), to, ways)
	if err != nil { // the desk's lease ends by itself
		return nil, nil, err
	}
	call.origin.Agent = agent.ID
	call.record.Agent, call.record.Ref = &agent, o.Ref
	return call, handler, s.admit(call)
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
func (s *Server) outgoing(ctx context.Context, id string, to Number, ways []Exit) (*Call, error) {
	leg, err := newSeeker(ways)
	if err != nil {
		return nil, err
	}
	call := newCall(ctx, s, id, leg)
	call.origin.To, call.record.To = to, to
	leg.dial = func(way Exit) (Leg, error) {
		call.takes(way)
		dialer, err := s.dialer(way.Device.Scheme())
		if err != nil {
			return nil, err
		}
		return dialer.Dial(call.ctx, way.Device, way.As, id)
	}
	return call, nil
}

// takes notes that the call goes out this way.
func (c *Call) takes(way Exit) {
	from := c.server.number(way.As)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.origin.Device, c.origin.From, c.origin.Line = way.Device, from, way.Line
	c.record.From, c.record.Line = from, way.Line
	c.record.Legs[0].Device, c.record.Legs[0].Start = way.Device, stamp.Now()
}

// Connect lets an agent's answered leg hear the way to the outside party of a
// call that we make and, once that answers, lets both talk as Bridge does.
// Where it does not, the agent hears for a moment why, and the outcome is
// Failed with the cause.
func (c *Call) Connect(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	c.join(agent, leg)
	err := c.reach(ctx, leg)
	if err == nil {
		c.watch(c.leg)
		return c.talk(ctx, agent, leg)
	}
	why := failureOf(err)
	c.log.Info("the number was not reached", "cause", why.cause, "err", err)
	c.note(Event{Type: EventFailed, AgentID: agent.ID, ConnectionID: c.leg.ID(), Cause: why.cause})
	if why.tone != nil && ctx.Err() == nil {
		c.sound(ctx, leg, *why.tone)
	}
	c.part(agent, leg, Outcome{Side: why.side, Cause: why.cause})
	return Outcome{Kind: Failed, Agent: agent.ID, Side: why.side, Cause: why.cause}, nil
}

// reach dials until the outside party answers, and lets the agent hear how that
// goes.
func (c *Call) reach(ctx context.Context, leg Leg) error {
	way, stop := context.WithTimeoutCause(ctx, answerLimit, ErrNoAnswer)
	defer stop()
	answered := make(chan error, 1)
	guard.Go("way out", c.log, func() {
		err := error(ErrCanceled) // if it falls
		defer func() { answered <- err }()
		err = c.Answer(way)
	})
	err := c.await(ctx, leg, answered)
	if !errors.Is(err, errAgentGone) {
		return err
	}
	stop()
	if <-answered == nil {
		return nil // they answered just then; talk finds that the agent is gone
	}
	return err
}

// await waits for the far side's answer, the agent's end or the call's.
func (c *Call) await(ctx context.Context, leg Leg, answered <-chan error) error {
	ear := &ear{call: c, ctx: ctx, leg: leg}
	defer ear.cover()
	var early <-chan media.Port
	if out, ok := c.leg.(*seeker); ok {
		early = out.sound
	}
	alerting := c.leg.Alerting()
	for {
		select {
		case err := <-answered:
			return err
		case port := <-early:
			alerting = nil
			ear.hear(port)
		case <-alerting:
			alerting = nil
			ear.play(ringbackTone)
		case <-leg.Done():
			return errAgentGone
		case req := <-c.mail:
			over, err := command(req.cmd)
			req.reply <- err
			if over {
				return errAgentGone
			}
		}
	}
}

// sound plays p for a moment to an agent who may hang up.
func (c *Call) sound(ctx context.Context, leg Leg, p media.Prompt) {
	ctx, cancel := context.WithTimeout(ctx, toneTime)
	defer cancel()
	ear := &ear{call: c, ctx: ctx, leg: leg}
	defer ear.cover()
	ear.play(p)
	c.converse(ctx, leg)
}

// ear is what an agent hears of the way to the outside party: one thing at a
// time.
type ear struct {
	call *Call
	ctx  context.Context
	leg  Leg
	end  func()
}

// cover ends what is heard.
func (e *ear) cover() {
	if e.end != nil {
		e.end()
		e.end = nil
	}
}

// hear lets the agent hear a party.
func (e *ear) hear(port media.Port) {
	e.cover()
	e.end = e.call.server.deps.Engine.Bridge(port, e.leg.Media())
}

// play lets the agent hear a tone.
func (e *ear) play(p media.Prompt) {
	e.cover()
	ctx, cancel := context.WithCancel(e.ctx)
	ended := make(chan struct{})
	guard.Go("tone", e.call.log, func() {
		defer close(ended)
		err := e.leg.Media().Play(ctx, p)
		if err != nil && ctx.Err() == nil && !errors.Is(err, media.ErrClosed) {
			e.call.log.Warn("the agent hears nothing", "tone", p.Name, "err", err)
		}
	})
	e.end = func() {
		cancel()
		<-ended
	}
}
