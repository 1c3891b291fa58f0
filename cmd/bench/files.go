package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/recorder/wav"
)

// The numbers and names that the bench's box has.
const (
	hotline  = "4001234567"
	greeting = "4007654321"
	centre   = "10690000"
	secret   = "shared"
	spID     = "901234"
)

// files is what differs from box to box.
type files struct {
	agents      int
	customers   int    // beside the one who calls everywhere else
	sealed      bool   // SRTP on all legs
	smsc        string // address of the SMS centre
	window      int
	lines       int      // analogue ones
	ports       string   // folder of their serial ports
	connections int      // at the SMS centre; 0: 1
	rate        int      // SUBMITs a second; 0: as many as may be
	flags       []string // of the daemon
}

// agentID is the id and the extension of agent i, its passwords follow from it.
func agentID(i int) string { return fmt.Sprintf("%d", 2001+i) }

func (f files) write(dir string) error {
	for name, text := range map[string]string{"callbox.yaml": f.box(), "site.yaml": f.site(), "hello.wav": hello()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("box: %w", err)
		}
	}
	return nil
}

func (f files) box() string {
	text := `data: ./data
site: ./site.yaml
area_code: "0571"
drain: 3s
http: {listen: 127.0.0.1:0}
sip:
  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]
  rtp_ports: 40000-59999
  srtp: ` + f.srtp() + `
  trunks:
    - {name: carrier, address: "127.0.0.1:9", from: [127.0.0.1/32], caller_id: "` + hotline + `", srtp: ` + f.srtp() + `}
`
	if f.smsc != "" {
		text += fmt.Sprintf(`sms:
  accounts:
    - {name: cmcc, address: "%s", sp_id: "%s", secret: "%s", service_id: HELP, src_id: "%s", rate: %d, window: %d, connections: %d}
`, f.smsc, spID, secret, centre, cmp.Or(f.rate, 100_000), f.window, cmp.Or(f.connections, 1))
	}
	if f.lines > 0 {
		text += "voicebox:\n"
	}
	for i := range f.lines {
		text += fmt.Sprintf("  - {port: %q, label: line %d, number: %q}\n", filepath.Join(f.ports, serialSide(i)), i+1, hotline)
	}
	return text
}

func (f files) srtp() string {
	if f.sealed {
		return "required"
	}
	return "off"
}

// suites are what the phones of such a box offer and take.
func (f files) suites() []string {
	if f.sealed {
		return []string{suite}
	}
	return nil
}

func (f files) site() string {
	var b strings.Builder
	b.WriteString("agents:\n  - {id: boss, name: Boss, role: supervisor, password: secret-boss}\n")
	for i := range f.agents {
		id := agentID(i)
		fmt.Fprintf(&b, "  - {id: %q, name: Agent %s, role: agent, password: secret-%s, extension: %q, sip_password: sip-%s, queues: [desk]}\n", id, id, id, id, id)
	}
	b.WriteString(`queues:
  - {id: desk, name: Desk, strategy: longest_idle, ring_timeout: 20s, wrap_up: 100ms, max_wait: 60s}
routes:
  - {number: "` + hotline + `", flow: direct}
  - {number: "` + greeting + `", flow: greeting}
flows:
  - id: greeting
    start: hello
    nodes:
      hello: {play: hello.wav, next: bye}
      bye: {hangup: {}}
  - id: direct
    start: desk
    nodes:
      desk: {queue: desk, no_agent: bye, timeout: bye}
      bye: {hangup: {}}
customers:
  - {id: c1, name: Customer, vip: true, numbers: ["+8613800138000"], devices: [{id: d1, model: KONE 3000}]}
`)
	for i := range f.customers {
		fmt.Fprintf(&b, "  - {id: h%d, name: Customer %d, numbers: [\"+86%s\"]}\n", i, i, customerNumber(i))
	}
	return b.String()
}

// moveHTTP fixes the port of the HTTP server: address is http://HOST:PORT.
func (files) moveHTTP(dir, address string) error {
	name := filepath.Join(dir, "callbox.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("box: %w", err)
	}
	moved := strings.Replace(string(text), "http: {listen: 127.0.0.1:0}", "http: {listen: "+strings.TrimPrefix(address, "http://")+"}", 1)
	if err := os.WriteFile(name, []byte(moved), 0o600); err != nil {
		return fmt.Errorf("box: %w", err)
	}
	return nil
}

// hello is what the flow plays: a WAV file of holdTalk.
func hello() string {
	sound := media.NewPrompt("hello", ctitest.Sine(440, int(holdTalk.Seconds()*media.SampleRate))).PCMA
	return string(append(wav.Header(wav.ALaw, 1, media.SampleRate, int64(len(sound))), sound...))
}
