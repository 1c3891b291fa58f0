package voicebox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

const (
	baud        = 230400 // means nothing on USB; enough for 16-bit sound both ways on a UART
	readTimeout = time.Second
	charTimeout = 100 * time.Millisecond // the least there is; none at all makes an empty port look like an end
)

var (
	errAbsent = errors.New("the port is not there")
	errTaken  = errors.New("the port is used by another program")
	errGone   = errors.New("the port is gone")
)

// tty is a serial port that is ours alone and notices when it is unplugged.
type tty struct {
	*serial.Port

	mu   sync.Mutex // guards what follows
	lock *os.File
	shut bool
}

// openPort opens a serial port for us alone.
func openPort(name string) (io.ReadWriteCloser, error) {
	lock, err := lockPort(name)
	if err != nil {
		return nil, err
	}
	port, err := serial.OpenPort(&serial.Config{Name: name, Baud: baud, ReadTimeout: charTimeout})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// From here on nobody else may open it; where that is not known the lock
	// remains.
	_ = unix.IoctlSetInt(int(lock.Fd()), unix.TIOCEXCL, 0)
	return &tty{Port: port, lock: lock}, nil
}

// lockPort opens a port and locks it against others of our kind (flock(2)).
func lockPort(name string) (*os.File, error) {
	f, err := os.OpenFile(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return nil, fmt.Errorf("%w: %w", errAbsent, err)
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%w: %w", errTaken, err)
	case err != nil:
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errTaken, err), f.Close())
	}
	return f, nil
}

// Read gives 0, nil where nothing came for a second. It reads from our own file
// of the port, for which the runtime waits: the library's would hold a thread,
// and wake it ten times a second. An unplugged port reads as empty for ever;
// its settings cannot be asked for any more.
func (t *tty) Read(b []byte) (int, error) {
	if err := t.lock.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, fmt.Errorf("%w: %w", errGone, err)
	}
	n, err := t.lock.Read(b)
	if n > 0 || err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return 0, t.there()
}

// there says whether the port is still plugged in and ours.
func (t *tty) there() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return errGone
	}
	if _, err := unix.IoctlGetTermios(int(t.lock.Fd()), unix.TCGETS); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

// Close gives the port back to everybody.
func (t *tty) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
	_ = unix.IoctlSetInt(int(t.lock.Fd()), unix.TIOCNXCL, 0) // fails where it is gone
	return errors.Join(t.Port.Close(), t.lock.Close())
}

// find is the port where the line's box is now.
func (l *line) find() (string, error) {
	if l.cfg.Serial == "" {
		return l.cfg.Port, nil
	}
	return findPort(l.all.cfg.Sys, l.cfg.Serial)
}

// findPort gives the port of the box with a USB serial number: of
// NUMBER:N the N-th of its ports, in the order of its USB interfaces.
func findPort(sys, serial string) (string, error) {
	wanted, nth, several := strings.Cut(serial, ":")
	n := 1
	if several {
		var err error
		if n, err = strconv.Atoi(nth); err != nil || n < 1 {
			return "", fmt.Errorf("serial %q: want NUMBER or NUMBER:N", serial)
		}
	}
	ports, err := portsOf(sys, wanted)
	if err != nil {
		return "", err
	}
	if len(ports) < n {
		return "", fmt.Errorf("%w: no box with the serial number %s", errAbsent, serial)
	}
	return "/dev/" + ports[n-1].name, nil
}

type usbPort struct{ at, name string }

// portsOf lists the ports of a box, ordered by USB interface and then name.
func portsOf(sys, serial string) ([]usbPort, error) {
	entries, err := os.ReadDir(filepath.Join(sys, "class/tty"))
	if err != nil {
		return nil, fmt.Errorf("look for the box: %w", err)
	}
	var ports []usbPort
	for _, e := range entries {
		at, err := filepath.EvalSymlinks(filepath.Join(sys, "class/tty", e.Name(), "device"))
		if err != nil {
			continue // a terminal without hardware
		}
		if serialAbove(at) == serial {
			ports = append(ports, usbPort{at, e.Name()})
		}
	}
	slices.SortFunc(ports, func(a, b usbPort) int { return natural(a.at, b.at) })
	return ports, nil
}

// serialAbove is the serial number of the USB device that a port belongs to:
// the interface is a step below it, an adapter's port one further.
func serialAbove(device string) string {
	for range 3 {
		if b, err := os.ReadFile(filepath.Join(device, "serial")); err == nil {
			return strings.TrimSpace(string(b))
		}
		device = filepath.Dir(device)
	}
	return ""
}

// natural orders names so that 1.10 comes behind 1.2: the shorter first.
func natural(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
