package cti

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/internal/stamp"
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

// takes notes that the call goes out this way.
func (c *Call) takes(way Exit) {
	from := c.server.number(way.As)
	c.mu.Lock()
	defer c.mu.Unlock()
	if way.Device.Scheme() == agentScheme {
		from = c.record.From
	}
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
		err = complete(ctx, leg)
	}
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
	leg.Hangup(why.cause)
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
			req.reply <- answer{err: err}
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
