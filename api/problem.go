package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

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
	case errors.Is(err, storage.ErrConflict):
		return huma.NewError(http.StatusConflict, err.Error())
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
		a.log.DebugContext(ctx, "request not kept", "err", err) // the writer tells of it, once
		return huma.NewError(http.StatusServiceUnavailable, "the box cannot write it down now")
	case ctx.Err() != nil:
		return huma.NewError(http.StatusServiceUnavailable, "the request was given up")
	}
	a.log.ErrorContext(ctx, "request failed", "err", err)
	return huma.NewError(http.StatusInternalServerError, "the box could not do that; its log says why")
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
	_ = json.NewEncoder(w).Encode(se) // the client went away: nobody to tell
}

// answer writes v as JSON with status.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody to tell
}
