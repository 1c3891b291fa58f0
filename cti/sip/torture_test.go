package sip_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/cti"
)

// What a torture message deserves beside a final code.
const (
	silence = 0
	taken   = 486 // it became a call, which the rig says busy to
)

// torture is one message of RFC 4475, in our own words: its trap on numbers and
// addresses of the rig. {via} asks for the answer at the sender's port.
type torture struct {
	section string
	code    int
	text    string
	edit    []string // instead of text: a plain INVITE, changed so
}

const tortureVia = "SIP/2.0/{transport} {me};branch=z9hG4bK{id};rport"

var tortures = []torture{
	// 3.1.1: valid messages.
	{section: "3.1.1.1 a short tortuous INVITE", code: 481, // its To has a tag, of no dialog here
		text: "INVITE sip:vivekg@{to};unknownparam SIP/2.0\r\n" +
			"TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n" +
			"from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n" +
			"MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.{id}\r\nContent-Length   : {length}\r\ncseq: 0009\r\n  INVITE\r\n" +
			"Via  : SIP  /   2.0\r\n /{transport}\r\n    {me};branch=390skdjuw;rport\r\n" +
			"s :\r\nNewFangledHeader:   newfangled value\r\n continued newfangled value\r\n" +
			"UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n" +
			"Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n" +
			"v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n" +
			" SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n" +
			"m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n{sdp}"},
	{
		section: "3.1.1.1 the same without a tag in To", code: taken,
		text: "INVITE sip:vivekg@{to};unknownparam SIP/2.0\r\n" +
			"TO :\r\n sip:vivekg@chair-dnrc.example.com ;   x    = 1918181833n\r\n" +
			"from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n" +
			"MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv2.{id}\r\nContent-Length   : {length}\r\ncseq: 0009\r\n  INVITE\r\n" +
			"Via  : SIP  /   2.0\r\n /{transport}\r\n    {me};branch=390skdjuw{id};rport\r\n" +
			"s :\r\nContent-Type: application/sdp\r\n" +
			"m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n\r\n{sdp}",
	},
	// A NUL goes nowhere here, not even back in To: no answer.
	{
		section: "3.1.1.2 all characters that may be, among them NUL", code: silence,
		text: "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@{to} SIP/2.0\r\n" +
			"Via: " + tortureVia + "\r\nTo: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n" +
			"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\r\n" +
			"Call-ID: intmeth.{id}%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\n" +
			"extensionHeader-!.%*+_`'~:\xef\xbb\xbf大停電\r\nContent-Length: 0\r\n\r\n",
	},
	{
		section: "3.1.1.2 the same without the NUL", code: 501,
		text: "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@{to} SIP/2.0\r\n" +
			"Via: " + tortureVia + "\r\nTo: \"BEL:\\\x07 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\r\n" +
			"From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\r\n" +
			"Call-ID: intmeth.{id}%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\n" +
			"extensionHeader-!.%*+_`'~:\xef\xbb\xbf大停電\r\nContent-Length: 0\r\n\r\n",
	},
	{section: "3.1.1.3 escapes with %", code: taken, edit: []string{"INVITE sip:4001234567@", "INVITE sip:sips%3Auser%40example.com@", "<sip:caller@{me}>", "<sip:cal%6Cer@{me};%6C%72;n%61me=v%61lue%25%34%31>"}},
	{section: "3.1.1.4 escaped NULs", code: 401, edit: register("To: <sip:4001234567@{to}>", "To: sip:null-%00-null@{to}", "\"王芳\" <sip:13800138000@{me}>", "sip:null-%00-null@example.com", "Contact: <sip:caller@{me}>", "Contact: <sip:%00@{me}>\r\nContact: <sip:%00%00@{me}>")},
	{section: "3.1.1.5 % that is no escape", code: 501, edit: []string{"INVITE sip:4001234567@{to}", "RE%47IST%45R sip:{to}", "1 INVITE", "1 RE%47IST%45R", "Contact: <sip:caller@{me}>", "Contact: <sip:alias1@{me}>\r\nC%6Fntact: <sip:alias2@host2.example.com>"}},
	{section: "3.1.1.6 no space before <", code: 200, edit: []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "\"王芳\" <", "caller<"}},
	{section: "3.1.1.7 long values", code: taken, edit: []string{
		"INVITE sip:4001234567@{to}", "INVITE sip:4001234567@{to};" + strings.Repeat("u", 200) + "=" + strings.Repeat("v", 200),
		"\"王芳\"", "\"" + strings.Repeat("I have a user name of extreme proportion ", 8) + "\"", "tag=from", "tag=" + strings.Repeat("1", 130) + "from",
		"Call-ID: ", "Call-ID: " + strings.Repeat("longreq.", 30), "Max-Forwards", strings.Repeat("Unknown-"+strings.Repeat("Long", 20)+"-Name: unknown-"+strings.Repeat("long", 20)+"-value\r\n", 3) +
			strings.Repeat("Via: SIP/2.0/TCP sip"+strings.Repeat("3", 60)+".example.com\r\n", 33) + "Max-Forwards",
	}},
	{section: "3.1.1.8 another message behind the datagram's", code: taken, edit: []string{"{sdp}", "{sdp}\r\nINVITE sip:joe@example.com SIP/2.0\r\nt: sip:joe@example.com\r\n", "{length}", fmt.Sprint(len(plainSDP))}},
	{section: "3.1.1.9 parameters in the user", code: 200, edit: []string{"INVITE sip:4001234567@", "OPTIONS sip:user;par=u%40example.net@", "1 INVITE", "1 OPTIONS"}},
	{section: "3.1.1.10 transports of all kinds", code: 200, edit: []string{
		"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "Max-Forwards",
		"Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKkdjuw\r\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\r\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\r\nMax-Forwards",
	}},
	{section: "3.1.1.11 several parts, SDP first", code: taken, edit: []string{
		"application/sdp", "multipart/mixed;boundary=7a9cbec02ceef655",
		"{sdp}", "--7a9cbec02ceef655\r\nContent-Type: application/sdp\r\n\r\n{sdp}--7a9cbec02ceef655\r\nContent-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: binary\r\n\r\n\x80\x00\x13\xff\x00\r\n--7a9cbec02ceef655--\r\n",
	}},
	{section: "3.1.1.12 a strange reason phrase, in a response to nothing", code: silence, text: "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\r\n" +
		"Via: " + tortureVia + "\r\nCall-ID: unreason.{id}\r\nCSeq: 35 INVITE\r\nFrom: <sip:user@example.com>;tag=11141343\r\nTo: <sip:user@example.edu>;tag=2229\r\nContent-Length: 0\r\nContact: <sip:user@host198.example.com>\r\n\r\n"},
	{section: "3.1.1.13 no reason phrase, in a response to nothing", code: silence, text: "SIP/2.0 100 \r\n" +
		"Via: " + tortureVia + "\r\nCall-ID: noreason.{id}\r\nCSeq: 35 INVITE\r\nFrom: <sip:user@example.com>;tag=39ansfi3\r\nTo: <sip:user@example.edu>;tag=902jndnke3\r\nContent-Length: 0\r\nContact: <sip:user@host105.example.com>\r\n\r\n"},

	// 3.1.2: invalid messages.
	{section: "3.1.2.1 separators where none belong", code: 400, edit: []string{"Contact: <sip:caller@{me}>", "Contact: \"Joe\" <sip:joe@example.org>;;;;"}},
	{section: "3.1.2.2 a length larger than the message", code: 400, edit: []string{"{length}", "9999"}},
	{section: "3.1.2.3 a negative length", code: 400, edit: []string{"{length}", "-999"}},
	{section: "3.1.2.4 CSeq overlarge", code: 400, edit: register("CSeq: 1 ", "CSeq: 36893488147419103232 ")},
	{section: "3.1.2.4 Max-Forwards overlarge", code: 400, edit: register("Max-Forwards: 70", "Max-Forwards: 300")},
	{section: "3.1.2.4 Expires and q overlarge, which may be cut", code: 401, edit: register("Content-Type", "Expires: 10000000000000000000000\r\nContent-Type", "<sip:caller@{me}>", "<sip:caller@{me}>;expires=280297596632815")},
	{section: "3.1.2.5 a response with numbers overlarge", code: silence, text: "SIP/2.0 503 Service Unavailable\r\n" +
		"Via: " + tortureVia + "\r\nCall-ID: scalarlg.{id}\r\nCSeq: 9292394834772304023312 OPTIONS\r\nFrom: <sip:user@example.com>;tag=1\r\nTo: <sip:other@example.net>;tag=2\r\nRetry-After: 949302838503028349304023988\r\nWarning: 1812 overture \"In Progress\"\r\nContent-Length: 0\r\n\r\n"},
	{section: "3.1.2.6 a quote that does not end", code: 400, edit: []string{"To: <sip:4001234567@{to}>", "To: \"Mr. J. User <sip:j.user@example.com>"}},
	{section: "3.1.2.7 the Request-URI in brackets", code: 400, edit: []string{"INVITE sip:4001234567@{to}", "INVITE <sip:user@example.com>"}},
	{section: "3.1.2.8 a space in the Request-URI", code: 400, edit: []string{"INVITE sip:4001234567@{to}", "INVITE sip:user@example.com; lr"}},
	{section: "3.1.2.9 spaces in the start line", code: 400, edit: []string{"INVITE sip:4001234567@{to} SIP", "INVITE  sip:user@example.com  SIP"}},
	{section: "3.1.2.10 spaces at the end of the start line", code: 400, edit: []string{"{to} SIP/2.0\r\nVia", "{to} SIP/2.0  \r\nVia", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"}},
	{section: "3.1.2.11 headers in the Request-URI", code: 400, edit: []string{"INVITE sip:4001234567@{to}", "INVITE sip:user@example.com?Route=%3Csip:example.com%3E"}},
	{section: "3.1.2.12 Date of another zone, which may be borne", code: taken, edit: []string{"Content-Type", "Date: Fri, 01 Jan 2010 16:00:00 EST\r\nContent-Type"}},
	{section: "3.1.2.13 a contact with parameters, not in brackets", code: 400, edit: register("Contact: <sip:caller@{me}>", "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E")},
	{section: "3.1.2.14 spaces within an address", code: 400, edit: []string{"To: <sip:4001234567@{to}>", "To: \"Watson, Thomas\" < sip:t.watson@example.org >"}},
	{section: "3.1.2.15 a display name that wants quotes", code: 200, edit: []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "\"王芳\" <", "Bell, Alexander <"}},
	{section: "3.1.2.16 a version that is not known", code: 505, edit: []string{" SIP/2.0\r\nVia", " SIP/7.0\r\nVia"}},
	{section: "3.1.2.17 CSeq of another method", code: 400, edit: []string{"INVITE sip", "OPTIONS sip"}},
	{section: "3.1.2.18 an unknown method and CSeq of another", code: 400, edit: []string{"INVITE sip", "NEWMETHOD sip"}},
	{section: "3.1.2.19 a response of an overlarge code", code: silence, text: "SIP/2.0 4294967301 better not break the receiver\r\n" +
		"Via: " + tortureVia + "\r\nCall-ID: bigcode.{id}\r\nCSeq: 353494 INVITE\r\nFrom: <sip:user@example.com>;tag=39ansfi3\r\nTo: <sip:user@example.edu>;tag=902jndnke3\r\nContent-Length: 0\r\nContact: <sip:user@host105.example.com>\r\n\r\n"},

	// 3.2: the transaction layer.
	{section: "3.2.1 a branch that is only the cookie", code: 200, edit: []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "z9hG4bK{id}", "z9hG4bK"}},
	{section: "3.2.1 the same for an INVITE", code: taken, edit: []string{"z9hG4bK{id}", "z9hG4bK"}},

	// 3.3: the application layer.
	{section: "3.3.1 Call-ID, From and To missing", code: 400, edit: []string{"Call-ID:", "X-Call:", "From:", "X-From:", "To:", "X-To:"}},
	{section: "3.3.2 a scheme that nobody knows", code: 416, edit: []string{"INVITE sip:4001234567@{to}", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent", "1 INVITE", "1 OPTIONS"}},
	{section: "3.3.3 a scheme that is known and strange", code: 416, edit: []string{"INVITE sip:4001234567@{to}", "OPTIONS soap.beep://192.0.2.103:3002", "1 INVITE", "1 OPTIONS"}},
	{section: "3.3.4 schemes that nobody knows in To and From", code: 401, edit: register("To: <sip:4001234567@{to}>", "To: isbn:2983792873", "<sip:13800138000@{me}>", "<http://www.example.com>", "Contact: <sip:caller@{me}>", "Contact: <name:John_Smith>")},
	{section: "3.3.5 Require of what nobody has", code: 420, edit: []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "Content-Type", "Require: nothingSupportsThis, nothingSupportsThisEither\r\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\nContent-Type"}},
	{section: "3.3.6 a type that nobody knows", code: 415, edit: []string{"application/sdp", "application/unknownformat", "{sdp}", "<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>"}},
	{section: "3.3.7 a scheme of authorization that nobody knows", code: 401, edit: register("Content-Type", "Authorization: NoOneKnowsThisScheme opaque-data=here\r\nContent-Type")},
	{section: "3.3.8 headers twice that stand once", code: 400, edit: []string{"CSeq: 1 INVITE", "CSeq: 5 INVITE\r\nCSeq: 59 INVITE", "Call-ID: {id}", "Call-ID: {id}\r\nCall-ID: other.{id}", "Max-Forwards: 70", "Max-Forwards: 70\r\nMax-Forwards: 5"}},
	{section: "3.3.9 lengths that differ", code: 400, edit: []string{"Content-Length: {length}", "Content-Length: 13\r\nContent-Length: 5", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"}},
	{section: "3.3.10 a 200 whose Via is a broadcast", code: silence, text: "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\n" +
		"Call-ID: bcast.{id}\r\nCSeq: 433 INVITE\r\nFrom: sip:user@example.com;tag=11133\r\nTo: sip:user@example.edu;tag=2229\r\nContent-Length: 0\r\nContact: <sip:user@host28.example.com>\r\n\r\n"},
	{section: "3.3.11 Max-Forwards 0, which ends here anyway", code: 200, edit: []string{"INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "Max-Forwards: 70", "Max-Forwards: 0"}},
	{section: "3.3.15 Accept without SDP", code: 406, edit: []string{"Content-Type", "Accept: text/nobodyKnowsThis\r\nContent-Type"}},

	// Not of the RFC: what would end a line for somebody else.
	{section: "a bare LF in a display name, which cannot be echoed", code: silence, edit: []string{"\"王芳\"", "\"a\nX-Evil: 1\""}},
	{section: "a bare LF in Subject", code: 400, edit: []string{"Content-Type", "Subject: a\nX-Evil: 1\r\nContent-Type"}},
	{section: "a bare CR in Subject", code: 400, edit: []string{"Content-Type", "Subject: a\rX-Evil: 1\r\nContent-Type"}},
	{section: "a NUL in Subject", code: 400, edit: []string{"Content-Type", "Subject: a\x00X-Evil: 1\r\nContent-Type"}},

	// 3.4: backward compatibility.
	{
		section: "3.4.1 an INVITE of RFC 2543", code: taken,
		text: "INVITE sip:4001234567@{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {me};rport\r\nFrom: <sip:{id}@iftgw.example.com>\r\nTo: <sip:+1-972-555-2222@{to}>\r\n" +
			"Call-ID: inv2543.{id}\r\nCSeq: 56 INVITE\r\nContact: <sip:caller@{me}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}",
	},
}

// register makes the plain INVITE a REGISTER, for rows about one.
func register(edit ...string) []string {
	return append(edit, "INVITE sip:4001234567@{to}", "REGISTER sip:{to}", "1 INVITE", "1 REGISTER")
}

// sayBusy makes a call end as soon as it is one.
func sayBusy(_ context.Context, leg cti.Leg) error { leg.Hangup(cti.CauseBusy); return nil }

// RFC 4475: each message gets what it deserves of a server that answers calls
// and keeps registrations, from a trunk by UDP.
func TestTorture(t *testing.T) {
	r := start(t)
	r.calls.do(sayBusy)
	for i, tt := range tortures {
		t.Run(tt.section, func(t *testing.T) {
			w := r.raw("127.0.0.1")
			w.t = t
			id := fmt.Sprint("tort", i)
			calls := r.Stats().Calls
			text := w.invite(id, tt.edit...)
			if tt.text != "" {
				text = w.fill(tt.text, id)
			}
			w.send(text)
			wait := patience
			if tt.code == silence {
				wait = 100 * time.Millisecond
			}
			got := silence
			for m := w.next(wait); m != nil; m = w.next(wait) {
				if got = m.Code(); got >= 200 {
					break
				}
			}
			if got != tt.code {
				t.Errorf("answer %d, want %d, to\n%s", got, tt.code, text)
			}
			if became := r.Stats().Calls > calls; became != (tt.code == taken) {
				t.Errorf("it became a call: %v", became)
			}
		})
	}
	if s := r.Stats(); s.Panics != 0 {
		t.Errorf("%+v", s)
	}
}

// The registrations among them, with credentials.
func TestTortureOfTheRegistrar(t *testing.T) {
	for section, tt := range map[string]struct {
		code    int
		contact string
		listed  string
	}{
		"3.3.12 a parameter of the contact":    {200, "<sip:+19725552222@{me};unknownparam>", ";unknownparam>;expires="},
		"3.3.13 a parameter of the URI":        {200, "sip:+19725552222@{me};unknownparam", "@{me}>;expires="},
		"3.3.14 an escaped header":             {200, "<sip:user@{me}?Route=%3Csip:sip.example.com%3E>", "?Route=%3Csip:sip.example.com%3E>;expires="},
		"3.1.1.4 escaped NULs":                 {200, "<sip:%00%00@{me}>", "sip:%00%00@{me}>"},
		"3.1.2.4 expires overlarge":            {200, "<sip:user@{me}>;expires=280297596632815", ";expires=3600"},
		"3.1.2.13 headers, not in brackets":    {400, "sip:user@{me}?Route=%3Csip:sip.example.com%3E", ""},
		"3.3.4 a scheme that nobody registers": {400, "<name:John_Smith>", ""},
	} {
		t.Run(section, func(t *testing.T) {
			r := start(t)
			w := r.raw("127.0.0.1")
			auth := w.answer(w.register(1, ""), "1001", "secret1001", 1, "MD5")
			res := w.register(2, auth, "Contact: <sip:caller@{me}>", "Contact: "+tt.contact)
			if res.Code() != tt.code {
				t.Fatalf("answer %s, want %d", res.Start, tt.code)
			}
			if want := strings.ReplaceAll(tt.listed, "{me}", w.addr()); !strings.Contains(res.Get("Contact"), want) {
				t.Errorf("Contact %q, want %q", res.Get("Contact"), want)
			}
		})
	}
}

// What is valid goes by a stream too, and what has no end there ends it.
func TestTortureByTCP(t *testing.T) {
	r := start(t)
	r.calls.do(sayBusy)
	for i, tt := range tortures {
		if strings.HasPrefix(tt.section, "3.1.1.8 ") {
			continue // of datagrams
		}
		t.Run(tt.section, func(t *testing.T) {
			c := r.dialTCP()
			defer func() { _ = c.conn.Close() }()
			c.t = t
			id := fmt.Sprint("tcptort", i)
			text := c.invite(id, tt.edit...)
			if tt.text != "" {
				text = c.fill(tt.text, id)
			}
			c.send(text + c.invite(id+"probe", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "Call-ID: ", "Call-ID: probe"))
			_ = c.conn.(*net.TCPConn).CloseWrite()
			got, probed := silence, false
			for m, err := c.read(); err == nil && !probed; m, err = c.read() {
				if probed = strings.HasPrefix(m.Get("Call-ID"), "probe"); !probed && m.Code() >= 200 {
					got = m.Code()
				}
			}
			if framed := !unframed(tt.section); probed != framed || framed && got != tt.code && !probed {
				t.Errorf("answer %d, want %d; the next message was answered: %v", got, tt.code, probed)
			}
		})
	}
}

// unframed says that a stream cannot go on after the message.
func unframed(section string) bool {
	for _, prefix := range []string{"3.1.2.2 ", "3.1.2.3 ", "3.3.9 "} {
		if strings.HasPrefix(section, prefix) {
			return true
		}
	}
	return false
}
