package sip_test

import (
	"fmt"
	"strings"
	"testing"

	"callbox/cti"
	"callbox/cti/sip"

	"github.com/google/go-cmp/cmp"
)

// inviteOf is an INVITE from From with more headers.
func inviteOf(uri, from string, headers ...string) string {
	return "INVITE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n" +
		"From: " + from + ";tag=1\r\nTo: <sip:057188880001@callbox.example>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" +
		"Contact: <sip:192.0.2.1>\r\n" + strings.Join(headers, "") + "Content-Length: 0\r\n\r\n"
}

func header(name, value string) string { return name + ": " + value + "\r\n" }

func TestCallersIdentity(t *testing.T) {
	const known = `"Wang" <sip:13800138000@192.0.2.1>`
	for i, tt := range []struct {
		from    string
		headers []string
		want    cti.Number
		sure    bool
	}{
		{known, nil, cti.Number{Raw: "13800138000", Name: "Wang"}, false},
		{`<sip:+8613800138000@192.0.2.1;user=phone>`, nil, cti.Number{Raw: "+8613800138000"}, false},
		{`sip:13800138000@192.0.2.1`, nil, cti.Number{Raw: "13800138000"}, false},
		{`<tel:+86-138-0013-8000>`, nil, cti.Number{Raw: "+86-138-0013-8000"}, false},
		{`<tel:88880001;phone-context=+86571>`, nil, cti.Number{Raw: "+8657188880001"}, false},
		{`<sip:8888-0001;phone-context=+86571@192.0.2.1;user=phone>`, nil, cti.Number{Raw: "+8657188880001"}, false},
		{`<tel:110;phone-context=police.example>`, nil, cti.Number{Raw: "110"}, false},
		{"\"\xcd\xf5\" <sip:1@x>", nil, cti.Number{Raw: "1", Name: "\ufffd\ufffd"}, false},

		{known, []string{header("P-Asserted-Identity", `<sip:95588@x>`)}, cti.Number{Raw: "95588"}, true},
		{known, []string{header("P-Asserted-Identity", `"Bank, Inc" <sip:95588@x>, <tel:+8695588>`)}, cti.Number{Raw: "95588", Name: "Bank, Inc"}, true},
		{known, []string{header("P-Asserted-Identity", `"Bank" <sip:alice@x>`), header("P-Asserted-Identity", `<tel:+8695588>`)}, cti.Number{Raw: "+8695588", Name: "Bank"}, true},
		{known, []string{header("P-Asserted-Identity", `<sip:alice@x>`)}, cti.Number{Raw: "alice"}, true},
		{known, []string{header("P-Asserted-Identity", `nonsense`)}, cti.Number{Raw: "13800138000", Name: "Wang"}, false},
		{known, []string{header("P-Asserted-Identity", `<sip:x.example>`)}, cti.Number{Raw: "13800138000", Name: "Wang"}, false},
		{`"Anonymous" <sip:anonymous@anonymous.invalid>`, []string{header("P-Asserted-Identity", `<sip:95588@x>`)}, cti.Number{Raw: "95588"}, true},

		{known, []string{header("Remote-Party-ID", `"R" <sip:057100000001@x>;party=calling;screen=yes;privacy=off`)}, cti.Number{Raw: "057100000001", Name: "R"}, false},
		{known, []string{header("Remote-Party-ID", `<sip:4001234567@x>;party=called`)}, cti.Number{Raw: "13800138000", Name: "Wang"}, false},
		{known, []string{header("Remote-Party-ID", `"R" <sip:057100000001@x>;privacy=full`)}, cti.Number{Raw: "anonymous"}, false},
		{known, []string{header("Remote-Party-ID", `"R" <sip:057100000001@x>;Privacy="name"`)}, cti.Number{Raw: "057100000001"}, false},
		{known, []string{header("Remote-Party-ID", `<sip:1@x>`), header("P-Asserted-Identity", `<sip:95588@x>`)}, cti.Number{Raw: "95588"}, true},

		{known, []string{header("Privacy", "id"), header("P-Asserted-Identity", `<sip:95588@x>`)}, cti.Number{Raw: "anonymous"}, false},
		{known, []string{header("Privacy", "header; Critical")}, cti.Number{Raw: "anonymous"}, false},
		{known, []string{header("Privacy", "none")}, cti.Number{Raw: "13800138000", Name: "Wang"}, false},
		{`"Anonymous" <sip:13800138000@192.0.2.1>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`<sip:192.0.2.1>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`<sip:c8oqz84zk7z@anonymous.invalid>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`<sip:Unavailable@192.0.2.1>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`"Restricted" <sip:Restricted@192.0.2.1>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`"Number withheld" <sip:0@192.0.2.1>`, nil, cti.Number{Raw: "anonymous"}, false},
		{`"Unknown" <sip:13800138000@192.0.2.1>`, nil, cti.Number{Raw: "13800138000"}, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			o, err := sip.OriginOf(sip.Trunk{Name: "carrier"}, inviteOf("sip:4001234567@callbox.example", tt.from, tt.headers...))
			if err != nil {
				t.Fatal(err)
			}
			if _, sure := o.Data["asserted"]; o.From != tt.want || sure != tt.sure {
				t.Errorf("%s %q: %+v, asserted %v; want %+v, %v", tt.from, tt.headers, o.From, sure, tt.want, tt.sure)
			}
			if want := cti.Device("trunk:carrier/" + tt.want.Raw); o.Device != want {
				t.Errorf("device %s, want %s", o.Device, want)
			}
		})
	}
}

func TestCalledNumber(t *testing.T) {
	plain, registered := sip.Trunk{Name: "a"}, sip.Trunk{Name: "b", Register: true, Username: "box77"}
	for i, tt := range []struct {
		trunk   sip.Trunk
		uri     string
		headers string
		want    string
	}{
		{plain, "sip:+864001234567@callbox.example;user=phone", "", "+864001234567"},
		{plain, "sip:4001234567;isub=1@callbox.example", "", "4001234567"},
		{plain, "tel:+864001234567;ext=1", "", "+864001234567"},
		{plain, "tel:4001234567;phone-context=+86", "", "+864001234567"},
		{plain, "sip:%2B864001234567@callbox.example", "", "+864001234567"},
		{plain, "sip:box77@callbox.example", "", "box77"},
		{registered, "sip:box77@192.0.2.7:5060;transport=tcp", "", "057188880001"},
		{registered, "sip:box77@192.0.2.7:5060", header("P-Called-Party-ID", "<tel:+8657188880002>"), "+8657188880002"},
		{registered, "sip:4001234567@192.0.2.7:5060", "", "4001234567"},
	} {
		o, err := sip.OriginOf(tt.trunk, inviteOf(tt.uri, "<sip:1@x>", tt.headers))
		if err != nil {
			t.Fatal(err)
		}
		if o.DID != tt.want || o.To.Raw != tt.want {
			t.Errorf("%d: %s called %q (%q), want %q", i, tt.uri, o.DID, o.To.Raw, tt.want)
		}
	}
}

func TestForwardedCalls(t *testing.T) {
	for i, tt := range []struct {
		headers []string
		want    []cti.Number
		reason  any
	}{
		{nil, nil, nil},
		{[]string{header("Diversion", `"Shop" <sip:057188880001@x>;reason=user-busy;privacy=off;counter=1`)}, []cti.Number{{Raw: "057188880001", Name: "Shop"}}, "user-busy"},
		{[]string{header("Diversion", `<tel:+8657188880001>;Reason="no-answer"`), header("Diversion", `<sip:13900139000@x>;reason=unconditional`)}, []cti.Number{{Raw: "+8657188880001"}, {Raw: "13900139000"}}, "no-answer"},
		{[]string{header("Diversion", `<sip:1@x>;reason=away, <sip:2@x>`)}, []cti.Number{{Raw: "1"}, {Raw: "2"}}, "away"},
		{[]string{header("Diversion", `<sip:1@x>;privacy=full`)}, []cti.Number{{Raw: "anonymous"}}, "unknown"},
		{[]string{header("Diversion", `rubbish`), header("Diversion", `<sip:x>`)}, nil, nil},
		{
			[]string{header("History-Info", `<sip:1@x?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1, <sip:2@x>;index=1.1;mp=1`)},
			[]cti.Number{{Raw: "1"}},
			"unconditional",
		},
		{
			[]string{header("History-Info", `<sip:3@x;cause=486>;index=1.1.1;mp=1.1`), header("History-Info", `<sip:1@x>;index=1, <sip:2@x;cause=408>;index=1.1;mp=1`)},
			[]cti.Number{{Raw: "2"}, {Raw: "1"}},
			"user-busy",
		},
		{[]string{header("History-Info", `<sip:1@x>;index=1, <sip:1@gateway>;index=1.1;rc=1`)}, nil, nil},
		{
			[]string{header("History-Info", `<sip:1@x?Privacy=history&Reason=SIP%3Bcause%3D480>;index=1, <sip:2@x>;index=1.1`)},
			[]cti.Number{{Raw: "anonymous"}},
			"deflection",
		},
		{[]string{header("Diversion", `<sip:9@x>;reason=deflection`), header("History-Info", `<sip:1@x>;index=1, <sip:2@x;cause=302>;index=1.1`)}, []cti.Number{{Raw: "9"}}, "deflection"},
	} {
		o, err := sip.OriginOf(sip.Trunk{Name: "a"}, inviteOf("sip:4001234567@x", "<sip:1@x>", tt.headers...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, o.Diverted); diff != "" || o.Data["diverted_reason"] != tt.reason {
			t.Errorf("%d: %s reason %v, want %v", i, diff, o.Data["diverted_reason"], tt.reason)
		}
		if len(tt.want) > 0 && o.Data["diverted_from"] != tt.want[0].Raw {
			t.Errorf("%d: diverted_from %v", i, o.Data["diverted_from"])
		}
	}
}
