package flow

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader decodes strictly: it goes on after a fault, so that all are found at once.
type reader struct {
	file   string
	faults []Fault
}

func (r *reader) fault(at ast.Node, key, format string, args ...any) {
	place := placeOf(at)
	r.faults = append(r.faults, Fault{
		File: r.file, Line: place.Line, Column: place.Column, Key: key, Text: fmt.Sprintf(format, args...),
	})
}

func placeOf(n ast.Node) Place {
	if n == nil {
		return Place{1, 1}
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	return placeOfToken(n.GetToken())
}

func placeOfToken(t *token.Token) Place {
	if t == nil || t.Position == nil {
		return Place{1, 1}
	}
	return Place{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// object is a mapping whose keys are taken one by one; what is left at the end
// is unknown.
type object struct {
	*reader
	path string
	node ast.Node
	all  map[string]*ast.MappingValueNode
	left map[string]bool
}

// object reads n as a mapping; false, with a fault, if it is none.
func (r *reader) object(path string, n ast.Node) (object, bool) {
	n = bare(n)
	o := object{reader: r, path: path, node: n, all: map[string]*ast.MappingValueNode{}, left: map[string]bool{}}
	var entries []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		entries = m.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{m}
	default:
		r.fault(n, path, "wants keys and values")
		return o, false
	}
	for _, e := range entries {
		key := keyOf(e)
		if o.all[key] != nil {
			r.fault(e, path+"."+key, "given twice")
			continue
		}
		o.all[key], o.left[key] = e, true
	}
	return o, true
}

func bare(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
}

func keyOf(e *ast.MappingValueNode) string {
	if s, ok := e.Key.(*ast.StringNode); ok {
		return s.Value
	}
	if t := e.Key.GetToken(); t != nil {
		return strings.Trim(t.Value, `"'`)
	}
	return ""
}

// keys are the mapping's keys in the file's order.
func (o object) keys() []string {
	keys := make([]string, 0, len(o.all))
	for k := range o.all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := placeOf(o.all[a]), placeOf(o.all[b])
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
	return keys
}

func (o object) key(name string) string { return o.path + "." + name }

// take gives a key's value; nil where it is not given or null.
func (o object) take(name string) ast.Node {
	delete(o.left, name)
	e := o.all[name]
	if e == nil {
		return nil
	}
	v := bare(e.Value)
	if _, null := v.(*ast.NullNode); null {
		return nil
	}
	return v
}

// close refuses what was not taken.
func (o object) close() {
	for _, k := range o.keys() {
		if o.left[k] {
			o.fault(o.all[k], o.key(k), "unknown key")
		}
	}
}

// text is a key's string, "" where it is not given. Numbers and booleans are
// taken as they are written.
func (o object) text(name string) string {
	v := o.take(name)
	if v == nil {
		return ""
	}
	text, ok := scalar(v)
	if !ok {
		o.fault(v, o.key(name), "wants a text")
	}
	return text
}

func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// needed is text that must be given.
func (o object) needed(name string) string {
	text := o.text(name)
	if text == "" {
		o.fault(o.node, o.key(name), "is missing")
	}
	return text
}

// maxDuration bounds every time limit in a flow.
const maxDuration = time.Hour

// duration is a Go duration such as 5s, or a number of seconds.
func (o object) duration(name string, otherwise time.Duration) time.Duration {
	v := o.take(name)
	if v == nil {
		return otherwise
	}
	text, _ := scalar(v)
	d, err := time.ParseDuration(text)
	if seconds, numErr := strconv.ParseFloat(text, 64); numErr == nil && math.Abs(seconds) <= maxDuration.Seconds() {
		d, err = time.Duration(math.Round(seconds*1e3))*time.Millisecond, nil
	}
	if err != nil || d <= 0 || d > maxDuration {
		o.fault(v, o.key(name), "%q is no time between 1ms and 1h such as 5s", text)
		return otherwise
	}
	return d
}

// count is a whole number from least to most.
func (o object) count(name string, otherwise, least, most int) int {
	v := o.take(name)
	if v == nil {
		return otherwise
	}
	text, _ := scalar(v)
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		o.fault(v, o.key(name), "%q is no whole number from %d to %d", text, least, most)
		return otherwise
	}
	return n
}
