package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"callbox/ivr/calendar"
	"callbox/ivr/flow"
	"callbox/sms"
	"callbox/storage"

	"github.com/goccy/go-yaml/token"
)

// CheckDocuments says what is wrong with objects of a kind as programs send
// them, in JSON. playable says whether a flow's sound can be played; nil: all
// can. The error is [Faults].
func CheckDocuments(kind string, docs []json.RawMessage, playable func(name string) error) error {
	d := &document{file: kind, places: map[string]*token.Position{}}
	for i, doc := range docs {
		path := ""
		if len(docs) > 1 {
			path = fmt.Sprintf("%s[%d]", kind, i)
		}
		if kind == "flows" {
			d.checkFlow(path, doc, playable)
			continue
		}
		d.checkDocument(kind, path, doc)
	}
	return d.faults.Err()
}

// checkFlow checks a flow with its sounds. Its queues are checked where it is
// stored.
func (d *document) checkFlow(path string, doc json.RawMessage, playable func(name string) error) {
	graphs, faults := flow.Parse(doc, "flow")
	if len(graphs) == 0 && len(faults) == 0 {
		d.reject(path, "is empty")
	}
	for _, graph := range graphs {
		faults = append(faults, graph.Check("flow", flow.Site{Prompt: playable})...)
	}
	for _, f := range faults {
		f.Key = strings.TrimPrefix(strings.TrimPrefix(f.Key, "flow"), ".") // the document has no name
		f.Key = strings.TrimSuffix(join(path, f.Key), ".")
		d.faults = append(d.faults, Fault(f))
	}
}

func (d *document) checkDocument(kind, path string, doc json.RawMessage) {
	switch kind {
	case "agents":
		judge(d, path, doc, checkAgent)
	case "queues":
		judge(d, path, doc, checkQueue)
	case "templates":
		judge(d, path, doc, checkTemplate)
	case "desk":
		judge(d, path, doc, checkDesk)
	case "calendars":
		judge(d, path, doc, checkCalendar)
	case "routes":
		judge(d, path, doc, func(d *document, path string, r storage.Route) {
			if r.Number == "" || r.Flow == "" {
				d.reject(path, "wants number and flow")
			}
		})
	}
}

// judge decodes one document and checks it as the file's objects are checked.
func judge[T storage.Agent | storage.Queue | storage.Route | sms.Template | storage.DeskSettings | calendar.Calendar](
	d *document, path string, doc json.RawMessage, check func(*document, string, T),
) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		d.reject(path, "%v", err)
		return
	}
	check(d, path, v)
}
