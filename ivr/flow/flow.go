// Package flow turns a flow file into a checked graph of nodes. It is pure: it
// opens no file, starts no goroutine and knows no calls; what depends on the
// site (queues, prompts, a speech engine) is asked of the caller in [Flow.Check].
package flow

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Flows are checked flows in the file's order.
type Flows []Flow

// Find gives the flow with this id; false where there is none.
func (f Flows) Find(id string) (Flow, bool) {
	i := slices.IndexFunc(f, func(one Flow) bool { return one.ID == id })
	if i < 0 {
		return Flow{}, false
	}
	return f[i], true
}

// Flow is one way through prompts, menus and queues. Every target named in it
// exists.
type Flow struct {
	ID    string
	Name  string
	Start string
	Nodes map[string]Node
	Key   string // path of the flow in its file, as faults name it; not stored
}

// Kinds of a [Node].
const (
	Play    = "play"
	Say     = "say"
	Menu    = "menu"
	Collect = "collect"
	HTTP    = "http"
	Queue   = "queue"
	Hangup  = "hangup"
	// Calendar asks whether a calendar is open now.
	Calendar = "calendar"
	// Voicemail takes a message.
	Voicemail = "voicemail"
)

// Node is one step of a flow. Only what belongs to its Kind is set; an empty
// target ends the call.
type Node struct {
	Kind      string
	Prompt    Prompt // of play, say, menu and collect; of voicemail the greeting, if any
	Menu      MenuSpec
	Collect   CollectSpec
	HTTP      HTTPSpec
	Queue     QueueSpec
	Calendar  CalendarSpec
	Voicemail VoicemailSpec
	Next      string
	Failed    string // of http and collect
	Place     Place
}

// Place is where something stands in its file, from 1.
type Place struct{ Line, Column int }

// Prompt is sound, one part after the other.
type Prompt []Part

// Part is a sound file or a text to be spoken.
type Part struct {
	Play  string
	Say   string
	Place Place
}

// MenuSpec asks for one key. Retries are plays after the first.
type MenuSpec struct {
	Keys      map[rune]string
	Timeout   time.Duration // from the prompt's end
	Retries   int
	Otherwise string
}

// CollectSpec asks for digits and keeps them in a variable.
type CollectSpec struct {
	Var        string
	Max        int
	Terminator string // one key, or none
	Timeout    time.Duration
	Retries    int
}

// HTTPSpec gets JSON into a variable. {name} in URL is a variable.
type HTTPSpec struct {
	URL     string
	Var     string
	Timeout time.Duration
}

// QueueSpec lets the caller wait; the targets are where to go without a talk.
type QueueSpec struct {
	ID      string
	NoAgent string
	Timeout string
	Full    string
}

// CalendarSpec leads on by whether a calendar is open at this moment.
type CalendarSpec struct {
	ID     string
	Open   string
	Closed string
}

// Site is what a flow may build on. Nil functions are not asked.
type Site struct {
	Speech   bool // there is a speech engine
	Queue    func(id string) bool
	Calendar func(id string) bool
	Prompt   func(name string) error // nil: the sound file can be played
}

// Check names what a flow asks of a site that does not have it.
func (f Flow) Check(file string, site Site) []Fault {
	c := checker{file: file, site: site, path: f.Key + ".nodes."}
	for _, name := range slices.Sorted(maps.Keys(f.Nodes)) {
		c.node(name, f.Nodes[name])
	}
	return sorted(c.faults)
}

type checker struct {
	file, path string
	site       Site
	faults     []Fault
}

func (c *checker) fault(name string, at Place, format string, args ...any) {
	c.faults = append(c.faults, Fault{
		File: c.file, Line: at.Line, Column: at.Column, Key: c.path + name, Text: fmt.Sprintf(format, args...),
	})
}

func (c *checker) node(name string, n Node) {
	if q := n.queue(); q != "" && c.site.Queue != nil && !c.site.Queue(q) {
		c.fault(name, n.Place, "no queue %q", q)
	}
	if n.Kind == Calendar && c.site.Calendar != nil && !c.site.Calendar(n.Calendar.ID) {
		c.fault(name, n.Place, "no calendar %q", n.Calendar.ID)
	}
	for _, part := range n.Prompt {
		switch {
		case part.Say != "" && !c.site.Speech:
			c.fault(name, part.Place, "say: there is no speech engine")
		case part.Play != "" && c.site.Prompt != nil:
			if err := c.site.Prompt(part.Play); err != nil {
				c.fault(name, part.Place, "%v", err)
			}
		}
	}
}

// MarshalJSON writes the flow in the shape that [Parse] reads, durations in
// seconds.
func (f Flow) MarshalJSON() ([]byte, error) {
	nodes := map[string]any{}
	for name, n := range f.Nodes {
		nodes[name] = n.shape()
	}
	out := map[string]any{"id": f.ID, "start": f.Start, "nodes": nodes}
	put(out, "name", f.Name)
	return json.Marshal(out)
}

func put(m map[string]any, key, value string) {
	if value != "" {
		m[key] = value
	}
}

func (n Node) shape() map[string]any {
	out := map[string]any{}
	put(out, "next", n.Next)
	put(out, "failed", n.Failed)
	switch n.Kind {
	case Play, Say:
		n.Prompt.shape(out, n.Kind)
	case Menu:
		out[Menu] = n.menuShape()
	case Collect:
		out[Collect] = n.collectShape()
	case HTTP:
		out[HTTP] = map[string]any{"url": n.HTTP.URL, "var": n.HTTP.Var, "timeout": n.HTTP.Timeout.Seconds()}
	case Queue:
		out[Queue] = n.Queue.ID
		put(out, "no_agent", n.Queue.NoAgent)
		put(out, "timeout", n.Queue.Timeout)
		put(out, "full", n.Queue.Full)
	case Calendar:
		out[Calendar] = map[string]any{"id": n.Calendar.ID, "open": n.Calendar.Open, "closed": n.Calendar.Closed}
	case Voicemail:
		out[Voicemail] = n.voicemailShape()
	case Hangup:
		out[Hangup] = map[string]any{}
	}
	return out
}

// shape writes a node's own prompt: one part by its word, more as a list.
func (p Prompt) shape(out map[string]any, kind string) {
	switch {
	case len(p) != 1:
		out[kind] = p.list()
	case p[0].Play != "":
		out[Play] = p[0].Play
	default:
		out[Say] = p[0].Say
	}
}

func (p Prompt) list() []map[string]string {
	parts := []map[string]string{}
	for _, part := range p {
		if part.Play != "" {
			parts = append(parts, map[string]string{Play: part.Play})
		} else {
			parts = append(parts, map[string]string{Say: part.Say})
		}
	}
	return parts
}

func (n Node) menuShape() map[string]any {
	keys := map[string]string{}
	for k, target := range n.Menu.Keys {
		keys[string(k)] = target
	}
	out := map[string]any{
		"prompt": n.Prompt.list(), "keys": keys,
		"timeout": n.Menu.Timeout.Seconds(), "retries": n.Menu.Retries,
	}
	put(out, "otherwise", n.Menu.Otherwise)
	return out
}

func (n Node) collectShape() map[string]any {
	out := map[string]any{
		"prompt": n.Prompt.list(), "var": n.Collect.Var, "max": n.Collect.Max,
		"timeout": n.Collect.Timeout.Seconds(), "retries": n.Collect.Retries,
	}
	put(out, "terminator", n.Collect.Terminator)
	return out
}
