package try

import (
	"strings"
	"testing"
	"time"

	"callbox/ivr/calendar"
	"callbox/ivr/flow"
)

const hotline = `
id: hotline
start: hours
nodes:
  hours:   {calendar: {id: shop, open: welcome, closed: vm}}
  welcome: {play: welcome.mp3, next: menu}
  menu:    {menu: {prompt: [{play: ask.wav}, {say: 报修请按1}], keys: {"1": repair, "2": status, "*": menu}, retries: 1, otherwise: repair}}
  status:  {collect: {prompt: {say: 请输入工单号}, var: ticket, max: 4, terminator: "#", retries: 1}, next: fetch, failed: menu}
  fetch:   {http: {url: "https://t.example/{ticket}", var: reply}, next: tell, failed: repair}
  tell:    {say: "状态{reply.status}", next: bye}
  repair:  {queue: repair, no_agent: vm, timeout: vm, next: bye}
  vm:      {voicemail: {max: 60s}, next: bye}
  round:   {play: a.wav, next: round}
  bye:     {hangup: {}}
`

func graph(t *testing.T) flow.Flow {
	t.Helper()
	flows, faults := flow.Parse([]byte(hotline), "f.yaml")
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return flows[0]
}

// way is steps in one line: node, key, why.
func way(s Steps) string {
	var b strings.Builder
	for _, one := range s.Steps {
		b.WriteString(one.Node)
		if one.Key != "" {
			b.WriteString("(" + one.Key + ")")
		}
		b.WriteString(":" + one.Why + " ")
	}
	return b.String() + s.End
}

func TestWalk(t *testing.T) {
	reply := map[string]any{"reply": map[string]any{"status": "done"}}
	const in = "hours:open welcome:next "
	for name, tt := range map[string]struct {
		script Script
		want   string
	}{
		"no keys":              {Script{}, in + "menu:waits waits"},
		"a key":                {Script{Keys: "1"}, in + "menu(1):key repair:waits queue"},
		"wrong, silent":        {Script{Keys: "9w"}, in + "menu(9):wrong menu(w):otherwise repair:waits queue"},
		"wrong, then waits":    {Script{Keys: "9"}, in + "menu(9):wrong menu:waits waits"},
		"silent, right":        {Script{Keys: "w1w#"}, in + "menu(w):silence menu(1):key repair(w):timeout vm(#):message bye:hangup hangup"},
		"talks":                {Script{Keys: "1t"}, in + "menu(1):key repair(t):talked bye:hangup hangup"},
		"nobody":               {Script{Keys: "1n"}, in + "menu(1):key repair(n):no_agent vm:waits waits"},
		"full, as time-out":    {Script{Keys: "1fw"}, in + "menu(1):key repair(f):full vm(w):message bye:hangup hangup"},
		"keys in a queue":      {Script{Keys: "1558w"}, in + "menu(1):key repair(w):timeout vm:waits waits"},
		"digits":               {Script{Keys: "212#", Vars: reply}, in + "menu(2):key status(12#):entered fetch:fetched tell:next bye:hangup hangup"},
		"all digits":           {Script{Keys: "21234"}, in + "menu(2):key status(1234):entered fetch:failed repair:waits queue"},
		"digits and silence":   {Script{Keys: "21w"}, in + "menu(2):key status(1w):entered fetch:failed repair:waits queue"},
		"no digits":            {Script{Keys: "2w#"}, in + "menu(2):key status(w):silence status(#):otherwise menu:waits waits"},
		"half the digits":      {Script{Keys: "21"}, in + "menu(2):key status(1):waits waits"},
		"closed":               {Script{Now: time.Unix(1, 0)}, "hours:closed vm:waits waits"},
		"from a node":          {Script{Start: "tell"}, "tell:next bye:hangup hangup"},
		"round and round":      {Script{Keys: strings.Repeat("*", 1000)}, ""},
		"round without asking": {Script{Start: "round"}, ""},
	} {
		tt.script.Calendar = func(id string, at time.Time) (calendar.State, bool) {
			return calendar.State{Open: at.IsZero()}, id == "shop"
		}
		got := Walk(graph(t), tt.script)
		if tt.want == "" {
			if got.End != EndCircles || len(got.Steps) > 2*flow.MaxVisits {
				t.Errorf("%s: ends with %s after %d steps", name, got.End, len(got.Steps))
			}
			continue
		}
		if way(got) != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, way(got), tt.want)
		}
	}
}

func TestWhatIsHeard(t *testing.T) {
	got := Walk(graph(t), Script{Keys: "212#", Vars: map[string]any{"reply": map[string]any{"status": "完成"}}})
	text := map[string]string{}
	for _, s := range got.Steps {
		text[s.Node] = s.Text
		if s.Node == "menu" && strings.Join(s.Played, " ") != "ask.wav 报修请按1" {
			t.Errorf("menu plays %q", s.Played)
		}
		if s.Played == nil {
			t.Errorf("%s plays null", s.Node)
		}
	}
	for node, want := range map[string]string{
		"hours": "shop", "menu": "报修请按1", "fetch": "https://t.example/12", "tell": "状态完成", "welcome": "",
	} {
		if text[node] != want {
			t.Errorf("%s: %q, want %q", node, text[node], want)
		}
	}
}

func TestCheck(t *testing.T) {
	for keys, good := range map[string]bool{"": true, "0123456789*#wtnf": true, "1 2": false, "A": false, "１": false} {
		if err := Check(keys); (err == nil) != good {
			t.Errorf("%q: %v", keys, err)
		}
	}
}
