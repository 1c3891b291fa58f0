package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"callbox/ivr/calendar"
	"callbox/storage"
)

const goodSite = `
agents:
  - {id: "1001", name: 王芳, password: x, extension: "1001", sip_password: y, skills: {repair: 5}, queues: [repair]}
queues:
  - {id: repair, name: 报修, ring_timeout: 20s, announce: {position: false, wait: false}}
routes:
  - {number: "4001234567", flow: hotline}
flows:
  - id: hotline
    start: menu
    nodes:
      menu: {menu: {prompt: {play: menu.wav}, keys: {"1": repair}, timeout: 5s, retries: 2, otherwise: repair}}
      repair: {queue: repair, no_agent: bye, timeout: bye}
      hours: {calendar: {id: shop, open: menu, closed: bye}}
      bye: {hangup: {}}
calendars:
  - id: shop
    name: 白天
    hours: {mon: [09:00-12:00, "13:30-18:00"], fri: ["22:00-02:00"]}
    holidays: [{date: 2026-10-01, name: 国庆}]
    workdays:
      - {date: 2026-10-10, name: 调休, hours: [10:00-11:00]}
    override: {open: false, until: 2026-11-22T18:00:00+08:00, note: 停电}
customers:
  - {id: c1, name: 安顺物业, numbers: ["13800138000"], colour: red}
templates:
  - {id: work_order, class: dispatch, text: "{ref}", replies: {"1": 接单}}
`

func TestSite(t *testing.T) {
	site, err := LoadSite("site.yaml", []byte(goodSite), func(string, string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(site.Graphs) != 1 || site.People[0].Extra["colour"] != "red" || site.Agents[0].Skills["repair"] != 5 {
		t.Errorf("site = %+v", site)
	}
	want := calendar.Calendar{
		ID: "shop", Name: "白天",
		Hours:    map[string][]string{"mon": {"09:00-12:00", "13:30-18:00"}, "fri": {"22:00-02:00"}},
		Holidays: []calendar.Day{{Date: "2026-10-01", Name: "国庆"}},
		Workdays: []calendar.Day{{Date: "2026-10-10", Name: "调休", Hours: []string{"10:00-11:00"}}},
		Override: &calendar.Override{Until: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Note: "停电"},
	}
	if diff := cmp.Diff([]calendar.Calendar{want}, site.Calendars); diff != "" {
		t.Error(diff)
	}
	if !site.Sections["calendars"] || !site.Sections["flows"] {
		t.Errorf("sections = %v", site.Sections)
	}
}

func TestSiteFaultsTogether(t *testing.T) {
	bad := strings.NewReplacer(
		"hotline}", "nowhere}", "ring_timeout: 20s", "ring_timeout: 20", `queues: [repair]`, `queues: [sales]`,
		"queue: repair,", "queue: nobody,", "class: dispatch", "class: spam", "id: c1, ", "", "position: false", "position: true",
		"id: shop, open", "id: no, open", "[10:00-11:00]", "[10:00]", "date: 2026-10-01", "date: 2026-10-32",
	).Replace(goodSite)
	_, err := LoadSite("site.yaml", []byte(bad), func(_, name string) error { return errors.New(name + " is not there") })
	if err == nil {
		t.Fatal("no faults")
	}
	for _, want := range []string{
		`agents[0].queues[0]: there is no queue "sales"`, `queues[0].ring_timeout: "20" is no duration`,
		`routes[0].flow: there is no flow "nowhere"`, "menu.wav is not there", "nobody",
		`templates[0].class: "spam"`, "customers[0].id: is missing", "queues[0].announce: not yet supported",
		`site.yaml:14:7: flows[0].nodes.hours: no calendar "no"`, `site.yaml:22:46: calendars[0].workdays[0].hours[0]: "10:00" is no span`,
		`site.yaml:20:17: calendars[0].holidays[0].date: "2026-10-32" is no date`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault with %q in:\n%v", want, err)
		}
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "site.yaml:") || strings.Count(line, ":") < 4 {
			t.Errorf("no place in %q", line)
		}
	}
}

func TestExportLoadsAgain(t *testing.T) {
	site, err := LoadSite("site.yaml", []byte(goodSite), nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := site.Stored("")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Export(stored)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadSite("export.yaml", text, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	second, err := again.Stored("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, second, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(storage.Flow{}, "Text")); diff != "" {
		t.Error(diff)
	}
}

func TestFlowAsADocument(t *testing.T) {
	playable := func(name string) error {
		if name == "gone.wav" {
			return errors.New(name + " is not there")
		}
		return nil
	}
	for doc, want := range map[string]string{
		`{"id":"f","start":"a","nodes":{"a":{"play":"gone.wav","next":"b"},"b":{"hangup":{}}}}`: "gone.wav is not there",
		`{"id":"f","nodes":{"b":{"hangup":{}}}}`:                                                "start: is missing",
		`null`:                                                                                  "wants keys and values",
		``:                                                                                      "is empty",
		`{"id":"f","start":"a","nodes":{"a":{"play":"here.wav","next":"b"},"b":{"hangup":{}}}}`: "",
	} {
		err := CheckDocuments("flows", []json.RawMessage{[]byte(doc)}, playable)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
		if err != nil && strings.Contains(err.Error(), ": flow") {
			t.Errorf("%s: named by a key that is not in it: %v", doc, err)
		}
	}
}

func TestEmptyCalendars(t *testing.T) {
	for _, text := range []string{"calendars: []\n", "calendars:\n"} {
		if _, err := LoadSite("site.yaml", []byte(text), nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A flow is kept as it stands in the file, and only where that is the same flow.
func TestFlowAsWritten(t *testing.T) {
	const file = `routes: []
# all flows
flows:
  # the hotline
  - id: hotline   # 热线
    start: bye
    nodes:
      # nothing to say

      bye: {hangup: {}}
  -   start: bye
      id: other
      nodes: {bye: {hangup: {}}}
# behind
templates: []
`
	site, err := LoadSite("site.yaml", []byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := site.Stored("")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"# the hotline\nid: hotline   # 热线\nstart: bye\nnodes:\n  # nothing to say\n\n  bye: {hangup: {}}\n",
		"start: bye\nid: other\nnodes: {bye: {hangup: {}}}\n",
	}
	for i, text := range want {
		if stored.Flows[i].Text != text {
			t.Errorf("flow %d as written:\n%s\nwant\n%s", i, stored.Flows[i].Text, text)
		}
	}
	for name, text := range map[string]string{
		"in one line":    "flows: [{id: a, start: b, nodes: {b: {hangup: {}}}}]\n",
		"by an anchor":   "routes:\n  - &x {number: \"1\", flow: a}\nflows:\n  - id: a\n    start: b\n    nodes:\n      b: {play: a.wav, next: *y}\n",
		"one item twice": "flows: [{id: a, start: b, nodes: {b: {hangup: {}}}}, {id: c, start: b, nodes: {b: {hangup: {}}}}]\n",
	} {
		site, err := LoadSite("site.yaml", []byte(text), nil)
		if err != nil {
			continue // then nothing is stored
		}
		if stored, err := site.Stored(""); err != nil || stored.Flows[0].Text != "" {
			t.Errorf("%s: %q, %v", name, stored.Flows[0].Text, err)
		}
	}
}

// A telephone's desk is one of the site's agents, where the site names them.
func TestDeskOfNoAgent(t *testing.T) {
	site := write(t, "site.yaml", goodSite)
	for desk, good := range map[string]bool{"1001": true, "9999": false} {
		box := write(t, "callbox.yaml", "site: "+site+`
voicebox:
  - {port: /dev/ttyACM0, mode: attend, desk: "`+desk+`"}
`)
		err := Check(box, nil)
		if good != (err == nil) {
			t.Errorf("desk %s: %v", desk, err)
		}
		if !good && !strings.Contains(err.Error(), `callbox.yaml:3:`) {
			t.Errorf("desk %s: %v is at another place", desk, err)
		}
	}
}
