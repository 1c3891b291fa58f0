package sip_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// wireTCP is a raw connection to the rig that makes messages like [raw] does.
type wireTCP struct {
	raw
	conn net.Conn
	in   *bufio.Reader
}

func (r *rig) dialTCP() *wireTCP {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr("tcp"))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.wireBy("tcp", conn)
}

func (r *rig) wireBy(transport string, conn net.Conn) *wireTCP {
	r.t.Cleanup(func() { _ = conn.Close() })
	w := &wireTCP{conn: conn, in: bufio.NewReader(conn)}
	w.raw = raw{t: r.t, to: netip.MustParseAddrPort(r.addr(transport)), me: conn.LocalAddr().String(), transport: strings.ToUpper(transport)}
	return w
}

func (w *wireTCP) send(data string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, data); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wireTCP) expect(method string, code int) *ctitest.Message {
	w.t.Helper()
	for {
		m, err := w.read()
		if err != nil {
			w.t.Fatalf("no %s %d came: %v", method, code, err)
		}
		if m.Method() == method && m.Code() == code {
			return m
		}
	}
}

func (w *wireTCP) read() (*ctitest.Message, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	var head strings.Builder
	length := 0
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line == "\r\n" && head.Len() == 0 {
			continue
		}
		head.WriteString(line)
		if v, ok := strings.CutPrefix(line, "Content-Length:"); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
		if line == "\r\n" {
			break
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(w.in, body); err != nil {
		return nil, err
	}
	return ctitest.ParseMessage([]byte(head.String() + string(body)))
}

// T10: nobody holds more than ten connections.
func TestConnectionCap(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks = nil })
	open := 0
	for range 3 * sip.ConnsPerAddress {
		c, err := net.Dial("tcp", r.addr("tcp"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = c.Write([]byte("I"))
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = c.Read(make([]byte, 1))
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			open++
		}
	}
	if open > sip.ConnsPerAddress {
		t.Errorf("%d connections are open", open)
	}
	if n := r.Stats().ConnsRefused; n != uint64(2*sip.ConnsPerAddress) {
		t.Errorf("%d counted as refused", n)
	}
}

func TestFraming(t *testing.T) {
	head := "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n"
	for name, tt := range map[string]struct {
		raw  string
		size int
		err  bool
	}{
		"part":           {head, 0, false},
		"whole":          {head + "Content-Length: 0\r\n\r\nNEXT", len(head) + 21, false},
		"body":           {head + "l: 4\r\n\r\nbodyNEXT", len(head) + 12, false},
		"part of body":   {head + "Content-Length: 9\r\n\r\nbody", 0, false},
		"no length":      {head + "\r\n", 0, true},
		"two lengths":    {head + "Content-Length: 1\r\nl: 2\r\n\r\n", 0, true},
		"negative":       {head + "Content-Length: -1\r\n\r\n", 0, true},
		"huge":           {head + "Content-Length: 4294967295\r\n\r\n", 0, true},
		"endless header": {strings.Repeat("x", 70_000), 0, true},
	} {
		size, err := sip.Frame([]byte(tt.raw))
		if size != tt.size || (err != nil) != tt.err {
			t.Errorf("%s: %d, %v; want %d, error %v", name, size, err, tt.size, tt.err)
		}
	}
}

// T10: a connection has 30 s to send a whole message, a stranger's also to say
// anything; a phone's may be silent for two hours.
func TestHalfOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		known bool
		feed  func(c net.Conn)
		ends  time.Duration
	}{
		"stranger, silent": {false, func(net.Conn) {}, 30 * time.Second},
		"phone, silent":    {true, func(net.Conn) {}, 2 * time.Hour},
		"one byte":         {true, func(c net.Conn) { _, _ = c.Write([]byte("I")) }, 30 * time.Second},
		"dripping": {false, func(c net.Conn) {
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(7 * time.Second)
			}
		}, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() { tt.feed(there) })
				began := time.Now()
				_, err := sip.NewTestStream(here, tt.known).Read(make([]byte, 100))
				if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != tt.ends {
					t.Errorf("Read = %v after %v, want the deadline after %v", err, time.Since(began), tt.ends)
				}
				_ = here.Close()
				wg.Wait()
			})
		})
	}
}

func TestSeveralMessagesInPieces(t *testing.T) {
	r := start(t)
	c := r.dialTCP()
	text := "\r\n" + c.invite("one", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS") + c.invite("two", "INVITE sip", "OPTIONS sip", "1 INVITE", "2 OPTIONS")
	for len(text) > 0 {
		n := min(len(text), 97)
		c.send(text[:n])
		text = text[n:]
		time.Sleep(time.Millisecond)
	}
	for _, seq := range []int{1, 2} {
		if m := c.expect("OPTIONS", 200); m.Seq() != seq {
			t.Errorf("answer to %d, want %d", m.Seq(), seq)
		}
	}
}
