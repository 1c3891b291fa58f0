package cti

import (
	"context"

	"callbox/internal/guard"
)

// answering serves a call that we make for a flow: once the party answers, the
// flow has it.
type answering struct{ next Target }

// Handle implements [Handler].
func (a answering) Handle(ctx context.Context, call *Call) (Outcome, error) {
	if err := call.pickUp(ctx); err != nil {
		return call.unreached(err), nil
	}
	return Outcome{Kind: MovedOn, Next: a.next}, nil
}

// joining serves a call that joins two parties outside: the first is called,
// then the second, and both talk.
type joining struct{ to party }

// Handle implements [Handler].
func (j joining) Handle(ctx context.Context, call *Call) (Outcome, error) {
	if err := call.pickUp(ctx); err != nil {
		return call.unreached(err), nil
	}
	call.update(func(r *CDR) { r.From, r.To = r.To, j.to.to })
	leg, err := call.seek(j.to)
	if err != nil {
		return Outcome{Kind: Failed, Cause: CauseError}, err
	}
	defer leg.Hangup(CauseNormal)
	if err := call.await2nd(ctx, leg); err != nil {
		why := failureOf(err)
		call.note(Event{Type: EventFailed, ConnectionID: leg.ID(), Cause: why.cause})
		if why.tone != nil && ctx.Err() == nil {
			call.sound(ctx, call.leg, *why.tone)
		}
		return Outcome{Kind: Failed, Side: why.side, Cause: why.cause}, nil
	}
	return call.Bridge(ctx, Ref{}, leg)
}

// isForNobody says that the call was made for no agent: for a flow, or to join
// two parties outside. Who had it made commands it.
func (c *Call) isForNobody() bool { return c.Record().Direction == Out && c.isNobodys() }

// isNobodys says that no agent has the call: it is in a flow, in a queue, or for
// nobody. A supervisor or a program may end it.
func (c *Call) isNobodys() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.Agent == nil && c.origin.Agent == "" && c.origin.Attend == ""
}

// pickUp dials the outside party and waits until it answers.
func (c *Call) pickUp(ctx context.Context) error {
	way, stop := context.WithTimeoutCause(ctx, answerLimit, ErrNoAnswer)
	defer stop()
	if err := c.Answer(way); err != nil {
		return err
	}
	c.watch(c.leg)
	return nil
}

// unreached is the outcome of a call whose outside party did not answer.
func (c *Call) unreached(err error) Outcome {
	why := failureOf(err)
	c.log.Info("the number was not reached", "cause", why.cause, "err", err)
	c.note(Event{Type: EventFailed, ConnectionID: c.leg.ID(), Cause: why.cause})
	return Outcome{Kind: Failed, Side: why.side, Cause: why.cause}
}

// await2nd dials the second party while the first hears ringing.
func (c *Call) await2nd(ctx context.Context, leg *seeker) error {
	way, stop := context.WithTimeoutCause(ctx, answerLimit, ErrNoAnswer)
	defer stop()
	answered := make(chan error, 1)
	guard.Go("way to the second party", c.log, func() {
		err := error(ErrCanceled)
		defer func() { answered <- err }()
		err = leg.Answer(way)
	})
	ear := &ear{call: c, ctx: ctx, leg: c.leg}
	defer ear.cover()
	alerting, early := leg.Alerting(), leg.sound
	for {
		select {
		case err := <-answered:
			if err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return err
		case port := <-early:
			alerting = nil
			ear.hear(port)
		case <-alerting:
			alerting = nil
			ear.play(ringbackTone)
		}
	}
}
