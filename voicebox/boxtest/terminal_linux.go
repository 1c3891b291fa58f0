package boxtest

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// openTerminal gives a pseudo-terminal's two ends and the host's one by name.
// The master stays one whose Close wakes its reader: nothing may take its Fd.
func openTerminal() (master, slave io.ReadWriteCloser, name string, err error) {
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, "", fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	name, err = otherEnd(m)
	if err != nil {
		return nil, nil, "", errors.Join(fmt.Errorf("naming a pseudo-terminal: %w", err), m.Close())
	}
	s, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, "", errors.Join(fmt.Errorf("opening a pseudo-terminal: %w", err), m.Close())
	}
	if _, err := term.MakeRaw(int(s.Fd())); err != nil {
		return nil, nil, "", errors.Join(fmt.Errorf("setting a pseudo-terminal raw: %w", err), m.Close(), s.Close())
	}
	return m, s, name, nil
}

func otherEnd(master *os.File) (name string, err error) {
	raw, err := master.SyscallConn()
	if err != nil {
		return "", err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var n int
		if inner = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); inner != nil {
			return
		}
		n, inner = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		name = fmt.Sprintf("/dev/pts/%d", n)
	})
	return name, errors.Join(err, inner)
}
