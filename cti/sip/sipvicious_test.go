package sip_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cti/sip"
)

// toolLimit is after what time a tool is told to print what it has, since they
// wait long for answers that do not come.
const toolLimit = 2500 * time.Millisecond

// whenLong are the cases that take their time, with CALLBOX_LONG=1.
func whenLong(usual string, others ...string) []string {
	if os.Getenv("CALLBOX_LONG") == "" {
		return []string{usual}
	}
	return append(others, usual)
}

// sipvicious runs one of its tools from an address against another one, with a
// limit, and gives the rows of the table that it prints.
func sipvicious(t *testing.T, local, at, tool string, args ...string) (rows []string, out string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipvicious is not installed: Debian has it under that name")
		}
		t.Skip("sipvicious is not installed")
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), toolLimit)
	defer cancel()
	free, err := net.ListenPacket("udp", local+":0")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := net.SplitHostPort(free.LocalAddr().String())
	_ = free.Close()
	args = append([]string{"-b", local, "-x", local, "-P", own, "-p", port}, args...)
	cmd := exec.CommandContext(ctx, path, append(args, host)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Second
	text, _ := cmd.CombinedOutput() // its exit code says nothing
	for line := range strings.Lines(string(text)) {
		cells := strings.FieldsFunc(line, func(r rune) bool { return r == '|' || r == ' ' || r == '\n' })
		if strings.HasPrefix(line, "|") && len(cells) > 0 && cells[0] != "SIP" && cells[0] != "Extension" {
			rows = append(rows, strings.Join(cells, " "))
		}
	}
	return rows, string(text)
}

// relay passes what a tool sends on to the rig from an address of its own under
// a telephone's name, so that more is tried than its own; answers counts what
// comes back.
func (r *rig) relay(local string, answers *atomic.Int64) (at string) {
	r.t.Helper()
	front := r.raw(local)
	back := r.raw(local)
	var tool atomic.Pointer[netip.AddrPort]
	var wg sync.WaitGroup
	pass := func(from *net.UDPConn, to func([]byte, netip.AddrPort)) {
		buf := make([]byte, 65536)
		for {
			n, addr, err := from.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			to(buf[:n], addr)
		}
	}
	wg.Go(func() {
		pass(front.conn, func(m []byte, from netip.AddrPort) {
			tool.Store(&from)
			text := strings.NewReplacer("friendly-scanner", "Yealink SIP-T46S", "sipvicious", "phone").Replace(string(m))
			_, _ = back.conn.WriteToUDPAddrPort([]byte(text), back.to)
		})
	})
	wg.Go(func() {
		pass(back.conn, func(m []byte, _ netip.AddrPort) {
			answers.Add(1)
			_, _ = front.conn.WriteToUDPAddrPort(m, *tool.Load())
		})
	})
	r.t.Cleanup(func() { _, _ = front.conn.Close(), back.conn.Close(); wg.Wait() })
	return front.addr()
}

// T2: a scan of the network finds the box where it may ask, and nowhere else.
func TestSvmapFindsNothing(t *testing.T) {
	r := start(t)
	if rows, out := sipvicious(t, "127.0.0.1", r.addr("udp"), "svmap"); len(rows) != 1 {
		t.Fatalf("the trunk does not find it either:\n%s", out)
	}
	for _, method := range whenLong("INVITE", "OPTIONS", "REGISTER") {
		if rows, out := sipvicious(t, "127.0.0.2", r.addr("udp"), "svmap", "-m", method); len(rows) > 0 {
			t.Errorf("%s:\n%s", method, out)
		}
		if !r.Unban(netip.MustParseAddr("127.0.0.2")) {
			t.Errorf("%s: not banned", method)
		}
	}
}

// T2: a scan of extensions under another name, which is answered, tells nobody
// which there are.
func TestSvwarTellsNoExtensions(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks = nil })
	r.desk("127.0.0.9", "1001")
	for _, method := range whenLong("REGISTER", "INVITE", "OPTIONS") {
		args := []string{"-m", method, "-e", "1001,1999", "--force", "--maximumtime", "1"}
		var answers atomic.Int64
		rows, out := sipvicious(t, "127.0.0.2", r.relay("127.0.0.3", &answers), "svwar", args...)
		told := slices.ContainsFunc(rows, func(s string) bool { return strings.HasPrefix(s, "1001") }) !=
			slices.ContainsFunc(rows, func(s string) bool { return strings.HasPrefix(s, "1999") })
		if told {
			t.Errorf("%s, under another name:\n%s", method, out)
		}
		t.Logf("%s, under another name: %d answers, rows %q", method, answers.Load(), rows)
		r.Unban(netip.MustParseAddr("127.0.0.3"))
	}
}

// T3: who guesses passwords gets a few answers, and then none; a telephone at
// another address is served all the same.
func TestSvcrackIsNotAnswered(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks = nil })
	var answers atomic.Int64
	rows, out := sipvicious(t, "127.0.0.2", r.relay("127.0.0.3", &answers), "svcrack", "-u", "1001", "-r", "1-1000", "-z", "4", "--maximumtime", "1")
	if len(rows) > 0 {
		t.Errorf("it found a password:\n%s", out)
	}
	tried := r.Stats().AuthFailed
	t.Logf("%d words tried, %d answers", tried, answers.Load())
	if tried == 0 || tried > 6 {
		t.Errorf("%d words were tried", tried)
	}
	if bans := r.Banned(); len(bans) != 1 || bans[0].Why != "wrong passwords" {
		t.Errorf("%+v", bans)
	}
	r.desk("127.0.0.9", "1001")
}
