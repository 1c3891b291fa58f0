package ivr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"callbox/ivr/flow"
)

// set keeps a variable for this call's flow and for the screens.
func (w *walk) set(name string, value any) {
	w.vars[name] = value
	w.call.Set(name, value)
}

// fetch gets JSON into the node's variable; what cannot be had leads to failed.
func (w *walk) fetch(ctx context.Context, n flow.Node) string {
	value, err := w.get(ctx, n.HTTP)
	if err != nil {
		w.call.Log().Warn("http node failed", "var", n.HTTP.Var, "err", err)
		return n.Failed
	}
	w.set(n.HTTP.Var, value)
	return n.Next
}

var (
	errNoFetcher = errors.New("there is nothing to fetch with")
	errSlow      = errors.New("no reply within the node's timeout")
	errNothing   = errors.New("nothing there")
)

func (w *walk) get(ctx context.Context, spec flow.HTTPSpec) (any, error) {
	if w.flow.deps.Fetcher == nil {
		return nil, errNoFetcher
	}
	ctx, cancel := context.WithTimeoutCause(ctx, spec.Timeout, errSlow)
	defer cancel()
	body, err := w.flow.deps.Fetcher.Get(ctx, flow.Fill(spec.URL, w.vars, url.PathEscape))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", spec.URL, err)
	}
	if body == nil {
		return nil, errNothing
	}
	var value any
	read := json.NewDecoder(bytes.NewReader(body))
	read.UseNumber()
	if err := read.Decode(&value); err != nil {
		return nil, fmt.Errorf("read %s: %w", spec.URL, err)
	}
	return value, nil
}
