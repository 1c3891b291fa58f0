package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Formats that a delivery may have, beside none: callbox's own.
const (
	FormatTwilio = "twilio"
	FormatZammad = "zammad"
	FormatKannel = "kannel" // of callbacks only, with the dlr-mask behind
)

// letterhead is a notice as it stands in a delivery's body: what the API shows,
// of which a shape reads what it needs.
type letterhead struct {
	Event string          `json:"event"`
	ID    string          `json:"id"`
	Time  time.Time       `json:"time"`
	Data  json.RawMessage `json:"data"`
}

// outgoing is a request to make.
type outgoing struct {
	method, url string
	kind        string // Content-Type; none without a body
	body        []byte
	header      http.Header
}

// errNothing: the shape has no word for this event, so nothing is sent.
var errNothing = errors.New("nothing to send")

// shape puts a notice into another product's request, or [errNothing]. args are
// what follows the format's name.
type shape func(s *Sender, d Delivery, n letterhead, args string) (outgoing, error)

var shapes = map[string]shape{
	FormatTwilio: (*Sender).twilio, FormatZammad: (*Sender).zammad, FormatKannel: (*Sender).kannel,
}

// outgoing is the request that a delivery comes to.
func (s *Sender) outgoing(d Delivery) (outgoing, error) {
	name, args, _ := strings.Cut(d.Format, " ")
	if name == "" {
		return own(d, "application/json", d.Body), nil
	}
	make, ok := shapes[name]
	if !ok {
		return outgoing{}, fmt.Errorf("format %q is not known", name)
	}
	var n letterhead
	if err := json.Unmarshal(d.Body, &n); err != nil {
		return outgoing{}, fmt.Errorf("read the notice: %w", err)
	}
	return make(s, d, n, args)
}

// own is a request with callbox's own signature.
func own(d Delivery, kind string, body []byte) outgoing {
	o := outgoing{method: http.MethodPost, url: d.URL, kind: kind, body: body, header: http.Header{}}
	if len(d.Secret) > 0 {
		o.header.Set(SignatureHeader, Signature(d.Secret, body, time.Now()))
	}
	return o
}

const formKind = "application/x-www-form-urlencoded"

// request makes the request itself.
func (o outgoing) request(ctx context.Context, d Delivery) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, o.method, o.url, bytes.NewReader(o.body))
	if err != nil {
		return nil, err
	}
	for name, values := range o.header {
		req.Header[name] = values
	}
	if o.kind != "" {
		req.Header.Set("Content-Type", o.kind)
	}
	req.Header.Set("User-Agent", "callbox")
	req.Header.Set(EventHeader, d.Event)
	req.Header.Set(AttemptHeader, strconv.Itoa(d.Attempt+1))
	return req, nil
}

// message is what shapes read of a text's status.
type message struct {
	ID      string               `json:"id"`
	To      string               `json:"to"`
	Status  string               `json:"status"`
	Account string               `json:"account"`
	Times   map[string]time.Time `json:"times"`
	Done    string               `json:"done"` // YYMMDDhhmm
	Error   *struct {
		Code int    `json:"code"`
		Stat string `json:"stat"`
		Text string `json:"text"`
	} `json:"error"`
}

// incoming is what shapes read of an incoming text.
type incoming struct {
	ID   string `json:"id"`
	From string `json:"from"`
	Raw  string `json:"raw"`
	To   string `json:"to"`
	Text string `json:"text"`
}

// Events that shapes have words for.
const (
	smsStatus   = "sms.status"
	smsReceived = "sms.received"
)

// kannel calls a dlr-url where its mask, args, asks for this status. %d and the
// like in it are filled in (Kannel's user guide, "Parameters (Escape Codes)").
func (s *Sender) kannel(d Delivery, n letterhead, args string) (outgoing, error) {
	mask, err := strconv.Atoi(args)
	if err != nil {
		return outgoing{}, fmt.Errorf("dlr-mask %q: %w", args, err)
	}
	var m message
	if n.Event != smsStatus {
		return outgoing{}, errNothing
	}
	if err := json.Unmarshal(n.Data, &m); err != nil {
		return outgoing{}, fmt.Errorf("read the message: %w", err)
	}
	bit, words := m.dlr()
	if bit&mask == 0 {
		return outgoing{}, errNothing
	}
	return outgoing{method: http.MethodGet, url: fill(d.URL, map[byte]string{
		'd': strconv.Itoa(bit), 'A': url.QueryEscape(words), 'I': m.ID, 'i': url.QueryEscape(m.Account),
		'p': url.QueryEscape(s.cfg.Senders[m.Account]), 'q': url.QueryEscape(s.cfg.Senders[m.Account]),
		'P': url.QueryEscape(m.To), 'Q': url.QueryEscape(m.To),
		't': n.Time.UTC().Format("2006-01-02+15:04:05"), 'T': strconv.FormatInt(n.Time.Unix(), 10), '%': "%",
	})}, nil
}

// The bits of a dlr-mask; 4 (buffered at the centre) has no status of ours.
const (
	dlrDelivered = 1
	dlrFailed    = 2
	dlrSubmitted = 8
	dlrRefused   = 16
)

// dlr is a status as Kannel's type of report, and the centre's words. An unknown
// outcome is no report.
func (m message) dlr() (bit int, words string) {
	switch {
	case m.Status == "delivered":
		return dlrDelivered, "DELIVRD"
	case m.Status == "submitted":
		return dlrSubmitted, "ACK/"
	case m.Status == "canceled":
		return dlrRefused, "NACK/canceled"
	case m.Status != "failed" && m.Status != "expired":
		return 0, ""
	case m.Error != nil && m.Error.Stat != "":
		return dlrFailed, m.Error.Stat
	case m.Status == "expired":
		return dlrFailed, "EXPIRED"
	case m.Error != nil:
		return dlrRefused, fmt.Sprintf("NACK/%d/%s", m.Error.Code, m.Error.Text)
	}
	return dlrRefused, "NACK/"
}

// fill puts values in place of their escapes; an escape that is none stays. In
// the path a percent sign may stand as %25.
func fill(pattern string, values map[byte]string) string {
	path, query, found := strings.Cut(pattern, "?")
	path = fillAll(strings.ReplaceAll(path, "%25", "%"), values)
	if !found {
		return path
	}
	return path + "?" + fillAll(query, values)
}

func fillAll(pattern string, values map[byte]string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '%' && i+1 < len(pattern) {
			if value, ok := values[pattern[i+1]]; ok {
				b.WriteString(value)
				i++
				continue
			}
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// zammad posts a call's event as sipgate.io and Zammad's generic CTI take it.
func (s *Sender) zammad(d Delivery, n letterhead, _ string) (outgoing, error) {
	event := map[string]string{"call.new": "newCall", "call.answer": "answer", "call.hangup": "hangup"}[n.Event]
	if event == "" {
		return outgoing{}, errNothing
	}
	var c call
	if err := json.Unmarshal(n.Data, &c); err != nil {
		return outgoing{}, fmt.Errorf("read the call: %w", err)
	}
	f := url.Values{
		"event": {event}, "callId": {c.ID}, "direction": {c.Direction},
		"from": {c.From.plain()}, "to": {c.To.plain()},
	}
	if c.Agent != nil && c.Agent.Name != "" {
		f.Set("user[]", c.Agent.Name)
	}
	if c.Agent != nil && event != "newCall" {
		f.Set("answeringNumber", c.Agent.ID)
	}
	if c.Queue != nil {
		f.Set("queue", c.Queue.Name)
	}
	if event == "hangup" {
		f.Set("cause", c.cause())
	}
	return own(d, formKind, []byte(f.Encode())), nil
}

// call is what shapes read of a call.
type call struct {
	ID        string     `json:"id"`
	Direction string     `json:"direction"`
	Result    string     `json:"result"`
	Cause     string     `json:"cause"`
	From      party      `json:"from"`
	To        party      `json:"to"`
	Queue     *reference `json:"queue"`
	Agent     *reference `json:"agent"`
}

type party struct {
	E164 string `json:"e164"`
	Raw  string `json:"raw"`
}

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// plain is the number as digits with its country in front, anonymous where it
// was withheld.
func (p party) plain() string {
	switch {
	case p.E164 != "":
		return strings.TrimPrefix(p.E164, "+")
	case p.Raw != "":
		return p.Raw
	}
	return "anonymous"
}

var causes = map[string]string{
	"busy": "busy", "noAnswer": "noAnswer", "canceled": "cancel", "congestion": "congestion", "notFound": "notFound",
}

// cause is why the call ended, in Zammad's words: what nobody answered is no
// normal clearing.
func (c call) cause() string {
	switch {
	case c.Result == "abandoned":
		return "cancel"
	case c.Result == "voicemail":
		return "forwarded"
	case causes[c.Cause] != "":
		return causes[c.Cause]
	case c.Result == "rejected":
		return "busy"
	case c.Result == "failed":
		return "congestion"
	}
	return "normalClearing"
}
