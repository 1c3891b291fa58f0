package board

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"callbox/firmware/analog"
)

// frameTime is the length of a frame.
const frameTime = 20 * time.Millisecond

// silenceLimit is how long an exchange may send nothing before it is taken for
// gone.
const silenceLimit = 10 * time.Second

// stream is a way to an exchange.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// frames is a line's analogue side. An exchange that is there is its clock;
// while none is, the line is dead (no feed) and goes on by this machine's.
type frames struct {
	accept func(until time.Time) (stream, error) // waits for an exchange
	conn   *analog.Conn
	next   time.Time // of the own clock
	owed   bool      // somebody sent what was no frame, and may wait for the answer

	mu     sync.Mutex // now and closed, for Close
	now    stream
	closed bool
}

// ReadLine waits for the exchange's next frame, or for 20 ms of nothing.
func (f *frames) ReadLine(in *analog.Line) error {
	for f.now == nil {
		if f.isClosed() {
			return os.ErrClosed
		}
		if !f.connect() {
			*in = analog.Line{}
			return nil
		}
	}
	_ = f.now.SetReadDeadline(time.Now().Add(silenceLimit)) // a dead one fails below
	if err := f.conn.ReadLine(in); err != nil {
		f.owed = errors.Is(err, analog.ErrBroken)
		f.drop()
		*in = analog.Line{}
	}
	return nil
}

func (f *frames) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// connect takes an exchange that came before the own clock's next frame.
func (f *frames) connect() bool {
	if f.next = f.next.Add(frameTime); time.Since(f.next) > 5*frameTime {
		f.next = time.Now().Add(frameTime)
	}
	s, err := f.accept(f.next)
	if err != nil {
		time.Sleep(time.Until(f.next)) // an error may come at once
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = s.Close() // it came too late
		return false
	}
	f.now, f.conn = s, analog.NewConn(s)
	return true
}

// WriteBox answers the exchange, if there is one.
func (f *frames) WriteBox(out *analog.Box) error {
	if f.now == nil {
		return nil
	}
	_ = f.now.SetWriteDeadline(time.Now().Add(silenceLimit)) // a dead one fails below
	if err := f.conn.WriteBox(out); err != nil {
		f.drop()
	}
	return nil
}

// drop forgets an exchange that ended.
func (f *frames) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.now.Close() // nothing is left to lose
	f.now, f.conn, f.next = nil, nil, time.Now()
}

// Close ends the line, at once if an exchange is there, else within 20 ms.
func (f *frames) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.now != nil {
		return f.now.Close()
	}
	return nil
}
