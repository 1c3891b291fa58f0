package v253

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti/media/dsp"
	"callbox/internal/guard"
)

// What a caller decides on.
var (
	ErrSilent     = errors.New("the box does not answer")
	ErrNoVoice    = errors.New("the box has no voice mode that can be used")
	ErrLost       = errors.New("the port is gone")
	ErrRefused    = errors.New("the box answered ERROR")
	ErrBusy       = errors.New("the box answered BUSY")
	ErrNoCarrier  = errors.New("the box answered NO CARRIER")
	ErrNoAnswer   = errors.New("the box answered NO ANSWER")
	ErrNoDialTone = errors.New("the box answered NO DIALTONE")
	ErrEnded      = errors.New("the stream has ended")
	ErrClosed     = errors.New("the box was closed")

	errStopped = errors.New("reading or writing it broke off")
)

// Config is how a box is opened.
type Config struct {
	Profile string       // auto (or ""), callbox, usr5637, cx930xx, si24xx
	Log     *slog.Logger // slog.Default when nil
}

// Identity is what a box says of itself.
type Identity struct {
	Profile string // the family it was taken for; generic when no profile knows it
	Maker   string
	Model   string
	Version string
	Serial  string
}

// Limits of the dialogue.
const (
	answerLimit = 3 * time.Second        // a command's answer
	eventRoom   = 256                    // events that wait for their reader
	noisePause  = 20 * time.Millisecond  // a silence on the port after which text begins anew
	reportPause = 500 * time.Millisecond // a plain caller ID ends so long after its last line
	starved     = 1500 * time.Millisecond
	emptyPause  = 10 * time.Millisecond // between reads that gave nothing at once
	closeLimit  = time.Second
)

// Modem is an open box. Its methods may be called from any goroutine; commands
// wait for each other, and a command ends a live stream first.
type Modem struct {
	port   io.ReadWriteCloser
	log    *slog.Logger
	events chan Event
	heard  chan struct{} // something was read
	turn   chan struct{} // who holds it talks with the box
	urgent chan []byte   // commands and codes, before audio
	voice  chan []byte   // shielded audio
	free   chan []byte   // the buffers for it
	closed chan struct{}
	done   chan struct{}
	work   guard.Group
	missed atomic.Int64 // events dropped
	noisy  atomic.Int64

	once sync.Once

	// Set by the holder of turn.
	profile profile
	set     method
	coding  coding
	owed    atomic.Bool // what the box does is unknown: the next command begins with a resync

	mu       sync.Mutex
	identity Identity
	parser   parser
	teller   teller
	report   report
	ripe     *time.Timer // ends a plain caller ID
	told     []Event
	now      time.Time // of the read at work
	lastRead time.Time
	lastCall dsp.CallerID
	lastAt   time.Time
	deaf     bool // while the box is searched: nothing is an event
	question *question
	stream   *Stream // armed or live
	over     bool
	err      error
}

// Open finds the box behind a port whatever state it is in, learns what it is
// and sets it up, on hook. Port.Read may give 0 bytes with nil or io.EOF for
// "nothing yet", as tarm/serial does; any other error is the port's end. The
// port is the Modem's from now on and closed when Open fails: with ErrSilent
// when nobody answers AT, with ErrNoVoice when what answers has no voice mode
// or no codec of the known ones.
func Open(ctx context.Context, port io.ReadWriteCloser, cfg Config) (*Modem, error) {
	m := newModem(port, cfg.Log)
	m.work.Go("voice box reader", m.read)
	m.work.Go("voice box writer", m.write)
	if err := m.start(ctx, cfg.Profile); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the voice box: %w", err), m.Close())
	}
	return m, nil
}

func newModem(port io.ReadWriteCloser, log *slog.Logger) *Modem {
	if log == nil {
		log = slog.Default()
	}
	m := &Modem{
		port: port, log: log,
		events: make(chan Event, eventRoom), heard: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		urgent: make(chan []byte, 16), voice: make(chan []byte, streamRoom),
		closed: make(chan struct{}), done: make(chan struct{}), profile: generic,
	}
	m.free = make(chan []byte, streamRoom)
	for range streamRoom {
		m.free <- make([]byte, 0, frameBytes)
	}
	m.work.Log = log
	m.ripe = time.AfterFunc(time.Hour, m.reportRipe)
	m.ripe.Stop()
	return m
}

// Done is closed when the port is gone or Close was called.
func (m *Modem) Done() <-chan struct{} { return m.done }

// Err says why Done was closed: nil after Close, else ErrLost wrapped.
func (m *Modem) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Identity is what the box said of itself.
func (m *Modem) Identity() Identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.identity
}

// Events is what the box tells. It holds 256; then the oldest go, with a
// count. It is never closed, see Done.
func (m *Modem) Events() <-chan Event { return m.events }

// Counts is what went wrong quietly since Open: events dropped because nobody
// read them, and bytes that were noise.
func (m *Modem) Counts() (events, noise int64) { return m.missed.Load(), m.noisy.Load() }

// Close closes the port and waits for the Modem's goroutines, at most a second
// (a port's Read need not be woken by its Close). It does not touch the line.
func (m *Modem) Close() error {
	m.lose(nil)
	var err error
	m.once.Do(func() {
		if f, ok := m.port.(interface{ Flush() error }); ok {
			_ = f.Flush() // frees a writer that the box lets wait
		}
		err = m.port.Close()
		m.wait()
	})
	return err
}

func (m *Modem) wait() {
	gone := make(chan struct{})
	guard.Go("voice box end", m.log, func() {
		m.work.Wait()
		close(gone)
	})
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-gone:
	case <-limit.C:
		m.log.Warn("voice box: the port does not let go of its reader")
	}
}

// lose ends everything that waits for the box; cause nil is Close.
func (m *Modem) lose(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.over = true
	if cause != nil {
		m.err = fmt.Errorf("%w: %w", ErrLost, cause)
	}
	m.ripe.Stop()
	m.finish(ErrEnded)
	close(m.closed)
	close(m.done)
}

// gone is the error of what waits for a box that is no more.
func (m *Modem) gone() error {
	if err := m.Err(); err != nil {
		return err
	}
	return ErrClosed
}

// read is the reader's goroutine.
func (m *Modem) read() {
	defer m.lose(errStopped)
	buf := make([]byte, 4096)
	empty := 0
	for !m.isOver() {
		began := time.Now()
		n, err := m.port.Read(buf)
		if n > 0 {
			empty = 0
			m.take(buf[:n], time.Now())
		}
		if fatal(err) {
			m.lose(err)
			return
		}
		if n > 0 || time.Since(began) >= emptyPause/2 {
			continue
		}
		// Nothing, and at once: a port without a timeout of its own, or one
		// that was torn out, which only a write tells.
		if empty++; empty%10 == 0 {
			m.probe()
		}
		m.sleep(emptyPause)
	}
}

func fatal(err error) bool {
	var timeout interface{ Timeout() bool }
	return err != nil && !errors.Is(err, io.EOF) && !(errors.As(err, &timeout) && timeout.Timeout())
}

func (m *Modem) isOver() bool {
	select {
	case <-m.closed:
		return true
	default:
		return false
	}
}

func (m *Modem) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.closed:
	}
}

// probe has nothing written: a tty that was hung up refuses even that.
func (m *Modem) probe() {
	select {
	case m.urgent <- nil:
	default:
	}
}

// write is the writer's goroutine.
func (m *Modem) write() {
	defer m.lose(errStopped)
	for {
		var out []byte
		select {
		case out = <-m.urgent:
		default:
			select {
			case out = <-m.urgent:
			case out = <-m.voice:
			case <-m.closed:
				return
			}
		}
		if err := m.writeAll(out); err != nil {
			m.lose(err)
			return
		}
		m.giveBack(out)
	}
}

func (m *Modem) writeAll(out []byte) error {
	n, err := m.port.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing to the box: %w", err)
	}
	return nil
}

// send hands bytes to the writer.
func (m *Modem) send(ctx context.Context, out string) error {
	select {
	case m.urgent <- []byte(out):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.closed:
		return m.gone()
	}
}
