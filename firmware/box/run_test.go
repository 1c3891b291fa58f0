package box_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"callbox/firmware/analog"
	"callbox/firmware/box"
)

// piped is a running box between two pipes.
type piped struct {
	t      *testing.T
	host   net.Conn
	reader *bufio.Reader
	line   net.Conn
	frames *analog.Conn
	feeds  int
	cancel context.CancelFunc
	ended  chan error
}

// analogue closes as a socket does.
type analogue struct {
	*analog.Conn
	io.Closer
}

func run(t *testing.T) *piped {
	host, boxHost := net.Pipe()
	line, boxLine := net.Pipe()
	p := &piped{t: t, host: host, reader: bufio.NewReader(host), line: line, frames: analog.NewConn(line), ended: make(chan error, 1)}
	b := box.New(box.Config{Serial: "P1", Feed: func() { p.feeds++ }}, boxHost, analogue{analog.NewConn(boxLine), boxLine})
	ctx, cancel := context.WithCancel(t.Context())
	p.cancel = cancel
	go func() { p.ended <- b.Run(ctx) }()
	return p
}

func (p *piped) command(line string) string {
	p.t.Helper()
	go func() { _, _ = io.WriteString(p.host, line+"\r") }()
	var all strings.Builder
	for {
		text, err := p.reader.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		all.WriteString(text)
		if text == "OK\r\n" || text == "ERROR\r\n" || text == "CONNECT\r\n" {
			return all.String()
		}
	}
}

func (p *piped) frame() (out analog.Box) {
	p.t.Helper()
	if err := errors.Join(p.frames.WriteLine(&analog.Line{Feed: true}), p.frames.ReadBox(&out)); err != nil {
		p.t.Fatal(err)
	}
	return out
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		if got := p.command("ATE0+GSN"); !strings.Contains(got, "P1") {
			t.Errorf("answers %q", got)
		}
		p.command("AT+FCLASS=8;+VLS=1")
		if !p.frame().OffHook {
			t.Error("still on hook")
		}
		p.cancel()
		if err := <-p.ended; err != nil {
			t.Errorf("a stop is %v", err)
		}
		if p.feeds != 1 {
			t.Errorf("the watchdog was fed %d times in a frame", p.feeds)
		}
	})
}

// The line's clock goes on while the host reads nothing, for as long as it likes.
func TestHostDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		p.command("ATE0+FCLASS=8;+VLS=1")
		p.command("AT+VTR")
		for range 3000 {
			p.frame()
		}
		p.cancel()
		<-p.ended
	})
}

func TestSidesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for side, end := range map[string]func(*piped) error{
			"host": func(p *piped) error { return p.host.Close() },
			"line": func(p *piped) error { return p.line.Close() },
		} {
			p := run(t)
			p.command("AT")
			synctest.Wait() // nothing is on its way to the host any more
			if err := end(p); err != nil {
				t.Fatal(err)
			}
			if err := <-p.ended; !errors.Is(err, io.EOF) {
				t.Errorf("%s closed: ended with %v", side, err)
			}
		}
	})
}
