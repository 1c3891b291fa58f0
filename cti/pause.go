package cti

import (
	"context"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

// pauseLimit is how long a recording stays paused at most: a card number is
// read out in less, and an agent forgets.
const pauseLimit = 120 * time.Second

const longestReason = 200

// pause is a recording's that does not run; the zero value is none.
type pause struct {
	by     *member
	reason string
	over   <-chan time.Time // until it runs again by itself
}

// pauseRecording lets silence stand in the recording, at most for pauseLimit
// and as long as the agent is there.
func (v *conversation) pauseRecording(_ context.Context, m *member, a args) (any, error) {
	c := v.call
	switch {
	case len(a.Reason) > longestReason:
		return nil, fmt.Errorf("%w: reason is %d bytes at most", ErrBadArgs, longestReason)
	case v.pause.by != nil:
		return nil, nil
	case c.Record().Recording.State != RecordingRunning:
		return nil, fmt.Errorf("nothing is recorded: %w", ErrWrongState)
	}
	if err := c.server.deps.Recorder.Pause(c.id, true); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	v.pause = pause{by: m, reason: a.Reason, over: time.After(pauseLimit)}
	c.update(func(r *CDR) {
		r.Recording.Pauses = append(r.Recording.Pauses, Pause{Start: stamp.Now(), Reason: a.Reason, By: m.agent.ID})
	})
	v.tell(Event{
		Type: EventRecordPaused, ConnectionID: v.outside.leg.ID(),
		UserData: map[string]any{"reason": a.Reason, "by": m.agent.ID},
	}, v.agents()...)
	return nil, nil
}

// resumeRecording lets a paused recording run again.
func (v *conversation) resumeRecording(context.Context, *member, args) (any, error) {
	v.resume()
	return nil, nil
}

func (v *conversation) resume() {
	p, c := v.pause, v.call
	if p.by == nil {
		return
	}
	v.pause = pause{}
	if err := c.server.deps.Recorder.Pause(c.id, false); err != nil {
		c.log.Error("recording does not go on", "err", err)
	}
	c.update(func(r *CDR) { r.Recording.endPause() })
	v.tell(Event{
		Type: EventRecordStarted, ConnectionID: v.outside.leg.ID(),
		UserData: map[string]any{"reason": p.reason, "by": p.by.agent.ID},
	}, append([]Ref{p.by.agent}, v.agents()...)...)
}

// endPause closes a pause that is open.
func (r *Recording) endPause() {
	if n := len(r.Pauses); n > 0 && r.Pauses[n-1].End.IsZero() {
		r.Pauses[n-1].End = stamp.Now()
	}
}
