package sip_test

import (
	"strings"
	"testing"

	"callbox/cti/sip"

	"github.com/goccy/go-yaml"
)

func TestConfigFaultsAllAtOnce(t *testing.T) {
	text := `
listen: [udp://127.0.0.1:5060, "tls://127.0.0.1:5061", "127.0.0.1"]
external_ip: nowhere
rtp_ports: 30000-20000
trunks:
  - {name: carrier, address: "127.0.0.1:5080", from: [127.0.0.1/32, everywhere], register: true, codecs: [G722], caller_id: "x"}
  - {name: carrier, codecs: [opus], max_calls: -1}
`
	var c sip.Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("no faults")
	}
	for _, want := range []string{
		"tls: a tls:// listener needs", "listen[2]:", "external_ip:", "rtp_ports:",
		"trunks[0].from[1]:",
		"trunks[0].codecs: G722 alone is not yet supported", "trunks[0].caller_id:",
		"trunks[1].name:", "trunks[1]: a trunk needs", "trunks[1].codecs:", "trunks[1].max_calls:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("fault %q is not among\n%v", want, err)
		}
	}
}

func TestConfigOfTheManual(t *testing.T) {
	text := `
listen: [udp://127.0.0.1:5060, tcp://127.0.0.1:5060]
external_ip: ""
rtp_ports: 20000-29999
trunks:
  - name: carrier
    address: 127.0.0.1:5080
    from: [127.0.0.1/32]
    register: false
    username: ""
    password: ""
    max_calls: 0
    codecs: [PCMA, PCMU, G722]
    caller_id: "4001234567"
`
	var c sip.Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if lo, hi, err := c.PortRange(); lo != 20000 || hi != 29999 || err != nil {
		t.Errorf("ports %d-%d, %v", lo, hi, err)
	}
	if err := (sip.Config{}).Validate(); err != nil {
		t.Errorf("the empty section: %v", err)
	}
}

func TestTrunksFaults(t *testing.T) {
	const good = `name: a, address: carrier.example`
	for text, want := range map[string]string{
		good: "",
		good + `, transport: TCP, proxy: "[2001:db8::1]:5080", register: true, username: u, password: p, expires: 60s, identity: pai, number_format: national, health: -1s`:   "",
		good + `, caller_id: "400", caller_ids: ["0571888800*", "+864001234567"], numbers: ["+86", "0571*", "*", "100"], prefix: "9", srtp: off, dtmf: info, prack: required`: "",
		`name: a, from: [192.0.2.0/24]`:        "",
		`name: "a b", address: x`:              "trunks[0].name: ",
		`name: a`:                              "trunks[0]: a trunk needs an address, or from, or both",
		`name: a, address: "tls://x"`:          "trunks[0].address: ",
		good + `, proxy: "a b"`:                "trunks[0].proxy: ",
		`name: a, from: [192.0.2.1], proxy: x`: "trunks[0].proxy: a proxy leads to an address",
		good + `, transport: sctp`:             `trunks[0].transport: "sctp" is none of udp, tcp, tls`,
		good + `, transport: tls`:              "trunks[0].transport: tls needs a listener tls://",
		good + `, health: 100ms`:               "trunks[0].health: 100ms is less than 1s",
		good + `, register: true, username: u`: "trunks[0].register: needs address, username and password",
		`name: a, from: [192.0.2.1], register: true, username: u, password: p`: "trunks[0].register: needs address",
		good + `, expires: 59s`:                            "trunks[0].expires: 59s is not from 1m0s to 24h0m0s",
		good + `, expires: 25h`:                            "trunks[0].expires: 25h0m0s is not",
		good + `, username: "a\tb"`:                        "trunks[0].username: may not hold control characters",
		good + `, realm: "a\nb"`:                           "trunks[0].realm: may not hold",
		good + `, caller_id: anon`:                         `trunks[0].caller_id: "anon" is no number`,
		good + `, caller_id: "1", caller_ids: ["12*4"]`:    `trunks[0].caller_ids[0]: "12*4" is neither`,
		good + `, caller_ids: ["12"]`:                      "trunks[0].caller_ids: needs caller_id",
		good + `, numbers: [""]`:                           "trunks[0].numbers[0]: ",
		good + `, numbers: ["1", "a"]`:                     "trunks[0].numbers[1]: ",
		good + `, prefix: "0-"`:                            "trunks[0].prefix: ",
		good + `, number_format: local`:                    `trunks[0].number_format: "local" is none of e164, national, plain`,
		good + `, identity: rpid`:                          `trunks[0].identity: "rpid" is none of from, pai, both`,
		good + `, srtp: maybe`:                             "trunks[0].srtp: ",
		good + `, dtmf: tones`:                             `trunks[0].dtmf: "tones" is none of auto, rfc4733, info, inband`,
		good + `, prack: yes`:                              `trunks[0].prack: "yes" is none of on, required, off`,
		good + `, max_calls: -1`:                           "trunks[0].max_calls: -1 is less than 0",
		good + `}], limits: {calls: -1}, x: [{`:            "limits.calls: -1 is less than 0",
		good + `}], limits: {calls_per_second: -2}, x: [{`: "limits.calls_per_second: -2",
		good + `}], session_timer: 60s, x: [{`:             "session_timer: 1m0s is less than 1m30s",
	} {
		var c sip.Config
		if err := yaml.Unmarshal([]byte("{listen: ['udp://127.0.0.1:5060', 'tcp://127.0.0.1:5060'], trunks: [{"+text+"}]}"), &c); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err := c.Validate()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
