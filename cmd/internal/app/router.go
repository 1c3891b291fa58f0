package app

import (
	"context"
	"fmt"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/ivr"
	"callbox/ivr/flow"
	"callbox/storage"
)

// routes lead a dialled number to its flow. They are made anew when the site
// changes and never changed.
type routes struct {
	area  string
	desks desks
	byKey map[string]string // number, in one form, to flow
	flows map[string]*ivr.Flow
}

var _ cti.Router = routes{}

// desks serve calls that go to agents: on a line on which an agent's own
// telephone hangs, to one agent, or to a queue.
type desks interface {
	Attend(agent string) cti.Handler
	Agent(id string) cti.Handler
	Queue(id string) cti.Handler
}

// newRoutes builds the handlers of all stored flows and the table of numbers.
func newRoutes(ctx context.Context, db *storage.DB, area string, desks desks, deps ivr.Deps) (routes, error) {
	r := routes{area: area, desks: desks, byKey: map[string]string{}, flows: map[string]*ivr.Flow{}}
	stored, err := db.Flows(ctx)
	if err != nil {
		return r, err
	}
	for _, doc := range stored {
		if r.flows[doc.ID], err = handler(doc, deps); err != nil {
			return r, err
		}
	}
	table, err := db.Routes(ctx)
	for _, row := range table {
		r.byKey[number.Key(row.Number, area)] = row.Flow
	}
	return r, err
}

// handler makes a stored flow walkable. What was stored has been checked; a
// fault here is a file of another version.
func handler(doc storage.Flow, deps ivr.Deps) (*ivr.Flow, error) {
	graph, err := graphOf(doc)
	if err != nil {
		return nil, err
	}
	return ivr.New(graph, "", deps)
}

func graphOf(doc storage.Flow) (flow.Flow, error) {
	graphs, faults := flow.Parse(doc.Doc, "flow "+doc.ID)
	if len(faults) > 0 {
		return flow.Flow{}, faults[0]
	}
	graph, ok := graphs.Find(doc.ID)
	if !ok {
		return flow.Flow{}, fmt.Errorf("flow %s: the document names another", doc.ID)
	}
	return graph, nil
}

// Route finds the desk whose telephone hangs on the line, the agent, queue or
// flow that next names, or the flow of the dialled number.
func (r routes) Route(o cti.Origin, next cti.Target) (cti.Handler, error) {
	switch {
	case o.Attend != "" && next == (cti.Target{}):
		return r.desks.Attend(o.Attend), nil
	case next.Agent != "":
		return r.desks.Agent(next.Agent), nil
	case next.Queue != "":
		return r.desks.Queue(next.Queue), nil
	}
	id := next.Flow
	if next == (cti.Target{}) {
		id = r.byKey[number.Key(o.DID, r.area)]
	}
	if h, ok := r.flows[id]; ok {
		return h, nil
	}
	return nil, fmt.Errorf("%q: %w", o.DID, cti.ErrNotFound)
}
