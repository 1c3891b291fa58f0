package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/storage"
)

const goodDesk = `
desk:
  reasons:
    - {code: lunch, name: 午餐, limit: 30m}
  dispositions:
    - code: repair
      name: 报修
      children:
        - {code: repair.lift, name: 电梯}
  kinds:
    - {code: repair, url: "https://t.example/new?call={call_id}&nr={number}"}
  pop: {url: "https://t.example/pop?nr={number}", open: frame}
  urge: {template: hurry, to: "13800138000"}
  texts: [hurry]
  embed_origins: [https://t.example, "http://10.0.0.5:8080"]
templates:
  - {id: hurry, text: "{engineer_is_not_here}"}
  - {id: late, text: "{ref} {customer} {number} {agent} {title} {ack}"}
`

func TestDesk(t *testing.T) {
	src := strings.Replace(goodDesk, "template: hurry", "template: late", 1)
	site, err := LoadSite("site.yaml", []byte(src), nil)
	if err != nil {
		t.Fatal(err)
	}
	if site.Desk.Reasons[0].Limit != storage.Duration(30*time.Minute) || site.Desk.Dispositions[0].Children[0].Code != "repair.lift" {
		t.Errorf("desk = %+v", site.Desk)
	}
	stored, err := site.Stored("")
	if err != nil {
		t.Fatal(err)
	}
	filled := stored.Desk.Filled()
	stored.Desk = &filled
	text, err := Export(stored)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadSite("export.yaml", text, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if diff := cmp.Diff(filled, again.Desk.Filled()); diff != "" {
		t.Error(diff)
	}
	for src, present := range map[string]bool{"desk:\n": true, "queues: []\n": false} {
		site, err := LoadSite("site.yaml", []byte(src), nil)
		if err != nil {
			t.Fatal(err)
		}
		if stored, err := site.Stored(""); err != nil || (stored.Desk != nil) != present {
			t.Errorf("%q: desk = %+v, %v", src, stored.Desk, err)
		}
	}
}

func TestDeskFaultsTogether(t *testing.T) {
	bad := strings.NewReplacer(
		"code: lunch", "code: ''", "limit: 30m", "limit: 30", "code: repair.lift", "code: repair", "name: 电梯", "colour: red",
		"code: repair, url: \"https", "code: other, url: \"ftp", "t.example/pop?nr={number}", "{number}.example/", "open: frame", "open: window",
		"\"13800138000\"", "nobody", "[hurry]", "[hurry, none]", "https://t.example, ", "https://t.example/page, '*', ",
	).Replace(goodDesk)
	_, err := LoadSite("site.yaml", []byte(bad), nil)
	if err == nil {
		t.Fatal("no faults")
	}
	for _, want := range []string{
		`:4:8: desk.reasons[0].code: is 1 to 64 bytes`, `desk.reasons[0].limit: "30" is no duration`,
		`desk.dispositions[0].children[0].code: "repair" is given twice`, `desk.dispositions[0].children[0].name: is missing`,
		`desk.dispositions[0].children[0].colour: is no key`,
		`desk.kinds[0].code: "other" is none of consult, repair, complaint, purchase`, `desk.kinds[0].url: "ftp`,
		`desk.pop.url: "https://{number}.example/": nothing is filled into the host`, `desk.pop.open: "window" is none of tab, frame, none`,
		`desk.urge.to: "nobody" is no number`, `desk.urge.template: template hurry wants {engineer_is_not_here}`,
		`desk.texts[1]: there is no template "none"`,
		`desk.embed_origins[0]: "https://t.example/page" is no origin`, `desk.embed_origins[1]: "*" is no origin`,
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

func TestSubjectsHaveLimits(t *testing.T) {
	deep := storage.Subject{Code: "0", Name: "x"}
	for i := range 5 {
		deep = storage.Subject{Code: string(rune('a' + i)), Name: "x", Children: []storage.Subject{deep}}
	}
	many := storage.Subject{Code: "many", Name: "x"}
	for i := range 1000 {
		many.Children = append(many.Children, storage.Subject{Code: strings.Repeat("x", i%50) + string(rune(0x4e00+i)), Name: "x"})
	}
	for words, s := range map[string]storage.Subject{"deeper than 5": deep, "more than 1000": many} {
		doc, err := json.Marshal(storage.DeskSettings{Dispositions: []storage.Subject{s}})
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckDocuments("desk", []json.RawMessage{doc}, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://t.example": true, "https://t.example:8443": true, "http://10.0.0.5": true, "https://[::1]:8080": true,
		"": false, "*": false, "https://*": false, "https://*.t.example": false, "https://t.example/": false, "https://a;b": false,
		"t.example": false, "javascript:x": false, "https://u@t.example": false, "https://t.example?x": false, "https://t.example 'self'": false,
	} {
		if isOrigin(origin) != want {
			t.Errorf("%q: want %t", origin, want)
		}
	}
}
