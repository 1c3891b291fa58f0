package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/ivr/calendar"
	"callbox/ivr/flow"
	"callbox/sms"
	"callbox/storage"
)

// Site is site.yaml: what a supervisor edits.
type Site struct {
	Agents    []storage.Agent       `yaml:"agents"`
	Queues    []storage.Queue       `yaml:"queues"`
	Routes    []storage.Route       `yaml:"routes"`
	Flows     ast.Node              `yaml:"flows"`
	Calendars []calendar.Calendar   `yaml:"calendars"`
	Customers []map[string]any      `yaml:"customers"`
	Templates []sms.Template        `yaml:"templates"`
	Desk      *storage.DeskSettings `yaml:"desk"`

	// Sections are those present in the file: each is the whole section.
	Sections map[string]bool `yaml:"-"`
	// People are Customers as calls know them, Graphs the flows, checked.
	People []cti.Customer `yaml:"-"`
	Graphs flow.Flows     `yaml:"-"`
	// text is the file's.
	text []byte `yaml:"-"`
}

// Stored is the site as storage takes it: sections that the file has are never
// nil. hash is the file's, kept with it.
func (s *Site) Stored(hash string) (storage.Site, error) {
	out := storage.Site{Hash: hash}
	keep(&out.Agents, s.Agents, s.Sections["agents"])
	keep(&out.Queues, s.Queues, s.Sections["queues"])
	keep(&out.Routes, s.Routes, s.Sections["routes"])
	keep(&out.Templates, s.Templates, s.Sections["templates"])
	keep(&out.Customers, s.People, s.Sections["customers"])
	if s.Sections["desk"] {
		out.Desk = &storage.DeskSettings{}
		if s.Desk != nil {
			out.Desk = s.Desk
		}
	}
	keep(&out.Flows, []storage.Flow{}, s.Sections["flows"])
	for i, graph := range s.Graphs {
		doc, err := json.Marshal(graph)
		if err != nil {
			return out, fmt.Errorf("flow %s: %w", graph.ID, err)
		}
		out.Flows = append(out.Flows, storage.Flow{ID: graph.ID, Doc: doc, Text: s.written(i, doc)})
	}
	keep(&out.Calendars, []storage.Calendar{}, s.Sections["calendars"])
	for _, c := range s.Calendars {
		doc, err := json.Marshal(c.Public())
		if err != nil {
			return out, fmt.Errorf("calendar %s: %w", c.ID, err)
		}
		out.Calendars = append(out.Calendars, storage.Calendar{ID: c.ID, Doc: doc})
	}
	return out, nil
}

// Anchor makes the prompts that lie in dir, the site file's folder, absolute:
// for a file that is applied from elsewhere than where the daemon looks.
func (s *Site) Anchor(dir string) {
	for _, graph := range s.Graphs {
		for _, node := range graph.Nodes {
			for i, part := range node.Prompt { // shared by the copies of a node
				path := filepath.Join(dir, part.Play)
				if _, err := os.Stat(path); err == nil && part.Play != "" && !filepath.IsAbs(part.Play) {
					node.Prompt[i].Play = path
				}
			}
		}
	}
}

func keep[T any](to *[]T, from []T, present bool) {
	if present {
		*to = append([]T{}, from...)
	}
}

var roles = []string{"agent", "supervisor", "admin", "auditor"}

// Prompts tells whether a sound file can be played; dir is the site file's
// folder. nil means that it can.
type Prompts func(dir, name string) error

// LoadSite reads and checks site.yaml. The error is [Faults], all of them.
func LoadSite(file string, src []byte, prompts Prompts) (*Site, error) {
	site, faults := readSite(file, src, prompts)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return site, nil
}

// Check reads callbox.yaml and the site it names and gives what is wrong with
// both at once, as [Faults].
func Check(file string, prompts Prompts) error {
	box, faults := load(file)
	if box == nil || box.Site == "" {
		return faults.Err()
	}
	src, err := os.ReadFile(box.Site)
	if err != nil {
		return append(faults, unreadable(box.Site, err)).Err()
	}
	site, wrong := readSite(box.Site, src, prompts)
	return slices.Concat(faults, strangers(file, site), wrong).Err()
}

func readSite(file string, src []byte, prompts Prompts) (*Site, Faults) {
	site := &Site{Sections: map[string]bool{}, text: src}
	d := decode(file, src, site)
	for _, section := range []string{"agents", "queues", "routes", "flows", "calendars", "customers", "templates", "desk"} {
		_, site.Sections[section] = d.places[section]
	}
	site.check(d)
	site.checkFlows(d, prompts)
	return site, d.faults
}

// checkFlows turns the section into graphs and asks for all they name.
func (s *Site) checkFlows(d *document, prompts Prompts) {
	if s.Flows == nil {
		return
	}
	graphs, faults := flow.ParseNode(s.Flows, d.file, "flows")
	d.add(faults)
	s.Graphs = graphs
	about := flow.Site{}
	if s.Sections["queues"] {
		about.Queue = func(id string) bool {
			return slices.ContainsFunc(s.Queues, func(q storage.Queue) bool { return q.ID == id })
		}
	}
	if s.Sections["calendars"] {
		about.Calendar = func(id string) bool {
			return slices.ContainsFunc(s.Calendars, func(c calendar.Calendar) bool { return c.ID == id })
		}
	}
	if prompts != nil {
		about.Prompt = func(name string) error { return prompts(filepath.Dir(d.file), name) }
	}
	for _, graph := range graphs {
		d.add(graph.Check(d.file, about))
	}
	for i, route := range s.Routes {
		if _, ok := graphs.Find(route.Flow); !ok && route.Flow != "" {
			d.reject(fmt.Sprintf("routes[%d].flow", i), "there is no flow %q", route.Flow)
		}
	}
}

func (d *document) add(faults []flow.Fault) {
	for _, f := range faults {
		d.faults = append(d.faults, Fault(f))
	}
}

func (s *Site) check(d *document) {
	s.checkAgents(d)
	queues := newNames(d, "queues")
	for i, q := range s.Queues {
		path := queues.take(i, q.ID)
		checkQueue(d, path, q)
	}
	templates := newNames(d, "templates")
	for i, t := range s.Templates {
		path := templates.take(i, t.ID)
		checkTemplate(d, path, t)
	}
	numbers := newNames(d, "routes")
	numbers.key = "number"
	for i, r := range s.Routes {
		path := numbers.take(i, r.Number)
		if r.Flow == "" {
			d.reject(join(path, "flow"), "is missing")
		}
	}
	calendars := newNames(d, "calendars")
	for i, c := range s.Calendars {
		path := calendars.take(i, c.ID)
		checkCalendar(d, path, c)
	}
	s.checkCustomers(d)
	s.checkDesk(d)
}

// names finds ids that are missing or taken.
type names struct {
	d       *document
	section string
	key     string
	taken   map[string]bool
}

func newNames(d *document, section string) *names {
	return &names{d: d, section: section, key: "id", taken: map[string]bool{}}
}

// take checks the i-th id and gives the object's path.
func (n *names) take(i int, id string) string {
	path := fmt.Sprintf("%s[%d]", n.section, i)
	switch {
	case strings.TrimSpace(id) == "":
		n.d.reject(join(path, "")+n.key, "is missing")
	case n.taken[id]:
		n.d.reject(join(path, "")+n.key, "%q is given twice", id)
	}
	n.taken[id] = true
	return path
}

func (s *Site) checkAgents(d *document) {
	ids, extensions := newNames(d, "agents"), map[string]bool{}
	for i, a := range s.Agents {
		path := ids.take(i, a.ID)
		checkAgent(d, path, a)
		if a.Extension != "" && extensions[a.Extension] {
			d.reject(join(path, "extension"), "%q is taken by another agent", a.Extension)
		}
		extensions[a.Extension] = true
		if s.Sections["queues"] {
			s.checkServed(d, path, a)
		}
	}
}

func (s *Site) checkServed(d *document, path string, a storage.Agent) {
	for j, id := range a.Queues {
		if !slices.ContainsFunc(s.Queues, func(q storage.Queue) bool { return q.ID == id }) {
			d.reject(fmt.Sprintf("%s.queues[%d]", path, j), "there is no queue %q", id)
		}
	}
}

func checkAgent(d *document, path string, a storage.Agent) {
	if a.Role != "" && !slices.Contains(roles, a.Role) {
		d.reject(join(path, "role"), "%q is none of %s", a.Role, strings.Join(roles, ", "))
	}
	if !digits(a.Extension) || len(a.Extension) > 12 {
		d.reject(join(path, "extension"), "%q is not made of up to 12 digits", a.Extension)
	}
	if a.Password != "" && a.PasswordHash != "" {
		d.reject(join(path, "password_hash"), "stands beside password: give one of them")
	}
	for skill, level := range a.Skills {
		if level < 0 || level > 5 {
			d.reject(path+".skills."+skill, "%d is not from 0 to 5", level)
		}
	}
}

func checkQueue(d *document, path string, q storage.Queue) {
	switch q.Strategy {
	case "", "longest_idle", "round_robin", "fewest_calls", "least_talk", "linear", "random":
	case "ring_all":
		d.reject(join(path, "strategy"), "ring_all is "+notYet)
	default:
		d.reject(join(path, "strategy"), "%q is no strategy", q.Strategy)
	}
	if q.MaxLength < 0 {
		d.reject(join(path, "max_length"), "%d is below 0", q.MaxLength)
	}
	if q.Announce != nil && (q.Announce.Position || q.Announce.Wait) {
		d.reject(join(path, "announce"), notYet)
	}
	if q.Overflow != nil && *q.Overflow != (storage.Overflow{}) {
		d.reject(join(path, "overflow"), notYet)
	}
}

func checkCalendar(d *document, path string, c calendar.Calendar) {
	for _, f := range c.Check() {
		d.reject(join(path, f.Key), "%s", f.Text)
	}
}

func checkTemplate(d *document, path string, t sms.Template) {
	classes := []string{"", sms.ClassDispatch, sms.ClassNotice, sms.ClassMarketing}
	if !slices.Contains(classes, t.Class) {
		d.reject(join(path, "class"), "%q is none of dispatch, notice, marketing", t.Class)
	}
	if t.Text == "" {
		d.reject(join(path, "text"), "is empty")
	}
}

// checkCustomers turns the tables into customers, keys of their own kept.
func (s *Site) checkCustomers(d *document) {
	ids := newNames(d, "customers")
	for i, table := range s.Customers {
		id, _ := table["id"].(string)
		path := ids.take(i, id)
		raw, err := json.Marshal(table)
		if err != nil {
			d.reject(path, "%v", err)
			continue
		}
		var c cti.Customer
		if err := json.Unmarshal(raw, &c); err != nil {
			d.reject(path, "%v", err)
			continue
		}
		for j, n := range c.Numbers {
			if number.Clean(n) == "" {
				d.reject(fmt.Sprintf("%s.numbers[%d]", path, j), "%q is no number", n)
			}
		}
		s.People = append(s.People, c)
	}
}
