package board_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/term"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
	"callbox/firmware/board"
	exchanges "callbox/firmware/exchange"
)

// boxes runs a board until the test ends.
func boxes(t *testing.T, lines int) string {
	t.Helper()
	return boxesIn(t, filepath.Join(t.TempDir(), "ports"), lines)
}

func boxesIn(t *testing.T, dir string, lines int) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- board.RunHost(ctx, dir, lines, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the boxes ended with %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	waitFor(t, filepath.Join(dir, fmt.Sprintf("analog%d", lines)))
	return dir
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("%s does not appear", path)
}

// port is a host's end of a serial line.
type port struct {
	t    *testing.T
	file *os.File
	got  []byte
}

func open(t *testing.T, dir string, n int) *port {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("line%d", n)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &port{t: t, file: f}
}

func (p *port) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.file, s); err != nil {
		p.t.Fatal(err)
	}
}

// until reads to the first place where want stands, and takes it away.
func (p *port) until(want string) string {
	p.t.Helper()
	buffer := make([]byte, 4096)
	_ = p.file.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		if i := bytes.Index(p.got, []byte(want)); i >= 0 {
			before := string(p.got[:i])
			p.got = p.got[i+len(want):]
			return before
		}
		n, err := p.file.Read(buffer)
		if err != nil {
			p.t.Fatalf("waiting for %q after %q: %v", want, p.got, err)
		}
		p.got = append(p.got, buffer[:n]...)
	}
}

func (p *port) command(line string) {
	p.t.Helper()
	p.send(line + "\r")
	p.until("\r\nOK\r\n")
}

// exchange is the other end of an analogue side, one frame after the other.
type exchange struct {
	t    *testing.T
	conn *analog.Conn
	in   analog.Box
	out  analog.Line
}

func connect(t *testing.T, dir string, n int) (*exchange, net.Conn) {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(dir, fmt.Sprintf("analog%d", n)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	e := &exchange{t: t, conn: analog.NewConn(c)}
	e.out.Feed = true
	return e, c
}

func (e *exchange) frame(sound []int16) {
	e.t.Helper()
	e.out.Sound = [analog.Samples]int16{}
	copy(e.out.Sound[:], sound)
	if err := e.conn.WriteLine(&e.out); err != nil {
		e.t.Fatal(err)
	}
	if err := e.conn.ReadBox(&e.in); err != nil {
		e.t.Fatal(err)
	}
}

func (e *exchange) play(sound []int16) {
	for len(sound) > 0 {
		n := min(len(sound), analog.Samples)
		e.frame(sound[:n])
		sound = sound[n:]
	}
}

func (e *exchange) ring(on, off int) {
	e.out.Ringing = true
	e.play(make([]int16, on*8))
	e.out.Ringing = false
	e.play(make([]int16, off*8))
}

// Two lines: commands, a ring with its caller, an answer, a tone each way.
func TestCall(t *testing.T) {
	dir := boxes(t, 2)
	for n := 1; n <= 2; n++ {
		p := open(t, dir, n)
		p.command("ATE0")
		p.command("AT+FCLASS=8;+VCID=1;+VSM=1")
		e, _ := connect(t, dir, n)
		number := fmt.Sprintf("1381234567%d", n)
		keys := dsp.AppendDTMFCallerID(nil, dsp.CallerID{Number: number}, dsp.DefaultKeying)
		e.play(append(keys, make([]int16, 8000)...))
		e.ring(1000, 1000)
		p.until("NMBR=" + number + "\r\n\x10.")
		p.until("\x10R")
		p.command("AT+VLS=1")
		e.frame(nil)
		if !e.in.OffHook {
			t.Fatal("still on hook")
		}
		p.send("AT+VTR\r")
		p.until("CONNECT\r\n")
		p.send(strings.Repeat("\x90", 480))
		time.Sleep(50 * time.Millisecond) // the bytes go through the kernel
		tone := make([]int16, analog.Samples)
		dsp.NewSource(dsp.Cadence{Hz: []float64{400}}, -10).Fill(tone)
		e.frame(tone)
		if e.in.Sound[80] != 0x1000 {
			t.Errorf("line %d: %d on the line, not 1000 hex", n, e.in.Sound[80])
		}
		want := byte((int(tone[20])+0x80)>>8 + 0x80)
		if got := p.until(string([]byte{want})); len(got) > 20 {
			t.Errorf("line %d: the tone came after %d bytes", n, len(got))
		}
		p.send("\x10^")
		p.until("\x10\x03\r\nOK\r\n")
	}
}

// Nobody is connected: the line is dead, and the box works by this machine's clock.
func TestWithoutExchange(t *testing.T) {
	dir := boxes(t, 1)
	p := open(t, dir, 1)
	p.command("ATE0+FCLASS=8")
	p.command("AT+VLS=1")
	p.until("\x10l") // no loop current
	p.command("AT+VTS={1,10}")
}

// An exchange that goes is followed by the next one, also in the middle of a frame.
func TestExchangesFollow(t *testing.T) {
	dir := boxes(t, 1)
	p := open(t, dir, 1)
	p.command("ATE0+FCLASS=8")
	for range 3 {
		e, c := connect(t, dir, 1)
		e.ring(200, 9000) // faster than the clock on the wall
		p.until("\x10R")
		if _, err := c.Write([]byte{0xA5, 1, 0, 0, 7}); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	_, c := connect(t, dir, 1)
	if _, err := c.Write(bytes.Repeat([]byte("no frame"), 100)); err != nil {
		t.Fatal(err)
	}
	e, _ := connect(t, dir, 1)
	e.ring(200, 1000)
	p.until("\x10R")
}

// A host that goes and comes back finds its port; one that does not read does
// not stop the line.
func TestHostGoesAndDoesNotRead(t *testing.T) {
	dir := boxes(t, 1)
	p := open(t, dir, 1)
	p.command("ATE0+FCLASS=8;+VSM=0;+VLS=1")
	p.send("AT+VTR\r")
	p.until("CONNECT\r\n")
	e, _ := connect(t, dir, 1)
	e.play(make([]int16, 60*dsp.Rate)) // 960 kB that nobody reads
	p.file.Close()
	p = open(t, dir, 1)
	if _, err := term.MakeRaw(int(p.file.Fd())); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir, 1)
	p.send("\x10\x03\x10^\x10!\r")
	p.until("\x10\x03\r\nOK\r\n")
	p.command("AT")
}

// A folder's name may be longer than a socket's.
func TestLongFolder(t *testing.T) {
	dir := boxesIn(t, filepath.Join(t.TempDir(), strings.Repeat("long", 40)), 1)
	stream, err := exchanges.Connect(t.Context(), filepath.Join(dir, "analog1"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	e := &exchange{t: t, conn: analog.NewConn(stream)}
	e.frame(nil)
	if _, err := board.Host(dir, 1, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a second box took the ports of a running one")
	}
}

func TestTakenFolder(t *testing.T) {
	dir := boxes(t, 1)
	if _, err := board.Host(dir, 1, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a second box took the ports of a running one")
	}
}

// The end does not wait for a host or an exchange that hold on.
func TestEndIsSoon(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ports")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- board.RunHost(ctx, dir, 2, slog.New(slog.DiscardHandler)) }()
	waitFor(t, filepath.Join(dir, "analog2"))
	open(t, dir, 1).command("AT")
	e, _ := connect(t, dir, 1)
	e.frame(nil)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(3 * time.Second):
		t.Fatal("still running after 3 s")
	}
}

// What a crash left is replaced.
func TestLeftOvers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/nowhere", filepath.Join(dir, "line1")); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "analog1"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- board.RunHost(ctx, dir, 1, slog.New(slog.DiscardHandler)) }()
	defer func() { cancel(); <-ended }()
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if name, _ := os.Readlink(filepath.Join(dir, "line1")); strings.HasPrefix(name, "/dev/") {
			break
		}
		if time.Now().After(until) {
			t.Fatal("no port")
		}
	}
	open(t, dir, 1).command("AT")
}
