package board

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"callbox/firmware/analog"
)

// qemu is an emulated ARM board whose only program this is. A line's analogue
// side is a virtio port named lineN; its host's is a virtio port hostN, or,
// where there is none, the serial port /dev/ttyS(N-1).
type qemu struct {
	log      *slog.Logger
	serial   string
	ports    map[string]string // name of a virtio port to its device
	lines    int
	watchdog *os.File
}

// modules are what Debian's kernel needs to show virtio ports, in this order.
var modules = []string{"virtio_mmio.ko", "virtio_pci_modern_dev.ko", "virtio_pci_legacy_dev.ko", "virtio_pci.ko", "virtio_console.ko"}

const portsWait = 60 * time.Second

// Qemu sets the board up, as PID 1. Kernel parameters lines=N and serial=TEXT
// come as environment. It waits until all ports are there: they appear one by one.
func Qemu(log *slog.Logger) (Board, error) {
	debug.SetMemoryLimit(64 << 20)
	if err := mount(); err != nil {
		return nil, err
	}
	if err := loadModules("/lib/modules"); err != nil {
		return nil, err
	}
	q := &qemu{log: log, serial: os.Getenv("serial"), lines: 1}
	if n, err := strconv.Atoi(os.Getenv("lines")); err == nil && n > 0 {
		q.lines = n
	}
	if q.serial == "" {
		q.serial = "QEMU"
	}
	for until := time.Now().Add(portsWait); !q.found(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return nil, fmt.Errorf("of %d lines only these ports are there: %v", q.lines, q.ports)
		}
	}
	q.watchdog, _ = os.OpenFile("/dev/watchdog", os.O_WRONLY, 0) // not every board has one
	return q, nil
}

func mount() error {
	for _, fs := range [][2]string{{"devtmpfs", "/dev"}, {"sysfs", "/sys"}} {
		if err := os.MkdirAll(fs[1], 0o755); err != nil {
			return fmt.Errorf("mounting %s: %w", fs[0], err)
		}
		if err := unix.Mount(fs[0], fs[1], fs[0], 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mounting %s: %w", fs[0], err)
		}
	}
	return nil
}

// loadModules loads those that the image brought.
func loadModules(dir string) error {
	for _, name := range modules {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("loading a module: %w", err)
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close() // it was only read
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("loading %s: %w", name, err)
		}
	}
	return nil
}

// found looks for the ports of all lines.
func (q *qemu) found() bool {
	q.ports = map[string]string{}
	names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err == nil {
			q.ports[strings.TrimSpace(string(name))] = "/dev/" + filepath.Base(filepath.Dir(path))
		}
	}
	for n := 1; n <= q.lines; n++ {
		if !there(q.analogue(n)) || !there(q.host(n)) {
			return false
		}
	}
	return true
}

func there(path string) bool {
	_, err := os.Stat(path)
	return path != "" && err == nil
}

func (q *qemu) analogue(n int) string { return q.ports[fmt.Sprintf("line%d", n)] }

func (q *qemu) host(n int) string {
	if path := q.ports[fmt.Sprintf("host%d", n)]; path != "" {
		return path
	}
	return fmt.Sprintf("/dev/ttyS%d", n-1)
}

func (q *qemu) Lines() int { return q.lines }

// Ready is what a tester waits for on the console.
func (q *qemu) Ready() error {
	q.log.Info("READY", "lines", q.lines)
	return nil
}

func (q *qemu) Kick() {
	if q.watchdog != nil {
		_, _ = q.watchdog.Write([]byte{0}) // if it fails the board restarts, as it should
	}
}

func (q *qemu) Close() error {
	if q.watchdog == nil {
		return nil
	}
	return q.watchdog.Close()
}

func (q *qemu) Open(n int) (Port, error) {
	host, err := openDevice(q.host(n))
	if err != nil {
		return Port{}, err
	}
	line, err := openDevice(q.analogue(n))
	if err != nil {
		return Port{}, errors.Join(err, host.Close())
	}
	serial := fmt.Sprintf("%s-%d", q.serial, n)
	wires := &virtioLine{frames{next: time.Now(), accept: firstByte(line)}, line}
	return Port{Serial: serial, Host: &wire{device: host, ended: make(chan struct{})}, Line: wires}, nil
}

// openDevice opens a virtio or serial port without blocking; a serial port is
// set raw, with RTS/CTS.
func openDevice(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if term.IsTerminal(fd) {
		if err := rawSerial(fd); err != nil {
			return nil, errors.Join(fmt.Errorf("setting %s: %w", path, err), unix.Close(fd))
		}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func rawSerial(fd int) error {
	if _, err := term.MakeRaw(fd); err != nil {
		return err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Cflag = t.Cflag&^unix.CBAUD | unix.B460800 | unix.CRTSCTS | unix.CLOCAL | unix.CREAD
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// wire is a port whose other end comes and goes: that is no end of it.
type wire struct {
	device *os.File
	once   sync.Once
	ended  chan struct{}
}

const otherEndWait = 50 * time.Millisecond

// Read waits while nobody is at the other end.
func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.device.Read(b)
		if n > 0 || !absent(err) {
			return n, err
		}
		if err := w.pause(); err != nil {
			return 0, err
		}
	}
}

// Write waits too; the box leaves out what is too much meanwhile.
func (w *wire) Write(b []byte) (sent int, err error) {
	for {
		n, err := w.device.Write(b[sent:])
		if sent += n; sent == len(b) || !absent(err) {
			return sent, err
		}
		if err := w.pause(); err != nil {
			return sent, err
		}
	}
}

func absent(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) }

func (w *wire) pause() error {
	select {
	case <-w.ended:
		return os.ErrClosed
	case <-time.After(otherEndWait):
		return nil
	}
}

func (w *wire) Close() (err error) {
	w.once.Do(func() {
		close(w.ended)
		err = w.device.Close()
	})
	return err
}

// virtioLine is a line's frames on a port that stays when an exchange goes.
type virtioLine struct {
	frames
	device *os.File
}

// WriteBox answers also whose first frame came behind half a one of an exchange
// that went: it waits for that.
func (l *virtioLine) WriteBox(out *analog.Box) error {
	if l.owed && l.now == nil {
		l.owed = false
		_ = l.device.SetWriteDeadline(time.Now().Add(frameTime)) // if nobody waits, the answer is left out
		_ = analog.NewConn(l.device).WriteBox(out)
	}
	return l.frames.WriteBox(out)
}

func (l *virtioLine) Close() error { return errors.Join(l.frames.Close(), l.device.Close()) }

// firstByte accepts an exchange by its first byte: the port itself does not
// tell who is there.
func firstByte(device *os.File) func(time.Time) (stream, error) {
	return func(until time.Time) (stream, error) {
		if err := device.SetReadDeadline(until); err != nil {
			return nil, err
		}
		visit := &visit{File: device}
		if _, err := io.ReadFull(device, visit.first[:]); err != nil {
			return nil, err
		}
		visit.unread = true
		return visit, nil
	}
}

// visit is one exchange's time at a port.
type visit struct {
	*os.File
	first  [1]byte
	unread bool
}

func (v *visit) Read(b []byte) (int, error) {
	if v.unread && len(b) > 0 {
		v.unread, b[0] = false, v.first[0]
		return 1, nil
	}
	return v.File.Read(b)
}

// Close lets what was left of a torn frame run out; the port stays open.
func (v *visit) Close() error {
	var rest [512]byte
	for range 100 {
		if err := v.SetReadDeadline(time.Now().Add(frameTime)); err != nil {
			return err
		}
		if _, err := v.File.Read(rest[:]); err != nil {
			return nil // nothing is left: that is what was wanted
		}
	}
	return nil
}

// Restart is the end of PID 1: the board begins anew.
func Restart() {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART); err != nil {
		os.Exit(1) // the kernel restarts when PID 1 ends
	}
}
