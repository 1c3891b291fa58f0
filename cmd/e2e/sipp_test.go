//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// carriers are scenarios of SIPp as a carrier, each behind a trunk of its own,
// and how many calls it gets.
var carriers = []struct {
	scenario string
	calls    int
	more     string // of the trunk
}{
	{"out-answer", 2, ""},
	{"out-hangup", 1, ""},
	{"out-prack", 2, "prack: required"},
	{"out-early", 1, ""},
	{"out-redirect", 1, ""},
	{"out-timer", 1, ""},
	{"out-challenge", 1, `username: box, password: carrier-secret, realm: carrier.example`},
	{"out-forked", 1, ""},
	{"out-canceled", 1, ""},
	{"out-crossed", 1, ""},
}

// desks are scenarios of SIPp as a desk phone, by extension, which carrier it
// calls, and to which one it hands its party on.
var desks = []struct{ extension, scenario, carrier, other string }{
	{"1001", "phone-call", "out-answer", ""},
	{"1002", "phone-early", "out-prack", ""},
	{"1003", "phone-cancel", "out-canceled", ""},
	{"1004", "phone-cancel", "out-crossed", ""},
	{"1005", "phone-cancel-soon", "silent", ""},
	{"1006", "phone-refer", "out-answer", "out-hangup"},
}

// callers are scenarios of SIPp as a caller over the trunk, with what it dials.
var callers = []struct{ scenario, dials string }{
	{"in-prack", "4001234567"},
	{"in-timers", "4001234567"},
	{"in-refreshed", "4001234567"},
	{"in-hold", "4001234567"},
	{"in-late", "4001234567"},
	{"in-noack", "4001234567"},
	{"in-options", "4001234567"},
	{"in-info", "4001234568"},
	{"in-digits", "4001234568"},
}

const sippSite = `
routes:
  - {number: "4001234567", flow: talk}
  - {number: "4001234568", flow: keys}
flows:
  - id: talk
    start: one
    nodes:
      one: {play: menu.wav, next: two}
      two: {play: menu.wav, next: one}
  - id: brief
    start: welcome
    nodes:
      welcome: {play: welcome.wav, next: bye}
      bye: {hangup: {}}
  - id: keys
    start: ask
    nodes:
      ask: {collect: {prompt: {play: menu.wav}, var: typed, max: 8, terminator: "#", timeout: 8s, retries: 0}, next: bye, failed: bye}
      bye: {hangup: {}}
agents:
`

// numberAt is the n-th number that is served by a carrier's trunk.
func numberAt(carrier string, n int) string {
	at := 10
	for i, c := range carriers {
		if c.scenario == carrier {
			at += 1 + i
		}
	}
	return fmt.Sprintf("+8613900%d%04d", at, n)
}

// sippBox has SIPp's carriers behind it. One is there and says nothing.
func sippBox(t *testing.T) (b *box, far map[string]*process) {
	t.Helper()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	trunk := `    - {name: %s, address: "%s", numbers: ["%s"], caller_id: "4001234567", health: -1s, %s}` + "\n"
	sip := "\n  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]\n  session_timer: 90s\n  keepalive: -1s\n  trunks:\n" +
		fmt.Sprintf(trunk, "silent", silent.LocalAddr(), prefixOf("silent"), "from: [127.0.0.1/32]")
	at := map[string]int{}
	for _, c := range carriers {
		at[c.scenario] = freePort(t)
		sip += fmt.Sprintf(trunk, c.scenario, "127.0.0.1:"+strconv.Itoa(at[c.scenario]), prefixOf(c.scenario), c.more)
	}
	site := sippSite
	for _, d := range desks {
		site += fmt.Sprintf("  - {id: \"%[1]s\", name: 话机%[1]s, role: agent, password: secret-%[1]s, extension: \"%[1]s\", sip_password: sip-%[1]s}\n", d.extension)
	}
	b = newBox(t, layout{sip: sip, site: site})
	far = map[string]*process{}
	for _, c := range carriers {
		far[c.scenario] = sipp(t, b, c.scenario+".xml", "-p", strconv.Itoa(at[c.scenario]), "-m", strconv.Itoa(c.calls))
	}
	return b, far
}

func prefixOf(carrier string) string {
	return strings.TrimSuffix(numberAt(carrier, 0), "0000")
}

// deskPhone registers a phone and has it make its call from the same port.
func deskPhone(t *testing.T, b *box, extension, scenario, dials, other string) *process {
	t.Helper()
	b.login(extension).connect(0) // whoever is logged off makes no calls
	port := strconv.Itoa(freePort(t))
	as := []string{"-p", port, "-key", "ext", extension, "-au", extension, "-ap", "sip-" + extension}
	sipp(t, b, "phone-register.xml", as...).succeed(patience)
	return sipp(t, b, scenario+".xml", append(as, "-s", dials, "-key", "other", other)...)
}

// TestSIPp has SIPp as the caller, the desk phone and the carrier, side by side
// on one box: what RFC 3261 and its extensions allow them, and what they should
// not do. Nothing is left afterwards, and each call has its record.
func TestSIPp(t *testing.T) {
	t.Parallel()
	b, far := sippBox(t)
	type one struct {
		name string
		*process
	}
	var all []one
	for _, c := range callers {
		all = append(all, one{c.scenario, sipp(t, b, c.scenario+".xml", "-s", c.dials)})
	}
	for _, d := range desks {
		all = append(all, one{d.scenario + " " + d.extension, deskPhone(t, b, d.extension, d.scenario, numberAt(d.carrier, 1), numberAt(d.other, 2))})
	}
	for _, carrier := range []string{"out-prack", "out-early", "out-redirect", "out-timer", "out-challenge", "out-forked"} {
		body := map[string]any{"to": numberAt(carrier, 3), "flow": "brief"}
		if status := b.call("POST", "/api/v1/calls", body, nil); status != 202 {
			t.Errorf("a call to %s: %d", carrier, status)
		}
	}
	for _, c := range carriers {
		all = append(all, one{c.scenario, far[c.scenario]})
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			defer func(outer *testing.T) { p.process.t = outer }(p.process.t)
			p.process.t = t
			p.succeed(55 * time.Second)
		})
	}
	checkSIPp(t, b)
}

// checkSIPp looks at the records of all that was called.
func checkSIPp(t *testing.T, b *box) {
	t.Helper()
	var list struct{ Items []map[string]any }
	wait(t, "all calls to be over", func() bool {
		list.Items = nil
		b.call("GET", "/api/v1/calls?limit=100", nil, &list)
		open := slices.ContainsFunc(list.Items, func(r map[string]any) bool { return r["result"] == nil })
		return !open && strings.Contains(b.get("/metrics"), "callbox_calls_active 0")
	})
	typed, results := []string{}, map[string]int{}
	for _, r := range list.Items {
		if keys, ok := at(t, r, "user_data", "typed").(string); ok {
			typed = append(typed, keys)
		}
		results[fmt.Sprint(r["direction"], " ", r["result"], " ", r["cause"])]++
	}
	slices.Sort(typed)
	if !slices.Equal(typed, []string{"125", "709"}) {
		t.Errorf("digits %q", typed)
	}
	want := map[string]int{
		"in abandoned normal":  5, // callers hang up
		"in completed normal":  2, // of digits
		"in failed line_lost":  1, // without ACK
		"out answered normal":  3, // of phones
		"out completed normal": 6, // of flows
		"out failed canceled":  3,
	}
	if !maps.Equal(results, want) {
		t.Errorf("results %v, want %v", results, want)
	}
}
