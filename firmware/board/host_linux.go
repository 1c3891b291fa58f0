package board

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// host is this machine: a line is a pseudo-terminal and a unix socket.
type host struct {
	dir    string
	folder *os.File // dir, for names that are too long for a socket
	log    *slog.Logger
	ports  []*hostPort
}

type hostPort struct {
	exchange *net.UnixListener
	hidden   string // the socket's name until all is ready
	tty      *terminal
	line     *frames
	shown    bool
}

// Host makes a board of this machine. Nothing is in dir by its right name
// before [Board.Ready].
func Host(dir string, lines int, log *slog.Logger) (Board, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the ports: %w", err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the ports: %w", err)
	}
	h := &host{dir: dir, folder: folder, log: log}
	for n := 1; n <= lines; n++ {
		p, err := h.listen(n)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		h.ports = append(h.ports, p)
	}
	return h, nil
}

func (h *host) Lines() int            { return len(h.ports) }
func (h *host) Kick()                 {}
func (h *host) serial(n int) string   { return filepath.Join(h.dir, fmt.Sprintf("line%d", n)) }
func (h *host) analogue(n int) string { return filepath.Join(h.dir, fmt.Sprintf("analog%d", n)) }

// longestSocket is how long a socket's name may be (unix(7)).
const longestSocket = 107

// socket is a name for a socket in the folder that the kernel takes, however
// long the folder's own is.
func (h *host) socket(path string) string {
	if len(path) <= longestSocket {
		return path
	}
	return filepath.Join("/proc/self/fd", strconv.Itoa(int(h.folder.Fd())), filepath.Base(path))
}

// listen makes line n's socket under a hidden name.
func (h *host) listen(n int) (*hostPort, error) {
	if c, err := net.Dial("unix", h.socket(h.analogue(n))); err == nil {
		_ = c.Close() // only to see that somebody answers
		return nil, fmt.Errorf("%s: a box is running there", h.analogue(n))
	}
	p := &hostPort{hidden: filepath.Join(h.dir, fmt.Sprintf(".analog%d", n))}
	if err := remove(p.hidden); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.socket(p.hidden), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("making an analogue side: %w", err)
	}
	l.SetUnlinkOnClose(false) // it gets another name
	p.exchange = l
	return p, nil
}

// Open gives line n a new pseudo-terminal.
func (h *host) Open(n int) (Port, error) {
	p := h.ports[n-1]
	p.close()
	tty, err := openTerminal()
	if err != nil {
		return Port{}, err
	}
	p.tty = tty
	p.line = &frames{next: time.Now(), accept: p.accept}
	if p.shown {
		err = h.link(n)
	}
	path, _ := filepath.Abs(h.dir) // without a working folder the short one does
	serial := fmt.Sprintf("SIM-%08X-%d", crc32.ChecksumIEEE([]byte(path)), n)
	return Port{Serial: serial, Host: tty, Line: p.line}, err
}

func (p *hostPort) accept(until time.Time) (stream, error) {
	if err := p.exchange.SetDeadline(until); err != nil {
		return nil, err
	}
	return p.exchange.AcceptUnix()
}

// Ready shows the ports by their names.
func (h *host) Ready() error {
	for i, p := range h.ports {
		if err := h.link(i + 1); err != nil {
			return err
		}
		if err := os.Rename(p.hidden, h.analogue(i+1)); err != nil {
			return fmt.Errorf("showing an analogue side: %w", err)
		}
		p.shown = true
	}
	h.log.Info("boxes are ready", "dir", h.dir, "lines", len(h.ports))
	return nil
}

// link points the port's name at its terminal, in one step.
func (h *host) link(n int) error {
	hidden := filepath.Join(h.dir, fmt.Sprintf(".line%d", n))
	if err := remove(hidden); err != nil {
		return err
	}
	if err := os.Symlink(h.ports[n-1].tty.name, hidden); err != nil {
		return fmt.Errorf("naming a port: %w", err)
	}
	if err := os.Rename(hidden, h.serial(n)); err != nil {
		return fmt.Errorf("naming a port: %w", err)
	}
	return nil
}

// Close removes what was shown.
func (h *host) Close() error {
	all := h.folder.Close()
	for i, p := range h.ports {
		p.close()
		all = errors.Join(all, p.exchange.Close(), remove(p.hidden))
		if p.shown {
			all = errors.Join(all, remove(h.serial(i+1)), remove(h.analogue(i+1)))
		}
	}
	return all
}

func (p *hostPort) close() {
	if p.tty != nil {
		_ = p.tty.Close()  // the box that ended closed it before
		_ = p.line.Close() // likewise
	}
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing what was left: %w", err)
	}
	return nil
}

// terminal is the box's end of a pseudo-terminal. The host's end is kept open
// here too, so that a host that goes is not the end of the port.
type terminal struct {
	*os.File
	other *os.File
	name  string
}

// openTerminal makes a raw one. The box's end does not block, so that closing
// it wakes who reads from it.
func openTerminal() (*terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	slave, err := otherEnd(master)
	if err != nil {
		return nil, errors.Join(err, master.Close())
	}
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("setting a pseudo-terminal raw: %w", err), master.Close(), slave.Close())
	}
	return &terminal{File: master, other: slave, name: slave.Name()}, nil
}

// otherEnd unlocks and opens the host's end.
func otherEnd(master *os.File) (*os.File, error) {
	conn, err := master.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("a pseudo-terminal: %w", err)
	}
	number, failed := 0, error(nil)
	err = conn.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("unlocking a pseudo-terminal: %w", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the host's end: %w", err)
	}
	return slave, nil
}

func (t *terminal) Close() error { return errors.Join(t.File.Close(), t.other.Close()) }

var _ io.ReadWriteCloser = (*terminal)(nil)
