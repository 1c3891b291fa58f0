package ctitest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Message is a SIP message as text: enough for a telephone, and frank enough
// for tests that want to see or send what is wrong.
type Message struct {
	Start   string // request or status line
	Headers []Header
	Body    string
}

// Header is one header line.
type Header struct{ Name, Value string }

var errNoMessage = errors.New("no SIP message")

var compact = map[string]string{
	"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "c": "Content-Type",
}

// ParseMessage reads a datagram.
func ParseMessage(data []byte) (*Message, error) {
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return nil, errNoMessage
	}
	lines := strings.Split(string(head), "\r\n")
	m := &Message{Start: lines[0], Body: string(body)}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%w: header %q", errNoMessage, line)
		}
		name = strings.TrimSpace(name)
		if long, short := compact[strings.ToLower(name)]; short {
			name = long
		}
		m.Add(name, strings.TrimSpace(value))
	}
	if !m.IsResponse() && len(strings.Fields(m.Start)) != 3 {
		return nil, fmt.Errorf("%w: %q", errNoMessage, m.Start)
	}
	return m, nil
}

// Add appends a header.
func (m *Message) Add(name, value string) { m.Headers = append(m.Headers, Header{name, value}) }

// Set replaces the first header of that name, or appends it.
func (m *Message) Set(name, value string) {
	for i := range m.Headers {
		if strings.EqualFold(m.Headers[i].Name, name) {
			m.Headers[i].Value = value
			return
		}
	}
	m.Add(name, value)
}

// Get is the first header of that name, "" for none.
func (m *Message) Get(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// All are the headers of that name, in order.
func (m *Message) All(name string) []string {
	var all []string
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			all = append(all, h.Value)
		}
	}
	return all
}

// Bytes is the message as it is sent, with its Content-Length.
func (m *Message) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString(m.Start + "\r\n")
	for _, h := range m.Headers {
		if !strings.EqualFold(h.Name, "Content-Length") {
			b.WriteString(h.Name + ": " + h.Value + "\r\n")
		}
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.Body), m.Body)
	return b.Bytes()
}

// IsResponse tells responses from requests.
func (m *Message) IsResponse() bool { return strings.HasPrefix(m.Start, "SIP/2.0 ") }

// Method is that of a request, or of the request a response answers.
func (m *Message) Method() string {
	if m.IsResponse() {
		_, method, _ := strings.Cut(m.Get("CSeq"), " ")
		return strings.TrimSpace(method)
	}
	method, _, _ := strings.Cut(m.Start, " ")
	return method
}

// Code is a response's status, 0 for a request.
func (m *Message) Code() int {
	if !m.IsResponse() {
		return 0
	}
	code, _, _ := strings.Cut(m.Start[len("SIP/2.0 "):], " ")
	n, _ := strconv.Atoi(code)
	return n
}

// URI is a request's Request-URI.
func (m *Message) URI() string {
	fields := strings.Fields(m.Start)
	if len(fields) < 2 {
		return ""
	}
	return fields[1]
}

// Seq is the number in CSeq.
func (m *Message) Seq() int {
	n, _, _ := strings.Cut(m.Get("CSeq"), " ")
	seq, _ := strconv.Atoi(n)
	return seq
}

// Branch is that of the top Via.
func (m *Message) Branch() string { return param(m.Get("Via"), "branch") }

// Tag is the tag of From or To.
func (m *Message) Tag(header string) string {
	value := m.Get(header)
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i:]
	}
	return param(value, "tag")
}

// Reply begins a response to a request.
func (m *Message) Reply(code int, reason, tag string) *Message {
	res := &Message{Start: fmt.Sprintf("SIP/2.0 %d %s", code, reason)}
	for _, via := range m.All("Via") {
		res.Add("Via", via)
	}
	for _, rr := range m.All("Record-Route") {
		res.Add("Record-Route", rr)
	}
	res.Add("From", m.Get("From"))
	to := m.Get("To")
	if code != 100 && m.Tag("To") == "" && tag != "" {
		to += ";tag=" + tag
	}
	res.Add("To", to)
	res.Add("Call-ID", m.Get("Call-ID"))
	res.Add("CSeq", m.Get("CSeq"))
	return res
}

func param(value, name string) string {
	for p := range strings.SplitSeq(value, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, name) {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// addressURI is the URI in a name-addr or addr-spec.
func addressURI(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// uriUser is the user of a SIP URI.
func uriUser(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	user, _, ok := strings.Cut(rest, "@")
	if !ok {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	return user
}

// uriHost is HOST:PORT of a SIP URI, with 5060 where there is no port.
func uriHost(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	rest, _, _ = strings.Cut(rest, ";")
	if !strings.Contains(rest, ":") {
		rest += ":5060"
	}
	return rest
}

func reversed(list []string) []string {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}
