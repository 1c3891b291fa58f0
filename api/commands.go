package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
)

// Codes of a refused command.
const (
	codeBadArgs      = "bad_args"
	codeForbidden    = "forbidden"
	codeNotFound     = "not_found"
	codeWrongState   = "wrong_state"
	codeNoPhone      = "no_phone"
	codeNotSupported = "not_supported"
)

// statusOf gives each code its status over HTTP.
var statusOf = map[string]int{
	codeBadArgs:      http.StatusUnprocessableEntity,
	codeForbidden:    http.StatusForbidden,
	codeNotFound:     http.StatusNotFound,
	codeWrongState:   http.StatusConflict,
	codeNoPhone:      http.StatusConflict,
	codeNotSupported: http.StatusNotImplemented,
}

// refusal is why a command was not carried out.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	field   string // of the args
}

func (r *refusal) Error() string { return r.Message }

// badArgs names the wrong field ("" for the whole).
func badArgs(field, message string) error {
	return &refusal{Code: codeBadArgs, Message: strings.TrimSpace(field + " " + message), field: field}
}

// refused is a refusal that concerns no field.
func refused(code, message string) *refusal { return &refusal{Code: code, Message: message} }

// coded is a problem with the code that the WebSocket gives for it.
type coded struct {
	huma.ErrorModel
	Code string `json:"code"`
}

// overHTTP is the refusal as a problem.
func (r *refusal) overHTTP() error {
	if r.Code != codeBadArgs {
		status := statusOf[r.Code]
		return &coded{huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: r.Message}, r.Code}
	}
	return unprocessable(at(strings.TrimSuffix("body."+r.field, "."), r.Message, nil))
}

// refusal puts any error into a command's words. What nobody decided on is
// logged.
func (a *API) refusal(err error) *refusal {
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, cti.ErrNotFound):
		return refused(codeNotFound, "no such call or agent")
	case errors.Is(err, cti.ErrUnreachable):
		return refused(codeNoPhone, "no phone is registered")
	case errors.Is(err, cti.ErrWrongState):
		return refused(codeWrongState, err.Error())
	case errors.Is(err, cti.ErrNotServed):
		return refused(codeNotSupported, notYet)
	case errors.Is(err, cti.ErrBarred), errors.Is(err, cti.ErrTooMany):
		return refused(codeForbidden, err.Error())
	case errors.Is(err, cti.ErrBadNumber):
		return &refusal{Code: codeBadArgs, Message: "to is no number that can be dialled", field: "to"}
	case errors.Is(err, cti.ErrBadArgs):
		return &refusal{Code: codeBadArgs, Message: err.Error()}
	case errors.Is(err, cti.ErrBusy):
		return refused(codeWrongState, "nobody there is free")
	case errors.Is(err, cti.ErrShutdown):
		return refused(codeWrongState, "the box is shutting down")
	}
	a.log.Error("command failed", "err", err)
	return refused(codeWrongState, "the box could not do that; its log says why")
}

// command is one thing that a screen or program may ask for.
type command struct {
	access access
	onCall bool // names a call: also POST /api/v1/calls/{id}/{name}
	waits  bool // for the disk
	// run carries it out; nil is not supported yet. The result becomes JSON.
	run func(a *API, ctx context.Context, who *caller, args json.RawMessage) (any, error)
}

var (
	forWorkers = access{roles: workers, scopes: []string{ScopeCalls}}
	forBosses  = access{roles: bosses, scopes: []string{ScopeCalls}}
)

// commands are all there are, for WebSocket and HTTP alike.
var commands = map[string]command{
	"setAgentState":      {access: forWorkers, run: (*API).setAgentState},
	"makeCall":           {access: forWorkers, run: (*API).makeCall},
	"answerCall":         {access: forWorkers, onCall: true, run: control[partArgs]("answerCall")},
	"holdCall":           {access: forWorkers, onCall: true, run: control[partArgs]("holdCall")},
	"retrieveCall":       {access: forWorkers, onCall: true, run: control[partArgs]("retrieveCall")},
	"clearConnection":    {access: forWorkers, onCall: true, run: control[partArgs](cti.CmdClearConnection)},
	"consultationCall":   {access: forWorkers, onCall: true, run: control[toArgs]("consultationCall")},
	"transferCall":       {access: forWorkers, onCall: true, run: control[partArgs]("transferCall")},
	"conferenceCall":     {access: forWorkers, onCall: true, run: control[partArgs]("conferenceCall")},
	"alternateCall":      {access: forWorkers, onCall: true, run: control[partArgs]("alternateCall")},
	"reconnectCall":      {access: forWorkers, onCall: true, run: control[partArgs]("reconnectCall")},
	"singleStepTransfer": {access: forWorkers, onCall: true, run: control[toArgs]("singleStepTransfer")},
	"generateDigits":     {access: forWorkers, onCall: true, run: control[digitsArgs]("generateDigits")},
	"pauseRecording":     {access: forWorkers, onCall: true, run: control[pauseArgs]("pauseRecording")},
	"resumeRecording":    {access: forWorkers, onCall: true, run: control[pauseArgs]("resumeRecording")},
	"dispose":            {access: forWorkers, onCall: true, waits: true, run: (*API).dispose},
	"sendMessage":        {access: forWorkers, run: (*API).sendMessage},
	"supervise":          {access: forBosses, onCall: true, waits: true, run: (*API).supervise},
	"media.offer":        {access: forWorkers, run: (*API).mediaOffer},
	"media.close":        {access: forWorkers, run: (*API).mediaClose},
	"media.stats":        {access: forWorkers, run: (*API).mediaStats},
}

// waits says whether a command waits for the disk.
func (a *API) waits(name string) bool { return commands[name].waits }

// command carries out name for who.
func (a *API) command(ctx context.Context, who *caller, name string, args json.RawMessage) (any, error) {
	c, ok := commands[name]
	switch {
	case !ok:
		return nil, badArgs("cmd", "is no command")
	case c.access.may(who) != 0:
		return nil, refused(codeForbidden, "this log-in or key may not do that")
	case c.run == nil:
		return nil, refused(codeNotSupported, name+" is "+notYet)
	}
	return c.run(a, ctx, who, args)
}

// strict reads one JSON object into v and refuses unknown keys and what
// follows it.
func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read JSON: more than one value")
	}
	return nil
}

// argsInto reads a command's args; absent ones are {}.
func argsInto(args json.RawMessage, v any) error {
	if len(args) == 0 || string(args) == "null" {
		args = json.RawMessage("{}")
	}
	if err := strict(args, v); err != nil {
		return badArgs("", err.Error())
	}
	return nil
}

type stateArgs struct {
	State  acd.State `json:"state"`
	Reason string    `json:"reason"`
	Agent  string    `json:"agent"` // another's, by a supervisor
}

// stateNow is what setAgentState answers.
type stateNow struct {
	State   acd.State `json:"state"`
	Pending acd.State `json:"pending,omitempty"`
}

func (a *API) setAgentState(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	var args stateArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	switch args.State {
	case acd.Ready, acd.NotReady, acd.WorkingAfterCall, acd.LoggedOff:
	default:
		return nil, badArgs("state", "is one of ready, notReady, workingAfterCall, loggedOff")
	}
	if len(args.Reason) > 200 { // everybody's screen shows it
		return nil, badArgs("reason", "is 200 bytes at most")
	}
	if who.program() {
		return nil, refused(codeForbidden, "a key has no desk")
	}
	if args.Agent != "" && args.Agent != who.ID {
		return a.forceState(ctx, who, args)
	}
	desk, err := a.deps.Floor.SetState(ctx, who.ID, args.State, args.Reason)
	if err != nil {
		return nil, fmt.Errorf("set state: %w", err)
	}
	return stateNow{State: desk.State, Pending: desk.Pending}, nil
}

type disposeArgs struct {
	CallID string `json:"call_id"`
	Code   string `json:"code"`
	Note   string `json:"note"`
	Kind   string `json:"kind"`
	Solved *bool  `json:"solved"` // by phone
}

// maxNote is how long a note may be, in characters, as a draft or filed.
const maxNote = 4000

func (d disposeArgs) check() error {
	switch {
	case d.CallID == "":
		return badArgs("call_id", "is missing")
	case d.Code == "" || len(d.Code) > 64:
		return badArgs("code", "is 1 to 64 bytes")
	case utf8.RuneCountInString(d.Note) > maxNote:
		return badArgs("note", "is 4000 characters at most")
	case d.Kind != "" && !slices.Contains(storage.CallKinds, d.Kind):
		return badArgs("kind", "is none of "+strings.Join(storage.CallKinds, ", "))
	}
	return nil
}

func (a *API) dispose(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	var args disposeArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if err := args.check(); err != nil {
		return nil, err
	}
	call, err := a.record(ctx, args.CallID)
	if err != nil {
		return nil, err
	}
	if who.own() && !tookPart(&call, who.ID) {
		return nil, cti.ErrNotFound
	}
	d := cti.Disposition{Code: args.Code, Note: args.Note, Kind: args.Kind, Solved: args.Solved, By: who.ID, Time: stamp.Now()}
	if err := a.deps.Ledger.Amend(ctx, args.CallID, cti.Amendment{Disposition: &d}); err != nil {
		return nil, fmt.Errorf("dispose: %w", err)
	}
	return d, nil
}

type messageArgs struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

func (a *API) sendMessage(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	var args messageArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if strings.TrimSpace(args.Text) == "" || len(args.Text) > 4000 {
		return nil, badArgs("text", "is 1 to 4000 bytes")
	}
	if _, ok, err := a.user(ctx, args.To); err != nil {
		return nil, err
	} else if !ok {
		return nil, cti.ErrNotFound
	}
	e := cti.Event{Type: cti.EventMessage, AgentID: args.To, UserData: map[string]any{
		"from": who.ID, "to": args.To, "name": who.Name, "text": args.Text,
	}}
	if err := a.deps.Ledger.Note(ctx, e); err != nil {
		return nil, fmt.Errorf("send message: %w", err)
	}
	return nil, nil
}

// maxArgs bounds the body of a command over HTTP.
const maxArgs = readLimit

// callOp answers POST /api/v1/calls/{id}/{op}: a command by its name, with the
// WebSocket's args as body; call_id is the path's.
func (a *API) callOp(w http.ResponseWriter, r *http.Request) {
	id, op := r.PathValue("id"), r.PathValue("op")
	if !commands[op].onCall {
		a.fail(w, r, notFound("command"))
		return
	}
	args, err := argsOf(r, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	result, err := a.command(r.Context(), callerOf(r.Context()), op, args)
	if err != nil {
		a.fail(w, r, a.refusal(err).overHTTP())
		return
	}
	if result == nil {
		result = struct{}{}
	}
	answer(w, http.StatusOK, result)
}

// argsOf reads the body as a command's args and puts the path's call into it.
func argsOf(r *http.Request, id string) (json.RawMessage, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxArgs+1))
	if err != nil {
		return nil, huma.NewError(http.StatusBadRequest, "the body cannot be read")
	}
	if len(body) > maxArgs {
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, "the body is too large")
	}
	args := map[string]any{}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := strict(body, &args); err != nil {
			return nil, huma.NewError(http.StatusBadRequest, "malformed body", at("body", err.Error(), nil))
		}
	}
	if given, ok := args["call_id"]; ok && given != id {
		return nil, unprocessable(at("body.call_id", "is not the call of the path", given))
	}
	if args == nil {
		args = map[string]any{}
	}
	args["call_id"] = id
	return json.Marshal(args)
}
