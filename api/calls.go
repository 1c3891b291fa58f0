package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/cti"
	"callbox/storage"
)

// defaultLimit is the length of a list's page.
const defaultLimit = 50

// Paged is what every list takes. It is exported for huma, which reads it
type Paged struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Cursor string `query:"cursor" maxLength:"256"`
}

func (p Paged) limit() int { return cmp.Or(p.Limit, defaultLimit) }

func (p Paged) page() storage.Page { return storage.Page{Limit: p.limit(), Cursor: p.Cursor} }

// rows is a page of a list, newest first; next is the cursor of what follows,
// empty at the end.
type rows[T any] struct {
	Body struct {
		Items []T    `json:"items"`
		Next  string `json:"next"`
	}
}

func pageOf[T any](items []T, next string) *rows[T] {
	out := &rows[T]{}
	out.Body.Items, out.Body.Next = items, next
	if items == nil {
		out.Body.Items = []T{}
	}
	return out
}

// one is a single object.
type one[T any] struct{ Body T }

type callsIn struct {
	Since  time.Time `query:"since" doc:"inclusive"`
	Number string    `query:"number" maxLength:"64" doc:"in any form; either side"`
	Agent  string    `query:"agent" maxLength:"64"`
	Queue  string    `query:"queue" maxLength:"64"`
	Result string    `query:"result" enum:"answered,abandoned,completed,voicemail,callback,rejected,failed"`
	Paged
}

func (in *callsIn) filter(who *caller) storage.CallFilter {
	f := storage.CallFilter{
		Since: in.Since, Number: in.Number, Agent: in.Agent, Queue: in.Queue,
		Result: in.Result, Page: in.page(),
	}
	if who.own() {
		f.VisibleTo = who.ID
	}
	return f
}

func (a *API) listCalls(ctx context.Context, in *callsIn) (*rows[cti.CDR], error) {
	records, next, err := a.deps.Records.Calls(ctx, in.filter(callerOf(ctx)))
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	for i, r := range records {
		if live, ok := a.deps.Calls.Call(r.ID); ok && !r.Final() {
			records[i] = live
		}
		records[i] = callerOf(ctx).shown(records[i])
	}
	return pageOf(records, next), nil
}

type byID struct {
	ID string `path:"id" maxLength:"128"`
}

func (a *API) getCall(ctx context.Context, in *byID) (*one[cti.CDR], error) {
	call, err := a.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[cti.CDR]{Body: callerOf(ctx).shown(call)}, nil
}

// shown is the record as the caller may see it: agents are not told who listened
// in on them.
func (c *caller) shown(call cti.CDR) cti.CDR {
	if c.own() {
		call.Legs = slices.DeleteFunc(slices.Clone(call.Legs), func(l cti.LegRecord) bool {
			return l.Mode == cti.ModeListen || l.Mode == cti.ModeWhisper
		})
	}
	return call
}

// record is a call's record: the live one, else what is on disk, else
// cti.ErrNotFound.
func (a *API) record(ctx context.Context, id string) (cti.CDR, error) {
	if call, ok := a.deps.Calls.Call(id); ok {
		return call, nil
	}
	call, err := a.deps.Records.Call(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return cti.CDR{}, cti.ErrNotFound
	}
	if err != nil {
		return cti.CDR{}, fmt.Errorf("read the record: %w", err)
	}
	return call, nil
}

// visible is a record, if who asks may see it.
func (a *API) visible(ctx context.Context, id string) (cti.CDR, error) {
	call, err := a.record(ctx, id)
	if err != nil {
		return cti.CDR{}, err
	}
	if who := callerOf(ctx); who.own() && !tookPart(&call, who.ID) {
		return cti.CDR{}, cti.ErrNotFound
	}
	return call, nil
}

// tookPart says whether agent was ever offered the call, or had it.
func tookPart(call *cti.CDR, agent string) bool {
	for _, o := range call.Offers {
		if o.Agent == agent {
			return true
		}
	}
	for _, l := range call.Legs {
		if l.Agent == agent {
			return true
		}
	}
	return call.Agent != nil && call.Agent.ID == agent
}
