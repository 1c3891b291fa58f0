package config

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"callbox/ivr/flow"
)

// written is the i-th flow as it stands in the file, with its comments, by
// itself; "" where that is not to be had or would not be the same flow as doc.
func (s *Site) written(i int, doc json.RawMessage) string {
	seq, ok := s.Flows.(*ast.SequenceNode)
	if !ok || seq.IsFlowStyle || i >= len(seq.Values) {
		return ""
	}
	first := firstToken(seq.Values[i])
	if first == nil {
		return ""
	}
	text := cutOut(strings.Split(string(bytes.TrimPrefix(s.text, []byte("\ufeff"))), "\n"), first.Line-1, first.Column-1)
	graphs, faults := flow.Parse([]byte(text), "")
	if len(faults) > 0 || len(graphs) != 1 {
		return ""
	}
	again, err := json.Marshal(graphs[0])
	if err != nil || !bytes.Equal(again, doc) {
		return ""
	}
	return text
}

// place is where something stands, from 1.
type place struct{ Line, Column int }

func firstToken(n ast.Node) *place {
	t := n.GetToken()
	if pairs, ok := entries(bare(n)); ok && len(pairs) > 0 {
		t = pairs[0].Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return nil
	}
	return &place{t.Position.Line, t.Position.Column}
}

// cutOut takes a list's item out of a file: from its line on, with the comments
// right above it, all that is indented as deep as it is.
func cutOut(lines []string, at, indent int) string {
	if at < 0 || at >= len(lines) || indent > len(lines[at]) {
		return ""
	}
	out := []string{lines[at][indent:]}
	for i := at - 1; i >= 0 && strings.HasPrefix(strings.TrimSpace(lines[i]), "#"); i-- {
		out = append([]string{strings.TrimSpace(lines[i])}, out...)
	}
	for _, line := range lines[at+1:] {
		body := strings.TrimLeft(line, " ")
		switch {
		case strings.TrimSpace(body) == "":
			out = append(out, "")
		case len(line)-len(body) >= indent:
			out = append(out, line[indent:])
		default:
			return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
		}
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}
