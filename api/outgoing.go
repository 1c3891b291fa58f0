package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
)

// callBody is what POST /api/v1/calls takes.
type callBody struct {
	To    string         `json:"to,omitempty" maxLength:"64" doc:"the number, in any form; of an agent's call also another agent's id or extension"`
	Agent string         `json:"agent,omitempty" maxLength:"64" doc:"whose phone rings first; an agent's own session may leave it out"`
	Flow  string         `json:"flow,omitempty" maxLength:"64" doc:"instead of agent: the flow that serves the party once it answers"`
	First *firstParty    `json:"first,omitempty" doc:"instead of agent: the party that is called first and then joined with to"`
	Vars  map[string]any `json:"vars,omitempty" doc:"the call's user_data from the start; a flow's variables"`
	Ref   string         `json:"ref,omitempty" maxLength:"128" doc:"the caller's own reference, such as a work order's number"`
}

type firstParty struct {
	Number string `json:"number" maxLength:"64"`
}

// mostVars is how many variables a call takes.
const mostVars = 64

// check finds fields that do not go together.
func (b callBody) check() error {
	ways := 0
	for _, set := range []bool{b.Agent != "", b.Flow != "", b.First != nil} {
		if set {
			ways++
		}
	}
	var faults []error
	if ways > 1 {
		faults = append(faults, at("body", "takes one of agent, flow and first", nil))
	}
	if b.First != nil && b.First.Number == "" {
		faults = append(faults, at("body.first.number", "is missing", nil))
	}
	if len(b.Vars) > mostVars {
		faults = append(faults, at("body.vars", "holds 64 variables at most", len(b.Vars)))
	}
	if len(faults) > 0 {
		return unprocessable(faults...)
	}
	return nil
}

// forNobody says that the call has no agent of its own.
func (b callBody) forNobody() bool { return b.Flow != "" || b.First != nil }

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

// ordered is the call that the caller asks for, if he may.
func (c *caller) ordered(b callBody) (cti.Order, error) {
	o := cti.Order{To: b.To, Flow: b.Flow, Vars: b.Vars, Ref: b.Ref, By: "user:" + c.ID}
	if c.program() {
		o.By = "key:" + c.Name
	}
	switch {
	case b.forNobody() && c.own():
		return o, huma.NewError(http.StatusForbidden, "an agent's calls begin at the agent's phone")
	case b.First != nil:
		o.First = b.First.Number
		return o, nil
	case b.Flow != "":
		return o, nil
	}
	var err error
	o.Agent, err = c.orders(b.Agent)
	return o, err
}

// postCall begins a call: 202 with it as it begins.
func (a *API) postCall(ctx context.Context, in *struct{ Body callBody }) (*one[cti.CDR], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	o, err := callerOf(ctx).ordered(in.Body)
	if err != nil {
		return nil, err
	}
	call, err := a.order(ctx, o)
	switch {
	case errors.Is(err, cti.ErrShutdown):
		return nil, huma.NewError(http.StatusServiceUnavailable, "the box is shutting down")
	case errors.Is(err, cti.ErrNotFound) && o.Flow != "":
		return nil, unprocessable(at("body.flow", "is no flow", o.Flow))
	case errors.Is(err, cti.ErrNotFound):
		return nil, unprocessable(at("body.agent", "is no agent", o.Agent))
	case errors.Is(err, cti.ErrBadNumber) && o.First != "":
		return nil, unprocessable(at("body", "to and first.number must be numbers that can be dialled", nil))
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
	call, err := a.order(ctx, cti.Order{To: args.To, Agent: who.ID, Ref: args.Ref, By: "user:" + who.ID})
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
	if errors.Is(err, cti.ErrBadNumber) && o.First == "" {
		return call, badArgs("to", "is no number that can be dialled")
	}
	return call, err // which says that it was to make a call
}
