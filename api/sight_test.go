package api

import (
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
)

func TestTakesPart(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	at := func(seconds int) cti.Time { return stamp.At(start.Add(time.Duration(seconds) * time.Second)) }
	offer := func(agent, outcome string, from, to int) cti.Offer {
		o := cti.Offer{Agent: agent, Outcome: outcome, Start: at(from)}
		if outcome != "" {
			o.End = at(to)
		}
		return o
	}
	missed := offer("a", cti.OfferMissed, 10, 20)
	for name, tt := range map[string]struct {
		offers []cti.Offer
		at     int
		want   bool
	}{
		"before the offer":          {[]cti.Offer{missed}, 9, false},
		"while it rings":            {[]cti.Offer{missed}, 15, true},
		"at its end":                {[]cti.Offer{missed}, 20, true},
		"after a miss":              {[]cti.Offer{missed}, 21, false},
		"rings now":                 {[]cti.Offer{offer("a", "", 10, 0)}, 99, true},
		"talks":                     {[]cti.Offer{offer("a", cti.OfferAnswered, 10, 12)}, 99, true},
		"another talks":             {[]cti.Offer{missed, offer("b", cti.OfferAnswered, 21, 25)}, 30, false},
		"handed on":                 {[]cti.Offer{offer("a", cti.OfferAnswered, 10, 12), offer("b", cti.OfferAnswered, 50, 55)}, 60, false},
		"until it was handed on":    {[]cti.Offer{offer("a", cti.OfferAnswered, 10, 12), offer("b", cti.OfferAnswered, 50, 55)}, 55, true},
		"the caller gave up":        {[]cti.Offer{offer("a", cti.OfferCanceled, 10, 12)}, 13, true},
		"gave up, another was next": {[]cti.Offer{offer("a", cti.OfferCanceled, 10, 12), offer("b", "", 13, 0)}, 14, false},
		"missed, offered again":     {[]cti.Offer{missed, offer("a", "", 30, 0)}, 31, true},
		"never offered":             {[]cti.Offer{offer("b", cti.OfferAnswered, 10, 12)}, 15, false},
	} {
		if got := takesPart(&cti.CDR{Offers: tt.offers}, "a", at(tt.at)); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
	talk := cti.CDR{
		Agent:  &cti.Ref{ID: "b"},
		Offers: []cti.Offer{offer("a", cti.OfferAnswered, 10, 12), offer("c", cti.OfferAnswered, 30, 35)},
		Legs:   []cti.LegRecord{{Agent: "a", Start: at(12), End: at(60)}, {Agent: "c", Start: at(35)}},
	}
	for agent, from := range map[string]map[int]bool{
		"a": {11: true, 20: true, 40: true, 60: true, 61: false},
		"b": {0: true, 99: true},
		"c": {29: false, 31: true, 99: true},
	} {
		for second, want := range from {
			if got := takesPart(&talk, agent, at(second)); got != want {
				t.Errorf("transferred call: %s at %d: %t, want %t", agent, second, got, want)
			}
		}
	}
	if !takesPart(&cti.CDR{Agent: &cti.Ref{ID: "a"}}, "a", at(0)) || takesPart(&cti.CDR{Agent: &cti.Ref{}}, "", at(0)) {
		t.Error("a call that an agent made is his, and nobody's is nobody's")
	}
}

// Two agents take part in one call: each screen is told everything once.
func TestEachAgentIsToldOnce(t *testing.T) {
	call := &cti.CDR{Agent: &cti.Ref{ID: "a"}, Legs: []cti.LegRecord{{Agent: "a"}, {Agent: "b"}}}
	a, boss := sight{calls: true, agent: "a"}, sight{calls: true, all: true, agent: "boss"}
	for _, e := range []struct {
		kind, agent string
		want        bool
	}{
		{cti.EventDelivered, "a", true},
		{cti.EventDelivered, "b", false},
		{cti.EventAgentBusy, "b", false},
		{cti.EventEstablished, "b", false},
		{cti.EventTransferred, "b", false},
		{cti.EventConnectionCleared, "b", false},
		{cti.EventConnectionCleared, "", true},
		{cti.EventHeld, "b", true}, // there is only one
		{cti.EventCallCleared, "b", true},
	} {
		event := &cti.Event{Type: e.kind, AgentID: e.agent}
		if got := a.sees(event, call, ""); got != e.want {
			t.Errorf("a sees %s of %q: %t, want %t", e.kind, e.agent, got, e.want)
		}
		if !boss.sees(event, call, "") {
			t.Errorf("the supervisor does not see %s", e.kind)
		}
	}
}

// What two say to each other is nobody else's, neither a supervisor's nor a
// program's that has the name of one of them.
func TestWordsAreBetweenTwo(t *testing.T) {
	words := &cti.Event{Type: cti.EventMessage, AgentID: "1002", UserData: map[string]any{"from": "1001", "text": "…"}}
	for name, tt := range map[string]struct {
		who  caller
		want bool
	}{
		"who wrote":          {caller{ID: "1001", Role: Agent}, true},
		"who gets it":        {caller{ID: "1002", Role: Agent}, true},
		"a colleague":        {caller{ID: "1003", Role: Agent}, false},
		"a supervisor":       {caller{ID: "boss", Role: Supervisor}, false},
		"an auditor":         {caller{ID: "law", Role: Auditor}, false},
		"a program":          {caller{ID: "erp", Scopes: Scopes}, false},
		"a program's name":   {caller{ID: "1002", Scopes: Scopes}, false},
		"a supervisor's own": {caller{ID: "1002", Role: Supervisor}, true},
	} {
		if got := sightOf(&tt.who, nil).sees(words, nil, ""); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}
