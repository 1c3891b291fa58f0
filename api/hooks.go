package api

import (
	"context"
	"fmt"

	"callbox/internal/stamp"
)

// Hook is a webhook of the configuration as it stands, without its secret.
type Hook struct {
	ID        string     `json:"id"`
	URL       string     `json:"url" doc:"a password in it is not shown"`
	Events    []string   `json:"events"`
	Format    string     `json:"format" doc:"empty: callbox's own"`
	Signed    bool       `json:"signed" doc:"it has a secret"`
	Pending   int64      `json:"pending"`
	Dead      int64      `json:"dead"`
	LastError string     `json:"last_error" doc:"of the last attempt that failed; empty: none is known"`
	FailedAt  stamp.Time `json:"failed_at" doc:"when that was; null: before the start"`
	LastOK    stamp.Time `json:"last_ok" doc:"when a notice arrived last; null: none since the start"`
}

// HookTest is what a test notice met.
type HookTest struct {
	Status int    `json:"status" doc:"of the answer; 0: none came"`
	TookMS int64  `json:"took_ms"`
	Error  string `json:"error,omitempty" doc:"why the notice does not count as arrived"`
}

func (a *API) listHooks(ctx context.Context, _ *struct{}) (*rows[Hook], error) {
	list, err := a.deps.Hooks.Hooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return pageOf(list, ""), nil
}

// testHook sends a test notice now. What the receiver makes of it is the
// answer, not an error.
func (a *API) testHook(ctx context.Context, in *byID) (*one[HookTest], error) {
	var out HookTest
	err := a.edit(ctx, "test", "webhooks", in.ID, func() (err error) {
		out, err = a.deps.Hooks.TestHook(ctx, in.ID, callerOf(ctx).ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &one[HookTest]{Body: out}, nil
}
