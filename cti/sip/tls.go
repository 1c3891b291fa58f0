package sip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	handshakeLimit = 10 * time.Second // of a connection made to us
	selfSignedLife = 365 * 24 * time.Hour
	lookEach       = time.Second // at the certificate's files, when somebody connects
)

// certificate is what our tls:// listeners show: two files, read again when
// they change, or one that was made at the start.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex // guards what follows
	now    *tls.Certificate
	seen   [2]stamp // of the files when they were last read
	looked time.Time
}

// stamp tells whether a file is another one than before.
type stamp struct {
	size    int64
	changed time.Time
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{size: info.Size(), changed: info.ModTime()}
}

// openCertificate reads the files of cfg.
func openCertificate(cfg TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: cfg.CertFile, keyFile: cfg.KeyFile, log: log}
	seen := c.stamps()
	if err := c.read(); err != nil {
		return nil, err
	}
	c.seen, c.looked = seen, time.Now()
	return c, nil
}

func (c *certificate) stamps() [2]stamp { return [2]stamp{stampOf(c.certFile), stampOf(c.keyFile)} }

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.now = &pair
	return nil
}

// show gives the certificate for one handshake. Files that have changed are
// read first; while they cannot be read (one of the two was written, the other
// not yet) the old one is shown.
func (c *certificate) show(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.certFile != "" && now.Sub(c.looked) >= lookEach {
		c.looked = now
		if seen := c.stamps(); seen != c.seen {
			c.seen = seen
			c.reread()
		}
	}
	return c.now, nil
}

func (c *certificate) reread() {
	if err := c.read(); err != nil {
		c.log.Error("the new certificate cannot be used, the old one is shown", "err", err)
		return
	}
	c.log.Info("certificate read again", "file", c.certFile)
}

// selfSigned makes a certificate for ips and this machine's name, good for a
// year.
func selfSigned(ips []netip.Addr, now time.Time) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "callbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife), // phones' clocks differ
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, ip := range ips {
		form.IPAddresses = append(form.IPAddresses, net.IP(ip.AsSlice()))
	}
	if name, err := os.Hostname(); err == nil && hostName.MatchString(name) {
		form.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	return &certificate{now: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// authorities are who signs trunks' certificates; nil for the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file: no certificate in %s", file)
	}
	return pool, nil
}

// validate reports what is wrong with the section tls; listens says whether
// there is a tls:// listener, which must have something to show.
func (t TLS) validate(faults *faultList, listens bool) {
	files := t.CertFile != "" || t.KeyFile != ""
	switch {
	case files && t.SelfSigned:
		faults.add(errors.New("either cert_file and key_file or self_signed"), "tls")
	case files:
		_, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		faults.add(err, "tls.cert_file")
	case listens && !t.SelfSigned:
		faults.add(errors.New("a tls:// listener needs cert_file and key_file, or self_signed"), "tls")
	}
	_, err := authorities(t.CAFile)
	faults.add(err, "tls")
}

// listens says whether one of the listeners is of transport.
func (c Config) listens(transport string) bool {
	return slices.ContainsFunc(c.Listen, func(l string) bool { return strings.HasPrefix(l, transport+"://") })
}

// guise is the configuration of our tls:// listeners. What they show is known
// when they are bound.
func (w *ways) guise() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return w.certificate.show(hello)
		},
	}
}

// certify makes the certificate for what listens, if it is ours to make.
func (s *Server) certify() error {
	if s.ways.certificate != nil || !s.ways.tls.SelfSigned {
		return nil
	}
	var ips []netip.Addr
	for _, ep := range s.endpoints {
		if a := ep.addr.Addr(); ep.transport == "TLS" && !slices.Contains(ips, a) {
			ips = append(ips, a)
		}
	}
	if s.external.IsValid() {
		ips = append(ips, s.external)
	}
	var err error
	s.ways.certificate, err = selfSigned(ips, time.Now())
	return err
}

// trust is the configuration of a connection to a trunk: its certificate must
// be for the host that stands in the trunk's address.
func (s *Server) trust(to netip.AddrPort) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: s.trunks.hostAt(to),
		RootCAs: s.ways.authorities, InsecureSkipVerify: s.ways.tls.Insecure,
	}
}

// hostAt is the host name that led to a, or a itself.
func (ts trunks) hostAt(a netip.AddrPort) string {
	for _, t := range ts {
		if host := t.hostOf(a); host != "" {
			return host
		}
	}
	return a.Addr().String()
}
