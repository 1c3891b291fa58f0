package cti_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
)

func TestCheckLink(t *testing.T) {
	for link, words := range map[string]string{
		"https://t.example/new?call={call_id}&nr={number}&k={kind}": "",
		"http://10.0.0.5:8080/c/{customer_id}/{ticket}#{agent}":     "",
		"https://t.example/搜索?name={customer_name}":                 "",
		"javascript:alert('{number}')":                              "no http",
		"//t.example/{number}":                                      "no http",
		"ftp://t.example/{number}":                                  "no http",
		"https:///x":                                                "no http",
		"https://{number}.t.example/":                               "host",
		"https://{number}@t.example/":                               "host",
		"https://t.example@evil.example/":                           "host",
		"https://t.example\\{number}":                               "no http",
		"https://t.example/{phone}":                                 "{phone} is none of",
		"https://t.example/{number":                                 "no http",
		"https://t.example/a b":                                     "no http",
		"https://t.example/?a=\x01":                                 "no http",
	} {
		err := cti.CheckLink(link)
		if (words == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", link, err, words)
		}
	}
}

// No value leads out of the place that it was put into.
func TestFillLink(t *testing.T) {
	const link = "https://t.example/c/{customer_id}?name={customer_name}&nr={number}#{ticket}"
	for _, evil := range []string{
		"a b", "a&b=c", "a#b", "a/b", "..", "?x", "安顺 物业", "{number}", "%2e", "\"><script>", "a\x00b", "\u202e", "+86 138", "bad\xff",
	} {
		filled := cti.FillLink(link, map[string]string{"customer_id": evil, "customer_name": evil, "number": evil, "ticket": evil})
		u, err := url.Parse(filled)
		if err != nil {
			t.Errorf("%q: %v", evil, err)
			continue
		}
		want := strings.ToValidUTF8(evil, "\ufffd")
		if want == ".." {
			want = ""
		}
		if u.Host != "t.example" || u.Path != "/c/"+want || u.Query().Get("name") != want || len(u.Query()) != 2 || u.Fragment != want {
			t.Errorf("%q became %s", evil, filled)
		}
	}
	if got := cti.FillLink("https://t/?a={kind}", nil); got != "https://t/?a=" {
		t.Errorf("what is not there became %s", got)
	}
}

type directory []cti.Customer

func (d directory) Find(context.Context, cti.Number) (c cti.Customer, ok bool, err error) {
	if len(d) == 0 {
		return c, false, nil
	}
	c = d[0]
	for _, one := range d {
		c.Matches = append(c.Matches, cti.Match{ID: one.ID, Name: one.Name, VIP: one.VIP})
	}
	return c, true, nil
}

// popped is the pop of a call of somebody who is in the directory.
func popped(t *testing.T, link string, who directory) (data map[string]any, call string) {
	t.Helper()
	s := newScene(nil, desk)
	s.server = cti.NewServer(cti.Config{Log: slog.New(slog.DiscardHandler)},
		cti.Deps{Engine: engine{}, Recorder: shelf{}, Ledger: s.ledger, Directory: who})
	s.server.SetRouter(handler(desk))
	s.server.Register("sip", dialer{s.phone})
	s.server.SetPopLink(link)
	s.accept(t.Context())
	time.Sleep(time.Second)
	pop, _ := s.ledger.event(cti.EventDelivered)
	s.outside.leave()
	<-s.over
	return pop.UserData, pop.CallID
}

func TestPopLink(t *testing.T) {
	tickets := []map[string]any{{"ref": "WO 1", "url": "https://t/WO-1"}}
	shun := cti.Customer{ID: "c1", Name: "安顺&", VIP: true, OpenTickets: tickets}
	const link = "https://t/pop?c={call_id}&n={number}&i={customer_id}&name={customer_name}&a={agent}&t={ticket}"
	for name, tt := range map[string]struct {
		link string
		who  directory
		want string
	}{
		"configured": {link, directory{shun}, "https://t/pop?c=CALL&n=%2B8613800138000&i=c1&name=%E5%AE%89%E9%A1%BA%26&a=1001&t=WO%201"},
		"a stranger": {link, nil, "https://t/pop?c=CALL&n=%2B8613800138000&i=&name=&a=1001&t="},
		"else":       {"", directory{shun}, "https://t/WO-1"},
		"nothing":    {"", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				data, call := popped(t, tt.link, tt.who)
				if want := strings.Replace(tt.want, "CALL", call, 1); data["pop_url"] != want {
					t.Errorf("pop_url %v, want %s", data["pop_url"], want)
				}
			})
		})
	}
}

func TestSeveralMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data, _ := popped(t, "", directory{{ID: "c1", Name: "安顺"}, {ID: "c2", Name: "湖滨", VIP: true}})
		body, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), `"matches":[{"id":"c1","name":"安顺","vip":false},{"id":"c2","name":"湖滨","vip":true}]`) ||
			data["customer"].(cti.Customer).ID != "c1" || strings.Count(string(body), "matches") != 1 {
			t.Errorf("pop = %s", body)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		if data, _ := popped(t, "", directory{{ID: "c1"}}); data["matches"] != nil {
			t.Errorf("one match is listed: %v", data)
		}
	})
}

// A number that comes after the pop makes its link anew.
func TestLateNumberLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		s.server.SetPopLink("https://t/{number}")
		line := late()
		s.ring(t.Context(), line)
		time.Sleep(time.Second)
		line.Tell("13800138000", "")
		time.Sleep(time.Second)
		more := s.ledger.all(cti.EventCallInformation)
		if len(more) != 1 || more[0].UserData["pop_url"] != "https://t/%2B8613800138000" {
			t.Errorf("after the number %+v", more)
		}
		line.RemoteHangup()
		<-s.over
	})
}
