package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/internal/stamp"
	"callbox/sms"
)

// items is a list that is one setting, read and written whole.
type items[T any] struct {
	Items []T `json:"items"`
}

func itemsOf[T any](list []T) *one[items[T]] {
	if list == nil {
		list = []T{}
	}
	return &one[items[T]]{Body: items[T]{list}}
}

// setRules changes one of the settings for texts and writes that into the audit
// log.
func (a *API) setRules(ctx context.Context, name string, change func() error) error {
	if err := a.edit(ctx, "put", "sms", name, change); err != nil {
		return textProblem(err)
	}
	return nil
}

func (a *API) getQuietHours(ctx context.Context, _ *struct{}) (*one[sms.QuietHours], error) {
	q, err := a.deps.TextRules.QuietHours(ctx)
	if err != nil {
		return nil, textProblem(err)
	}
	return &one[sms.QuietHours]{Body: q}, nil
}

type quietHoursIn struct {
	Body struct {
		From string `json:"from,omitempty" doc:"15:04 in the box's time zone; with an empty to: no quiet hours"`
		To   string `json:"to,omitempty"`
	}
}

func (a *API) putQuietHours(ctx context.Context, in *quietHoursIn) (*one[sms.QuietHours], error) {
	q := sms.QuietHours(in.Body)
	if err := a.setRules(ctx, "quiet_hours", func() error { return a.deps.TextRules.SetQuietHours(ctx, q) }); err != nil {
		return nil, err
	}
	return &one[sms.QuietHours]{Body: q}, nil
}

func (a *API) getTextRoutes(ctx context.Context, _ *struct{}) (*one[items[sms.Route]], error) {
	list, err := a.deps.TextRules.Routes(ctx)
	if err != nil {
		return nil, textProblem(err)
	}
	return itemsOf(list), nil
}

type textRoutesIn struct{ Body items[sms.Route] }

func (a *API) putTextRoutes(ctx context.Context, in *textRoutesIn) (*one[items[sms.Route]], error) {
	list := in.Body.Items
	if err := a.setRules(ctx, "routes", func() error { return a.deps.TextRules.SetRoutes(ctx, list) }); err != nil {
		return nil, err
	}
	return itemsOf(list), nil
}

func (a *API) getCodes(ctx context.Context, _ *struct{}) (*one[items[sms.Code]], error) {
	list, err := a.deps.TextRules.Codes(ctx)
	if err != nil {
		return nil, textProblem(err)
	}
	return itemsOf(list), nil
}

type codesIn struct{ Body items[sms.Code] }

func (a *API) putCodes(ctx context.Context, in *codesIn) (*one[items[sms.Code]], error) {
	list := in.Body.Items
	if err := a.setRules(ctx, "codes", func() error { return a.deps.TextRules.SetCodes(ctx, list) }); err != nil {
		return nil, err
	}
	return itemsOf(list), nil
}

func (a *API) getBlacklist(ctx context.Context, _ *struct{}) (*one[items[sms.Listing]], error) {
	list, err := a.deps.TextRules.Blacklist(ctx)
	if err != nil {
		return nil, textProblem(err)
	}
	return itemsOf(list), nil
}

type blacklistIn struct{ Body blacklist }

func (a *API) putBlacklist(ctx context.Context, in *blacklistIn) (*one[items[sms.Listing]], error) {
	if len(in.Body.faults) > 0 {
		return nil, unprocessable(in.Body.faults...)
	}
	var list []sms.Listing
	err := a.setRules(ctx, "blacklist", func() (err error) {
		list, err = a.deps.TextRules.SetBlacklist(ctx, in.Body.list)
		return err
	})
	if err != nil {
		return nil, err
	}
	return itemsOf(list), nil
}

// blacklist is a list of numbers, or {items} with numbers or {number, kind,
// why, time} in it.
type blacklist struct {
	list   []sms.Listing
	faults []error
}

// Schema implements [huma.SchemaProvider]. What it leaves open is checked by
// [blacklist.UnmarshalJSON], which names each place.
func (blacklist) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "{items: [number | {number, kind: blocked or unsubscribed, why, time}]}, or the list of numbers alone",
		Examples: []any{
			map[string]any{"items": []any{map[string]any{"number": "13800138000", "kind": "blocked", "why": "asked us to"}}},
			[]any{"13800138000"},
		},
	}
}

// UnmarshalJSON reads either form and keeps what is wrong.
func (b *blacklist) UnmarshalJSON(raw []byte) error {
	var body any
	if err := json.Unmarshal(raw, &body); err != nil {
		return err
	}
	if object, ok := body.(map[string]any); ok {
		body = object["items"]
		for _, key := range strangers(object, "items") {
			b.fault("body."+key, "unexpected property", object[key])
		}
	}
	rows, ok := body.([]any)
	if !ok {
		b.fault("body.items", "expected a list", body)
		return nil
	}
	for i, row := range rows {
		b.list = append(b.list, b.listing(fmt.Sprintf("body.items[%d]", i), row))
	}
	return nil
}

func (b *blacklist) fault(where, what string, value any) {
	b.faults = append(b.faults, at(where, what, value))
}

// listing reads one row.
func (b *blacklist) listing(where string, row any) (l sms.Listing) {
	switch v := row.(type) {
	case string:
		l.Number = v
	case map[string]any:
		for key, field := range map[string]*string{"number": &l.Number, "kind": &l.Kind, "why": &l.Why} {
			if value, given := v[key]; given {
				if *field, given = value.(string); !given {
					b.fault(where+"."+key, "expected string", value)
				}
			}
		}
		if value, given := v["time"]; given && value != nil {
			text, _ := value.(string)
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				b.fault(where+".time", "expected a time (RFC 3339)", value)
			}
			l.Time = stamp.At(at)
		}
		for _, key := range strangers(v, "number", "kind", "why", "time") {
			b.fault(where+"."+key, "unexpected property", v[key])
		}
	default:
		b.fault(where, "expected a number as a string, or an object", row)
	}
	return l
}

// strangers are an object's keys that are none of these, in order.
func strangers(object map[string]any, known ...string) (keys []string) {
	for key := range object {
		if !slices.Contains(known, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// confirmJob lets a job go that awaits a confirmation; again it changes
// nothing.
func (a *API) confirmJob(ctx context.Context, in *byID) (*one[sms.Job], error) {
	if _, err := a.job(ctx, in.ID); err != nil {
		return nil, err
	}
	job, err := a.deps.Texter.Confirm(ctx, in.ID)
	if err != nil {
		return nil, textProblem(err)
	}
	return &one[sms.Job]{Body: job}, nil
}

func overLimit(o *sms.OverLimit) error {
	return later(http.StatusTooManyRequests, o.Error()+"; come again in "+inSeconds(o.Wait), o.Wait)
}
