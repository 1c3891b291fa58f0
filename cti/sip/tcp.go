package sip

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/internal/guard"

	"github.com/emiago/sipgo"
)

// Limits of SIP over TCP and TLS.
const (
	connsPerAddress = 10 // with IPv6 of a /64
	connsInAll      = 500
	connsOfOthers   = 400 // of them for strangers, so that they do not shut out who is known
	messageLimit    = 64 << 10
	halfOpen        = 30 * time.Second // to send a whole message, or to say anything as a stranger
	idleLimit       = 2 * time.Hour    // of a trunk's or a registered phone's connection
	writeLimit      = 5 * time.Second
	pingEach        = 100 * time.Second // on connections that we made (RFC 5626 §4.4.1)
	pongLimit       = 10 * time.Second
)

var (
	errTooLong  = errors.New("message over 64 KB")
	errUnframed = errors.New("no usable Content-Length")
	errFell     = errors.New("reader ended by a panic")
	errDead     = errors.New("no pong")
)

// tcpListener accepts connections, at most so many of them, and listens again
// when accepting fails. Connections that we dial are handed to the library by
// it too, so that all are framed and checked alike.
type tcpListener struct {
	transport string // TCP or TLS
	addr      netip.AddrPort
	guise     *tls.Config // of TLS
	gate      func(*packet) bool
	known     func(netip.AddrPort) bool
	barred    func(netip.Addr) bool
	gone      func(netip.AddrPort) // a connection from there is closed
	log       *slog.Logger
	revived   *atomic.Uint64
	refused   *atomic.Uint64
	ready     chan net.Conn
	closed    chan struct{}

	mu    sync.Mutex // guards what follows
	inner net.Listener
	conns map[netip.Prefix]int
	total int
}

func listenTCP(transport string, addr netip.AddrPort, log *slog.Logger, revived, refused *atomic.Uint64) (*tcpListener, error) {
	inner, err := openTCP(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s://%s: %w", strings.ToLower(transport), addr, err)
	}
	bound := inner.Addr().(*net.TCPAddr).AddrPort()
	return &tcpListener{
		transport: transport, addr: netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()),
		log: log, revived: revived, refused: refused, inner: inner,
		ready: make(chan net.Conn), closed: make(chan struct{}), conns: map[netip.Prefix]int{},
	}, nil
}

func openTCP(addr netip.AddrPort) (net.Listener, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	return l, nil
}

// serve hands the connections to the library until Close.
func (t *tcpListener) serve(library *sipgo.Server) error {
	if t.guise != nil {
		return library.ServeTLS(t)
	}
	return library.ServeTCP(t)
}

func (t *tcpListener) name() string { return strings.ToLower(t.transport) + "://" + t.addr.String() }

// run accepts until Close.
func (t *tcpListener) run() {
	for {
		inner := t.current()
		conn, err := inner.Accept()
		if err != nil {
			if !t.revive(inner, err) {
				return
			}
			continue
		}
		if t.guise != nil {
			conn = tls.Server(conn, t.guise) // the handshake is the reader's, see [stream.greet]
		}
		if s := t.take(conn); s != nil {
			t.hand(s)
		}
	}
}

func (t *tcpListener) current() net.Listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inner
}

func (t *tcpListener) revive(broken net.Listener, why error) bool {
	for !t.isClosed() {
		t.log.Error("listener lost, listening again", "addr", t.name(), "err", why)
		_ = broken.Close()
		inner, err := openTCP(t.addr)
		if err == nil && t.replace(inner) {
			t.revived.Add(1)
			return true
		}
		select {
		case <-t.closed:
		case <-time.After(reviveEach):
		}
	}
	return false
}

func (t *tcpListener) replace(inner net.Listener) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		_ = inner.Close()
		return false
	}
	t.inner = inner
	return true
}

func (t *tcpListener) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// take counts a connection; nil when there are too many.
func (t *tcpListener) take(conn net.Conn) *stream {
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total >= connsInAll || !t.known(from) && t.refusesOther(from.Addr()) {
		t.refused.Add(1)
		_ = conn.Close()
		return nil
	}
	t.total++
	t.conns[network(from.Addr())]++
	return &stream{Conn: conn, owner: t, from: from}
}

// refusesOther says whether a stranger gets no connection. The caller holds mu.
func (t *tcpListener) refusesOther(from netip.Addr) bool {
	return t.total >= connsOfOthers || t.conns[network(from)] >= connsPerAddress || t.barred(from)
}

func (t *tcpListener) release(from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total--
	key := network(from)
	if t.conns[key]--; t.conns[key] <= 0 {
		delete(t.conns, key)
	}
}

func (t *tcpListener) hand(s *stream) {
	select {
	case t.ready <- s:
	case <-t.closed:
		_ = s.Close()
	}
}

// Accept gives the next connection to the library.
func (t *tcpListener) Accept() (net.Conn, error) {
	select {
	case c := <-t.ready:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the listener's address.
func (t *tcpListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(t.addr) }

// Close stops accepting for good; connections stay with the library.
func (t *tcpListener) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return nil
	}
	close(t.closed)
	if err := t.inner.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close %s: %w", t.name(), err)
	}
	return nil
}

// stream is a connection from which only whole messages that passed the gate
// are read. It has one reader.
type stream struct {
	net.Conn
	owner *tcpListener
	from  netip.AddrPort
	ours  bool // we made it, and keep it alive

	raw     []byte // received, not yet framed
	partial time.Time
	out     []byte // passed, not yet read
	once    sync.Once

	greeted bool      // TLS: the handshake is done
	half    bool      // one CRLF came, which may be half of a ping
	pinged  time.Time // our last ping, zero when it was answered
	pongs   bool      // the peer has answered one
}

// Read gives bytes of messages that passed. A panic in the parser ends this
// connection only.
func (s *stream) Read(b []byte) (n int, err error) {
	for len(s.out) == 0 {
		fell := guard.Call(func() {
			if err = s.greet(); err == nil {
				err = s.advance()
			}
		})
		if fell != nil {
			err = fmt.Errorf("%w: %w", errFell, fell)
		}
		if err != nil {
			return 0, err
		}
	}
	n = copy(b, s.out)
	s.out = s.out[n:]
	return n, nil
}

// greet does the handshake of an accepted TLS connection, within its limit; it
// is the reader's goroutine that waits.
func (s *stream) greet() error {
	conn, ok := s.Conn.(*tls.Conn)
	if !ok || s.greeted {
		return nil
	}
	s.greeted = true
	if err := conn.SetDeadline(time.Now().Add(handshakeLimit)); err != nil {
		return fmt.Errorf("deadline of a connection: %w", err)
	}
	if err := conn.Handshake(); err != nil {
		s.owner.refused.Add(1)
		return fmt.Errorf("handshake with %s: %w", s.from, err)
	}
	return nil
}

// advance takes one message out of raw, or receives more.
func (s *stream) advance() error {
	s.keepAlive()
	size, err := frame(s.raw)
	if err != nil {
		s.owner.refused.Add(1)
		return err
	}
	if size == 0 {
		return s.receive()
	}
	message := s.raw[:size:size]
	s.raw, s.partial = s.raw[size:], time.Time{}
	p := packet{data: message, from: s.from, local: s.owner.addr, transport: s.owner.transport, reply: s.reply}
	if s.owner.gate(&p) {
		s.out = p.data
	}
	return nil
}

// keepAlive answers and skips CRLF CRLF between messages, and takes the answers
// to our own (RFC 5626 §3.5.1).
func (s *stream) keepAlive() {
	for bytes.HasPrefix(s.raw, crlf) {
		s.raw, s.partial = s.raw[2:], time.Time{}
		switch {
		case !s.pinged.IsZero():
			s.pinged, s.pongs = time.Time{}, true
		case s.half:
			s.half = false
			_, _ = s.Write(crlf)
		default:
			s.half = true
		}
	}
	if len(s.raw) > 1 {
		s.half = false
	}
}

var crlf = []byte("\r\n")

// receive waits for more, as long as the connection may be silent.
func (s *stream) receive() error {
	if err := s.SetReadDeadline(s.patience(time.Now())); err != nil {
		return fmt.Errorf("deadline of a connection: %w", err)
	}
	chunk := make([]byte, 4096)
	n, err := s.Conn.Read(chunk)
	s.raw = append(s.raw, chunk[:n]...)
	if n > 0 {
		return nil
	}
	if s.ours && len(s.raw) == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		return s.ping(time.Now())
	}
	return err
}

// patience is how long the connection may say nothing more.
func (s *stream) patience(now time.Time) time.Time {
	switch {
	case len(s.raw) > 0 && s.partial.IsZero():
		s.partial = now
		fallthrough
	case len(s.raw) > 0:
		return s.partial.Add(halfOpen)
	case s.ours && s.pinged.IsZero():
		return now.Add(pingEach)
	case s.ours:
		return s.pinged.Add(pongLimit)
	case s.owner.known(s.from):
		return now.Add(idleLimit)
	}
	return now.Add(halfOpen)
}

// ping keeps a connection of ours alive. Who has answered once and does not any
// more is gone; others never answer, and TCP has to tell.
func (s *stream) ping(now time.Time) error {
	if !s.pinged.IsZero() {
		s.pinged = time.Time{}
		if s.pongs {
			return errDead
		}
		return nil
	}
	s.pinged = now
	_, err := s.Write([]byte("\r\n\r\n"))
	return err
}

// frame is the size of the first whole message in raw, 0 when more must come.
func frame(raw []byte) (int, error) {
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	if end < 0 {
		if len(raw) > messageLimit {
			return 0, errTooLong
		}
		return 0, nil
	}
	body, err := bodyLength(raw[:end])
	if err != nil {
		return 0, err
	}
	size := end + 4 + body
	if size > messageLimit {
		return 0, errTooLong
	}
	if len(raw) < size {
		return 0, nil
	}
	return size, nil
}

// bodyLength reads Content-Length; without exactly one value there is no way
// to find the next message.
func bodyLength(head []byte) (int, error) {
	length := -1
	for _, line := range bytes.Split(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.ToLower(bytes.TrimSpace(name))
		if !ok || string(name) != "content-length" && string(name) != "l" {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil || length >= 0 && length != int(n) || n > messageLimit {
			return 0, errUnframed
		}
		length = int(n)
	}
	if length < 0 {
		return 0, errUnframed
	}
	return length, nil
}

func (s *stream) reply(data []byte, _ netip.AddrPort) { _, _ = s.Write(data) }

// Write sends b within the write limit.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return 0, fmt.Errorf("deadline of a connection: %w", err)
	}
	return s.Conn.Write(b)
}

// Close closes the connection and gives its place back.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.owner.release(s.from.Addr())
		s.owner.gone(s.from)
	})
	return s.Conn.Close()
}
