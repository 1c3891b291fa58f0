package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cmd/internal/config"
	"callbox/internal/guard"
	"callbox/internal/localca"
)

// signer writes pairs for names as a company's own authority would.
type signer struct {
	t     *testing.T
	ca    *localca.Authority
	dir   string
	count time.Duration
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	ca, err := localca.Open(t.TempDir(), "corp", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &signer{t: t, ca: ca, dir: t.TempDir()}
}

func (s *signer) paths() (cert, key string) {
	return filepath.Join(s.dir, "box.crt"), filepath.Join(s.dir, "box.key")
}

// pair is a certificate for name and its key.
func (s *signer) pair(name string) (cert, key []byte) {
	s.t.Helper()
	leaf, _, err := s.ca.Leaf(localca.Names{DNS: []string{name}, IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	return localca.CertificatePEM(leaf.Leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// put writes a file with a time of its own, since the clock of a bubble stands.
func (s *signer) put(file string, text []byte) {
	s.t.Helper()
	s.count += time.Second
	at := time.Unix(1_700_000_000, 0).Add(s.count)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		s.t.Fatal(err)
	}
}

func (s *signer) write(name string) {
	s.t.Helper()
	certFile, keyFile := s.paths()
	cert, key := s.pair(name)
	s.put(certFile, cert)
	s.put(keyFile, key)
}

// TestFilesAreReadAgain: while one of two files is new the old pair is shown,
// told of once; then the new one, all within the time between two looks.
func TestFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := &lines{}, newSigner(t)
		s.write("one")
		certFile, keyFile := s.paths()
		f, err := openFiles(certFile, keyFile, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		guard.Go("keep", nil, func() { _ = f.keep(ctx) })
		want := func(name string, well bool) {
			t.Helper()
			synctest.Wait()
			shown, err := f.show(nil)
			if err != nil || shown.Leaf.DNSNames[0] != name || (f.state() == nil) != well {
				t.Errorf("shown for %v, state %v, %v; want %s, well %v", shown.Leaf.DNSNames, f.state(), err, name, well)
			}
		}
		want("one", true)
		cert, key := s.pair("two")
		s.put(certFile, cert)
		time.Sleep(lookAtFiles)
		want("one", false)
		time.Sleep(10 * lookAtFiles)
		want("one", false)
		if n := log.count("cannot be used"); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		s.put(keyFile, key)
		time.Sleep(lookAtFiles - time.Nanosecond)
		want("one", false)
		time.Sleep(time.Nanosecond)
		want("two", true)
		s.write("three")
		f.again() // as SIGHUP does
		want("three", true)
		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookAtFiles)
		want("three", false)
	})
}

func TestFilesThatEndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := &lines{}, newSigner(t)
		s.write("box")
		certFile, keyFile := s.paths()
		f, err := openFiles(certFile, keyFile, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(f.shown.Load().Leaf.NotAfter) - fileEnds)
		if err := f.state(); err != nil {
			t.Errorf("14 days before its end: %v", err)
		}
		time.Sleep(time.Second)
		if f.state() == nil {
			t.Error("less than 14 days before its end all is well")
		}
	})
}

// TestFilesOverTLS: a real client sees the new certificate on its next
// connection, and the one that it has goes on.
func TestFilesOverTLS(t *testing.T) {
	s := newSigner(t)
	s.write("one.corp")
	certFile, keyFile := s.paths()
	f := run(t, config.HTTP{TLS: config.TLS{CertFile: certFile, KeyFile: keyFile}}, t.TempDir())
	if f.Authority() != nil {
		t.Error("people are to install something")
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Certificate())
	old := client(t, &tls.Config{RootCAs: roots, ServerName: "one.corp"})
	get(t, old, f.URL()+"/")
	s.write("two.corp")
	f.Reload()
	get(t, client(t, &tls.Config{RootCAs: roots, ServerName: "two.corp"}), f.URL()+"/")
	get(t, old, f.URL()+"/")
}
