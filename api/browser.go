package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"callbox/cti"
)

// Browsers are the pages that are phones. A session is one page: its socket.
type Browsers interface {
	// Offer makes a page the user's phone: its SDP offer, the box's answer. Errors:
	// cti.ErrBadArgs, cti.ErrTooMany, cti.ErrShutdown.
	Offer(ctx context.Context, user, session, sdp string) (answer string, err error)
	// Close lets a page be none any more, Gone says that its socket is gone; both
	// are nothing from a session that was replaced.
	Close(user, session string)
	Gone(user, session string)
	// Observe keeps what a page says of its sound in the call's record, or gives
	// cti.ErrNotFound.
	Observe(call, user string, v cti.BrowserView) error
}

// pages numbers the sockets, each a page.
var pages atomic.Uint64

func newPage() string { return strconv.FormatUint(pages.Add(1), 10) }

// phoneLeaves tells of the end of a page's socket. One that another tab replaced,
// or whose log-in is over, is no phone from now on; another may come back.
func (s *socket) phoneLeaves() {
	if s.api.deps.Browsers == nil || s.who.program() {
		return
	}
	switch s.ending.Load() {
	case replaced, sessionOver:
		s.api.deps.Browsers.Close(s.who.ID, s.who.page)
	default:
		s.api.deps.Browsers.Gone(s.who.ID, s.who.page)
	}
}

// browsers are the pages that are phones, for who may have one.
func (a *API) browsers(who *caller) (Browsers, error) {
	switch {
	case who.program() || who.page == "":
		return nil, refused(codeForbidden, "only a page on the WebSocket is a phone")
	case a.deps.Browsers == nil:
		return nil, refused(codeNotSupported, "a page as a phone is "+notYet)
	}
	return a.deps.Browsers, nil
}

// description is one side's view of a connection (RFC 8829).
type description struct {
	SDP string `json:"sdp"`
}

func (a *API) mediaOffer(ctx context.Context, who *caller, raw json.RawMessage) (any, error) {
	pages, err := a.browsers(who)
	if err != nil {
		return nil, err
	}
	var args description
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if args.SDP == "" {
		return nil, badArgs("sdp", "is missing")
	}
	answer, err := pages.Offer(ctx, who.ID, who.page, args.SDP)
	switch {
	case errors.Is(err, cti.ErrBadArgs):
		return nil, &refusal{Code: codeBadArgs, Message: err.Error(), field: "sdp"}
	case err != nil:
		return nil, fmt.Errorf("offer a phone: %w", err)
	}
	return description{answer}, nil
}

func (a *API) mediaClose(_ context.Context, who *caller, raw json.RawMessage) (any, error) {
	pages, err := a.browsers(who)
	if err != nil {
		return nil, err
	}
	if err := argsInto(raw, &struct{}{}); err != nil {
		return nil, err
	}
	pages.Close(who.ID, who.page)
	return nil, nil
}

type statsArgs struct {
	CallID string `json:"call_id"`
	cti.BrowserView
}

const mostMilliseconds = 600_000

func (s statsArgs) check() error {
	switch {
	case s.CallID == "":
		return badArgs("call_id", "is missing")
	case !within(s.RTTMS, mostMilliseconds):
		return badArgs("rtt_ms", "is milliseconds, 0 to 600000")
	case !within(s.JitterMS, mostMilliseconds):
		return badArgs("jitter_ms", "is milliseconds, 0 to 600000")
	case !within(s.Level, 1):
		return badArgs("level", "is 0 to 1")
	case !counts(s.Lost):
		return badArgs("lost", "is a count")
	case !counts(s.Received):
		return badArgs("received", "is a count")
	case !counts(s.Concealed):
		return badArgs("concealed", "is a count")
	case len(s.Device) > 200:
		return badArgs("device", "is 200 bytes at most")
	}
	return nil
}

// within says that a figure is missing, or from 0 to most.
func within(v *float64, most float64) bool { return v == nil || *v >= 0 && *v <= most }

func counts(v *int64) bool { return v == nil || *v >= 0 }

func (a *API) mediaStats(_ context.Context, who *caller, raw json.RawMessage) (any, error) {
	pages, err := a.browsers(who)
	if err != nil {
		return nil, err
	}
	var args statsArgs
	if err := argsInto(raw, &args); err != nil {
		return nil, err
	}
	if err := args.check(); err != nil {
		return nil, err
	}
	return nil, pages.Observe(args.CallID, who.ID, args.BrowserView)
}
