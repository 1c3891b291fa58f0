package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
)

// callBody is what POST /api/v1/calls takes. What is not served yet is refused
// by name unless it is empty.
type callBody struct {
	To    string `json:"to,omitempty" maxLength:"64" doc:"the number, in any form"`
	Agent string `json:"agent,omitempty" maxLength:"64" doc:"whose phone rings first; an agent's own session may leave it out"`
	Ref   string `json:"ref,omitempty" maxLength:"128" doc:"the caller's own reference, such as a work order's number"`
	Flow  any    `json:"flow,omitempty" doc:"not yet supported"`
	First any    `json:"first,omitempty" doc:"not yet supported"`
	Vars  any    `json:"vars,omitempty" doc:"not yet supported"`
}

// later names the fields that are not served yet.
func (b callBody) later() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value any
	}{{"flow", b.Flow}, {"first", b.First}, {"vars", b.Vars}} {
		if !empty(f.value) {
			faults = append(faults, at("body."+f.name, notYet, f.value))
		}
	}
	if len(faults) > 0 {
		return unprocessable(faults...)
	}
	return nil
}

// empty says whether a field says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// orders says for whom the caller may have a call made: an agent for himself,
// others for the agent they name.
func (c *caller) orders(agent string) (string, error) {
	switch {
	case c.own() && agent != "" && agent != c.ID:
		return "", notFound("agent")
	case agent != "":
		return agent, nil
	case c.program():
		return "", unprocessable(at("body.agent", "is missing", nil))
	}
	return c.ID, nil
}

// postCall rings an agent's phone, then the number: 202 with the call as it
// begins.
func (a *API) postCall(ctx context.Context, in *struct{ Body callBody }) (*one[cti.CDR], error) {
	if err := in.Body.later(); err != nil {
		return nil, err
	}
	agent, err := callerOf(ctx).orders(in.Body.Agent)
	if err != nil {
		return nil, err
	}
	call, err := a.order(ctx, cti.Order{To: in.Body.To, Agent: agent, Ref: in.Body.Ref})
	switch {
	case errors.Is(err, cti.ErrShutdown):
		return nil, huma.NewError(http.StatusServiceUnavailable, "the box is shutting down")
	case errors.Is(err, cti.ErrNotFound):
		return nil, unprocessable(at("body.agent", "is no agent", agent))
	case err != nil:
		return nil, a.refusal(err).overHTTP()
	}
	return &one[cti.CDR]{Body: call}, nil
}

type makeArgs struct {
	To  string `json:"to"`
	Ref string `json:"ref"`
}

// madeCall is what makeCall answers.
type madeCall struct {
	CallID string `json:"call_id"`
}

func (a *API) makeCall(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	var args makeArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if len(args.Ref) > 128 {
		return nil, badArgs("ref", "is 128 bytes at most")
	}
	if who.program() {
		return nil, refused(codeForbidden, "a key has no desk")
	}
	call, err := a.order(ctx, cti.Order{To: args.To, Agent: who.ID, Ref: args.Ref})
	if errors.Is(err, cti.ErrNotFound) {
		return nil, refused(codeNoPhone, "this log-in has no desk, and so no phone")
	}
	if err != nil {
		return nil, err
	}
	return madeCall{call.ID}, nil
}

// order has a call made; a number that cannot be dialled is named.
func (a *API) order(ctx context.Context, o cti.Order) (cti.CDR, error) {
	if o.To == "" {
		return cti.CDR{}, badArgs("to", "is missing")
	}
	call, err := a.deps.Calls.Make(ctx, o)
	if errors.Is(err, cti.ErrBadNumber) {
		return call, badArgs("to", "is no number that can be dialled")
	}
	if err != nil {
		return call, fmt.Errorf("order a call: %w", err)
	}
	return call, nil
}
