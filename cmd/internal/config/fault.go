package config

import (
	"fmt"
	"sort"
	"strings"
)

// Fault is one thing wrong in a file, at its place (from 1; 0: the whole file).
type Fault struct {
	File         string
	Line, Column int
	Key          string
	Text         string
}

func (f Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Key == "" {
		return place + ": " + f.Text
	}
	return place + ": " + f.Key + ": " + f.Text
}

// Faults are all faults of the files read together.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is nil where there is no fault, else f in the order of the files.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	sort.SliceStable(f, func(i, j int) bool {
		a, b := f[i], f[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
	return f
}
