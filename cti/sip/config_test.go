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
