package doors

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"callbox/sms"
)

const (
	// alertWindow is how long the same alerts in the same state are one job, in
	// seconds: longer than Alertmanager tries a notice again (its
	// group_interval, 5 min), shorter than it repeats one.
	alertWindow = 300
	// alertMost is the length of an alert's text, in characters.
	alertMost = 300
	// alertLines is how many alerts of a group are told one by one.
	alertLines = 3
)

// alertGroup is the body of Alertmanager's webhook (version 4); Grafana sends
// the same with title, state and message. Other keys are let pass.
type alertGroup struct {
	GroupKey    string            `json:"groupKey"`
	Status      string            `json:"status"`
	Title       string            `json:"title"`
	Message     string            `json:"message"`
	GroupLabels map[string]string `json:"groupLabels"`
	Labels      map[string]string `json:"commonLabels"`
	Annotations map[string]string `json:"commonAnnotations"`
	Truncated   int               `json:"truncatedAlerts"`
	Alerts      []alert           `json:"alerts"`
}

type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Fingerprint string            `json:"fingerprint"`
}

// Alerts takes what Alertmanager and Grafana send: POST
// /api/v1/sms/alerts?to=N[,N], with the key as bearer or, beside its name, in
// Basic authentication. It is answered with 202 and the job, also where that was
// made before.
func (d *Doors) Alerts(w http.ResponseWriter, r *http.Request) {
	k, err := d.alertKey(r)
	if err != nil {
		d.problem(w, r, err)
		return
	}
	req, err := alertRequest(w, r)
	if err != nil {
		d.problem(w, r, err)
		return
	}
	job, err := d.accept(r.Context(), k, req)
	if err != nil {
		d.problem(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, job)
}

func (d *Doors) alertKey(r *http.Request) (Key, error) {
	if name, password, ok := r.BasicAuth(); ok {
		return d.named(r.Context(), name, password)
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Key{}, errBadKey
	}
	return d.key(r.Context(), strings.TrimSpace(key))
}

func alertRequest(w http.ResponseWriter, r *http.Request) (sms.Request, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return sms.Request{}, refuse(badField, "query", "cannot be read: "+err.Error())
	}
	for name := range q {
		if !slices.Contains([]string{"to", "class", "account", "priority"}, name) {
			return sms.Request{}, refuse(badField, "query."+name, "is none of to, class, account, priority")
		}
	}
	to := list(strings.Join(q["to"], ","), ",")
	if len(to) == 0 {
		return sms.Request{}, refuse(noTo, "query.to", "names nobody to send to")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAlert))
	if err != nil {
		return sms.Request{}, refuse(badField, "body", "cannot be read: "+err.Error())
	}
	var g alertGroup
	if err := json.Unmarshal(body, &g); err != nil {
		return sms.Request{}, refuse(badField, "body", "is no alert: "+err.Error())
	}
	text := g.text()
	if text == "" {
		return sms.Request{}, refuse(noText, "body", "has neither commonAnnotations.summary nor title, message, labels or alerts")
	}
	return sms.Request{
		To: to, Text: text, Class: q.Get("class"), Account: q.Get("account"), Priority: sms.Priority(q.Get("priority")),
		Dedup: &sms.Dedup{Key: g.dedup(to), Window: alertWindow},
	}, nil
}

// dedup is one for the same alerts in the same state to the same people. Where
// nothing tells alerts apart their text does, so that none is lost.
func (g alertGroup) dedup(to []string) string {
	prints := make([]string, len(g.Alerts))
	for i, a := range g.Alerts {
		prints[i] = a.Fingerprint
	}
	slices.Sort(prints)
	if g.GroupKey == "" || strings.Join(prints, "") == "" {
		prints = append(prints, g.text())
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", append([]string{strings.Join(to, ","), g.GroupKey, g.Status}, prints...))))
	return "alert " + hex.EncodeToString(sum[:])
}

// text is what people read of a group: what its alerts have in common, else each
// of the first few. An alert that is over says so.
func (g alertGroup) text() string {
	text := g.common()
	if text == "" {
		return ""
	}
	if g.Status == "resolved" {
		mark := "[resolved] "
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			mark = "[恢复] "
		}
		text = mark + text
	}
	return shorten(plain(text), alertMost)
}

func (g alertGroup) common() string {
	if text := g.Annotations["summary"]; strings.TrimSpace(text) != "" {
		return text
	}
	if strings.TrimSpace(g.Title) != "" {
		return g.Title
	}
	name := first(g.Labels["alertname"], g.GroupLabels["alertname"])
	var lines []string
	for _, a := range g.Alerts {
		line := first(a.Annotations["summary"], a.Annotations["description"], a.named(name))
		if strings.TrimSpace(line) != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	more := g.Truncated
	if len(lines) > alertLines {
		more, lines = more+len(lines)-alertLines, lines[:alertLines]
	}
	text := strings.Join(lines, "; ")
	if more > 0 {
		text += fmt.Sprintf("; +%d", more)
	}
	return first(text, g.Annotations["description"], g.Message, name)
}

// named is an alert by its labels: its name and where it is.
func (a alert) named(common string) string {
	return strings.TrimSpace(first(a.Labels["alertname"], common) + " " + first(a.Labels["instance"], a.Labels["job"]))
}

func first(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return ""
}

// plain leaves out what no text may have, so that an alert is sent all the same.
func plain(text string) string {
	text = strings.ToValidUTF8(text, "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return ' '
		}
		return r
	}, text))
}

// shorten cuts text to most characters.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// problem is an error as the rest of the API shows one (RFC 9457).
type problem struct {
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Errors []problemField `json:"errors,omitempty"`
}

type problemField struct {
	Message  string `json:"message"`
	Location string `json:"location"`
}

func (d *Doors) problem(w http.ResponseWriter, r *http.Request, err error) {
	why := d.refused(r.Context(), err)
	status := why.kind.status()
	if status == http.StatusBadRequest && (why.field != "body" || why.kind == noText) {
		status = http.StatusUnprocessableEntity
	}
	p := problem{Title: http.StatusText(status), Status: status, Detail: why.text}
	if why.field != "" {
		at := why.field
		if why.kind == badTo && !strings.HasPrefix(at, "query.") {
			at = "query." + at
		}
		p.Detail, p.Errors = "validation failed", []problemField{{Message: why.text, Location: at}}
	}
	if why.kind == badKey {
		w.Header().Add("WWW-Authenticate", `Bearer realm="callbox"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="callbox"`)
	}
	why.retryAfter(w)
	writeJSON(w, status, p)
}
