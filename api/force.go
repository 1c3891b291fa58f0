package api

import (
	"context"
	"fmt"
	"strings"

	"callbox/cti"
)

// forceState sets another agent's state; the audit log has it first.
func (a *API) forceState(ctx context.Context, who *caller, args stateArgs) (any, error) {
	if forBosses.may(who) != 0 {
		return nil, refused(codeForbidden, "only a supervisor sets another agent's state")
	}
	if _, _, err := a.deps.Floor.Snapshot(args.Agent); err != nil {
		return nil, fmt.Errorf("set the state of %s: %w", args.Agent, err)
	}
	detail := strings.TrimSpace(string(args.State) + " " + args.Reason)
	if err := a.notedOf(ctx, who, "agent.state", args.Agent, detail); err != nil {
		return nil, err
	}
	desk, err := a.deps.Floor.Force(ctx, args.Agent, args.State, args.Reason, who.ID)
	if err != nil {
		return nil, fmt.Errorf("set the state of %s: %w", args.Agent, err)
	}
	return stateNow{State: desk.State, Pending: desk.Pending}, nil
}

// waiter is a caller who waits in a queue.
type waiter struct {
	CallID   string     `json:"call_id"`
	Number   cti.Number `json:"number"`
	Customer *cti.Ref   `json:"customer"`
	Queue    cti.Ref    `json:"queue"`
	Since    cti.Time   `json:"since"`
	Priority int        `json:"priority"`
	Ringing  bool       `json:"ringing" doc:"an agent's phone rings for it"`
	Path     []string   `json:"path" doc:"nodes of the flow"`
}

// waiting gives the callers in queues, in the order in which they are served.
func (a *API) waiting(context.Context, *struct{}) (*rows[waiter], error) {
	var out []waiter
	for _, w := range a.deps.Floor.Waiting() {
		call, ok := a.deps.Calls.Call(w.Call)
		if !ok { // it ended in between
			continue
		}
		out = append(out, waiter{
			CallID: w.Call, Number: call.From, Customer: call.Customer, Queue: w.Queue, Since: w.Since,
			Priority: w.Priority, Ringing: w.Ringing, Path: call.IVRPath,
		})
	}
	return pageOf(out, ""), nil
}
