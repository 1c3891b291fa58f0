package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/internal/segment"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadWholeFile(t *testing.T) {
	t.Setenv("CMCC_SECRET", "s3")
	file := write(t, "callbox.yaml", `
data: ./d
area_code: "0571"
drain: 5s
http: {listen: 127.0.0.1:0, tls: {cert_file: "", key_file: "", self_signed: false}, public_url: ""}
sip:
  listen: [udp://127.0.0.1:0]
  rtp_ports: 20000-20099
  trunks:
    - {name: carrier, address: 127.0.0.1:5080, from: [127.0.0.1/32], codecs: [PCMA, G722]}
voicebox: []
sms:
  accounts:
    - {name: cmcc, address: 127.0.0.1:7890, sp_id: "901234", secret: "${CMCC_SECRET}", src_id: "10690000", window: 8, active_test: 10s}
lookup: {url: "", timeout: 300ms}
webhooks:
  - {url: "http://127.0.0.1:9/hook", secret: x, events: ["call.*"]}
`)
	box, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	account := box.SMS.Accounts[0]
	if account.Secret != "s3" || account.Window != 8 || account.ActiveTest != 10*time.Second || account.Rate != 100 {
		t.Errorf("account = %+v", account)
	}
	if want := filepath.Join(filepath.Dir(file), "d"); box.Data != want {
		t.Errorf("data = %q, want %q", box.Data, want)
	}
	if box.Lookup.Timeout != 300*time.Millisecond || box.Drain != 5*time.Second || box.Timezone != "Asia/Shanghai" {
		t.Errorf("box = %+v", box)
	}
}

func TestAllFaultsAtTheirPlaces(t *testing.T) {
	file := write(t, "callbox.yaml", `data: ./d
nonsense: 1
drain: soon
sip:
  listen: [smtp://127.0.0.1:5060]
  rtp_ports: 5-4
  trunks:
    - {name: a, register: true}
    - {name: a, codecs: [OPUS], colour: red}
voicebox:
  - {port: /dev/ttyACM0, serial: "1", number: 12a, mode: attend, profile: best, tones: {hum: [1s, 1s], busy: [1s], dial: {hz: 9, colour: red}}}
  - {label: "line 1", desk: "1001", tones: us}
sms: {accounts: [{name: x, address: nowhere, sp_id: "1234567", src_id: 106x, window: 5000, active_test: 1ms, report_wait: 9000h, secret: a, secret_file: config.go}]}
`)
	_, err := Load(file)
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("Load = %v, want Faults", err)
	}
	for _, want := range []string{
		":2:1: nonsense: is no key",
		":3:8: drain: \"soon\" is no duration",
		":5:12: sip.listen[0]: ",
		":6:3: sip.rtp_ports: ",
		"sip.trunks[1].colour: is no key",
		"sip.trunks[1].name: \"a\" is there twice",
		"sip.trunks[1].codecs: \"OPUS\"",
		":11:26: voicebox[0].serial: stands beside port",
		"voicebox[0].number: \"12a\"",
		"voicebox[0].mode: attend wants desk",
		"voicebox[0].profile: \"best\" is none of",
		"voicebox[0].tones.hum: is no tone; there are ",
		"voicebox[0].tones.busy: wants on and off times in pairs",
		"voicebox[0].tones.dial.hz: 9 is no frequency",
		"voicebox[0].tones.dial.colour: is no key",
		":12:5: voicebox[1]: wants a port",
		":12:6: voicebox[1].label: \"line 1\" is there twice",
		"voicebox[1].desk: is for mode attend",
		"voicebox[1].tones: \"us\" is neither",
		"sms.accounts[0].address: \"nowhere\" is no host:port",
		"sms.accounts[0].sp_id: ",
		"sms.accounts[0].src_id: ",
		"sms.accounts[0].window: 5000: 1 to 1024",
		"sms.accounts[0].active_test: 1ms is not from 1s",
		"sms.accounts[0].report_wait: 9000h0m0s is not from 1s to 720h0m0s",
		"sms.accounts[0].secret_file: stands beside",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault with %q in:\n%v", want, err)
		}
	}
}

func TestSecretFile(t *testing.T) {
	secret := write(t, "secret", "from file\n")
	file := write(t, "callbox.yaml", "sms: {accounts: [{name: a, address: 'h:1', sp_id: '1', secret_file: '"+secret+"'}]}\n")
	box, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := box.SMS.Accounts[0].Secret; got != "from file" {
		t.Errorf("secret = %q", got)
	}
}

func TestAddressesInNestedBrackets(t *testing.T) {
	box, err := Load(write(t, "callbox.yaml", "sip: {listen: [udp://127.0.0.1:0, 'tcp://127.0.0.1:0'], rtp_ports: 20000-20099}\nhttp: {listen: 127.0.0.1:0}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(box.SIP.Listen, " "); got != "udp://127.0.0.1:0 tcp://127.0.0.1:0" {
		t.Errorf("sip.listen = %s", got)
	}
	if _, err := Load(write(t, "callbox.yaml", "webhooks: [{url: 'http://a/b', \"secret\":x, events: [call.*]}]\n")); err != nil {
		t.Errorf("a quoted key needs no blank: %v", err)
	}
}

func TestOnlyUTF8(t *testing.T) {
	if _, err := Load(write(t, "callbox.yaml", "\ufeffdata: ./d\n")); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
	_, err := Load(write(t, "callbox.yaml", "data: ./d\narea_code: \"\xc4\xe3\"\n"))
	if err == nil || !strings.Contains(err.Error(), ":2:13: is not UTF-8") {
		t.Errorf("in GBK: %v", err)
	}
}

func TestSyntaxErrorHasItsPlace(t *testing.T) {
	_, err := Load(write(t, "callbox.yaml", "a: [1,\nb: {\n"))
	if err == nil || !strings.Contains(err.Error(), "callbox.yaml:") {
		t.Errorf("Load = %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a: 1"))
	f.Add([]byte("sip: {listen: [*x]}"))
	f.Add([]byte("? [a]\n: &x {<<: *x}"))
	f.Fuzz(func(_ *testing.T, src []byte) {
		box := Default()
		d := decode("fuzz.yaml", src, &box)
		box.check(d)
	})
}

func TestAccountReachesItsParts(t *testing.T) {
	file := write(t, "callbox.yaml", `
sms:
  accounts:
    - {name: old, protocol: cmpp2, address: "h:1", sp_id: "1", bind_address: 127.0.0.2, alphabet: gbk, reference_bits: 16}
    - {name: new, address: "h:2", sp_id: "1"}
    - {name: signed, address: "h:3", sp_id: "1", signature: 【测试】, signature_by: gateway}
`)
	box, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		version cmpp.Version
		style   segment.Style
		bind    string
	}{
		{cmpp.V20, segment.Style{Alphabet: segment.GBK, RefBits: 16}, "127.0.0.2"},
		{cmpp.V30, segment.Style{Alphabet: segment.Auto, RefBits: 8}, ""},
		{cmpp.V30, segment.Style{Alphabet: segment.UCS2, RefBits: 8}, ""},
	} {
		a := box.SMS.Accounts[i]
		carrier, gateway := a.Carrier(), a.Gateway()
		if carrier.Version != want.version || carrier.Style != want.style || gateway.Style != want.style || carrier.BindAddress != want.bind {
			t.Errorf("%s: carrier %+v, gateway %+v", a.Name, carrier, gateway)
		}
	}
}

func TestFaultsOfAccounts(t *testing.T) {
	file := write(t, "callbox.yaml", `sms:
  accounts:
    - {name: a, address: Gate.example:7890, sp_id: "901234"}
    - {name: b, address: gate.example:7890, sp_id: "901234"}
    - {name: c, address: gate.example:7890, sp_id: "901235", protocol: smpp, alphabet: latin, reference_bits: 12}
`)
	_, err := Load(file)
	for _, want := range []string{
		`:4:45: sms.accounts[1].sp_id: "901234" at gate.example:7890 is account a already`,
		`:5:62: sms.accounts[2].protocol: "smpp" is neither cmpp3 nor cmpp2`,
		`sms.accounts[2].alphabet: "latin" is none of auto, gbk, ucs2`,
		`sms.accounts[2].reference_bits: 12 is neither 8 nor 16`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault with %q in:\n%v", want, err)
		}
	}
}

func TestLateAfter(t *testing.T) {
	for written, want := range map[string]time.Duration{
		"": 10 * time.Minute, ", late_after: 0": 0, ", late_after: 0s": 0, ", late_after: 90s": 90 * time.Second,
	} {
		box, err := Load(write(t, "callbox.yaml", `sms: {accounts: [{name: a, sp_id: "901234", secret: s, src_id: "1069", address: "127.0.0.1:7890"`+written+`}]}`))
		if err != nil {
			t.Errorf("%q: %v", written, err)
		} else if got := box.SMS.Accounts[0].Gateway().LateAfter; got != want {
			t.Errorf("%q is %v, want %v", written, got, want)
		}
	}
	for _, wrong := range []string{"-1s", "1ms", "10000h", "soon"} {
		_, err := Load(write(t, "callbox.yaml", `sms: {accounts: [{name: a, sp_id: "901234", secret: s, src_id: "1069", address: "127.0.0.1:7890", late_after: `+wrong+`}]}`))
		if err == nil || !strings.Contains(err.Error(), "late_after") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestSwitchedOff(t *testing.T) {
	box, err := Load(write(t, "callbox.yaml", `sip: {session_timer: -1s, keepalive: -1s, trunks: [{name: a, address: "192.0.2.1", health: -1s}]}
calls: {no_audio: {notice: -1s, hangup: -1s}}`))
	if err != nil {
		t.Fatal(err)
	}
	quiet, _ := box.Calls.Rules()
	for i, got := range []time.Duration{box.SIP.SessionTimer, box.SIP.Keepalive, box.SIP.Trunks[0].Health, quiet.Notice, quiet.Hangup} {
		if got != -time.Second {
			t.Errorf("duration %d is %v, want -1s", i, got)
		}
	}
	for _, text := range []string{"drain: -1s", "lookup: {timeout: -1s}", `sip: {trunks: [{name: a, address: "192.0.2.1", expires: -1s}]}`} {
		if _, err := Load(write(t, "callbox.yaml", text)); err == nil || !strings.Contains(err.Error(), "is no duration") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
