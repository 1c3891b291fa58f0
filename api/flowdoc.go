package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"callbox/ivr/flow"
	"callbox/ivr/try"
)

// flowsKind are the documents that may also be had and put as YAML.
const flowsKind = "flows"

// Limits of a flow as a text, and of what is told about it.
const (
	maxFlowText   = 1 << 20
	maxFlowFaults = 1000
)

const yamlType = "application/yaml"

// yamlTypes are the media types of YAML (RFC 9512 §2.1 and its forerunners).
var yamlTypes = map[string]bool{yamlType: true, "text/yaml": true, "application/x-yaml": true, "text/x-yaml": true}

// isYAML says whether a Content-Type or an Accept header names YAML.
func isYAML(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if kind, _, err := mime.ParseMediaType(part); err == nil && yamlTypes[kind] {
			return true
		}
	}
	return false
}

// placed is one fault in a text, at its place (from 1).
type placed struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// whereOf shows faults; a flow that stands alone has no name in front.
func whereOf(faults []flow.Fault) []placed {
	out := []placed{}
	for _, f := range faults {
		if len(out) == maxFlowFaults {
			break
		}
		field := strings.TrimPrefix(f.Key, "flow.")
		if field == "flow" || field == "flows" { // the whole
			field = ""
		}
		out = append(out, placed{f.Line, f.Column, field, f.Text})
	}
	return out
}

// placedProblem is a 422 whose faults have lines and columns (RFC 9457 with two
// members more a fault).
type placedProblem struct {
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Errors []placedFault `json:"errors"`
}

type placedFault struct {
	Message  string `json:"message"`
	Location string `json:"location"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

// Error implements error, GetStatus [huma.StatusError].
func (p *placedProblem) Error() string  { return p.Detail }
func (p *placedProblem) GetStatus() int { return p.Status }

func flowProblem(err error) error {
	var faults FlowFaults
	if !errors.As(err, &faults) {
		return siteProblem(err)
	}
	p := &placedProblem{
		Title: http.StatusText(http.StatusUnprocessableEntity), Status: http.StatusUnprocessableEntity, Detail: "validation failed",
	}
	for _, f := range whereOf(faults) {
		p.Errors = append(p.Errors, placedFault{f.Message, strings.TrimSuffix("body."+f.Field, "."), f.Line, f.Column})
	}
	return p
}

// alsoYAML mounts a route of huma's whose handler leaves to other what wants
// YAML.
func alsoYAML(mount func(*API, route), wants func(*http.Request) bool, other func(*API, http.ResponseWriter, *http.Request) error) func(*API, route) {
	return func(a *API, rt route) {
		a.other[rt.pattern()] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !wants(r) {
					next.ServeHTTP(w, r)
					return
				}
				if err := other(a, w, r); err != nil {
					a.fail(w, r, err)
				}
			})
		}
		mount(a, rt)
	}
}

// servedFlows are flows as every section, and as YAML.
func servedFlows() section {
	s := served(flowsKind, siteBosses)
	s.get = alsoYAML(s.get, func(r *http.Request) bool { return isYAML(r.Header.Get("Accept")) }, (*API).getFlowText)
	s.put = alsoYAML(s.put, func(r *http.Request) bool { return isYAML(r.Header.Get("Content-Type")) }, (*API).putFlowText)
	return s
}

func (a *API) getFlowText(w http.ResponseWriter, r *http.Request) error {
	text, err := a.deps.Flows.FlowText(r.Context(), r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("read the flow: %w", err)
	}
	w.Header().Set("Content-Type", yamlType)
	w.Header().Add("Vary", "Accept")
	_, _ = w.Write(text) // the client went away: nobody to tell
	return nil
}

// putFlowText takes a flow as YAML and answers as a PUT of JSON does.
func (a *API) putFlowText(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	text, err := flowText(w, r)
	if err != nil {
		return err
	}
	err = a.edit(r.Context(), "put", flowsKind, id, func() error { return a.deps.Flows.PutFlowText(r.Context(), id, text) })
	if err != nil {
		return err
	}
	if isYAML(r.Header.Get("Accept")) {
		return a.getFlowText(w, r)
	}
	out, err := a.getSite(r.Context(), flowsKind, id)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, out.Body)
	return nil
}

// flowText reads a request's body as text.
func flowText(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFlowText))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, "the flow is larger than 1 MB")
	case err != nil:
		return nil, huma.NewError(http.StatusBadRequest, "the body did not come whole")
	case !utf8.Valid(text):
		return nil, huma.NewError(http.StatusBadRequest, "the body is not UTF-8")
	}
	return text, nil
}

// checked is what POST /api/v1/flows:check answers.
type checked struct {
	Faults []placed `json:"faults"`
	Flows  []string `json:"flows"`
}

// checkFlows says what is wrong with flows and stores nothing. The body is YAML,
// or JSON as {yaml}.
func (a *API) checkFlows(w http.ResponseWriter, r *http.Request) {
	if err := a.sendCheck(w, r); err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) sendCheck(w http.ResponseWriter, r *http.Request) error {
	text, err := flowText(w, r)
	if err != nil {
		return err
	}
	if !isYAML(r.Header.Get("Content-Type")) {
		if text, err = yamlIn(text); err != nil {
			return err
		}
	}
	ids, faults, err := a.deps.Flows.CheckFlows(r.Context(), text)
	if err != nil {
		return fmt.Errorf("check flows: %w", err)
	}
	if ids == nil {
		ids = []string{}
	}
	answer(w, http.StatusOK, checked{whereOf(faults), ids})
	return nil
}

func yamlIn(body []byte) ([]byte, error) {
	var in struct {
		YAML *string `json:"yaml"`
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&in); err != nil || strict.More() {
		return nil, huma.NewError(http.StatusBadRequest, "neither Content-Type "+yamlType+" nor JSON as {\"yaml\": …}")
	}
	if in.YAML == nil {
		return nil, unprocessable(at("body.yaml", "is missing", nil))
	}
	return []byte(*in.YAML), nil
}

type tryIn struct {
	Body struct {
		YAML  *string        `json:"yaml,omitempty" maxLength:"1048576" doc:"the flow to try; without it the stored one named by id"`
		ID    string         `json:"id,omitempty" maxLength:"128" doc:"which flow; of several in yaml, too"`
		Start string         `json:"start,omitempty" maxLength:"128" doc:"a node; the flow's own otherwise"`
		Keys  string         `json:"keys,omitempty" maxLength:"256" doc:"0-9 * # as pressed; w waits until the time is over; in a queue w, t talks, n nobody logged on, f full"`
		Vars  map[string]any `json:"vars,omitempty" doc:"variables; an http node whose variable is here has that reply, any other fails"`
		Now   time.Time      `json:"now,omitempty" doc:"what calendars go by; the present otherwise"`
	}
}

// tried is a way through a flow, and what is wrong with the flow.
type tried struct {
	Steps  []try.Visit `json:"steps"`
	End    string      `json:"end" doc:"hangup, waits, queue, circles; empty where the flow cannot be walked"`
	Faults []placed    `json:"faults"`
}

// tryFlow walks a flow without a call.
func (a *API) tryFlow(ctx context.Context, in *tryIn) (*one[tried], error) {
	b := in.Body
	if err := try.Check(b.Keys); err != nil {
		return nil, unprocessable(at("body.keys", err.Error(), b.Keys))
	}
	if b.YAML == nil && b.ID == "" {
		return nil, unprocessable(at("body", "wants yaml or id", nil))
	}
	if b.Now.IsZero() {
		b.Now = time.Now()
	}
	t := Trial{ID: b.ID, Script: try.Script{Start: b.Start, Keys: b.Keys, Vars: b.Vars, Now: b.Now}}
	if b.YAML != nil {
		t.Text = []byte(*b.YAML)
	}
	steps, faults, err := a.deps.Flows.TryFlow(ctx, t)
	if errors.Is(err, ErrNoNode) {
		return nil, unprocessable(at("body.start", err.Error(), b.Start))
	}
	if err != nil {
		return nil, fmt.Errorf("try the flow: %w", err)
	}
	if steps.Steps == nil {
		steps.Steps = []try.Visit{}
	}
	return &one[tried]{Body: tried{steps.Steps, steps.End, whereOf(faults)}}, nil
}
