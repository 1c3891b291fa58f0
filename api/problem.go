package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/storage"
)

// notYet is what documented but unserved things are refused with.
const notYet = "not yet supported"

// at is one fault of a request: where, what, and what stood there.
func at(location, message string, value any) error {
	return &huma.ErrorDetail{Location: location, Message: message, Value: value}
}

// unprocessable is a 422 that names each wrong field (RFC 9457).
func unprocessable(faults ...error) error {
	return huma.NewError(http.StatusUnprocessableEntity, "validation failed", faults...)
}

func notFound(what string) error {
	return huma.NewError(http.StatusNotFound, "no such "+what)
}

func forbidden(why string) error { return huma.NewError(http.StatusForbidden, why) }

// problem turns any error into one with a status. What nobody decided on is
// logged here and answered with 500 and no detail.
func (a *API) problem(ctx context.Context, err error) error {
	var se huma.StatusError
	switch {
	case errors.As(err, &se):
		return err
	case errors.Is(err, cti.ErrNotFound), errors.Is(err, storage.ErrNotFound):
		return notFound("object")
	case errors.Is(err, cti.ErrWrongState):
		return huma.NewError(http.StatusConflict, err.Error())
	case errors.Is(err, cti.ErrNotServed):
		return huma.NewError(http.StatusNotImplemented, notYet)
	case errors.Is(err, storage.ErrCursor):
		return unprocessable(at("query.cursor", err.Error(), nil))
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrLastAdmin):
		return huma.NewError(http.StatusConflict, err.Error())
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
		a.log.DebugContext(ctx, "request not kept", "err", err) // the writer tells of it, once
		return later(http.StatusServiceUnavailable, "the box cannot write it down now", comeAgain)
	case ctx.Err() != nil:
		return huma.NewError(http.StatusServiceUnavailable, "the request was given up")
	}
	a.log.ErrorContext(ctx, "request failed", "err", err)
	return huma.NewError(http.StatusInternalServerError, "the box could not do that; its log says why")
}

// comeAgain is when to try again whether the box can write.
const comeAgain = 5 * time.Second

// later is an error that says when to come again.
func later(status int, why string, wait time.Duration) error {
	return huma.ErrorWithHeaders(huma.NewError(status, why), http.Header{"Retry-After": {strconv.Itoa(wholeSeconds(wait))}})
}

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// inSeconds is d in words.
func inSeconds(d time.Duration) string {
	if n := wholeSeconds(d); n != 1 {
		return strconv.Itoa(n) + " seconds"
	}
	return "1 second"
}

// fail answers a request outside of huma with err as problem+json.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = a.problem(r.Context(), err)
	var he huma.HeadersError
	if errors.As(err, &he) {
		for k, values := range he.GetHeaders() {
			w.Header()[http.CanonicalHeaderKey(k)] = values
		}
	}
	var se huma.StatusError
	errors.As(err, &se)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(se.GetStatus())
	_ = json.NewEncoder(w).Encode(bounded(se)) // the client went away: nobody to tell
}

// Limits of what a problem repeats of its request.
const (
	maxFaults = 10_000
	maxValue  = 100 // bytes of what stood there
)

// bounded is an answer that grows no faster than its request did: huma tells
// the whole object beside each key in it that it does not know, so that a
// thousand of them would be a thousand copies. A key that is missing is named
// as the place.
func bounded(v any) any {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v
	}
	b := *p
	b.Errors = nil
	for i, e := range p.Errors {
		if i == maxFaults {
			b.Errors = append(b.Errors, &huma.ErrorDetail{Message: fmt.Sprintf("and %d more", len(p.Errors)-i)})
			break
		}
		b.Errors = append(b.Errors, boundedFault(*e))
	}
	return &b
}

func boundedFault(e huma.ErrorDetail) *huma.ErrorDetail {
	switch v := e.Value.(type) {
	case string:
		if len(v) > maxValue {
			e.Value = strings.ToValidUTF8(v[:maxValue], "") + "…"
		}
	case map[string]any, []any:
		e.Value = nil
	}
	if name, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		e.Message = "is missing"
		e.Location += "." + strings.TrimSuffix(name, " to be present")
	}
	return &e
}

// answer writes v as JSON with status.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody to tell
}
