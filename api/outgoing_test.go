package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"callbox/acd"
	"callbox/cti"
)

// seated puts phones on the desks of 1001 and 1002, of whom 1002 is logged off.
func seated(w *world) {
	w.desks["1001"] = acd.Desk{ID: "1001", State: acd.NotReady, Phone: true}
	w.desks["1002"] = acd.Desk{ID: "1002", State: acd.LoggedOff, Phone: true}
	w.desks["1003"] = acd.Desk{ID: "1003", State: acd.Ready}
	w.desks["1004"] = acd.Desk{ID: "1004", State: acd.Ready, Call: "down"}
}

func TestClickToDial(t *testing.T) {
	w := newWorld(t)
	agent, boss, key := w.login("1001"), w.login("supervisor"), w.browser()
	seated(w)
	for name, tt := range map[string]struct {
		from    *browser
		body    string
		status  int
		words   string
		headers []string
	}{
		"an agent for himself":      {agent, `{"to":"13800138000"}`, 202, `"id":"made"`, nil},
		"naming himself":            {agent, `{"to":"13800138000","agent":"1001","ref":"WO-1"}`, 202, `"ref":"WO-1"`, nil},
		"for another":               {agent, `{"to":"13800138000","agent":"1003"}`, 404, "no such agent", nil},
		"for nobody":                {agent, `{"to":"13800138000","agent":"9999"}`, 404, "no such agent", nil},
		"a supervisor for an agent": {boss, `{"to":"13800138000","agent":"1001"}`, 202, `"agent":{"id":"1001"`, nil},
		"without a desk":            {boss, `{"to":"13800138000"}`, 422, "body.agent", nil},
		"an unknown agent":          {boss, `{"to":"13800138000","agent":"9999"}`, 422, "body.agent", nil},
		"one who is logged off":     {boss, `{"to":"13800138000","agent":"1002"}`, 409, `"code":"wrong_state"`, nil},
		"one without a phone":       {boss, `{"to":"13800138000","agent":"1003"}`, 409, `"code":"no_phone"`, nil},
		"while the box goes down":   {boss, `{"to":"13800138000","agent":"1004"}`, 503, "shutting down", nil},
		"a key":                     {key, `{"to":"13800138000","agent":"1001"}`, 202, `"direction":"out"`, bearerOf("calls")},
		"a key without an agent":    {key, `{"to":"13800138000"}`, 422, "body.agent", bearerOf("calls")},
		"a key of another scope":    {key, `{"to":"13800138000","agent":"1001"}`, 403, "", bearerOf("sms")},
		"no number":                 {agent, `{"to":"000"}`, 422, "body.to", nil},
		"an empty number":           {agent, `{"to":""}`, 422, "body.to", nil},
		"without a number":          {agent, `{}`, 422, "body.to", nil},
		"empty fields":              {agent, `{"to":"13800138000","flow":"","first":null,"vars":{}}`, 202, "made", nil},
		"an agent for a flow":       {agent, `{"to":"13800138000","flow":"hotline"}`, 403, "agent's phone", nil},
		"a flow":                    {boss, `{"to":"13800138000","flow":"hotline","vars":{"a":1}}`, 202, "made", nil},
		"no flow":                   {boss, `{"to":"13800138000","flow":"nobody"}`, 422, "body.flow", nil},
		"an agent for two outside":  {agent, `{"to":"13800138000","first":{"number":"13900139000"}}`, 403, "agent's phone", nil},
		"two outside":               {key, `{"to":"13800138000","first":{"number":"13900139000"},"ref":"WO-1"}`, 202, "made", bearerOf("calls")},
		"a first party of nothing":  {boss, `{"to":"13800138000","first":{"number":""}}`, 422, "body.first.number", nil},
		"flow and agent":            {boss, `{"to":"13800138000","flow":"hotline","agent":"1001"}`, 422, "one of agent", nil},
		"abroad":                    {agent, `{"to":"+12125550123"}`, 403, "may not be dialled", nil},
		"an unknown field":          {agent, `{"to":"13800138000","colour":"red"}`, 422, "body.colour", nil},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := tt.from.do("POST", "/api/v1/calls", tt.body, tt.headers...)
			if status != tt.status || !strings.Contains(body, tt.words) {
				t.Errorf("= %d %s, want %d %s", status, body, tt.status, tt.words)
			}
		})
	}
	for _, o := range w.ordered {
		if o.Agent != "1001" && o.Flow == "" && o.First == "" || o.To != "13800138000" || o.By == "" {
			t.Errorf("ordered %+v", o)
		}
	}
}

func TestMakeCall(t *testing.T) {
	w := newWorld(t)
	s, boss := w.login("1001").dial(""), w.login("supervisor").dial("")
	s.next()
	boss.next()
	seated(w)
	for _, tt := range []struct {
		screen     *screen
		args, want string
	}{
		{s, `{"to":"13800138000","ref":"WO-1"}`, `"result":{"call_id":"made"}`},
		{s, `{"to":"000"}`, "bad_args"},
		{s, `{}`, "bad_args"},
		{s, `{"to":"13800138000","agent":"1002"}`, "bad_args"},
		{s, `{"to":"13800138000","ref":"` + strings.Repeat("x", 129) + `"}`, "bad_args"},
		{boss, `{"to":"13800138000"}`, "no_phone"},
	} {
		got, err := json.Marshal(tt.screen.ask(`{"id":1,"cmd":"makeCall","args":` + tt.args + `}`))
		if err != nil || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s = %s, want %s", tt.args, got, tt.want)
		}
	}
	want := cti.Order{To: "13800138000", Agent: "1001", Ref: "WO-1", By: "user:1001"}
	if len(w.ordered) != 1 || !reflect.DeepEqual(w.ordered[0], want) {
		t.Errorf("ordered %+v, want %+v", w.ordered, want)
	}
	w.desks["1001"] = acd.Desk{ID: "1001", State: acd.LoggedOff}
	if got := s.ask(`{"id":2,"cmd":"makeCall","args":{"to":"13800138000"}}`); got["error"].(map[string]any)["code"] != codeWrongState {
		t.Errorf("logged off: %v", got)
	}
}

func TestLines(t *testing.T) {
	w := newWorld(t)
	b := w.login("supervisor")
	if _, body := b.do("GET", "/api/v1/lines", nil); strings.TrimSpace(body) != `{"items":[],"next":""}` {
		t.Errorf("without lines: %s", body)
	}
	w.lines = []cti.Line{
		{Label: "line 2", State: cti.OutOfService, Why: "unplugged"},
		{Label: "line 1", Number: "057188880001", State: cti.InService, Busy: true, Box: cti.Box{Profile: "callbox", Serial: "7"}},
	}
	var page struct {
		Items []cti.Line
		Next  string
	}
	_, body := b.do("GET", "/api/v1/lines?limit=1", nil)
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1 || page.Items[0] != w.lines[1] || page.Next != "line 1" {
		t.Errorf("first page = %s, %v", body, err)
	}
	_, body = b.do("GET", "/api/v1/lines?cursor=line+1", nil)
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1 || page.Items[0] != w.lines[0] || page.Next != "" {
		t.Errorf("second page = %s, %v", body, err)
	}
}

// A line's state is for supervisors' screens and programs, not for agents'.
func TestWhoSeesLines(t *testing.T) {
	e := &cti.Event{Type: cti.EventLineState, Line: "line 1"}
	for _, who := range []*caller{{ID: "boss", Role: Supervisor}, {Name: "calls", Scopes: []string{ScopeCalls}}} {
		if !sightOf(who, nil).sees(e, nil, "") {
			t.Errorf("%s%s does not see it", who.ID, who.Name)
		}
	}
	for _, who := range []*caller{{ID: "1001", Role: Agent}, {Name: "sms", Scopes: []string{ScopeSMS}}} {
		if sightOf(who, []string{"repair"}).sees(e, nil, "") {
			t.Errorf("%s%s sees it", who.ID, who.Name)
		}
	}
}
