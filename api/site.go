package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"callbox/acd"
	"callbox/cti"
	"callbox/storage"
)

// section is one kind of what a supervisor edits.
type section struct {
	kind                   string
	read                   access
	list, get, put, delete func(*API, route)
}

// sections are all kinds; what has no handler is not served yet.
var sections = []section{
	served("agents", siteRead),
	served("queues", siteRead),
	customers(),
	served("templates", siteRead),
	served("routes", siteBosses),
	servedFlows(),
	served("calendars", siteRead),
}

const agentsKind = "agents"

func served(kind string, read access) section {
	return section{
		kind: kind, read: read,
		list: serve(func(a *API, ctx context.Context, in *Paged) (*rows[document], error) {
			return a.listSite(ctx, kind, in.page())
		}),
		get: serve(func(a *API, ctx context.Context, in *byID) (*one[document], error) {
			return a.getSite(ctx, kind, in.ID)
		}),
		put: serve(func(a *API, ctx context.Context, in *putIn) (*one[document], error) {
			return a.putSite(ctx, kind, in.ID, in.Body)
		}),
		delete: made(http.StatusNoContent, func(a *API, ctx context.Context, in *byID) (*struct{}, error) {
			return nil, a.deleteSite(ctx, kind, in.ID)
		}),
	}
}

// document is an object of the site in its own shape.
type document map[string]json.RawMessage

// Schema implements [huma.SchemaProvider].
func (document) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "as in site.yaml; durations are seconds"}
}

type putIn struct {
	ID   string `path:"id" maxLength:"128"`
	Body document
}

func (a *API) listSite(ctx context.Context, kind string, p storage.Page) (*rows[document], error) {
	raws, next, err := a.deps.Site.Documents(ctx, kind, p)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	docs := make([]document, len(raws))
	for i, raw := range raws {
		if docs[i], err = read(raw); err != nil {
			return nil, err
		}
	}
	if kind == agentsKind {
		a.withDesks(docs)
	}
	return pageOf(docs, next), nil
}

func read(raw json.RawMessage) (document, error) {
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read an object of the site: %w", err)
	}
	return doc, nil
}

func (a *API) getSite(ctx context.Context, kind, id string) (*one[document], error) {
	raw, err := a.deps.Site.Document(ctx, kind, id)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	doc, err := read(raw)
	if err != nil {
		return nil, err
	}
	if kind == agentsKind {
		a.withDesks([]document{doc})
	}
	return &one[document]{Body: doc}, nil
}

// deskKeys are what an agent's object shows of the floor; PUT leaves them out.
var deskKeys = []string{"state", "reason", "since", "until", "busy_since", "pending", "phone", "device", "away", "call"}

// withDesks adds to agents how their desks stand.
func (a *API) withDesks(docs []document) {
	desks := map[string]acd.Desk{}
	for _, d := range a.deps.Floor.Desks() {
		desks[d.ID] = d
	}
	for _, doc := range docs {
		desk, ok := desks[text(doc["id"])]
		if !ok {
			continue
		}
		body, err := json.Marshal(desk)
		if err != nil {
			continue
		}
		live, err := read(body)
		if err != nil {
			continue
		}
		for _, key := range deskKeys {
			if v, ok := live[key]; ok {
				doc[key] = v
			}
		}
	}
}

// text is a JSON string's value, else empty.
func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // then it is no string
	return s
}

func (a *API) putSite(ctx context.Context, kind, id string, doc document) (*one[document], error) {
	if a.deps.Editor == nil {
		return nil, cti.ErrNotServed
	}
	doc, err := named(doc, kind, id)
	if err != nil {
		return nil, err
	}
	if kind == agentsKind {
		for _, key := range deskKeys {
			delete(doc, key)
		}
		if err := a.mayMake(ctx, id, doc); err != nil {
			return nil, err
		}
	}
	if err := a.edit(ctx, "put", kind, id, func() error {
		return a.deps.Editor.PutDocuments(ctx, kind, []json.RawMessage{encode(doc)})
	}); err != nil {
		return nil, err
	}
	return a.getSite(ctx, kind, id)
}

// named is a document under the name of its path.
func named(doc document, kind, id string) (document, error) {
	key := "id"
	if kind == "routes" {
		key = "number"
	}
	if given, ok := doc[key]; ok && text(given) != id {
		return nil, unprocessable(at("body."+key, "is not that of the path", text(given)))
	}
	doc = maps.Clone(doc)
	if doc == nil {
		doc = document{}
	}
	name, err := json.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("name a document: %w", err)
	}
	doc[key] = name
	return doc, nil
}

func encode(doc document) json.RawMessage {
	body, err := json.Marshal(doc)
	if err != nil { // raw messages that were read before
		return json.RawMessage("{}")
	}
	return body
}

// mayMake keeps supervisors and programs from making or changing others than
// agents: only an admin hands out more than he has.
func (a *API) mayMake(ctx context.Context, id string, doc document) error {
	if callerOf(ctx).Role == Admin {
		return nil
	}
	if role := text(doc["role"]); role != "" && Role(role) != Agent {
		return forbidden("only an admin gives the role " + role)
	}
	return a.mayTouch(ctx, id)
}

// mayTouch keeps them from changing the log-ins of others than agents.
func (a *API) mayTouch(ctx context.Context, id string) error {
	if callerOf(ctx).Role == Admin {
		return nil
	}
	u, ok, err := a.user(ctx, id)
	if err != nil {
		return err
	}
	if ok && Role(u.Role) != Agent {
		return forbidden("only an admin changes a " + u.Role)
	}
	return nil
}

// edit makes a change of the site and writes it into the audit log.
func (a *API) edit(ctx context.Context, what, kind, id string, change func() error) error {
	if err := change(); err != nil {
		return flowProblem(err)
	}
	e := storage.AuditEntry{Who: callerOf(ctx).ID, What: kind + "." + what, Object: id, Origin: address(requestOf(ctx))}
	if err := a.deps.Audit.Audit(ctx, e); err != nil {
		return fmt.Errorf("audit the change: %w", err)
	}
	if watched(kind) {
		a.inspectAll(ctx) // a log-in may be gone, a queue another agent's
	}
	return nil
}

func siteProblem(err error) error {
	var faults Faults
	var se huma.StatusError
	switch {
	case errors.As(err, &se):
		return err
	case errors.Is(err, storage.ErrBadDocument), errors.Is(err, storage.ErrDangling):
		return unprocessable(at("body", err.Error(), nil))
	case !errors.As(err, &faults):
		return fmt.Errorf("change the site: %w", err)
	}
	var out []error
	for _, f := range faults {
		where := "body"
		if f.Field != "" {
			where += "." + f.Field
		}
		out = append(out, at(where, f.Message, nil))
	}
	return unprocessable(out...)
}

func (a *API) deleteSite(ctx context.Context, kind, id string) error {
	if a.deps.Editor == nil {
		return cti.ErrNotServed
	}
	if kind == agentsKind {
		if err := a.mayTouch(ctx, id); err != nil {
			return err
		}
	}
	return a.edit(ctx, "delete", kind, id, func() error {
		err := a.deps.Editor.DeleteDocument(ctx, kind, id)
		if errors.Is(err, storage.ErrDangling) {
			return huma.NewError(http.StatusConflict, err.Error())
		}
		return err
	})
}

type batchIn struct {
	Body struct {
		Items []document `json:"items" minItems:"1" maxItems:"10000"`
	}
}

type batchOut struct {
	Body struct {
		Count int `json:"count"`
	}
}

// batchCustomers puts many customers, all or none.
func (a *API) batchCustomers(ctx context.Context, in *batchIn) (*batchOut, error) {
	if a.deps.Editor == nil {
		return nil, cti.ErrNotServed
	}
	docs := make([]json.RawMessage, len(in.Body.Items))
	for i, doc := range in.Body.Items {
		docs[i] = encode(doc)
	}
	if err := a.edit(ctx, "batch", "customers", "", func() error {
		return a.deps.Editor.PutDocuments(ctx, "customers", docs)
	}); err != nil {
		return nil, err
	}
	out := &batchOut{}
	out.Body.Count = len(docs)
	return out, nil
}
