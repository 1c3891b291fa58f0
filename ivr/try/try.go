// Package try walks a flow without a call: who writes one sees where it leads
// for these keys, at this time, with these variables.
//
// It is pure: a flow and a [Script] become [Steps]. No sound is played, nothing
// is asked over the network, no queue is entered.
package try

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"callbox/ivr/calendar"
	"callbox/ivr/flow"
)

// Script is what happens on the way.
type Script struct {
	Start string // a node; empty: the flow's own
	// Keys are what the caller does, one for each time that the flow waits for
	// something: 0-9 * #, or w for waiting until the time is over. In a queue: w
	// waits in vain, t talks and the agent hangs up, n finds nobody logged on, f
	// finds it full.
	Keys string
	// Vars are variables. An http node whose variable is among them has that
	// reply; any other fails.
	Vars map[string]any
	Now  time.Time
	// Calendar gives a calendar's state, false where there is none.
	Calendar func(id string, at time.Time) (calendar.State, bool)
}

// Letters of [Script.Keys] beside the telephone's keys.
const (
	Waits   = 'w'
	Talks   = 't'
	NoAgent = 'n'
	Full    = 'f'
)

// Letters are all that [Script.Keys] may hold.
const Letters = "0123456789*#wtnf"

// Visit is one thing that the caller meets.
type Visit struct {
	Node   string   `json:"node"`
	Kind   string   `json:"kind"`
	Text   string   `json:"text" doc:"what is said, the URL that is asked, the queue or the calendar"`
	Played []string `json:"played" doc:"sound files and texts, in order; cut short where a key was pressed before"`
	Key    string   `json:"key,omitempty" doc:"what the caller did"`
	Next   string   `json:"next" doc:"the node that follows; empty: the flow is over, or waits"`
	Why    string   `json:"why"`
}

// Reasons of a [Visit].
const (
	WhyNext      = "next"      // there is one way
	WhyKey       = "key"       // the key leads there
	WhyWrong     = "wrong"     // no such key; asked again
	WhySilence   = "silence"   // no key; asked again
	WhyOtherwise = "otherwise" // the tries are used up
	WhyEntered   = "entered"   // the digits are complete
	WhyFetched   = "fetched"
	WhyFailed    = "failed"
	WhyOpen      = "open"
	WhyClosed    = "closed"
	WhyNobody    = "no_agent"
	WhyTimeout   = "timeout"
	WhyFull      = "full"
	WhyTalked    = "talked"
	WhyMessage   = "message"
	WhyWaits     = "waits" // for a key that the script does not have
	WhyHangup    = "hangup"
)

// Steps are the way through a flow and how it ended.
type Steps struct {
	Steps []Visit `json:"steps"`
	End   string  `json:"end"`
}

// Ends of [Steps].
const (
	EndHangup  = "hangup"  // the flow is over: callbox hangs up
	EndWaits   = "waits"   // the caller is at the last step, and the script is over
	EndQueue   = "queue"   // the caller waits in the last step's queue
	EndCircles = "circles" // the flow does not come to an end
)

// Check names the first letter of keys that means nothing.
func Check(keys string) error {
	for i, k := range keys {
		if !strings.ContainsRune(Letters, k) {
			return fmt.Errorf("%q at %d is neither a key of a telephone nor w, t, n, f", k, i+1)
		}
	}
	return nil
}

// Walk goes through a checked flow.
func Walk(graph flow.Flow, s Script) Steps {
	w := &walk{graph: graph, script: s, keys: []rune(s.Keys), vars: maps.Clone(s.Vars)}
	if w.vars == nil {
		w.vars = map[string]any{}
	}
	next := s.Start
	if next == "" {
		next = graph.Start
	}
	for range flow.MaxVisits {
		if next == "" {
			return w.over(EndHangup)
		}
		var end string
		if next, end = w.visit(next, graph.Nodes[next]); end != "" {
			return w.over(end)
		}
	}
	return w.over(EndCircles)
}

type walk struct {
	graph  flow.Flow
	script Script
	keys   []rune
	vars   map[string]any
	steps  []Visit
}

func (w *walk) over(end string) Steps {
	if w.steps == nil {
		w.steps = []Visit{}
	}
	return Steps{w.steps, end}
}

// step adds a step.
func (w *walk) step(s Visit) {
	if s.Played == nil {
		s.Played = []string{}
	}
	w.steps = append(w.steps, s)
}

// take is the caller's next act, false where the script is over.
func (w *walk) take() (rune, bool) {
	if len(w.keys) == 0 {
		return 0, false
	}
	k := w.keys[0]
	w.keys = w.keys[1:]
	return k, true
}

// visit goes through a node: where it leads, or how the way ends.
func (w *walk) visit(name string, n flow.Node) (next, end string) {
	s := Visit{Node: name, Kind: n.Kind, Next: n.Next, Why: WhyNext}
	s.Played, s.Text = w.sound(n.Prompt)
	switch n.Kind {
	case flow.Menu:
		return w.menu(s, n)
	case flow.Collect:
		return w.collect(s, n)
	case flow.Queue:
		return w.queue(s, n)
	case flow.Voicemail:
		return w.voicemail(s)
	case flow.HTTP:
		s = w.fetch(s, n)
	case flow.Calendar:
		s = w.calendar(s, n)
	case flow.Hangup:
		s.Why = WhyHangup
	}
	if s.Next == "" && s.Why == WhyNext {
		s.Why = WhyHangup
	}
	w.step(s)
	return s.Next, ""
}

// sound is what a prompt plays, and what of it is said.
func (w *walk) sound(p flow.Prompt) (played []string, text string) {
	var said []string
	for _, part := range p {
		if part.Play != "" {
			played = append(played, part.Play)
			continue
		}
		words := flow.Fill(part.Say, w.vars, func(s string) string { return s })
		played, said = append(played, words), append(said, words)
	}
	return played, strings.Join(said, " ")
}

func (w *walk) menu(s Visit, n flow.Node) (next, end string) {
	tries := n.Menu.Tries()
	for {
		s.Key = ""
		k, ok := w.take()
		if !ok {
			return w.waits(s)
		}
		to, verdict := choose(tries, k)
		s.Key, s.Next, s.Why = string(k), to, chosen[verdict]
		if verdict != flow.Again {
			w.step(s)
			return s.Next, ""
		}
		s.Next, s.Why = s.Node, WhyWrong
		if k == Waits {
			s.Why = WhySilence
		}
		w.step(s)
	}
}

var chosen = map[flow.Verdict]string{flow.Chosen: WhyKey, flow.GiveUp: WhyOtherwise}

func choose(tries *flow.Tries, k rune) (string, flow.Verdict) {
	if k == Waits {
		return tries.Silence()
	}
	return tries.Key(k)
}

// waits is a step at which the script is over.
func (w *walk) waits(s Visit) (next, end string) {
	s.Next, s.Why = "", WhyWaits
	w.step(s)
	return "", EndWaits
}

func (w *walk) collect(s Visit, n flow.Node) (next, end string) {
	entry := n.Collect.Entry()
	for {
		k, ok := w.take()
		if !ok {
			return w.waits(s)
		}
		s.Key += string(k)
		switch enter(entry, k) {
		case flow.Entered:
			w.vars[n.Collect.Var] = entry.Digits()
			s.Next, s.Why = n.Next, WhyEntered
			w.step(s)
			return s.Next, ""
		case flow.GiveUp:
			s.Next, s.Why = n.Failed, WhyOtherwise
			w.step(s)
			return s.Next, ""
		case flow.Again:
			s.Next, s.Why = s.Node, WhySilence
			w.step(s)
			s.Key = ""
		}
	}
}

func enter(entry *flow.Entry, k rune) flow.Verdict {
	if k == Waits {
		return entry.Silence()
	}
	return entry.Key(k)
}

// outcome is where a queue leads.
func outcome(k rune, n flow.Node) (next, why string, ok bool) {
	switch k {
	case Waits:
		return n.Queue.Timeout, WhyTimeout, true
	case NoAgent:
		return n.Queue.NoAgent, WhyNobody, true
	case Talks:
		return n.Next, WhyTalked, true
	case Full:
		if n.Queue.Full == "" {
			return n.Queue.Timeout, WhyFull, true
		}
		return n.Queue.Full, WhyFull, true
	}
	return "", "", false
}

// queue ends the way unless the script says what comes of the waiting. Keys
// pressed there mean nothing.
func (w *walk) queue(s Visit, n flow.Node) (next, end string) {
	s.Text = n.Queue.ID
	for {
		k, more := w.take()
		if !more {
			s.Next, s.Why = "", WhyWaits
			w.step(s)
			return "", EndQueue
		}
		to, why, ok := outcome(k, n)
		if !ok {
			continue
		}
		s.Key, s.Next, s.Why = string(k), to, why
		w.step(s)
		return to, ""
	}
}

// voicemail takes a message, which # or silence ends.
func (w *walk) voicemail(s Visit) (next, end string) {
	for {
		k, ok := w.take()
		if !ok {
			return w.waits(s)
		}
		if k == '#' || k == Waits {
			s.Key, s.Why = string(k), WhyMessage
			w.step(s)
			return s.Next, ""
		}
	}
}

func (w *walk) fetch(s Visit, n flow.Node) Visit {
	s.Text = flow.Fill(n.HTTP.URL, w.vars, url.PathEscape)
	if _, there := w.script.Vars[n.HTTP.Var]; there {
		w.vars[n.HTTP.Var] = w.script.Vars[n.HTTP.Var]
		s.Why = WhyFetched
		return s
	}
	s.Next, s.Why = n.Failed, WhyFailed
	return s
}

// calendar asks it for the script's time. One that is not there counts as open,
// as in a call.
func (w *walk) calendar(s Visit, n flow.Node) Visit {
	s.Text = n.Calendar.ID
	s.Next, s.Why = n.Calendar.Open, WhyOpen
	if w.script.Calendar == nil {
		return s
	}
	if state, known := w.script.Calendar(n.Calendar.ID, w.script.Now); known && !state.Open {
		s.Next, s.Why = n.Calendar.Closed, WhyClosed
	}
	return s
}
