//go:build qemu

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// machine is one emulated board with two lines.
type machine struct {
	t      *testing.T
	dir    string
	ports  map[string]string // chardev to pty
	cmd    *exec.Cmd
	booted time.Duration
}

const image = "../bin/firmware"

// boot starts QEMU and waits until the firmware says that it is ready.
func boot(t *testing.T) *machine {
	t.Helper()
	const program = "qemu-system-aarch64"
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is not installed: scripts/tools qemu installs it", program)
	}
	if _, err := os.Stat(filepath.Join(image, "initrd.gz")); errors.Is(err, fs.ErrNotExist) {
		t.Fatal("bin/firmware is empty: scripts/firmware-image builds it")
	}
	m := &machine{t: t, dir: t.TempDir(), ports: map[string]string{}}
	socket := func(n int) string {
		return fmt.Sprintf("socket,id=l%d,path=%s/analog%d,server=on,wait=off", n, m.dir, n)
	}
	m.cmd = exec.Command(program, "-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-display", "none", "-monitor", "none", "-nic", "none",
		"-no-reboot", "-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd.gz"),
		"-append", "quiet loglevel=1 rdinit=/init panic=-1 lines=2 serial=QT",
		"-chardev", "file,id=log,path="+filepath.Join(m.dir, "log"), "-serial", "chardev:log",
		"-chardev", "pty,id=h1", "-device", "pci-serial,chardev=h1",
		"-device", "virtio-serial-device",
		"-chardev", "pty,id=h2", "-device", "virtserialport,chardev=h2,name=host2",
		"-chardev", socket(1), "-device", "virtserialport,chardev=l1,name=line1",
		"-chardev", socket(2), "-device", "virtserialport,chardev=l2,name=line2")
	m.start()
	return m
}

func (m *machine) start() {
	m.t.Helper()
	begun := time.Now()
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	m.cmd.Stderr = m.cmd.Stdout
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		if m.t.Failed() {
			console, _ := os.ReadFile(filepath.Join(m.dir, "log"))
			m.t.Logf("the board's console:\n%s", console)
		}
	})
	named := regexp.MustCompile(`redirected to (\S+) \(label (\w+)\)`)
	for lines := bufio.NewScanner(out); len(m.ports) < 2 && lines.Scan(); {
		if found := named.FindStringSubmatch(lines.Text()); found != nil {
			m.ports[found[2]] = found[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for until := begun.Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		console, _ := os.ReadFile(filepath.Join(m.dir, "log"))
		if bytes.Contains(console, []byte("READY")) {
			break
		}
		if time.Now().After(until) {
			m.t.Fatal("the firmware does not get ready")
		}
	}
	m.booted = time.Since(begun)
}

// serial is the host's end of a line.
type serial struct {
	t    *testing.T
	file *os.File
	got  []byte
}

// open opens a pty raw and without blocking.
func (m *machine) open(n int) *serial {
	m.t.Helper()
	fd, err := unix.Open(m.ports[fmt.Sprintf("h%d", n)], unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := term.MakeRaw(fd); err != nil {
		m.t.Fatal(err)
	}
	s := &serial{t: m.t, file: os.NewFile(uintptr(fd), "pty")}
	m.t.Cleanup(func() { s.file.Close() })
	return s
}

func (s *serial) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.file, text); err != nil {
		s.t.Fatal(err)
	}
}

// until takes all up to want.
func (s *serial) until(want string, limit time.Duration) (before string, ok bool) {
	buffer := make([]byte, 4096)
	_ = s.file.SetReadDeadline(time.Now().Add(limit))
	for {
		if i := bytes.Index(s.got, []byte(want)); i >= 0 {
			before, s.got = string(s.got[:i]), s.got[i+len(want):]
			return before, true
		}
		n, err := s.file.Read(buffer)
		if err != nil {
			return string(s.got), false
		}
		s.got = append(s.got, buffer[:n]...)
	}
}

func (s *serial) await(want string) string {
	s.t.Helper()
	before, ok := s.until(want, 30*time.Second)
	if !ok {
		s.t.Fatalf("waiting for %q: %q", want, before)
	}
	return before
}

// drain forgets what comes until nothing does for two seconds.
func (s *serial) drain() {
	for {
		_, _ = s.until("\x00 never", 2*time.Second)
		if len(s.got) == 0 {
			return
		}
		s.got = nil
	}
}

func (s *serial) command(line string) {
	s.t.Helper()
	s.send(line + "\r")
	s.await("\r\nOK\r\n")
}

// wake asks until the first OK: QEMU looks at a pty once a second until it is open.
func (s *serial) wake() {
	s.t.Helper()
	for range 30 {
		s.send("\x10\x03\x10^\x10!\rAT\r")
		if _, ok := s.until("\r\nOK\r\n", time.Second); ok {
			s.drain() // a slow board answers the earlier ones, too
			return
		}
	}
	s.t.Fatal("no answer to AT")
}

// exchange is the other end of an analogue side.
type exchange struct {
	t    *testing.T
	conn *analog.Conn
	in   analog.Box
	out  analog.Line
}

// torn is an exchange that goes in the middle of a frame.
func (m *machine) torn(n int) {
	m.t.Helper()
	c := m.dial(n)
	defer c.Close()
	if _, err := c.Write([]byte{0xA5, 1, 0, 0, 1, 2, 3}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) dial(n int) net.Conn {
	m.t.Helper()
	c, err := net.Dial("unix", filepath.Join(m.dir, fmt.Sprintf("analog%d", n)))
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *machine) connect(n int) *exchange {
	m.t.Helper()
	c := m.dial(n)
	m.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	e := &exchange{t: m.t, conn: analog.NewConn(c)}
	e.out.Feed = true
	return e
}

// frame gives 20 ms to the box and its answer; false when the line broke.
func (e *exchange) frame(sound []int16) bool {
	e.out.Sound = [analog.Samples]int16{}
	copy(e.out.Sound[:], sound)
	if err := errors.Join(e.conn.WriteLine(&e.out), e.conn.ReadBox(&e.in)); err != nil {
		e.t.Error(err)
		return false
	}
	return true
}

func (e *exchange) play(sound []int16) {
	for len(sound) > 0 && e.frame(sound[:min(len(sound), analog.Samples)]) {
		sound = sound[min(len(sound), analog.Samples):]
	}
}

func (e *exchange) ring(on, off int) {
	e.out.Ringing = true
	e.play(make([]int16, on*8))
	e.out.Ringing = false
	e.play(make([]int16, off*8))
}

// The arm64 image: two lines ring with caller ID, are answered and talk, with a
// tone each way.
func TestImage(t *testing.T) {
	m := boot(t)
	t.Logf("booted in %.1f s", m.booted.Seconds())
	m.usage("two idle lines", func() { time.Sleep(3 * time.Second) })
	for n := 1; n <= 2; n++ {
		t.Run(fmt.Sprintf("line %d", n), func(t *testing.T) {
			m.torn(n)
			s, e := m.open(n), m.connect(n)
			s.t, e.t = t, t
			s.wake()
			s.command("ATE0")
			s.drain()
			s.send("AT+GSN\r")
			if got := s.await("OK\r\n"); !strings.Contains(got, fmt.Sprintf("QT-%d", n)) {
				t.Errorf("serial number %q", got)
			}
			s.send("ATI9\r")
			if got := s.await("\r\nOK\r\n"); strings.Count(got, ": ok") != 6 {
				t.Errorf("self-test: %q", got)
			}
			s.command("AT+FCLASS=8;+VCID=1;+VSM=5")
			ringIn(s, e, n)
			s.command("AT+VLS=1")
			s.send("AT+VTR\r")
			s.await("CONNECT\r\n")
			m.usage("one talks, one is idle", func() { talk(t, s, e) })
			s.send("\x10^")
			s.await("\x10\x03\r\nOK\r\n")
			s.command("ATH")
		})
	}
}

// ringIn rings with FSK between the first two bursts.
func ringIn(s *serial, e *exchange, n int) {
	number := fmt.Sprintf("1381234567%d", n)
	sound := dsp.AppendFSK(nil, dsp.CallerID{Number: number, Name: "张三", Time: "03171656"}.MDMF(), dsp.Bell202, -20)
	e.ring(1000, 500)
	e.play(sound)
	e.ring(0, 600)
	e.ring(1000, 200)
	s.await("\x10R")
	if got := s.await("\x10."); !strings.Contains(got, "NMBR="+number+"\r\nNAME=\xd5\xc5\xc8\xfd\r\n") {
		s.t.Errorf("caller: %q", got)
	}
	s.await("\x10R")
}

// talk sends 1000 Hz one way and 400 Hz the other for two seconds of the wall
// clock, as an exchange and a host do, and measures both.
func talk(t *testing.T, s *serial, e *exchange) {
	const frames = 100
	there, back := tone(1000, frames), tone(400, frames)
	var heard []int16
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	wg.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil && len(heard) < len(back); <-tick.C {
			i := len(heard)
			if !e.frame(there[i : i+analog.Samples]) {
				return
			}
			heard = append(heard, e.in.Sound[:]...)
		}
	})
	received := s.exchange(back, len(there))
	wg.Wait()
	for name, sound := range map[string]struct {
		samples []int16
		hz      float64
	}{"to the host": {received, 1000}, "to the line": {heard, 400}} {
		if len(sound.samples) < analog.Samples*frames {
			t.Fatalf("%s: only %d samples", name, len(sound.samples))
		}
		if level := at(sound.samples[3200:12800], sound.hz); level < -12 || level > -8 {
			t.Errorf("%s: %v Hz at %.1f dBm0, not -10", name, sound.hz, level)
		}
	}
}

// exchange writes as many A-law samples as it reads, behind 60 ms of head start.
func (s *serial) exchange(to []int16, want int) (received []int16) {
	sent := make([]byte, len(to))
	dsp.EncodeALaw(sent, to)
	write := func(n int) {
		n = min(n, len(sent))
		s.send(strings.ReplaceAll(string(sent[:n]), "\x10", "\x10\x10"))
		sent = sent[n:]
	}
	write(3 * analog.Samples)
	escaped := false
	var plain []byte
	buffer := make([]byte, 1024)
	_ = s.file.SetReadDeadline(time.Now().Add(30 * time.Second))
	for len(plain) < want {
		n, err := s.file.Read(buffer)
		if err != nil {
			s.t.Errorf("after %d samples: %v", len(plain), err)
			break
		}
		before := len(plain)
		for _, c := range buffer[:n] {
			switch {
			case !escaped && c == 0x10:
				escaped = true
				continue
			case escaped && c != 0x10:
				s.t.Logf("the box tells %q in the talk", c)
			default:
				plain = append(plain, c)
			}
			escaped = false
		}
		write(len(plain) - before)
	}
	received = make([]int16, len(plain))
	dsp.DecodeALaw(received, plain)
	return received
}

func tone(hz float64, frames int) []int16 {
	sound := make([]int16, frames*analog.Samples)
	dsp.NewSource(dsp.Cadence{Hz: []float64{hz}}, -10).Fill(sound)
	return sound
}

// at is the level of one frequency, in dBm0.
func at(sound []int16, hz float64) float64 {
	var re, im float64
	for i, s := range sound {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / dsp.Rate)
		re, im = re+float64(s)*cos, im+float64(s)*sin
	}
	amplitude := 2 * math.Hypot(re, im) / float64(len(sound))
	return 20 * math.Log10(amplitude/dsp.Amplitude(0))
}

// usage prints what the board takes of this machine meanwhile.
func (m *machine) usage(what string, do func()) {
	before, began := cpu(m.cmd.Process.Pid), time.Now()
	do()
	used := cpu(m.cmd.Process.Pid) - before
	m.t.Logf("%s: %.0f %% of a core", what, 100*used.Seconds()/time.Since(began).Seconds())
}

// cpu is the processor time of a process.
func cpu(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var user, system int
	fields := strings.Fields(rest)
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system) // what is no number counts 0
	return time.Duration(user+system) * 10 * time.Millisecond
}
