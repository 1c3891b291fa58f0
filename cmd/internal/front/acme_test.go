package front

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cmd/internal/config"
	"callbox/internal/localca"
)

const domain = "box.example.com"

// signing is an authority that speaks as much of RFC 8555 as one order needs.
// It believes signatures, and sees for itself that the domain is ours.
type signing struct {
	*httptest.Server
	t     *testing.T
	key   *ecdsa.PrivateKey
	root  *x509.Certificate
	kind  string                  // of the only challenge that it offers
	prove func(token string) bool // looks at the box

	mu    sync.Mutex
	state string // of authorization and order
	leaf  []byte
	asked atomic.Int32 // orders
}

func newSigning(t *testing.T, kind string, prove func(string) bool) *signing {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := &signing{t: t, key: key, root: root, kind: kind, prove: prove, state: "pending"}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// caFile is who signed the directory's own certificate.
func (s *signing) caFile() string {
	file := filepath.Join(s.t.TempDir(), "directory.pem")
	if err := os.WriteFile(file, localca.CertificatePEM(s.Certificate()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// ServeHTTP answers as RFC 8555 §7 says, for one account and one order.
func (s *signing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Replay-Nonce", rand.Text())
	say := func(status int, location string, body any) {
		w.Header().Set("Content-Type", "application/json")
		if location != "" {
			w.Header().Set("Location", s.URL+location)
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	challenge := map[string]string{"type": s.kind, "url": s.URL + "/challenge", "token": "a-token", "status": s.state}
	order := map[string]any{
		"status": s.state, "identifiers": []any{map[string]string{"type": "dns", "value": domain}},
		"authorizations": []string{s.URL + "/authorization"}, "finalize": s.URL + "/finalize", "certificate": s.URL + "/certificate",
	}
	switch r.URL.Path {
	case "/dir":
		say(200, "", map[string]any{"newNonce": s.URL + "/nonce", "newAccount": s.URL + "/account", "newOrder": s.URL + "/order", "revokeCert": s.URL + "/x", "keyChange": s.URL + "/x"})
	case "/account":
		say(201, "/account/1", map[string]any{"status": "valid"})
	case "/order":
		s.asked.Add(1)
		say(201, "/order/1", order)
	case "/authorization":
		say(200, "", map[string]any{"status": s.state, "identifier": map[string]string{"type": "dns", "value": domain}, "challenges": []any{challenge}})
	case "/challenge":
		if s.state = "invalid"; s.prove("a-token") {
			s.state = "valid"
		}
		say(200, "", challenge)
	case "/finalize":
		s.sign(r)
		say(200, "/order/1", order)
	case "/certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.leaf}))
	}
}

// sign makes what the request (a JWS whose payload holds a CSR) asks for.
func (s *signing) sign(r *http.Request) {
	var jws struct{ Payload string }
	var payload struct{ CSR string }
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &jws)
	}
	if err == nil {
		text, err = base64.RawURLEncoding.DecodeString(jws.Payload)
	}
	if err == nil {
		err = json.Unmarshal(text, &payload)
	}
	if err == nil {
		text, err = base64.RawURLEncoding.DecodeString(payload.CSR)
	}
	csr, parsed := x509.ParseCertificateRequest(text)
	if err != nil || parsed != nil {
		s.t.Errorf("finalize: %v %v", err, parsed)
		return
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if s.leaf, err = x509.CreateCertificate(rand.Reader, form, s.root, csr.PublicKey, s.key); err != nil {
		s.t.Error(err)
	}
}

// within polls, since the library has goroutines of its own and real sockets.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %v", what, limit)
		}
	}
}

// byTLS proves over the box's own port (RFC 8737).
func byTLS(f **Front) func(string) bool {
	return func(string) bool {
		conn, err := tls.Dial("tcp", (*f).port.Addr().String(), &tls.Config{ServerName: domain, NextProtos: []string{challengeProtocol}, InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer conn.Close()
		state := conn.ConnectionState()
		return state.NegotiatedProtocol == challengeProtocol && state.PeerCertificates[0].DNSNames[0] == domain
	}
}

// byHTTP proves over the plain port (RFC 8555 §8.3).
func byHTTP(f **Front) func(string) bool {
	return func(token string) bool {
		req, err := http.NewRequest("GET", (*f).RedirectURL()+"/.well-known/acme-challenge/"+token, nil)
		if err != nil {
			return false
		}
		req.Host = domain
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == 200 && strings.HasPrefix(string(text), token+".")
	}
}

// TestACME: an authority signs after it has seen either port, the certificate
// is shown to browsers, and after a restart nobody is asked again.
func TestACME(t *testing.T) {
	for kind, prove := range map[string]func(**Front) func(string) bool{"tls-alpn-01": byTLS, "http-01": byHTTP} {
		t.Run(kind, func(t *testing.T) {
			var f *Front
			s := newSigning(t, kind, prove(&f))
			data := t.TempDir()
			h := config.HTTP{TLS: config.TLS{ACME: config.ACME{Domain: domain, CA: s.URL + "/dir", CAFile: s.caFile()}}}
			if kind == "http-01" {
				h.Redirect = "127.0.0.1:0"
			}
			roots := x509.NewCertPool()
			roots.AddCert(s.root)
			shown := func() bool {
				conn, err := tls.Dial("tcp", f.port.Addr().String(), &tls.Config{RootCAs: roots, ServerName: domain})
				if err != nil {
					return false
				}
				conn.Close()
				return true
			}
			t.Run("first start", func(t *testing.T) {
				h.Listen = "127.0.0.1:0"
				var err error
				if f, err = Open(t.Context(), Config{HTTP: h, Data: data, Log: slog.New(slog.DiscardHandler)}); err != nil {
					t.Fatal(err)
				}
				if f.State() == nil {
					t.Error("all is well before anybody was asked")
				}
				start(t, f)
				within(t, 10*time.Second, "the certificate", shown)
				if err := f.State(); err != nil {
					t.Error(err)
				}
			})
			t.Run("second start", func(t *testing.T) {
				f = run(t, h, data)
				within(t, 10*time.Second, "the certificate", shown)
			})
			if n := s.asked.Load(); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
		})
	}
}

// TestACMEFails: what went wrong is in the state and in the log, with what the
// authority needs.
func TestACMEFails(t *testing.T) {
	var f *Front
	log := &lines{}
	s := newSigning(t, "tls-alpn-01", func(string) bool { return false })
	h := config.HTTP{Listen: "127.0.0.1:0", TLS: config.TLS{ACME: config.ACME{Domain: domain, CA: s.URL + "/dir", CAFile: s.caFile()}}}
	f, err := Open(t.Context(), Config{HTTP: h, Data: t.TempDir(), Log: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	start(t, f)
	within(t, 10*time.Second, "the failure", func() bool { return log.count("the authority signed nothing") > 0 })
	if err := f.State(); err == nil || !strings.Contains(err.Error(), "no certificate for "+domain) {
		t.Errorf("state %v", err)
	}
	if log.count("port 443") == 0 {
		t.Error("nobody is told what the authority has to reach")
	}
}

func TestACMEWithoutItsRoots(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := config.HTTP{Listen: "127.0.0.1:0", TLS: config.TLS{ACME: config.ACME{Domain: domain, CA: "https://ca/dir", CAFile: file}}}
	if _, err := Open(t.Context(), Config{HTTP: h, Data: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Errorf("error %v", err)
	}
}
