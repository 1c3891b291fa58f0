package sip

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	wire "github.com/emiago/sipgo/sip"
)

const headerLimit = 100

var (
	errStray  = errors.New("a header holds a bare CR, LF or NUL")
	errUntidy = errors.New("a header holds an empty parameter or an address without brackets")
)

// fault is why a request is answered without looking further.
type fault struct {
	code    int
	reason  string
	headers []wire.Header
}

// checks are tried in order; what the library lets through and RFC 3261 §8.2
// asks an answer for stands here.
var checks = []func(*wire.Request) *fault{
	checkVersion, checkMandatory, checkSingle, checkCSeq, checkHops, checkMethod, checkScheme, checkRequire, checkContent, checkAccept,
}

// precheck is nil for a request that may go on. ACK is never answered.
func precheck(req *wire.Request) *fault {
	for _, check := range checks {
		if f := check(req); f != nil {
			return f
		}
	}
	return nil
}

func checkVersion(req *wire.Request) *fault {
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return &fault{code: 505, reason: "Version Not Supported"}
	}
	req.SipVersion = "SIP/2.0"
	return nil
}

func bad(why string) *fault { return &fault{code: 400, reason: "Bad Request: " + why} }

func checkMandatory(req *wire.Request) *fault {
	switch {
	case req.Via() == nil:
		return bad("no Via")
	case req.From() == nil:
		return bad("no From")
	case req.To() == nil:
		return bad("no To")
	case req.CallID() == nil:
		return bad("no Call-ID")
	case req.CSeq() == nil:
		return bad("no CSeq")
	case req.Method == wire.INVITE && req.Contact() == nil:
		return bad("no Contact")
	}
	return nil
}

// single are the headers that may stand once.
var single = []string{"from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires"}

func checkSingle(req *wire.Request) *fault {
	if len(req.Headers()) > headerLimit {
		return &fault{code: 513, reason: "Message Too Large"}
	}
	for _, name := range single {
		if len(req.GetHeaders(name)) > 1 {
			return bad("two " + name)
		}
	}
	if req.Method == wire.INVITE && len(req.GetHeaders("contact")) > 1 {
		return bad("two contacts")
	}
	return nil
}

func checkCSeq(req *wire.Request) *fault {
	if !strings.EqualFold(string(req.CSeq().MethodName), string(req.Method)) {
		return bad("CSeq of another method")
	}
	return nil
}

// checkHops refuses a Max-Forwards that no client counted down (RFC 3261 §20.22).
func checkHops(req *wire.Request) *fault {
	if h := req.MaxForwards(); h != nil && *h > 255 {
		return bad("Max-Forwards")
	}
	return nil
}

// methods we serve, in the order of Allow.
var methods = []wire.RequestMethod{
	wire.INVITE, wire.ACK, wire.CANCEL, wire.BYE, wire.OPTIONS, wire.UPDATE, wire.INFO, wire.REGISTER,
	wire.PRACK, wire.REFER, wire.SUBSCRIBE, wire.NOTIFY,
}

// extensions are the option tags that a peer may require.
var extensions = map[string]bool{"timer": true, "100rel": true, "norefersub": true}

// unserved are methods that exist and are not allowed here.
var unserved = map[wire.RequestMethod]bool{
	wire.MESSAGE: true, wire.PUBLISH: true,
}

func checkMethod(req *wire.Request) *fault {
	for _, m := range methods {
		if m == req.Method {
			return nil
		}
	}
	if unserved[req.Method] {
		return &fault{code: 405, reason: "Method Not Allowed", headers: []wire.Header{allow()}}
	}
	return &fault{code: 501, reason: "Not Implemented", headers: []wire.Header{allow()}}
}

func checkScheme(req *wire.Request) *fault {
	if len(req.Recipient.Headers) > 0 { // RFC 3261 §19.1.1
		return bad("headers in the Request-URI")
	}
	switch req.Recipient.Scheme {
	case "sip", "tel":
		return nil
	case "sips": // every hop by TLS (RFC 3261 §26.2.2)
		if req.Transport() == "TLS" {
			return nil
		}
	}
	return &fault{code: 416, reason: "Unsupported URI Scheme"}
}

// checkRequire refuses extensions we do not have (RFC 3261 §8.2.2.3).
func checkRequire(req *wire.Request) *fault {
	if req.Method == wire.ACK || req.Method == wire.CANCEL {
		return nil
	}
	var unknown []string
	for _, h := range req.GetHeaders("require") {
		for option := range strings.SplitSeq(h.Value(), ",") {
			if option = strings.TrimSpace(option); option != "" && !extensions[strings.ToLower(option)] {
				unknown = append(unknown, option)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	list := wire.NewHeader("Unsupported", strings.Join(unknown, ", "))
	return &fault{code: 420, reason: "Bad Extension", headers: []wire.Header{list}}
}

// readable are the types of bodies that are understood, by method.
var readable = map[wire.RequestMethod][]string{
	wire.INVITE: {"application/sdp", "multipart/mixed"},
	wire.UPDATE: {"application/sdp"},
	wire.PRACK:  {"application/sdp"},
}

func checkContent(req *wire.Request) *fault {
	accepted, strict := readable[req.Method]
	if !strict || len(req.Body()) == 0 {
		return nil
	}
	kind := contentType(req)
	encoded := req.GetHeader("content-encoding") != nil || req.GetHeader("e") != nil
	for _, a := range accepted {
		if kind == a && !encoded {
			return nil
		}
	}
	return &fault{code: 415, reason: "Unsupported Media Type", headers: []wire.Header{
		wire.NewHeader("Accept", "application/sdp"), wire.NewHeader("Accept-Encoding", "identity"),
	}}
}

// checkAccept refuses a caller who could not read our answer (RFC 3261 §20.1).
func checkAccept(req *wire.Request) *fault {
	all := req.GetHeaders("accept")
	if req.Method != wire.INVITE || len(all) == 0 {
		return nil
	}
	for _, h := range all {
		for kind := range strings.SplitSeq(strings.ToLower(h.Value()), ",") {
			kind, _, _ = strings.Cut(kind, ";")
			switch strings.TrimSpace(kind) {
			case "application/sdp", "application/*", "*/*":
				return nil
			}
		}
	}
	return &fault{code: 406, reason: "Not Acceptable: SDP only"}
}

func contentType(m wire.Message) string {
	h, ok := m.(interface {
		ContentType() *wire.ContentTypeHeader
	})
	if !ok || h.ContentType() == nil {
		return ""
	}
	kind, _, _ := strings.Cut(h.ContentType().Value(), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// strayBreak finds a CR or LF in the head that does not end a line, the seed of
// a smuggled header, or a NUL, which ends a line for programs written in C. In a
// quoted name RFC 3261 would allow the NUL.
func strayBreak(data []byte) bool {
	lines := bytes.ReplaceAll(headOf(data), []byte("\r\n"), nil)
	return bytes.ContainsAny(lines, "\r\n\x00")
}

// headOf is a message without its body.
func headOf(data []byte) []byte {
	if end := bytes.Index(data, []byte("\r\n\r\n")); end >= 0 {
		return data[:end]
	}
	return data
}

// bareBadRequest answers a message that could not be parsed with the headers a
// response must echo (RFC 3261 §8.2.6), nil where one is missing or the message
// is no request worth answering.
func bareBadRequest(data []byte) []byte {
	lines := strings.Split(string(data[:min(len(data), 8<<10)]), "\r\n")
	if strings.HasPrefix(lines[0], "SIP/") || strings.HasPrefix(lines[0], "ACK ") {
		return nil
	}
	echo := map[string]string{"via": "Via", "v": "Via", "from": "From", "f": "From", "to": "To", "t": "To", "call-id": "Call-ID", "i": "Call-ID", "cseq": "CSeq"}
	var out strings.Builder
	out.WriteString("SIP/2.0 " + bareStatus(lines[0]) + "\r\n")
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		full := echo[strings.ToLower(strings.TrimSpace(name))]
		if line == "" || full == "" || hasBreak(value) || seen[full] && full != "Via" {
			continue
		}
		seen[full] = true
		out.WriteString(full + ":" + value + "\r\n")
	}
	if len(seen) < 5 {
		return nil
	}
	out.WriteString("Content-Length: 0\r\n\r\n")
	return []byte(out.String())
}

// bareStatus is the answer to an unreadable request: 416 where the URI has a
// scheme of its own, which the library does not read, else 400.
func bareStatus(start string) string {
	fields := strings.Fields(start)
	if len(fields) == 3 && foreignScheme.MatchString(fields[1]) {
		return "416 Unsupported URI Scheme"
	}
	return "400 Bad Request"
}

var foreignScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*[+.-][A-Za-z0-9+.-]*:`)
