package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const hotline = `
flows:
  - id: hotline
    start: welcome
    nodes:
      welcome: {play: prompts/welcome.mp3, next: menu}
      menu:    {menu: {prompt: {say: 报修请按1}, keys: {"1": repair, "2": status}, timeout: 5s, retries: 2, otherwise: repair}}
      status:  {collect: {prompt: [{say: 请输入工单号}, {play: beep.wav}], var: ticket, max: 12, terminator: "#"}, next: fetch}
      fetch:   {http: {url: "https://tickets.example/{ticket}", var: reply, timeout: 2s}, next: tell, failed: repair}
      tell:    {say: "您的工单状态是{reply.status}", next: bye}
      repair:  {queue: repair, no_agent: vm, timeout: bye, full: bye}
      vm:      {voicemail: {max: 90s, greeting: {say: 请留言}, queue: night}, next: bye}
      short:   {voicemail: {}}
      hours:   {calendar: {id: shop, open: repair, closed: bye}}
      bye:     {hangup: {}}
`

var hotlineFlow = Flow{
	ID: "hotline", Start: "welcome",
	Nodes: map[string]Node{
		"welcome": {Kind: Play, Prompt: Prompt{{Play: "prompts/welcome.mp3"}}, Next: "menu"},
		"menu": {Kind: Menu, Prompt: Prompt{{Say: "报修请按1"}}, Menu: MenuSpec{
			Keys: map[rune]string{'1': "repair", '2': "status"}, Timeout: 5 * time.Second, Retries: 2, Otherwise: "repair",
		}},
		"status": {Kind: Collect, Prompt: Prompt{{Say: "请输入工单号"}, {Play: "beep.wav"}}, Next: "fetch", Collect: CollectSpec{
			Var: "ticket", Max: 12, Terminator: "#", Timeout: 5 * time.Second, Retries: 2,
		}},
		"fetch": {Kind: HTTP, Next: "tell", Failed: "repair", HTTP: HTTPSpec{
			URL: "https://tickets.example/{ticket}", Var: "reply", Timeout: 2 * time.Second,
		}},
		"tell":   {Kind: Say, Prompt: Prompt{{Say: "您的工单状态是{reply.status}"}}, Next: "bye"},
		"repair": {Kind: Queue, Queue: QueueSpec{ID: "repair", NoAgent: "vm", Timeout: "bye", Full: "bye"}},
		"vm": {Kind: Voicemail, Prompt: Prompt{{Say: "请留言"}}, Next: "bye", Voicemail: VoicemailSpec{
			Max: 90 * time.Second, Queue: "night",
		}},
		"short": {Kind: Voicemail, Voicemail: VoicemailSpec{Max: 2 * time.Minute}},
		"hours": {Kind: Calendar, Calendar: CalendarSpec{ID: "shop", Open: "repair", Closed: "bye"}},
		"bye":   {Kind: Hangup},
	},
}

var noPlaces = cmp.Options{cmpopts.IgnoreTypes(Place{}), cmpopts.IgnoreFields(Flow{}, "Key")}

func TestParse(t *testing.T) {
	got, faults := Parse([]byte(hotline), "site.yaml")
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	if diff := cmp.Diff(Flows{hotlineFlow}, got, noPlaces); diff != "" {
		t.Error(diff)
	}
	if at := got[0].Nodes["menu"].Place; at != (Place{7, 7}) {
		t.Errorf("menu stands at %v", at)
	}
}

func TestJSONReadsBack(t *testing.T) {
	src, err := json.Marshal(hotlineFlow)
	if err != nil {
		t.Fatal(err)
	}
	got, faults := Parse(src, "flow.json")
	if len(faults) > 0 {
		t.Fatalf("%v in %s", faults, src)
	}
	if diff := cmp.Diff(Flows{hotlineFlow}, got, noPlaces); diff != "" {
		t.Error(diff)
	}
}

func TestYAMLReadsBack(t *testing.T) {
	src, err := hotlineFlow.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got, faults := Parse(src, "flow.yaml")
	if len(faults) > 0 {
		t.Fatalf("%v in %s", faults, src)
	}
	if diff := cmp.Diff(Flows{hotlineFlow}, got, noPlaces); diff != "" {
		t.Error(diff)
	}
	text := string(src)
	for _, in := range [][2]string{{"  welcome:", "  menu:"}, {"  menu:", "  repair:"}, {"play:", "next: menu"}} {
		if strings.Index(text, in[0]) > strings.Index(text, in[1]) {
			t.Errorf("%q stands behind %q in\n%s", in[0], in[1], text)
		}
	}
	if !strings.Contains(text, "timeout: 5s") {
		t.Errorf("seconds in\n%s", text)
	}
}

// one puts a node beside one that hangs up into a flow; the node stands in line 3.
func one(node string) string {
	return "id: f\nstart: n\nnodes:\n  n: " + node + "\n  bye: {hangup: {}}\n"
}

func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct{ src, want string }{
		"unknown key":        {one(`{play: a.wav, nxt: bye}`), `f.yaml:4:20: flow.nodes.n.nxt: unknown key`},
		"unknown target":     {one(`{play: a.wav, next: no}`), `f.yaml:4:26: flow.nodes.n.next: no node "no"`},
		"unknown start":      {"id: f\nstart: x\nnodes:\n  n: {hangup: {}}", `f.yaml:2:8: flow.start: no node "x"`},
		"no start":           {"id: f\nnodes:\n  n: {hangup: {}}", `f.yaml:1:1: flow.start: is missing`},
		"no id":              {"start: n\nnodes:\n  n: {hangup: {}}", `f.yaml:1:1: flow.id: is missing`},
		"no nodes":           {"id: f\nstart: n\n", `f.yaml:1:1: flow.nodes: is missing`},
		"nothing to do":      {one(`{next: bye}`), `says nothing to do`},
		"two things":         {one(`{play: a.wav, say: hello}`), `does play and say at once`},
		"not yet":            {one(`{if: {a: 1}, next: bye}`), `f.yaml:4:7: flow.nodes.n.if: not yet supported`},
		"no message":         {one(`{voicemail: {max: 1s}}`), `f.yaml:4:19: flow.nodes.n.voicemail.max: too short for a message`},
		"voicemail's queue":  {one(`{voicemail: {queue: [a]}}`), `f.yaml:4:26: flow.nodes.n.voicemail.queue: wants a text`},
		"voicemail's beep":   {one(`{voicemail: {beep: no}}`), `flow.nodes.n.voicemail.beep: unknown key`},
		"odd greeting":       {one(`{voicemail: {greeting: a.wav}}`), `flow.nodes.n.voicemail.greeting: wants keys and values`},
		"set":                {one(`{set: {a: 1}}`), `not yet supported`},
		"time":               {one(`{time: {}}`), `not yet supported`},
		"bad key":            {one(`{menu: {prompt: {play: a}, keys: {"12": bye}}}`), `f.yaml:4:40: flow.nodes.n.menu.keys.12: no key of a telephone`},
		"letter":             {one(`{menu: {prompt: {play: a}, keys: {A: bye}}}`), `no key of a telephone`},
		"no keys":            {one(`{menu: {prompt: {play: a}}}`), `flow.nodes.n.menu.keys: is missing`},
		"no prompt":          {one(`{menu: {keys: {"1": bye}}}`), `flow.nodes.n.menu.prompt: is missing`},
		"odd prompt":         {one(`{menu: {prompt: {play: a, say: b}, keys: {"1": bye}}}`), `wants play or say`},
		"key to nowhere":     {one(`{menu: {prompt: {play: a}, keys: {"1": }}}`), `wants a node`},
		"bad duration":       {one(`{menu: {prompt: {play: a}, keys: {"1": bye}, timeout: soon}}`), `f.yaml:4:60: flow.nodes.n.menu.timeout: "soon" is no time`},
		"endless":            {one(`{menu: {prompt: {play: a}, keys: {"1": bye}, timeout: 2h}}`), `is no time between`},
		"negative":           {one(`{menu: {prompt: {play: a}, keys: {"1": bye}, timeout: -1s}}`), `is no time between`},
		"retries":            {one(`{menu: {prompt: {play: a}, keys: {"1": bye}, retries: -1}}`), `is no whole number from 0 to 20`},
		"otherwise":          {one(`{menu: {prompt: {play: a}, keys: {"1": bye}, otherwise: no}}`), `flow.nodes.n.menu.otherwise: no node "no"`},
		"collect without":    {one(`{collect: {prompt: {play: a}}, next: bye}`), `flow.nodes.n.collect.var: is missing`},
		"variable":           {one(`{collect: {prompt: {play: a}, var: a-b}, next: bye}`), `"a-b" is no name`},
		"terminator":         {one(`{collect: {prompt: {play: a}, var: a, terminator: x}, next: bye}`), `no key of a telephone`},
		"http without":       {one(`{http: {var: a}, next: bye}`), `flow.nodes.n.http.url: is missing`},
		"odd url":            {one(`{http: {url: "ftp://a", var: a}, next: bye}`), `wants http://`},
		"empty queue":        {one(`{queue: "", no_agent: bye}`), `flow.nodes.n.queue: is missing`},
		"calendar's nobody":  {one(`{calendar: {open: bye, closed: bye}}`), `flow.nodes.n.calendar.id: is missing`},
		"calendar half":      {one(`{calendar: {id: a, open: bye}}`), `f.yaml:4:17: flow.nodes.n.calendar.closed: is missing`},
		"calendar to":        {one(`{calendar: {id: a, open: bye, closed: no}}`), `f.yaml:4:44: flow.nodes.n.calendar.closed: no node "no"`},
		"calendar and next":  {one(`{calendar: {id: a, open: bye, closed: bye}, next: bye}`), `flow.nodes.n.next: unknown key`},
		"full hangup":        {one(`{hangup: {now: true}}`), `flow.nodes.n.hangup.now: unknown key`},
		"given twice":        {"id: f\nid: g\n", `already defined`},
		"flow twice":         {"[{id: f, start: n, nodes: {n: {hangup: {}}}}, {id: f, start: n, nodes: {n: {hangup: {}}}}]", `flow "f" stands here twice`},
		"no yaml":            {"id: [", `f.yaml:1:`},
		"scalar":             {"hello", `flow: wants keys and values`},
		"flows is no list":   {"flows: {a: b}", `wants a list of flows`},
		"beside flows":       {"flows: []\nroutes: []", `flow.routes: unknown key`},
		"node is no mapping": {one(`hello`), `flow.nodes.n: wants keys and values`},
		"many keys":          {strings.Repeat("a1: x\n", 20_000), `f.yaml:1:1: flows: more than 20000`},
		"deep":               {strings.Repeat("[", 100_000), `flows: more than 20000`},
		"two documents":      {"a: b\n---\na: b\n", `more than one document`},
		"not UTF-8":          {"a: \xff", `not UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := Parse([]byte(tt.src), "f.yaml")
			if len(faults) == 0 || !strings.Contains(faults[0].Error(), tt.want) {
				t.Errorf("faults %v, want %q", faults, tt.want)
			}
		})
	}
}

// Editors on Windows put a byte order mark in front.
func TestByteOrderMark(t *testing.T) {
	flows, faults := Parse([]byte("\ufeffid: f\r\nstart: n\r\nnodes:\r\n  n: {hangup: {}}\r\n"), "f.yaml")
	if len(faults) > 0 || flows[0].ID != "f" {
		t.Errorf("%v, faults %v", flows, faults)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, faults := Parse([]byte("id: f\nstart: x\nnodes:\n  n: {play: a.wav, next: y}\n  m: {hangup: {a: 1}}\n"), "f.yaml")
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
	}
	if diff := cmp.Diff([]int{2, 4, 5}, lines); diff != "" {
		t.Errorf("%v: %s", faults, diff)
	}
}

func TestCheck(t *testing.T) {
	flows, _ := Parse([]byte(hotline), "site.yaml")
	none := flows[0].Check("site.yaml", Site{Speech: true})
	if len(none) > 0 {
		t.Errorf("with speech: %v", none)
	}
	faults := flows[0].Check("site.yaml", Site{
		Queue:    func(string) bool { return false },
		Calendar: func(string) bool { return false },
		Prompt:   func(name string) error { return fmt.Errorf("%s: %w", name, errors.ErrUnsupported) },
	})
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	want := []string{
		`site.yaml:6:23: flows[0].nodes.welcome: prompts/welcome.mp3: unsupported operation`,
		`site.yaml:7:38: flows[0].nodes.menu: say: there is no speech engine`,
		`site.yaml:8:42: flows[0].nodes.status: say: there is no speech engine`,
		`site.yaml:8:58: flows[0].nodes.status: beep.wav: unsupported operation`,
		`site.yaml:10:22: flows[0].nodes.tell: say: there is no speech engine`,
		`site.yaml:11:7: flows[0].nodes.repair: no queue "repair"`,
		`site.yaml:12:7: flows[0].nodes.vm: no queue "night"`,
		`site.yaml:12:55: flows[0].nodes.vm: say: there is no speech engine`,
		`site.yaml:14:7: flows[0].nodes.hours: no calendar "shop"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the bytes: no panic, faults have a place, and a flow without faults
// leads nowhere that does not exist and reads back from its JSON.
func FuzzParse(f *testing.F) {
	f.Add([]byte(hotline))
	f.Add([]byte(one(`{queue: "repair", no_agent: bye}`)))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? {a: b}\n: !!str |-\n  x\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		flows, faults := Parse(src, "f.yaml")
		for _, fault := range faults {
			if fault.Line < 1 || fault.Column < 1 || fault.Text == "" {
				t.Fatalf("a fault without a place: %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		for _, one := range flows {
			if _, ok := one.Nodes[one.Start]; !ok {
				t.Fatalf("flow %q starts nowhere", one.ID)
			}
			again, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			if back, faults := Parse(again, "f.json"); len(faults) > 0 || len(back) != 1 {
				t.Fatalf("%s does not read back: %v", again, faults)
			}
			tidy, err := one.YAML()
			if err != nil {
				t.Fatal(err)
			}
			back, faults := Parse(tidy, "f.yaml")
			if len(faults) > 0 || len(back) != 1 || !cmp.Equal(back[0], one, noPlaces) {
				t.Fatalf("%s does not read back: %v", tidy, faults)
			}
		}
	})
}
