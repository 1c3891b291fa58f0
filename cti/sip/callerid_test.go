package sip_test

import (
	"testing"

	"callbox/cti"
	"callbox/cti/sip"
)

func TestShownCaller(t *testing.T) {
	open := sip.Trunk{CallerID: "4001234567"}
	ruled := sip.Trunk{CallerID: "4001234567", CallerIDs: []string{"0571888800*", "+8657188990001"}}
	with := func(tr sip.Trunk, identity, user string, register bool) sip.Trunk {
		tr.Identity, tr.Username, tr.Register, tr.Address = identity, user, register, "carrier.example"
		return tr
	}
	mobile := cti.Number{Raw: "13800138000", E164: "+8613800138000", Name: "王芳"}
	for name, tt := range map[string]struct {
		trunk                   sip.Trunk
		as                      cti.Number
		from, asserted, privacy string
	}{
		"its own number":         {open, mobile, `"王芳" <sip:13800138000@192.0.2.7>`, "", ""},
		"none of its own":        {open, cti.Number{}, `<sip:4001234567@192.0.2.7>`, "", ""},
		"only E.164":             {open, cti.Number{E164: "+8613800138000"}, `<sip:+8613800138000@192.0.2.7>`, "", ""},
		"nobody at all":          {sip.Trunk{}, cti.Number{}, `<sip:anonymous@192.0.2.7>`, "", ""},
		"not among the numbers":  {ruled, mobile, `"王芳" <sip:4001234567@192.0.2.7>`, "", ""},
		"in a block":             {ruled, cti.Number{Raw: "057188880042"}, `<sip:057188880042@192.0.2.7>`, "", ""},
		"in a block, as E.164":   {ruled, cti.Number{E164: "+8657188880042"}, `<sip:+8657188880042@192.0.2.7>`, "", ""},
		"beside the block":       {ruled, cti.Number{Raw: "057188890042"}, `<sip:4001234567@192.0.2.7>`, "", ""},
		"one number":             {ruled, cti.Number{Raw: "057188990001", E164: "+8657188990001"}, `<sip:057188990001@192.0.2.7>`, "", ""},
		"longer than one number": {ruled, cti.Number{Raw: "+86571889900012"}, `<sip:4001234567@192.0.2.7>`, "", ""},
		"the usual one":          {ruled, cti.Number{Raw: "4001234567"}, `<sip:4001234567@192.0.2.7>`, "", ""},
		"asserted":               {with(open, "pai", "box", false), mobile, `"王芳" <sip:box@192.0.2.7>`, "<sip:13800138000@192.0.2.7>", ""},
		"asserted, no login":     {with(open, "pai", "", false), mobile, `"王芳" <sip:13800138000@192.0.2.7>`, "<sip:13800138000@192.0.2.7>", ""},
		"both, registered":       {with(open, "both", "box", true), mobile, `"王芳" <sip:13800138000@carrier.example>`, "<sip:13800138000@carrier.example>", ""},
		"asserted by the rule":   {with(ruled, "pai", "box", true), mobile, `"王芳" <sip:box@carrier.example>`, "<sip:4001234567@carrier.example>", ""},
		"private":                {open, cti.Number{Raw: "anonymous", Name: "王芳"}, `"Anonymous" <sip:anonymous@anonymous.invalid>`, "", "id"},
		"private, asserted":      {with(open, "pai", "box", true), cti.Number{Raw: "anonymous"}, `"Anonymous" <sip:anonymous@anonymous.invalid>`, "<sip:4001234567@carrier.example>", "id"},
		"what would be a header": {open, cti.Number{Raw: "1\r\nX: 1", Name: "a\"\r\nX: 1"}, "\"a\\\"\ufffd\ufffdX: 1\" <sip:1%EF%BF%BD%EF%BF%BDX%3A%201@192.0.2.7>", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			from, asserted, privacy := sip.Presented(tt.trunk, tt.as)
			if from != tt.from || asserted != tt.asserted || privacy != tt.privacy {
				t.Errorf("From %s, asserted %q, privacy %q; want %s, %q, %q", from, asserted, privacy, tt.from, tt.asserted, tt.privacy)
			}
		})
	}
}

func TestDialledNumber(t *testing.T) {
	for _, tt := range []struct{ format, prefix, number, want string }{
		{"", "", "+8613800138000", "+8613800138000"},
		{"e164", "", "+8613800138000", "+8613800138000"},
		{"national", "", "+8613800138000", "13800138000"},
		{"national", "", "+8657188880001", "057188880001"},
		{"national", "", "+864001234567", "4001234567"},
		{"national", "9", "+8657188880001", "9057188880001"},
		{"plain", "", "+8657188880001", "8657188880001"},
		{"plain", "00", "+14155552671", "0014155552671"},
		{"national", "", "+14155552671", "14155552671"},
		{"plain", "", "057188880001", "057188880001"},
		{"e164", "17909", "10086", "1790910086"},
	} {
		if got := sip.Dials(sip.Trunk{NumberFormat: tt.format, Prefix: tt.prefix}, tt.number); got != tt.want {
			t.Errorf("%s as %q with %q: %s, want %s", tt.number, tt.format, tt.prefix, got, tt.want)
		}
	}
}

func TestServedNumbers(t *testing.T) {
	for _, tt := range []struct {
		numbers []string
		to      cti.Number
		want    bool
	}{
		{nil, cti.Number{Raw: "10086"}, true},
		{[]string{"+86"}, cti.Number{Raw: "13800138000", E164: "+8613800138000"}, true},
		{[]string{"+86"}, cti.Number{Raw: "0014155552671", E164: "+14155552671"}, false},
		{[]string{"+86571", "1"}, cti.Number{Raw: "88880001", E164: "+8657188880001"}, true},
		{[]string{"0571*"}, cti.Number{E164: "+8657188880001"}, true},
		{[]string{"0571"}, cti.Number{Raw: "02188880001", E164: "+862188880001"}, false},
		{[]string{"100"}, cti.Number{Raw: "10086"}, true},
		{[]string{"*"}, cti.Number{Raw: "10086"}, true},
	} {
		cfg := sip.Config{Trunks: []sip.Trunk{{Name: "a", Numbers: tt.numbers}}}
		if got := cfg.Serves("a", tt.to); got != tt.want {
			t.Errorf("%v serves %+v: %v", tt.numbers, tt.to, got)
		}
	}
	if (sip.Config{}).Serves("a", cti.Number{Raw: "1"}) {
		t.Error("a trunk that is not there serves")
	}
}
