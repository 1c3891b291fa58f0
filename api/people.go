package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
)

// person is somebody logged in, as his colleagues see him: whom a call can be
// handed to, or a message. Who has no desk has no state.
type person struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      Role       `json:"role"`
	State     acd.State  `json:"state"`
	Reason    string     `json:"reason"`
	Since     stamp.Time `json:"since"`
	Device    string     `json:"device"`
	OnCall    bool       `json:"on_call"`
	Queues    []string   `json:"queues"`
	Extension string     `json:"extension"`
}

// listPeople gives who is logged in, by name: agents at their desks, and others
// who have a page open.
func (a *API) listPeople(ctx context.Context, _ *struct{}) (*rows[person], error) {
	agents, err := a.deps.Desk.Staff(ctx)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	desks := map[string]acd.Desk{}
	for _, d := range a.deps.Floor.Desks() {
		desks[d.ID] = d
	}
	var list []person
	for _, u := range agents {
		d, ok := desks[u.ID]
		if !ok || d.State == acd.LoggedOff {
			continue
		}
		list = append(list, person{
			ID: d.ID, Name: d.Name, Role: Role(cmp.Or(u.Role, string(Agent))), State: d.State, Reason: d.Reason, Since: d.Since,
			Device: d.Device, OnCall: a.onCall(d), Queues: d.Queues, Extension: u.Extension,
		})
	}
	list = append(list, a.visitors(desks)...)
	slices.SortFunc(list, func(a, b person) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return pageOf(list, ""), nil
}

// onCall says whether somebody talks at a desk now, rather than wraps up.
func (a *API) onCall(d acd.Desk) bool {
	if d.Call == "" {
		return false
	}
	call, live := a.deps.Calls.Call(d.Call)
	return live && takesPart(&call, d.ID, cti.Time(stamp.Now()))
}

// visitors are people without a desk who have a page open, each once.
func (a *API) visitors(desks map[string]acd.Desk) (list []person) {
	seen := map[string]bool{}
	for _, s := range a.hub.all() {
		who := s.who
		if _, ok := desks[who.ID]; ok || seen[who.ID] || who.program() {
			continue
		}
		seen[who.ID] = true
		list = append(list, person{ID: who.ID, Name: who.Name, Role: who.Role, Queues: []string{}})
	}
	return list
}
