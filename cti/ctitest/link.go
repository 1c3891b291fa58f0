package ctitest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbox/internal/guard"
)

// link carries a phone's messages: datagrams, or connections.
type link interface {
	addr() netip.AddrPort
	send(data []byte, to netip.AddrPort) error
	// run hands over what comes until close.
	run(ctx context.Context, take func(data []byte, from netip.AddrPort)) error
	close()
}

func newLink(cfg PhoneConfig, at netip.AddrPort, crew *guard.Crew) (link, error) {
	if cfg.Transport == "" || cfg.Transport == "udp" {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return nil, err
		}
		return datagrams{conn}, nil
	}
	inner, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	c := &connections{inner: inner, crew: crew, open: map[netip.AddrPort]net.Conn{}, come: make(chan arrived)}
	if cfg.Transport == "tls" {
		c.secure, err = tlsConfig(cfg.TLS)
	}
	return c, err
}

// datagrams is a link by UDP.
type datagrams struct{ conn *net.UDPConn }

func (d datagrams) addr() netip.AddrPort { return plainAddr(d.conn.LocalAddr()) }

// plainAddr is the address without IPv6 around an IPv4 one.
func plainAddr(a net.Addr) netip.AddrPort {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (d datagrams) send(data []byte, to netip.AddrPort) error {
	_, err := d.conn.WriteToUDPAddrPort(data, to)
	return err
}

func (d datagrams) run(ctx context.Context, take func([]byte, netip.AddrPort)) error {
	buf := make([]byte, 65536)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

func (d datagrams) close() { _ = d.conn.Close() }

// connections is a link by TCP or TLS. It accepts connections, and makes one
// where there is none to whom it sends to.
type connections struct {
	inner  net.Listener
	secure *tls.Config // nil for TCP
	crew   *guard.Crew
	come   chan arrived

	mu     sync.Mutex // guards what follows
	closed bool
	open   map[netip.AddrPort]net.Conn
}

type arrived struct {
	data []byte
	from netip.AddrPort
}

func (c *connections) addr() netip.AddrPort { return plainAddr(c.inner.Addr()) }

func (c *connections) run(ctx context.Context, take func([]byte, netip.AddrPort)) error {
	c.crew.Go("phone accepts", c.accept)
	for {
		select {
		case a := <-c.come:
			take(a.data, a.from)
		case <-ctx.Done():
			for { // what the goodbyes still bring
				select {
				case a := <-c.come:
					take(a.data, a.from)
				case <-time.After(time.Millisecond):
					if c.isClosed() {
						return nil
					}
				}
			}
		}
	}
}

func (c *connections) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func (c *connections) accept() {
	for {
		conn, err := c.inner.Accept()
		if err != nil {
			return
		}
		if c.secure != nil {
			conn = tls.Server(conn, c.secure)
		}
		c.add(conn, plainAddr(conn.RemoteAddr()))
	}
}

// add serves a connection until it ends.
func (c *connections) add(conn net.Conn, with netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = conn.Close()
		return
	}
	c.open[with] = conn
	c.crew.Go("phone reads a connection", func() {
		defer c.drop(conn, with)
		c.read(conn, with)
	})
}

func (c *connections) drop(conn net.Conn, with netip.AddrPort) {
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[with] == conn {
		delete(c.open, with)
	}
}

func (c *connections) read(conn net.Conn, with netip.AddrPort) {
	in := bufio.NewReaderSize(conn, 4096)
	for {
		data, err := nextMessage(in)
		if err != nil {
			return
		}
		if len(data) == 0 { // a ping (RFC 5626 §3.5.1)
			_, _ = io.WriteString(conn, "\r\n")
			continue
		}
		select {
		case c.come <- arrived{data, with}:
		case <-time.After(patience): // nobody runs the phone
			return
		}
	}
}

// nextMessage reads one message by its Content-Length, nothing for a ping.
func nextMessage(in *bufio.Reader) ([]byte, error) {
	var head bytes.Buffer
	length, empty := 0, 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line == "\r\n" && head.Len() == 0 {
			if empty++; empty == 2 {
				return nil, nil
			}
			continue
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l") {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if length < 0 || length > 1<<20 {
		return nil, errNoMessage
	}
	body := make([]byte, length)
	_, err := io.ReadFull(in, body)
	return append(head.Bytes(), body...), err
}

func (c *connections) send(data []byte, to netip.AddrPort) error {
	c.mu.Lock()
	conn := c.open[to]
	c.mu.Unlock()
	if conn == nil {
		var err error
		if conn, err = c.dial(to); err != nil {
			return err
		}
	}
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := conn.Write(data)
	return err
}

func (c *connections) dial(to netip.AddrPort) (net.Conn, error) {
	if c.isClosed() {
		return nil, ErrClosed
	}
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IP(c.addr().Addr().AsSlice())}}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	if c.secure != nil {
		config := c.secure.Clone()
		if config.ServerName == "" {
			config.ServerName = to.Addr().String()
		}
		conn = tls.Client(conn, config)
	}
	c.add(conn, to)
	return conn, nil
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	_ = c.inner.Close()
	for _, conn := range c.open {
		_ = conn.Close()
	}
}

// Break closes all connections of a phone by TCP or TLS, as a lost network
// would.
func (p *Phone) Break() {
	c, ok := p.link.(*connections)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = map[netip.AddrPort]net.Conn{} // what is sent from now on makes a new one
}

// tlsConfig is what a TLS phone shows and believes: a certificate of its own
// and everybody, where config says nothing.
func tlsConfig(config *tls.Config) (*tls.Config, error) {
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true}
	}
	config = config.Clone()
	if len(config.Certificates) > 0 {
		return config, nil
	}
	cert, err := SelfSigned("127.0.0.1")
	config.Certificates = []tls.Certificate{cert}
	return config, err
}

// SelfSigned makes a certificate for hosts (names or addresses), good for a day.
func SelfSigned(hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("ctitest: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			form.IPAddresses = append(form.IPAddresses, ip)
		} else {
			form.DNSNames = append(form.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, errors.Join(errors.New("ctitest: certificate"), err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
