package api

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"callbox/cti"
)

// defaultLimit is the length of a list's page.
const defaultLimit = 50

// paged is what every list takes.
type paged struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Cursor string `query:"cursor" maxLength:"256"`
}

func (p paged) limit() int { return cmp.Or(p.Limit, defaultLimit) }

func (p paged) page() Page { return Page{Limit: p.limit(), Cursor: p.Cursor} }

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
	paged
}

func (in *callsIn) query(who *caller) CallQuery {
	q := CallQuery{
		Since: in.Since, Number: in.Number, Agent: in.Agent, Queue: in.Queue,
		Result: in.Result, Page: in.page(),
	}
	if who.own() {
		q.Visible = who.ID
	}
	return q
}

func (a *API) listCalls(ctx context.Context, in *callsIn) (*rows[cti.CDR], error) {
	records, next, err := a.deps.Records.Records(ctx, in.query(callerOf(ctx)))
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	for i, r := range records {
		if live, ok := a.deps.Calls.Call(r.ID); ok && !r.Final() {
			records[i] = live
		}
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
	return &one[cti.CDR]{Body: call}, nil
}

// record is a call's record: the live one, else what is on disk, else
// cti.ErrNotFound.
func (a *API) record(ctx context.Context, id string) (cti.CDR, error) {
	if call, ok := a.deps.Calls.Call(id); ok {
		return call, nil
	}
	call, ok, err := a.deps.Records.Record(ctx, id)
	if err != nil {
		return cti.CDR{}, fmt.Errorf("read call %s: %w", id, err)
	}
	if !ok {
		return cti.CDR{}, cti.ErrNotFound
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
	return call.Agent != nil && call.Agent.ID == agent
}
