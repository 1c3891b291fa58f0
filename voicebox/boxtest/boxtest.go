// Package boxtest puts a voice box on a bench for tests: the firmware's box, an
// exchange on its line, and a serial path between box and host that can drop,
// delay, garble, freeze and double what it carries.
//
// [Start] starts a few goroutines, which have ended when the test has. The line
// runs in real time, which in a testing/synctest bubble is as fast as the
// machine can; only [Options.Pty] needs a real clock. The package drives
// nothing: the test holds the host's end of the port and the exchange.
package boxtest

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"callbox/firmware/analog"
	"callbox/firmware/box"
	"callbox/firmware/exchange"
	"callbox/internal/guard"
)

// Options are how a bench is made; the zero value is a quiet Chinese line and
// a perfect serial path in memory.
type Options struct {
	Exchange exchange.Config
	Serial   string       // AT+GSN; "BENCH" when empty
	Pty      bool         // a pseudo-terminal instead of a pipe: Bench.Path names the host's end
	Log      *slog.Logger // nobody's when nil
	Seed     uint64       // of what is garbled
}

// Bench is a box with its line and its serial path.
type Bench struct {
	Exchange *exchange.Exchange
	ToHost   *Faults // what the path does to bytes from the box
	ToBox    *Faults // and from the host
	Path     string  // of the host's end of the pty

	t       testing.TB
	o       Options
	ctx     context.Context
	stop    context.CancelFunc
	work    guard.Group
	outside io.ReadWriteCloser // the path's end towards the host
	port    io.ReadWriteCloser
	socket  socket

	mu     sync.Mutex
	box    net.Conn // the path's end towards the box, nil while there is none
	kill   context.CancelFunc
	booted chan struct{} // closed when the box has ended
}

// Start makes a bench and switches everything on. The test ends it.
func Start(t testing.TB, o Options) *Bench {
	t.Helper()
	if o.Serial == "" {
		o.Serial = "BENCH"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	network, err := exchange.New(o.Exchange)
	if err != nil {
		t.Fatalf("boxtest: %v", err)
	}
	random := rand.New(rand.NewPCG(o.Seed, 253))
	b := &Bench{Exchange: network, ToHost: newFaults(random), ToBox: newFaults(random), t: t, o: o}
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.work.Log = o.Log
	if b.outside, b.port, b.Path, err = path(o.Pty); err != nil {
		t.Fatalf("boxtest: %v", err)
	}
	t.Cleanup(b.End)
	b.wire()
	b.Boot()
	return b
}

// wire joins the exchange to the socket that boxes are put in, and the host to
// the box that is there.
func (b *Bench) wire() {
	here, there := net.Pipe()
	b.socket.boxes = make(chan *card)
	b.work.Go("exchange", func() { _ = b.Exchange.Run(b.ctx, there) }) // ends with the bench
	b.work.Go("socket", func() { b.socket.run(b.ctx, analog.NewConn(here)) })
	b.work.Go("from host", func() { b.ToBox.take(b.ctx, b.outside) })
	b.work.Go("to box", func() { b.ToBox.give(b.ctx, writer(b.toBox)) })
	b.work.Go("to host", func() { b.ToHost.give(b.ctx, b.outside) })
}

// Port is the host's end of the serial path, for whom a pty was not made.
func (b *Bench) Port() io.ReadWriteCloser { return b.port }

// Boot puts a fresh box in the line's socket; it is there at once.
func (b *Bench) Boot() {
	path, inside := net.Pipe()
	c := &card{frames: make(chan analog.Line), answers: make(chan analog.Box), gone: make(chan struct{})}
	ctx, kill := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	b.mu.Lock()
	b.box, b.kill, b.booted = path, kill, ended
	b.mu.Unlock()
	firmware := box.New(box.Config{Serial: b.o.Serial, Log: b.o.Log}, inside, c)
	b.work.Go("box", func() {
		defer close(ended)
		if err := firmware.Run(ctx); err != nil {
			b.o.Log.Info("box ended", "err", err)
		}
	})
	b.work.Go("from box", func() { b.ToHost.take(ctx, path) })
	select {
	case b.socket.boxes <- c:
	case <-b.ctx.Done():
	}
}

// Crash ends the box as a power failure does: the line is on hook, the serial
// path stays silent and swallows what comes, until the next Boot.
func (b *Bench) Crash() {
	b.mu.Lock()
	path, kill, ended := b.box, b.kill, b.booted
	b.box = nil
	b.mu.Unlock()
	if path == nil {
		return
	}
	kill()
	_ = path.Close() // the box closes its own end
	<-ended
}

// Reboot is a crash and, so long after, a fresh box.
func (b *Bench) Reboot(down time.Duration) {
	b.Crash()
	time.Sleep(down)
	b.Boot()
}

// Unplug ends the serial path: the host's port is gone.
func (b *Bench) Unplug() { _ = b.outside.Close() }

func (b *Bench) toBox(p []byte) {
	b.mu.Lock()
	to := b.box
	b.mu.Unlock()
	if to != nil {
		_, _ = to.Write(p) // a box that just died swallows it
	}
}

// End switches everything off and waits until all goroutines have ended. The
// test's end does so, too.
func (b *Bench) End() {
	b.ToHost.Thaw()
	b.ToBox.Thaw()
	b.stop()
	_ = b.outside.Close() // whoever reads from it ends
	_ = b.port.Close()    // the driver has closed it before
	b.mu.Lock()
	if b.box != nil {
		_ = b.box.Close() // likewise
	}
	b.mu.Unlock()
	b.work.Wait()
}

// socket is the line's end where boxes are put in and taken out. While none is
// there the line is on hook and silent.
type socket struct{ boxes chan *card }

func (s *socket) run(ctx context.Context, conn *analog.Conn) {
	var now *card
	for {
		var in analog.Line
		var out analog.Box
		if conn.ReadLine(&in) != nil {
			return
		}
		select {
		case now = <-s.boxes:
		default:
		}
		if now != nil && !now.pass(ctx, &in, &out) {
			now = nil
		}
		if conn.WriteBox(&out) != nil {
			return
		}
	}
}

// card is the line as one box sees it.
type card struct {
	frames  chan analog.Line
	answers chan analog.Box
	gone    chan struct{}
	once    sync.Once
}

func (c *card) pass(ctx context.Context, in *analog.Line, out *analog.Box) bool {
	select {
	case c.frames <- *in:
	case <-c.gone:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case *out = <-c.answers:
		return true
	case <-c.gone:
		return false
	case <-ctx.Done():
		return false
	}
}

// ReadLine is the box's.
func (c *card) ReadLine(in *analog.Line) error {
	select {
	case *in = <-c.frames:
		return nil
	case <-c.gone:
		return io.EOF
	}
}

// WriteBox is the box's.
func (c *card) WriteBox(out *analog.Box) error {
	select {
	case c.answers <- *out:
		return nil
	case <-c.gone:
		return io.EOF
	}
}

// Close takes the box out.
func (c *card) Close() error {
	c.once.Do(func() { close(c.gone) })
	return nil
}
