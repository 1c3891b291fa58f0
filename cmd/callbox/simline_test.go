package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// started is a command that runs until it is stopped.
type started struct {
	done chan struct{}
	code int
	errs string
}

func start(args ...string) *started {
	s := &started{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.code, _, s.errs = call("", args...)
	}()
	return s
}

// stop is SIGTERM, for every command that runs in this process: no test that
// runs beside others may call it.
func (s *started) stop(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.wait(t)
}

func (s *started) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not end")
	}
}

// within waits until cond holds.
func within(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// echoBox lifts at the first ring, dials digits and hangs up some time later.
type echoBox struct {
	path   string
	mu     sync.Mutex
	heard  []int16
	frames int
}

// newEchoBox listens in a folder of its own.
func newEchoBox(t *testing.T, digits string, hold int) *echoBox {
	t.Helper()
	b := &echoBox{path: filepath.Join(t.TempDir(), "analog1")}
	listener, err := net.Listen("unix", b.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.serve(conn, dsp.AppendDTMF(nil, digits, dsp.DefaultKeying), hold)
			_ = conn.Close()
		}
	}()
	return b
}

func (b *echoBox) serve(stream io.ReadWriter, say []int16, hold int) {
	conn := analog.NewConn(stream)
	var in analog.Line
	var out analog.Box
	for held := 0; conn.ReadLine(&in) == nil; {
		b.mu.Lock()
		b.heard = append(b.heard, in.Sound[:]...)
		b.frames++
		b.mu.Unlock()
		out.OffHook = out.OffHook || in.Ringing
		if out.OffHook {
			held++
			n := copy(out.Sound[:], say)
			clear(out.Sound[n:])
			say = say[n:]
			out.OffHook = hold == 0 || held < hold
		}
		if conn.WriteBox(&out) != nil {
			return
		}
	}
}

func (b *echoBox) sound() []int16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.heard)
}

// script writes a script into a folder of its own.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSimLineRunsAScript(t *testing.T) {
	t.Parallel()
	box := newEchoBox(t, "159#", 150)
	file := script(t, "# paths are relative to this file\nring\nrecord heard.wav\nplay in.wav\nexpect 159#\ndigits 7\nhangup\nexpect hangup\n")
	dir := filepath.Dir(file)
	if code, _, errs := call("", "generate", "dtmf", "42", "-o", filepath.Join(dir, "in.wav")); code != 0 {
		t.Fatal(errs)
	}
	code, _, errs := call("", "sim", "line", "--connect", box.path, "--script", file, "--callerid", "none", "--level", "-20", "--noise", "40")
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	if got := detected(t, filepath.Join(dir, "heard.wav")); !same(got, dtmf("159#")) {
		t.Errorf("recorded %v", got)
	}
	sent := ""
	for _, f := range listen(box.sound()) {
		if f.Kind == "dtmf" {
			sent += f.Value
		}
	}
	if sent != "427" {
		t.Errorf("the box heard %q", sent)
	}
}

func TestSimLineExitCodes(t *testing.T) {
	t.Parallel()
	box := newEchoBox(t, "15", 100)
	stereo := script(t, "ring\nplay s.wav\nplay none.wav\n")
	sound := make([]byte, 64)
	if err := os.Rename(writeWAV(t, 1, 2, 8000, sound), filepath.Join(filepath.Dir(stereo), "s.wav")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args  []string
		code  int
		words []string
	}{
		"good":               {[]string{"--script", script(t, "ring\nexpect 15\n")}, 0, nil},
		"other digits":       {[]string{"--script", script(t, "ring\nexpect 16\n")}, exitFailed, []string{"line 2: expect", `"15"`, `"16"`}},
		"a script of faults": {[]string{"--script", script(t, "rang\nwait\n")}, exitFailed, []string{"line 1: \"rang\"", "line 2: wait"}},
		"sounds":             {[]string{"--script", stereo}, exitFailed, []string{"line 2: play", "2 channels", "line 3: play", "no such file"}},
		"no script":          {[]string{"--script", "nothing.txt"}, exitFailed, []string{"nothing.txt"}},
		"level":              {[]string{"--level", "9"}, exitUsage, []string{"level of caller ID: 9"}},
		"route":              {[]string{"--dialled", "1=hello"}, exitUsage, []string{"1=hello", "noanswer"}},
		"caller ID":          {[]string{"--callerid", "morse"}, exitUsage, []string{"morse"}},
	} {
		code, _, errs := call("", append([]string{"sim", "line", "--connect", box.path, "--callerid", "none"}, tt.args...)...)
		if code != tt.code {
			t.Errorf("%s: %d %s", name, code, errs)
		}
		for _, w := range tt.words {
			if !strings.Contains(errs, w) {
				t.Errorf("%s: %q lacks %q", name, errs, w)
			}
		}
	}
	if code, _, errs := call("", "sim", "line"); code != exitUsage || !strings.Contains(errs, "--connect") {
		t.Errorf("no --connect: %d %q", code, errs)
	}
}

func TestSimLineWithoutAScriptStaysUntilSIGTERM(t *testing.T) {
	box := newEchoBox(t, "", 0)
	line := start("sim", "line", "--connect", box.path, "--callerid", "none")
	within(t, "nobody talks", func() bool {
		s := box.sound()
		return len(s) > 8000 && dsp.Level(s[len(s)-4000:]) > -40
	})
	line.stop(t)
	if line.code != 0 {
		t.Errorf("%d %s", line.code, line.errs)
	}
}

func TestSimLineSaysThatNobodyIsThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "analog1"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it accepts nobody, as a box whose line is taken
	code, _, errs := call("", "sim", "line", "--connect", listener.Addr().String())
	if code != exitFailed || !strings.Contains(errs, "does not answer") {
		t.Errorf("%d %q", code, errs)
	}
}

// modem is a host on a serial port of the simulated box.
type modem struct {
	t    *testing.T
	port *os.File
	mu   sync.Mutex
	said bytes.Buffer
}

func openModem(t *testing.T, path string) *modem {
	t.Helper()
	port, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := &modem{t: t, port: port}
	t.Cleanup(func() { _ = port.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, err := port.Read(b)
			m.mu.Lock()
			m.said.Write(b[:n])
			m.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return m
}

// order sends a command and waits for what the box says to it.
func (m *modem) order(command, answer string) {
	m.t.Helper()
	if _, err := m.port.WriteString(command + "\r"); err != nil {
		m.t.Fatal(err)
	}
	m.until(answer)
}

// until waits until the box has said this; what came before is forgotten.
func (m *modem) until(answer string) {
	m.t.Helper()
	within(m.t, "the box never said "+answer, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		_, rest, ok := bytes.Cut(m.said.Bytes(), []byte(answer))
		if ok {
			rest = bytes.Clone(rest)
			m.said.Reset()
			m.said.Write(rest)
		}
		return ok
	})
}

func TestSimBoxAndSimLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	box := start("sim", "box", "--dir", dir, "--lines", "2")
	for _, name := range []string{"line1", "line2", "analog1", "analog2"} {
		within(t, "no "+name, func() bool { return there(filepath.Join(dir, name)) })
	}
	if code, _, errs := call("", "sim", "box", "--dir", dir); code != exitFailed || !strings.Contains(errs, "a box is running there") {
		t.Errorf("a second box: %d %q", code, errs)
	}
	m := openModem(t, filepath.Join(dir, "line2"))
	m.order("ATE0", "OK")
	m.order("AT+FCLASS=8;+VCID=1", "OK")

	file := script(t, "record heard.wav\nring\nexpect 159#\nwait 500ms\ndigits 42\nhangup\nexpect hangup\n")
	line := start("sim", "line", "--connect", filepath.Join(dir, "analog2"), "--number", "13812345678", "--callerid", "dtmf", "--script", file)
	m.until("NMBR=13812345678")
	m.until("\x10R")
	m.order("AT+VLS=1", "OK")
	m.order("AT+VTS=1,5,9,#", "OK")
	m.until("4")
	m.until("2")
	m.until("\x10b") // busy
	m.order("AT+VLS=0", "OK")
	line.wait(t)
	if line.code != 0 {
		t.Errorf("sim line: %d %s", line.code, line.errs)
	}
	if got := detected(t, filepath.Join(filepath.Dir(file), "heard.wav")); !same(got, append([]string{"tone=ringback"}, dtmf("159#")...)) && !same(got, dtmf("159#")) {
		t.Errorf("the caller heard %v", got)
	}
	box.stop(t)
	if left, err := os.ReadDir(dir); box.code != 0 || err != nil || len(left) > 0 {
		t.Errorf("sim box: %d %s, leaves %v %v", box.code, box.errs, left, err)
	}
	for _, lines := range []string{"0", "65"} {
		if code, _, errs := call("", "sim", "box", "--dir", dir, "--lines", lines); code != exitUsage || !strings.Contains(errs, lines+" lines") {
			t.Errorf("%s lines: %d %q", lines, code, errs)
		}
	}
}
