package cti

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// LinkVars are what a link may have filled in, as {call_id}.
var LinkVars = []string{"call_id", "number", "customer_id", "customer_name", "kind", "agent", "ticket"}

var linkVar = regexp.MustCompile(`\{[^{}]*\}`)

// CheckLink says what is wrong with a link in which places are to be filled in:
// it is http or https, and no value may become part of the host.
func CheckLink(link string) error {
	rest, ok := strings.CutPrefix(link, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(link, "http://"); !ok {
			return fmt.Errorf("%q is no http or https URL", link)
		}
	}
	host := rest
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		host = rest[:end]
	}
	if strings.ContainsAny(host, "{}@") {
		return fmt.Errorf("%q: nothing is filled into the host", link)
	}
	for _, found := range linkVar.FindAllString(rest, -1) {
		if !slices.Contains(LinkVars, found[1:len(found)-1]) {
			return fmt.Errorf("%s is none of {%s}", found, strings.Join(LinkVars, "} {"))
		}
	}
	bare := linkVar.ReplaceAllString(link, "x")
	u, err := url.Parse(bare)
	if err != nil || u.Host == "" || strings.ContainsAny(bare, "{}\\\" <>") {
		return fmt.Errorf("%q is no http or https URL", link)
	}
	return nil
}

// FillLink puts values into a link that [CheckLink] passed, percent-encoded (RFC
// 3986 §2.1): no value can end the part of the link that it stands in. What is
// not there is empty.
func FillLink(link string, values map[string]string) string {
	return linkVar.ReplaceAllStringFunc(link, func(found string) string {
		value := values[found[1:len(found)-1]]
		if strings.Trim(value, ".") == "" { // would lead to a folder above
			return ""
		}
		return strings.ReplaceAll(url.QueryEscape(strings.ToValidUTF8(value, "\ufffd")), "+", "%20")
	})
}

// SetPopLink makes link, in which LinkVars are filled in, what pops carry as
// pop_url; without one it is that of the customer's first open ticket.
func (s *Server) SetPopLink(link string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.popLink = link
}

func (s *Server) link() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.popLink
}

// popURL is where the agent's work goes on: as it is configured, else at the
// first open ticket. customer is nil where nobody is known.
func (c *Call) popURL(agent string, customer *Customer) string {
	link := c.server.link()
	if link == "" {
		return customer.firstTicket("url")
	}
	party := c.Origin().party()
	number := party.E164
	if number == "" {
		number = party.Raw
	}
	values := map[string]string{
		"call_id": c.id, "number": number, "agent": agent, "ticket": customer.firstTicket("ref"),
	}
	if customer != nil {
		values["customer_id"], values["customer_name"] = customer.ID, customer.Name
	}
	return FillLink(link, values)
}

// linked is the pop's link anew, for a number that came late; nil where the link
// is not configured.
func (c *Call) linked(agent string) map[string]any {
	if c.server.link() == "" || agent == "" {
		return nil
	}
	return map[string]any{"pop_url": c.popURL(agent, nil)}
}

// firstTicket is a word of the first open ticket that has it.
func (c *Customer) firstTicket(key string) string {
	if c == nil {
		return ""
	}
	for _, ticket := range c.OpenTickets {
		if word, ok := ticket[key].(string); ok {
			return word
		}
	}
	return ""
}
