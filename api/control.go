package api

import (
	"context"
	"encoding/json"
	"strings"

	"callbox/cti"
	"callbox/internal/stamp"
)

// controlArgs are a call command's args, as the screen sends them.
type controlArgs interface {
	call() string
	check() error
}

type partArgs struct {
	CallID       string `json:"call_id"`
	ConnectionID string `json:"connection_id"`
}

func (a partArgs) call() string { return a.CallID }

func (a partArgs) check() error { return nil }

type toArgs struct {
	CallID string `json:"call_id"`
	To     string `json:"to"`
}

func (a toArgs) call() string { return a.CallID }

func (a toArgs) check() error {
	if a.To == "" || len(a.To) > 64 {
		return badArgs("to", "is an agent, a queue or a number")
	}
	return nil
}

type digitsArgs struct {
	CallID       string `json:"call_id"`
	ConnectionID string `json:"connection_id"`
	Digits       string `json:"digits"`
}

func (a digitsArgs) call() string { return a.CallID }

func (a digitsArgs) check() error {
	if a.Digits == "" || len(a.Digits) > 64 || strings.Trim(a.Digits, "0123456789*#ABCD") != "" {
		return badArgs("digits", "is 1 to 64 of 0-9 * # A-D")
	}
	return nil
}

type pauseArgs struct {
	CallID string `json:"call_id"`
	Reason string `json:"reason"`
}

func (a pauseArgs) call() string { return a.CallID }

func (a pauseArgs) check() error {
	if len(a.Reason) > 200 {
		return badArgs("reason", "is 200 bytes at most")
	}
	return nil
}

type superviseArgs struct {
	CallID string `json:"call_id"`
	Mode   string `json:"mode"`
}

func (a superviseArgs) call() string { return a.CallID }

func (a superviseArgs) check() error {
	switch a.Mode {
	case "listen", "whisper", "barge", "takeover", "stop":
		return nil
	}
	return badArgs("mode", "is one of listen, whisper, barge, takeover, stop")
}

// control carries out a command on a live call by those who take part in it; a
// supervisor or a program does it in place of the agent whose call it is.
func control[A controlArgs](name string) func(*API, context.Context, *caller, json.RawMessage) (any, error) {
	return func(a *API, ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
		var args A
		if err := argsInto(raw, &args); err != nil {
			return nil, err
		}
		call, err := a.controlled(who, args)
		if err != nil {
			return nil, err
		}
		return a.do(ctx, args.call(), cti.Command{Name: name, By: actsFor(who, call), Args: raw})
	}
}

// controlled checks a command's args and finds its call, if who may see that.
func (a *API) controlled(who *caller, args controlArgs) (*cti.CDR, error) {
	if args.call() == "" {
		return nil, badArgs("call_id", "is missing")
	}
	if err := args.check(); err != nil {
		return nil, err
	}
	call, ok := a.deps.Calls.Call(args.call())
	if !ok || who.own() && !takesPart(&call, who.ID, stamp.Now()) {
		return nil, cti.ErrNotFound
	}
	return &call, nil
}

// actsFor is the agent in whose name who commands: himself, where he takes part.
func actsFor(who *caller, call *cti.CDR) string {
	if call.Agent == nil || !who.program() && takesPart(call, who.ID, stamp.Now()) {
		return who.ID
	}
	return call.Agent.ID
}

func (a *API) do(ctx context.Context, call string, cmd cti.Command) (any, error) {
	return a.deps.Calls.Do(ctx, call, cmd) // whose errors name the command
}

// supervise lets a supervisor into a call; the audit log has it first.
func (a *API) supervise(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	var args superviseArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if _, err := a.controlled(who, args); err != nil {
		return nil, err
	}
	if who.program() {
		return nil, refused(codeForbidden, "a key has no phone to listen by")
	}
	if err := a.notedOf(ctx, who, "call.supervise", args.CallID, args.Mode); err != nil {
		return nil, err
	}
	return a.do(ctx, args.CallID, cti.Command{Name: "supervise", By: who.ID, Args: raw})
}
