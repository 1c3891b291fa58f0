package sms

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

var variable = regexp.MustCompile(`\{([\p{L}_][\p{L}\p{N}_.]*)\}`)

// ackLink is the variable for the link that acknowledges a job.
const ackLink = "ack"

// Fill puts vars into a template's text. Every variable must be given, and
// every one given must be in the text; the faults name vars.NAME. Braces in a
// value are text.
func (t Template) Fill(vars map[string]any) (string, error) {
	var faults Invalid
	used := map[string]bool{}
	text := variable.ReplaceAllStringFunc(t.Text, func(found string) string {
		name := found[1 : len(found)-1]
		if used[name] {
			return word(vars[name])
		}
		used[name] = true
		value, given := vars[name]
		switch {
		case name == ackLink && !given:
			faults.add("template", "{%s}: %w", name, errNoLinks)
		case !given:
			faults.add("vars."+name, "is missing")
		case !printable(value):
			faults.add("vars."+name, "is neither text, number nor true or false")
		}
		return word(value)
	})
	for _, name := range unused(vars, used) {
		faults.add("vars."+name, "is not in template %s", t.ID)
	}
	return text, faults.orNil()
}

// Vars are the names that the text wants, each once.
func (t Template) Vars() []string {
	var names []string
	for _, found := range variable.FindAllStringSubmatch(t.Text, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}

func unused(vars map[string]any, used map[string]bool) []string {
	var names []string
	for name := range vars {
		if !used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func printable(v any) bool {
	switch v.(type) {
	case string, bool, float64, int, int64:
		return true
	}
	return false
}

func word(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
