package flow

import (
	"cmp"
	"fmt"
	"slices"
)

// Fault is one thing that is wrong in a file, with its place (from 1).
type Fault struct {
	File   string
	Line   int
	Column int
	Key    string // path of the key, as in flows[0].nodes.menu
	Text   string
}

func (f Fault) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Key, f.Text)
}

func sorted(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return faults
}
