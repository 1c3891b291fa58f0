package api

import (
	"cmp"
	"context"
	"slices"

	"callbox/cti"
)

// listLines gives the analogue lines by label.
func (a *API) listLines(_ context.Context, in *Paged) (*rows[cti.Line], error) {
	if a.deps.Lines == nil {
		return pageOf[cti.Line](nil, ""), nil
	}
	lines := slices.Clone(a.deps.Lines.Lines())
	slices.SortFunc(lines, func(x, y cti.Line) int { return cmp.Compare(x.Label, y.Label) })
	lines = slices.DeleteFunc(lines, func(l cti.Line) bool { return l.Label <= in.Cursor && in.Cursor != "" })
	if len(lines) <= in.limit() {
		return pageOf(lines, ""), nil
	}
	lines = lines[:in.limit()]
	return pageOf(lines, lines[len(lines)-1].Label), nil
}
