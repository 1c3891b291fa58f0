// Package localca is the box's own certificate authority, for networks whose
// machines no public authority signs for.
//
// An [Authority] lives in a folder: ca.crt, which people install, ca.key, which
// never leaves the box, and leaf.pem, what the box shows. [Open] loads or makes
// the authority, [Authority.Leaf] gives a certificate for names, the one from
// before as long as it does. It runs no goroutine and knows no HTTP.
package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long certificates hold. Apple's systems take none for more than 825 days
// from an authority that people installed, and 398 from a public one.
const (
	authorityYears = 10
	leafLife       = 397 * 24 * time.Hour
	renewBefore    = 30 * 24 * time.Hour
	skew           = 24 * time.Hour // clocks of others may be behind
)

// Files of the folder.
const (
	certFile = "ca.crt"
	keyFile  = "ca.key"
	leafFile = "leaf.pem"
)

// Authority signs the box's certificate. Its methods may be called from any
// goroutine.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu   sync.Mutex
	leaf *tls.Certificate // with its Leaf
}

// Open loads the authority of dir or makes one, named after host. One that is
// over is replaced: whoever trusted it has to install the new one.
func Open(dir, host string, now time.Time) (*Authority, error) {
	a, err := load(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && now.After(a.cert.NotAfter) {
		a, err = found(dir, host, now)
	}
	if err != nil {
		return nil, fmt.Errorf("own certificate authority: %w", err)
	}
	a.leaf = loadLeaf(filepath.Join(dir, leafFile))
	return a, nil
}

func load(dir string) (*Authority, error) {
	certText, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return nil, err
	}
	keyText, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, os.ErrNotExist) { // not made anew: people have installed the certificate
		return nil, fmt.Errorf("%s is there and %s is not: put it back, or remove both", certFile, keyFile)
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s in %s is no authority of ours", certFile, dir)
	}
	return &Authority{dir: dir, cert: pair.Leaf, key: key}, nil
}

// found makes a new authority and keeps it.
func found(dir, host string, now time.Time) (*Authority, error) {
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	// Two authorities of one name confuse browsers, so each has its own.
	name := fmt.Sprintf("callbox %s %X", host, serial.Bytes()[:4])
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"callbox"}},
		NotBefore: now.Add(-skew), NotAfter: now.AddDate(authorityYears, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true,
		IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	// The certificate last: where it lies, its key does.
	a := &Authority{dir: dir, cert: cert, key: key}
	return a, errors.Join(
		keep(filepath.Join(dir, keyFile), keyText, 0o600),
		keep(filepath.Join(dir, certFile), a.PEM(), 0o644),
	)
}

func fresh() (*ecdsa.PrivateKey, *big.Int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and of one length (RFC 5280 §4.1.2.2)
	return key, new(big.Int).SetBytes(serial), nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// keep writes a file whole or not at all. The same fault has the same words
// each time, so that it can be told of once.
func keep(file string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = f.Chmod(mode) // it may have been left from before
	if err == nil {
		_, err = f.Write(text)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

// Certificate is the authority's own, which people install.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM is Certificate as a file.
func (a *Authority) PEM() []byte { return CertificatePEM(a.cert) }

// CertificatePEM is a certificate as a file.
func CertificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// Fingerprint is a certificate's SHA-256 as systems show it: AB:CD:…
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// Leaf gives a certificate that holds for names: the one from before where it
// covers them and has more than 30 days left, else a new one, which is kept.
// made says which; an error leaves the old one as it was.
func (a *Authority) Leaf(names Names, now time.Time) (leaf *tls.Certificate, made bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaf != nil && a.holds(a.leaf.Leaf, names, now) {
		return a.leaf, false, nil
	}
	if leaf, err = a.issue(names, now); err != nil {
		return nil, false, fmt.Errorf("issue a certificate: %w", err)
	}
	a.leaf = leaf
	return leaf, true, nil
}

// holds says whether c is this authority's, covers names and lasts. What c
// covers beside them does no harm: an address that went often comes back.
func (a *Authority) holds(c *x509.Certificate, names Names, now time.Time) bool {
	end := now.Add(renewBefore)
	if a.cert.NotAfter.Before(end) {
		end = now // it cannot last longer than who signs it
	}
	return !now.Before(c.NotBefore) && end.Before(c.NotAfter) && c.CheckSignatureFrom(a.cert) == nil && names.within(c)
}

func (a *Authority) issue(names Names, now time.Time) (*tls.Certificate, error) {
	key, serial, err := fresh()
	if err != nil {
		return nil, err
	}
	form := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "callbox", Organization: []string{"callbox"}},
		NotBefore: latest(now.Add(-skew), a.cert.NotBefore), NotAfter: earliest(now.Add(leafLife-skew), a.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: names.DNS,
	}
	for _, ip := range names.IPs {
		form.IPAddresses = append(form.IPAddresses, net.IP(ip.AsSlice()))
	}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	keyText, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	text := slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyText)
	if err := keep(filepath.Join(a.dir, leafFile), text, 0o600); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	return &pair, err
}

// loadLeaf reads the certificate from before; nil where there is none that can
// be used.
func loadLeaf(file string) *tls.Certificate {
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte("CERTIFICATE")) {
		return nil
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil
	}
	return &pair
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
