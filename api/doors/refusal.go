package doors

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"callbox/sms"
)

// kind is why a request is refused; each door has its own word for each.
type kind int

const (
	broken      kind = iota // our fault; the log says why
	badKey                  // no key, or nobody's
	noScope                 // a key that may not
	notFound                // what the request is about
	noTo                    // nobody to send to
	badTo                   // a number that is none, or served by nobody
	noText                  // nothing to send
	badText                 // not text
	longText                // too much of it
	noFrom                  // nor any service to choose one
	badFrom                 // no access number or account of the box's
	badCallback             // a URL that may not be called
	badTime                 // to send at
	badValidity             // to send until
	noService               // to schedule with
	badField                // anything else
	noXML                   // nor any other form than JSON
	conflict                // with what was sent before
	tooMany                 // the key's limits; later it will do
	busy                    // the box cannot write it down now; later it will do
)

var statuses = map[kind]int{
	broken: http.StatusInternalServerError, badKey: http.StatusUnauthorized, noScope: http.StatusForbidden,
	notFound: http.StatusNotFound, noXML: http.StatusNotAcceptable, conflict: http.StatusConflict, tooMany: http.StatusTooManyRequests,
	busy: http.StatusServiceUnavailable,
}

// status is the HTTP status of a kind where the product has none of its own.
func (k kind) status() int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return http.StatusBadRequest
}

// refusal is a request that was not taken: nothing of it is stored.
type refusal struct {
	kind
	field string // as sms names it, or the door's own parameter
	text  string
	wait  time.Duration // after which it may do; 0: nothing is known
}

func refuse(k kind, field, text string) *refusal { return &refusal{kind: k, field: field, text: text} }

func (r *refusal) Error() string {
	if r.field == "" {
		return r.text
	}
	return r.field + ": " + r.text
}

// refused puts any error into a refusal. What nobody decided on is logged here.
func (d *Doors) refused(ctx context.Context, err error) *refusal {
	var known *refusal
	var invalid sms.Invalid
	var over *sms.OverLimit
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &invalid) && len(invalid) > 0:
		return fault(invalid)
	case errors.As(err, &over):
		return &refusal{kind: tooMany, text: over.Error(), wait: over.Wait}
	case errors.Is(err, sms.ErrNotFound):
		return refuse(notFound, "", "there is no such message")
	case errors.Is(err, sms.ErrKeyConflict):
		return refuse(conflict, "", err.Error())
	case errors.Is(err, ErrCursor):
		return refuse(badField, "page", err.Error())
	case errors.Is(err, ErrUnavailable), ctx.Err() != nil:
		d.cfg.Log.ErrorContext(ctx, "text not kept", "err", err)
		return &refusal{kind: busy, text: "the box cannot write it down now", wait: comeAgain}
	}
	d.cfg.Log.ErrorContext(ctx, "a door's request failed", "err", err)
	return refuse(broken, "", "the box could not do that; its log says why")
}

// fault is the first fault of a request, whose kind follows from its field, with
// the words of all.
func fault(invalid sms.Invalid) *refusal {
	first := invalid[0]
	name, _, _ := strings.Cut(first.Field, "[")
	k := badField
	switch name {
	case "to":
		k = badTo
	case "text":
		k = badText
	case "account":
		k = badFrom
	case "callback_url":
		k = badCallback
	case "send_at":
		k = badTime
	case "valid_until":
		k = badValidity
	}
	words := make([]string, len(invalid))
	for i, f := range invalid {
		words[i] = f.Err.Error()
		if i > 0 {
			words[i] = f.Error()
		}
	}
	return refuse(k, first.Field, strings.Join(words, "; "))
}

// retryAfter tells when to come again, where that helps.
func (r *refusal) retryAfter(w http.ResponseWriter) {
	if r.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((r.wait+time.Second-1)/time.Second)))
	}
}

// comeAgain is when to try again whether the box can write.
const comeAgain = 5 * time.Second
