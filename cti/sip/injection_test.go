package sip_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// smuggled are ways to write a line break, or something that somebody could
// take for one, into a header.
var smuggled = []string{"\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\x00X-Evil: 1", "%0D%0AX-Evil:%201", "\u2028X-Evil: 1", "\\\r\nX-Evil: 1"}

// clean says that nothing of m is more than one line, and none of them evil.
func clean(t *testing.T, m *ctitest.Message) {
	t.Helper()
	if m.Get("X-Evil") != "" {
		t.Errorf("a header was smuggled in: %+v", m.Headers)
	}
	for _, h := range append(m.Headers, ctitest.Header{Name: "start", Value: m.Start}) {
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
			t.Errorf("%s: %q", h.Name, h.Value)
		}
	}
}

// T13: no header of a caller's becomes two, neither in what is answered nor in
// what screens and the next party are shown.
func TestNothingIsSmuggled(t *testing.T) {
	r := start(t)
	r.calls.do(func(ctx context.Context, leg cti.Leg) error {
		leg.Hangup(cti.CauseBusy)
		return nil
	})
	places := map[string][]string{
		"display name": {"\"王芳\"", "\"{evil}\""},
		"user of From": {"sip:13800138000@", "sip:138{evil}@"},
		"host of From": {"sip:13800138000@{me}", "sip:13800138000@host{evil}"},
		"tag":          {"tag=from{id}", "tag=from{id}{evil}"},
		"user of To":   {"To: <sip:4001234567@", "To: <sip:400{evil}@"},
		"dialled":      {"INVITE sip:4001234567@", "INVITE sip:400{evil}@"},
		"Call-ID":      {"Call-ID: {id}", "Call-ID: {id}{evil}"},
		"branch":       {"branch=z9hG4bK{id}", "branch=z9hG4bK{id}{evil}"},
		"Subject":      {"Content-Type", "Subject: a{evil}\r\nContent-Type"},
		"User-Agent":   {"Content-Type", "User-Agent: a{evil}\r\nContent-Type"},
		"Diversion":    {"Content-Type", "Diversion: \"a{evil}\" <sip:500{evil}@x>;reason=b{evil}\r\nContent-Type"},
		"asserted":     {"Content-Type", "P-Asserted-Identity: \"a{evil}\" <sip:500{evil}@x>\r\nContent-Type"},
		"history":      {"Content-Type", "History-Info: <sip:500{evil}@x>;index=1, <sip:1@x>;index=1.1;mp=1\r\nContent-Type"},
		"Record-Route": {"Content-Type", "Record-Route: <sip:127.0.0.1{evil};lr>\r\nContent-Type"},
		"Contact":      {"sip:caller@", "sip:cal{evil}ler@"},
		"Supported":    {"Content-Type", "Supported: 100rel{evil}\r\nRequire: x{evil}\r\nContent-Type"},
	}
	for place, edit := range places {
		for i, evil := range smuggled {
			t.Run(fmt.Sprintf("%s %d", place, i), func(t *testing.T) {
				w := r.raw("127.0.0.1")
				w.t = t
				calls := r.Stats().Calls
				text := w.invite(strings.ReplaceAll(fmt.Sprint("smug", place, i), " ", ""), edit[0], edit[1])
				w.send(strings.ReplaceAll(text, "{evil}", evil))
				w.send(w.invite("opt"+fmt.Sprint(i), "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
				for done := false; !done; {
					m := w.next(patience)
					if m == nil {
						t.Fatal("no answer to the next message")
					}
					clean(t, m)
					done = m.Method() == "OPTIONS"
				}
				if r.Stats().Calls == calls {
					return
				}
				o := r.leg().Origin()
				shown := []string{o.From.Raw, o.From.Name, o.From.E164, o.To.Raw, o.DID, string(o.Device), fmt.Sprint(o.Data)}
				for _, d := range o.Diverted {
					shown = append(shown, d.Raw, d.Name)
				}
				for _, s := range shown {
					if strings.ContainsAny(s, "\r\n\x00\u2028") || !utf8.ValidString(s) {
						t.Errorf("shown: %q", s)
					}
				}
			})
		}
	}
}

// A caller's words go on to a phone's screen in From, quoted and on one line.
func TestCallersWordsGoOnQuoted(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	for _, name := range append(smuggled, `a" <sip:evil@evil.example>;x="`, `a\`, "<script>", "\u202emirror", "\xff\xfe") {
		leg, err := r.Dial(patient(t), "sip:1001", cti.Number{Raw: "138" + name, Name: "王" + name}, "")
		if err != nil {
			t.Logf("%q is not dialled with: %v", name, err)
			continue
		}
		m := w.request("INVITE")
		clean(t, m)
		from := m.Get("From")
		if strings.Contains(from, "evil.example>") && !strings.Contains(from, `\"`) || !utf8.ValidString(from) || strings.ContainsAny(from, "\u202e\u2028") {
			t.Errorf("From %q", from)
		}
		_, after, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(from, `\\`, ""), `\"`, ""), `" <sip:`)
		if strings.ContainsAny(after[:strings.IndexByte(after, '>')], `"< `) {
			t.Errorf("From %q", from)
		}
		leg.Hangup(cti.CauseNormal)
	}
}

// A REFER cannot put words into what we send for it.
func TestReferIsNotEvil(t *testing.T) {
	r := start(t, short)
	w := r.desk("127.0.0.1", "1001")
	for i, evil := range append(smuggled, "?X-Evil=1&Route=%3Csip:evil.example%3E", ";transport=evil", "\" <sip:x@y>") {
		ok := w.talk(fmt.Sprint("refer", i), "1001")
		w.refer(5, ok, "<sip:1002"+evil+"@{to}>", "Max-Forwards", "Referred-By: \"a"+evil+"\" <sip:b"+evil+"@c>\r\nMax-Forwards")
		w.send(w.within("OPTIONS", 6, ok))
		for done := false; !done; {
			m := w.next(patience)
			if m == nil {
				t.Fatalf("%q: no answer", evil)
			}
			clean(t, m)
			if m.Method() == "REFER" && m.Code() == 202 && !strings.ContainsAny(evil[:1], "?;") {
				t.Errorf("%q was accepted", evil)
			}
			if m.Method() == "NOTIFY" && !m.IsResponse() {
				if body := m.Body; strings.Contains(body, "X-Evil") || strings.Count(body, "\r\n") != 1 {
					t.Errorf("sipfrag %q", body)
				}
				w.reply(m, 200, "")
			}
			done = m.Method() == "OPTIONS"
		}
		w.send(w.within("BYE", 7, ok))
		w.expect("BYE", 200)
	}
}

// What an INFO says is a key or nothing.
func TestInfoIsAKeyOrNothing(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("info")
	for i, body := range []string{"Signal=1\r\nX-Evil: 1\r\n", "Signal=\r\n\x00", "Signal=12\r\n", "Signal=" + strings.Repeat("1", 60_000), "<xml/>", "\x00", "Signal=1;2"} {
		w.send(w.within("INFO", 10+i, ok, "Content-Length: {length}\r\n\r\n", "Content-Type: application/dtmf-relay\r\nContent-Length: {length}\r\n\r\n"+body))
		m := w.next(patience)
		if m == nil || m.Method() != "INFO" {
			t.Fatalf("%.20q: no answer", body)
		}
		clean(t, m)
		if one := strings.HasPrefix(body, "Signal=1\r\n"); (m.Code() == 200) != one {
			t.Errorf("%.20q: %d", body, m.Code())
		}
	}
}

// T11: what a caller calls himself is text in the documents that lamps are lit
// by, whatever it looks like.
func TestLampsAreWellFormed(t *testing.T) {
	r := start(t)
	r.calls.do(ring)
	w := r.desk("127.0.0.1", "1001")
	if res := w.subscribe("lamp", "dialog", "1002"); res.Code() != 200 {
		t.Fatal(res.Start)
	}
	w.notified(200)
	d := r.desk("127.0.0.9", "1002")
	for _, name := range append(smuggled, `</identity><dialog id="evil">`, `"&amp;<![CDATA[x]]>`, "\x0b\x1b", "]]>", "\xed\xa0\x80") {
		leg, err := r.Dial(patient(t), "sip:1002", cti.Number{Raw: "138" + name, Name: name}, "")
		if err != nil {
			t.Fatal(err)
		}
		d.request("INVITE")
		m := w.notified(200)
		clean(t, m)
		if n, err := elements(m.Body); err != nil || n["dialog"] != 1 || n["display"] != 0 {
			t.Errorf("%q: %v, %v\n%s", name, n, err, m.Body)
		}
		leg.Hangup(cti.CauseNormal)
		w.notified(200)
	}
}

// elements counts the elements of a document, which must be well formed.
func elements(doc string) (map[string]int, error) {
	n := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if e, ok := token.(xml.StartElement); ok {
			n[e.Name.Local]++
		}
	}
}

// A stranger learns neither what the box is nor which version.
func TestStrangersLearnNothing(t *testing.T) {
	r := start(t, nobody)
	for i, method := range []string{"INVITE", "REGISTER", "BYE", "UPDATE", "INFO"} {
		w := r.raw(fmt.Sprintf("127.0.3.%d", i+1))
		w.send(w.invite("who"+method, "INVITE sip", method+" sip", "1 INVITE", "1 "+method))
		w.send(w.invite("bad"+method, "INVITE sip", method+" sip", "1 INVITE", "1 OTHER"))
		for m := w.next(20e6); m != nil; m = w.next(20e6) {
			for _, name := range []string{"Server", "User-Agent", "Allow", "Supported", "Contact", "Organization"} {
				if m.Get(name) != "" {
					t.Errorf("%s: %s: %s", m.Start, name, m.Get(name))
				}
			}
			if strings.Contains(strings.ToLower(m.Start+m.Get("To")), "callbox") {
				t.Errorf("%s, To %s", m.Start, m.Get("To"))
			}
		}
	}
}

// What the library would write out, we do not give it.
func TestUnsafeIsNotSent(t *testing.T) {
	for _, evil := range smuggled[:4] {
		if sip.SafeReason("Busy" + evil) {
			t.Errorf("a reason with %q would be sent", evil)
		}
	}
	if !sip.SafeReason("Busy Here: 占线") {
		t.Error("a plain reason would not be sent")
	}
}
