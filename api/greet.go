package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
)

// replayLimit is how many events a screen may have missed and still resume.
const replayLimit = 5000

// snapshot is the first message of a screen that does not resume.
type snapshot struct {
	Type   string            `json:"type"`
	Seq    int64             `json:"seq"`
	Time   stamp.Time        `json:"time"`
	Agent  *acd.Desk         `json:"agent"`
	Calls  []cti.CDR         `json:"calls"`
	Queues []acd.QueueStatus `json:"queues"`
}

// resumed is the first message of one that does; what was missed follows.
type resumed struct {
	Type string `json:"type"`
	Seq  int64  `json:"seq"`
}

// greet sends what the screen must know before live events, and gives the
// number up to which it covers them. The hub gathers live events already.
func (s *socket) greet(ctx context.Context, since int64) (from int64, err error) {
	if since >= 0 {
		events, ok, err := s.api.deps.Journal.Since(ctx, since, replayLimit)
		if err != nil {
			return 0, fmt.Errorf("read the journal: %w", err)
		}
		if ok {
			return s.resume(ctx, since, events)
		}
	}
	seq := s.api.deps.Journal.Last() // before the state, which may be newer
	snap, err := s.api.snapshot(ctx, s.who)
	if err != nil {
		return 0, err
	}
	snap.Seq = seq
	return seq, s.sendJSON(snap)
}

func (s *socket) resume(ctx context.Context, since int64, events []cti.Event) (int64, error) {
	if err := s.sendJSON(resumed{"resumed", since}); err != nil {
		return 0, err
	}
	calls := map[string]*cti.CDR{}
	for i := range events {
		e := &events[i]
		since = max(since, e.Seq)
		if !s.sight().sees(e, s.api.callOf(ctx, e, calls), s.api.ownerOf(ctx, e)) {
			continue
		}
		if err := s.send(newItem(e).body); err != nil {
			return since, err
		}
	}
	return since, nil
}

func (s *socket) sendJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %T: %w", v, err)
	}
	return s.send(body)
}

// snapshot is the world as who may see it.
func (a *API) snapshot(ctx context.Context, who *caller) (snapshot, error) {
	snap := snapshot{Type: "snapshot", Time: stamp.Now(), Calls: []cti.CDR{}, Queues: []acd.QueueStatus{}}
	if !who.program() {
		desk, queues, err := a.deps.Floor.Snapshot(who.ID)
		switch {
		case err == nil:
			snap.Agent, snap.Queues = &desk, queues
		case !errors.Is(err, cti.ErrNotFound):
			return snap, fmt.Errorf("look at the floor: %w", err)
		}
	}
	if !who.has(ScopeCalls) {
		return snap, nil
	}
	if !who.own() {
		snap.Queues = a.deps.Floor.Queues()
	}
	for _, call := range a.deps.Calls.Calls() {
		if !who.own() || takesPart(&call, who.ID, snap.Time) {
			snap.Calls = append(snap.Calls, who.shown(call))
		}
	}
	return snap, a.wrapUp(ctx, &snap)
}

// wrapUp adds the call whose wrap-up the agent is in: it is over, and its card
// still on the screen.
func (a *API) wrapUp(ctx context.Context, snap *snapshot) error {
	if snap.Agent == nil || snap.Agent.State != acd.WorkingAfterCall || snap.Agent.Call == "" {
		return nil
	}
	for _, c := range snap.Calls {
		if c.ID == snap.Agent.Call {
			return nil
		}
	}
	call, err := a.record(ctx, snap.Agent.Call)
	if errors.Is(err, cti.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	snap.Calls = append(snap.Calls, call)
	return nil
}

// callOf is the record behind an event: as it stood then if the event brings
// it, else as it is. known spares asking again; it may be nil.
func (a *API) callOf(ctx context.Context, e *cti.Event, known map[string]*cti.CDR) *cti.CDR {
	switch {
	case e.Call != nil || e.CallID == "":
		return e.Call
	case known[e.CallID] != nil:
		return known[e.CallID]
	}
	call, err := a.record(ctx, e.CallID)
	if err != nil {
		if !errors.Is(err, cti.ErrNotFound) {
			a.log.WarnContext(ctx, "an event's call cannot be read", "call", e.CallID, "err", err)
		}
		return nil
	}
	if known != nil {
		known[e.CallID] = &call
	}
	return &call
}
