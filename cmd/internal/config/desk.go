package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/sms"
	"callbox/storage"
)

// Limits of the desk's settings.
const (
	maxCode     = 64 // bytes, as a disposition's code may have
	maxSubjects = 1000
	maxDepth    = 5
	maxLink     = 2000
)

// checkDesk checks the desk's settings; what they name is checked elsewhere.
func checkDesk(d *document, path string, s storage.DeskSettings) {
	codes := newCodes(d)
	for i, r := range s.Reasons {
		at := join(path, fmt.Sprintf("reasons[%d]", i))
		codes.take(at, r.Code, r.Name)
		if r.Limit < 0 {
			d.reject(at+".limit", "is below 0")
		}
	}
	checkSubjects(d, newCodes(d), join(path, "dispositions"), s.Dispositions, 1)
	checkKinds(d, join(path, "kinds"), s.Kinds)
	checkLink(d, join(path, "pop.url"), s.Pop.URL)
	if !slices.Contains([]string{"", storage.OpenTab, storage.OpenFrame, storage.OpenNone}, s.Pop.Open) {
		d.reject(join(path, "pop.open"), "%q is none of tab, frame, none", s.Pop.Open)
	}
	if s.Urge.To != "" && number.Clean(s.Urge.To) == "" {
		d.reject(join(path, "urge.to"), "%q is no number", s.Urge.To)
	}
	for i, origin := range s.EmbedOrigins {
		if !isOrigin(origin) {
			d.reject(join(path, fmt.Sprintf("embed_origins[%d]", i)), "%q is no origin such as https://tickets.example", origin)
		}
	}
}

// codes finds codes that are missing or taken.
type codes struct {
	d     *document
	taken map[string]bool
}

func newCodes(d *document) *codes { return &codes{d: d, taken: map[string]bool{}} }

func (c *codes) take(path, code, name string) {
	switch {
	case strings.TrimSpace(code) == "" || len(code) > maxCode || !utf8.ValidString(code):
		c.d.reject(path+".code", "is 1 to %d bytes", maxCode)
	case c.taken[code]:
		c.d.reject(path+".code", "%q is given twice", code)
	}
	if strings.TrimSpace(name) == "" {
		c.d.reject(path+".name", "is missing")
	}
	c.taken[code] = true
}

// checkSubjects goes through the tree of dispositions, in which each code is
// there once.
func checkSubjects(d *document, codes *codes, path string, subjects []storage.Subject, depth int) {
	if depth > maxDepth && len(subjects) > 0 {
		d.reject(path, "is deeper than %d", maxDepth)
		return
	}
	for i, s := range subjects {
		at := fmt.Sprintf("%s[%d]", path, i)
		codes.take(at, s.Code, s.Name)
		checkSubjects(d, codes, at+".children", s.Children, depth+1)
	}
	if depth == 1 && len(codes.taken) > maxSubjects {
		d.reject(path, "are more than %d", maxSubjects)
	}
}

func checkKinds(d *document, path string, kinds []storage.CallKind) {
	taken := map[string]bool{}
	for i, k := range kinds {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !slices.Contains(storage.CallKinds, k.Code):
			d.reject(at+".code", "%q is none of %s", k.Code, strings.Join(storage.CallKinds, ", "))
		case taken[k.Code]:
			d.reject(at+".code", "%q is given twice", k.Code)
		}
		taken[k.Code] = true
		checkLink(d, at+".url", k.URL)
	}
}

func checkLink(d *document, path, link string) {
	if link == "" {
		return
	}
	if len(link) > maxLink {
		d.reject(path, "is longer than %d bytes", maxLink)
		return
	}
	if err := cti.CheckLink(link); err != nil {
		d.reject(path, "%v", err)
	}
}

// isOrigin says whether text is scheme, host and port of pages, and nothing
// else (RFC 6454).
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		text == u.Scheme+"://"+u.Host && !strings.ContainsAny(u.Host, "*;, '\"")
}

// checkDesk checks the section with the templates that it names, where the file
// has them.
func (s *Site) checkDesk(d *document) {
	if s.Desk == nil {
		return
	}
	checkDesk(d, "desk", *s.Desk)
	if !s.Sections["templates"] {
		return
	}
	named := func(path, id string) (found sms.Template) {
		i := slices.IndexFunc(s.Templates, func(t sms.Template) bool { return t.ID == id })
		if i < 0 {
			d.reject(path, "there is no template %q", id)
			return found
		}
		return s.Templates[i]
	}
	for i, id := range s.Desk.Texts {
		named(fmt.Sprintf("desk.texts[%d]", i), id)
	}
	if id := s.Desk.Urge.Template; id != "" {
		for _, name := range storage.Unurged(named("desk.urge.template", id)) {
			d.reject("desk.urge.template", "template %s wants {%s}, which is not known when a ticket is urged", id, name)
		}
	}
}
