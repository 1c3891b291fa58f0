package flow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/internal/guard"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a flow file and what stands in it.
const (
	maxBytes = 1 << 20
	maxMarks = 20_000 // a parser takes a second for these, and a minute for four times as many
	maxTries = 20
	maxKeys  = 64
)

// What a flow gets where it says nothing.
const (
	menuTimeout = 5 * time.Second
	menuRetries = 2
	httpTimeout = 2 * time.Second
	collectMax  = 32
)

// kinds are the keys that say what a node is, in the order in which they are
// named in faults; false: not yet served.
var kinds = []struct {
	name   string
	served bool
}{
	{Play, true},
	{Say, true},
	{Menu, true},
	{Collect, true},
	{HTTP, true},
	{Queue, true},
	{Calendar, true},
	{Hangup, true},
	{Voicemail, true},
	{"time", false},
	{"if", false},
	{"set", false},
}

// Parse reads YAML or JSON: a list of flows, one flow, or a mapping whose key
// flows has the list. All faults come at once, in the file's order; with any,
// the flows are what could be understood and must not run.
func Parse(src []byte, file string) (Flows, []Fault) {
	body, fault := document(src, file)
	if fault != nil {
		return nil, []Fault{*fault}
	}
	if body == nil {
		return nil, nil
	}
	r := &reader{file: file}
	if _, list := bare(body).(*ast.SequenceNode); list {
		return ParseNode(body, file, "flows")
	}
	o, ok := r.object("flow", body)
	if !ok {
		return nil, r.faults
	}
	if list := o.take("flows"); list != nil {
		o.close()
		flows, faults := ParseNode(list, file, "flows")
		return flows, sorted(append(r.faults, faults...))
	}
	flow := r.flow("flow", body)
	return Flows{flow}, sorted(r.faults)
}

// ParseNode is [Parse] for a list of flows inside a file read elsewhere; path
// is the list's key there.
func ParseNode(list ast.Node, file, path string) (Flows, []Fault) {
	r := &reader{file: file}
	seq, ok := bare(list).(*ast.SequenceNode)
	if !ok {
		r.fault(list, path, "wants a list of flows")
		return nil, r.faults
	}
	var flows Flows
	for i, n := range seq.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		f := r.flow(at, n)
		if _, twice := flows.Find(f.ID); twice && f.ID != "" {
			r.fault(n, at+".id", "flow %q stands here twice", f.ID)
		}
		flows = append(flows, f)
	}
	return flows, sorted(r.faults)
}

// marks counts the bytes that may divide a text of YAML into parts.
func marks(src []byte) (n int) {
	for _, b := range src {
		if strings.IndexByte("\n\r:-,?!&*[{", b) >= 0 {
			n++
		}
	}
	return n
}

func document(src []byte, file string) (ast.Node, *Fault) {
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // as Windows editors begin a file
	if len(src) > maxBytes {
		return nil, &Fault{file, 1, 1, "flows", "larger than 1 MB"}
	}
	if marks(src) > maxMarks {
		return nil, &Fault{file, 1, 1, "flows", fmt.Sprintf("more than %d lines and marks of YAML", maxMarks)}
	}
	if !utf8.Valid(src) {
		return nil, &Fault{file, 1, 1, "flows", "not UTF-8"}
	}
	var parsed *ast.File
	var err error
	if fell := guard.Call(func() { parsed, err = parser.ParseBytes(src, 0) }); fell != nil {
		return nil, &Fault{file, 1, 1, "flows", "not readable as YAML"}
	}
	if err != nil {
		return nil, syntax(err, file)
	}
	if len(parsed.Docs) > 1 {
		return nil, &Fault{file, 1, 1, "flows", "more than one document"}
	}
	if len(parsed.Docs) == 0 {
		return nil, nil
	}
	return parsed.Docs[0].Body, nil
}

func syntax(err error, file string) *Fault {
	f := &Fault{File: file, Line: 1, Column: 1, Key: "flows", Text: err.Error()}
	var at yaml.Error
	if errors.As(err, &at) {
		place := placeOfToken(at.GetToken())
		f.Line, f.Column, f.Text = place.Line, place.Column, at.GetMessage()
	}
	return f
}

// target is a node named somewhere, to be looked up when all are known.
type target struct {
	at   ast.Node
	key  string
	name string
}

// graph is one flow while it is read.
type graph struct {
	*reader
	flow    Flow
	targets []target
}

func (r *reader) flow(path string, n ast.Node) Flow {
	o, ok := r.object(path, n)
	if !ok {
		return Flow{}
	}
	g := &graph{reader: r, flow: Flow{Nodes: map[string]Node{}, Key: path}}
	g.flow.ID, g.flow.Name = o.needed("id"), o.text("name")
	g.flow.Start = g.target(o, "start")
	if g.flow.Start == "" {
		g.fault(o.node, o.key("start"), "is missing")
	}
	g.nodes(o)
	o.close()
	for _, t := range g.targets {
		if _, ok := g.flow.Nodes[t.name]; !ok {
			g.fault(t.at, t.key, "no node %q", t.name)
		}
	}
	return g.flow
}

func (g *graph) nodes(o object) {
	v := o.take("nodes")
	if v == nil {
		g.fault(o.node, o.key("nodes"), "is missing")
		return
	}
	all, ok := g.object(o.key("nodes"), v)
	if !ok {
		return
	}
	for _, name := range all.keys() {
		g.flow.Nodes[name] = g.node(all.key(name), all.all[name])
	}
}

// target takes a key that names a node.
func (g *graph) target(o object, name string) string {
	e := o.all[name]
	text := o.text(name)
	if text != "" {
		g.targets = append(g.targets, target{e.Value, o.key(name), text})
	}
	return text
}

func (g *graph) node(path string, e *ast.MappingValueNode) Node {
	n := Node{Place: placeOf(e)}
	o, ok := g.object(path, e.Value)
	if !ok {
		return n
	}
	if n.Kind = g.kind(o); n.Kind != "" {
		g.read(o, &n)
		o.close()
	}
	return n
}

// kind is what a node is, "" with a fault where that is not clear or not served.
func (g *graph) kind(o object) string {
	var found []string
	for _, k := range kinds {
		if o.all[k.name] == nil {
			continue
		}
		found = append(found, k.name)
		if !k.served {
			g.fault(o.all[k.name], o.key(k.name), "not yet supported")
			return ""
		}
	}
	switch len(found) {
	case 1:
		return found[0]
	case 0:
		g.fault(o.node, o.path, "says nothing to do: one of play say menu collect http queue calendar voicemail hangup")
	default:
		g.fault(o.node, o.path, "does %s at once: one a node", strings.Join(found, " and "))
	}
	return ""
}

// read takes the keys that a node of its kind has.
func (g *graph) read(o object, n *Node) {
	switch n.Kind {
	case Play, Say:
		g.sound(o, n)
	case Menu:
		g.menu(o, n)
	case Collect:
		g.collect(o, n)
	case HTTP:
		g.http(o, n)
	case Queue:
		g.queue(o, n)
	case Calendar:
		g.calendar(o, n)
	case Voicemail:
		g.voicemail(o, n)
	case Hangup:
		g.hangup(o)
	}
}

func (g *graph) sound(o object, n *Node) {
	v := o.take(n.Kind)
	if _, list := v.(*ast.SequenceNode); list {
		n.Prompt = g.prompt(v, o.key(n.Kind), o)
	} else {
		n.Prompt = Prompt{g.part(n.Kind, v, o.key(n.Kind), o)}
	}
	n.Next = g.target(o, "next")
}

// part is one sound: kind says whether text names a file or is spoken.
func (g *graph) part(kind string, v ast.Node, key string, o object) Part {
	if v == nil {
		g.fault(o.node, key, "is empty")
		return Part{}
	}
	text, ok := scalar(v)
	if !ok || strings.TrimSpace(text) == "" {
		g.fault(v, key, "wants a text")
		return Part{}
	}
	if kind == Play {
		return Part{Play: text, Place: placeOf(v)}
	}
	return Part{Say: text, Place: placeOf(v)}
}

// prompt is {play: FILE}, {say: TEXT}, or a list of them.
func (g *graph) prompt(v ast.Node, key string, o object) Prompt {
	if v == nil {
		g.fault(o.node, key, "is missing")
		return nil
	}
	seq, list := v.(*ast.SequenceNode)
	if !list {
		return Prompt{g.promptPart(v, key)}
	}
	var p Prompt
	for i, one := range seq.Values {
		p = append(p, g.promptPart(one, fmt.Sprintf("%s[%d]", key, i)))
	}
	if len(p) == 0 {
		g.fault(v, key, "is empty")
	}
	return p
}

func (g *graph) promptPart(v ast.Node, key string) Part {
	o, ok := g.object(key, v)
	if !ok {
		return Part{}
	}
	defer o.close()
	switch play, say := o.take(Play), o.take(Say); {
	case play != nil && say == nil:
		return g.part(Play, play, o.key(Play), o)
	case say != nil && play == nil:
		return g.part(Say, say, o.key(Say), o)
	}
	g.fault(o.node, key, "wants play or say")
	return Part{}
}

func (g *graph) inner(o object, kind string) (object, bool) {
	v := o.take(kind)
	if v == nil {
		g.fault(o.node, o.key(kind), "is empty")
		return object{}, false
	}
	return g.object(o.key(kind), v)
}

func (g *graph) menu(o object, n *Node) {
	m, ok := g.inner(o, Menu)
	if !ok {
		return
	}
	n.Prompt = g.prompt(m.take("prompt"), m.key("prompt"), m)
	n.Menu = MenuSpec{
		Keys: g.keys(m), Otherwise: g.target(m, "otherwise"),
		Timeout: m.duration("timeout", menuTimeout), Retries: m.count("retries", menuRetries, 0, maxTries),
	}
	m.close()
}

func (g *graph) keys(m object) map[rune]string {
	keys := map[rune]string{}
	v := m.take("keys")
	if v == nil {
		g.fault(m.node, m.key("keys"), "is missing")
		return keys
	}
	o, ok := g.object(m.key("keys"), v)
	if !ok {
		return keys
	}
	for _, k := range o.keys() {
		if len(k) != 1 || !strings.Contains("0123456789*#", k) {
			g.fault(o.all[k], o.key(k), "no key of a telephone: one of 0-9 * #")
			continue
		}
		if keys[rune(k[0])] = g.target(o, k); keys[rune(k[0])] == "" {
			g.fault(o.all[k], o.key(k), "wants a node")
		}
	}
	return keys
}

func (g *graph) collect(o object, n *Node) {
	n.Next, n.Failed = g.target(o, "next"), g.target(o, "failed")
	c, ok := g.inner(o, Collect)
	if !ok {
		return
	}
	n.Prompt = g.prompt(c.take("prompt"), c.key("prompt"), c)
	n.Collect = CollectSpec{
		Var: g.variable(c), Max: c.count("max", collectMax, 1, maxKeys), Terminator: c.text("terminator"),
		Timeout: c.duration("timeout", menuTimeout), Retries: c.count("retries", menuRetries, 0, maxTries),
	}
	if t := n.Collect.Terminator; t != "" && (len(t) != 1 || !strings.Contains("0123456789*#", t)) {
		g.fault(c.all["terminator"], c.key("terminator"), "no key of a telephone: one of 0-9 * #")
	}
	c.close()
}

func (g *graph) variable(o object) string {
	name := o.needed("var")
	if name != "" && !IsName(name) {
		g.fault(o.all["var"], o.key("var"), "%q is no name: letters, digits and _", name)
	}
	return name
}

// IsName says whether s can name a variable.
func IsName(s string) bool {
	return s != "" && len(s) <= 64 && !slices.ContainsFunc([]byte(s), func(b byte) bool {
		return b != '_' && (b < '0' || b > '9') && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z')
	})
}

func (g *graph) http(o object, n *Node) {
	n.Next, n.Failed = g.target(o, "next"), g.target(o, "failed")
	h, ok := g.inner(o, HTTP)
	if !ok {
		return
	}
	n.HTTP = HTTPSpec{URL: h.needed("url"), Var: g.variable(h), Timeout: h.duration("timeout", httpTimeout)}
	if n.HTTP.URL != "" && !strings.HasPrefix(n.HTTP.URL, "http://") && !strings.HasPrefix(n.HTTP.URL, "https://") {
		g.fault(h.all["url"], h.key("url"), "wants http:// or https://")
	}
	h.close()
}

func (g *graph) queue(o object, n *Node) {
	n.Queue = QueueSpec{
		ID: o.needed(Queue), NoAgent: g.target(o, "no_agent"),
		Timeout: g.target(o, "timeout"), Full: g.target(o, "full"),
	}
	n.Next = g.target(o, "next")
}

func (g *graph) calendar(o object, n *Node) {
	c, ok := g.inner(o, Calendar)
	if !ok {
		return
	}
	n.Calendar = CalendarSpec{ID: c.needed("id"), Open: g.neededTarget(c, "open"), Closed: g.neededTarget(c, "closed")}
	c.close()
}

// neededTarget is a target that must be given.
func (g *graph) neededTarget(o object, name string) string {
	to := g.target(o, name)
	if to == "" {
		g.fault(o.node, o.key(name), "is missing")
	}
	return to
}

func (g *graph) hangup(o object) {
	v := o.take(Hangup)
	if v == nil {
		return
	}
	if h, ok := g.object(o.key(Hangup), v); ok {
		h.close()
	}
}
