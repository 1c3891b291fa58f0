package boxtest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// path makes a serial path's two ends: outside is ours, port is the host's, a
// pipe or, by its name, a terminal in raw mode.
func path(terminal bool) (outside, port io.ReadWriteCloser, name string, err error) {
	if !terminal {
		a, b := net.Pipe()
		return a, b, "", nil
	}
	return openTerminal()
}

// Lazy is a port with the ways of tarm/serial over a net.Conn: a Read that
// finds nothing for 100 ms gives 0 and io.EOF, and Close does not wake it.
func Lazy(port net.Conn) io.ReadWriteCloser { return &lazy{conn: port} }

type lazy struct {
	conn   net.Conn
	mu     sync.Mutex
	closed bool
}

func (l *lazy) Read(p []byte) (int, error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return 0, os.ErrClosed
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // a closed pipe says so below
	n, err := l.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF
	}
	return n, err
}

func (l *lazy) Write(p []byte) (int, error) { return l.conn.Write(p) }

// Close lets a Read that waits go on until its time is over.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
