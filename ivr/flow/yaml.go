package flow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
)

// YAML writes the flow as [Parse] reads it, in the order in which a call comes
// through it. Comments are not part of a flow.
func (f Flow) YAML() ([]byte, error) {
	doc := yaml.MapSlice{{Key: "id", Value: f.ID}}
	if f.Name != "" {
		doc = append(doc, yaml.MapItem{Key: "name", Value: f.Name})
	}
	var nodes yaml.MapSlice
	for _, name := range f.order() {
		nodes = append(nodes, yaml.MapItem{Key: name, Value: ordered(f.Nodes[name].shape())})
	}
	doc = append(doc, yaml.MapItem{Key: "start", Value: f.Start}, yaml.MapItem{Key: "nodes", Value: nodes})
	text, err := yaml.MarshalWithOptions(doc, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write flow %s as YAML: %w", f.ID, err)
	}
	return text, nil
}

// order is every node's name: those that can be reached from the start as they
// come, then the others by name.
func (f Flow) order() []string {
	names, seen := []string{}, map[string]bool{}
	add := func(name string) {
		if _, ok := f.Nodes[name]; ok && !seen[name] {
			seen[name], names = true, append(names, name)
		}
	}
	add(f.Start)
	for i := 0; i < len(names); i++ {
		for _, next := range f.Nodes[names[i]].Targets() {
			add(next)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		add(name)
	}
	return names
}

// Targets are the nodes that a node may lead to, as they stand in a file.
func (n Node) Targets() []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(n.Menu.Keys)) {
		all = append(all, n.Menu.Keys[key])
	}
	all = append(all, n.Menu.Otherwise, n.Calendar.Open, n.Calendar.Closed, n.Next, n.Failed,
		n.Queue.NoAgent, n.Queue.Timeout, n.Queue.Full)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// places are the keys of a node as people write them: what it does first, where
// it leads last.
var places = numbered(
	Play, Say, Menu, Collect, HTTP, Queue, Calendar, Voicemail, Hangup,
	"id", "prompt", "greeting", "keys", "url", "var", "max", "terminator", "timeout", "retries", "otherwise",
	"no_agent", "full", "open", "closed", "next", "failed",
)

func numbered(keys ...string) map[string]int {
	m := map[string]int{}
	for i, key := range keys {
		m[key] = i + 1
	}
	return m
}

// ordered is a shape in the order of places, its seconds as Go durations.
func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return inOrder(v)
	case map[string]string:
		return inOrder(v)
	case []map[string]string:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = inOrder(one)
		}
		return list
	case float64:
		return time.Duration(v * float64(time.Second)).Round(time.Millisecond).String()
	}
	return v
}

func inOrder[V any](m map[string]V) yaml.MapSlice {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	out := yaml.MapSlice{}
	for _, key := range keys {
		out = append(out, yaml.MapItem{Key: key, Value: ordered(m[key])})
	}
	return out
}

func rank(key string) int {
	if at := places[key]; at > 0 {
		return at
	}
	return len(places) + 1
}
