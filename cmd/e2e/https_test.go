//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// newSecureBox starts a daemon with this section http.
func newSecureBox(t *testing.T, section string) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir()}
	layout{}.write(t, b.dir)
	file := filepath.Join(b.dir, "callbox.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, bytes.Replace(text, []byte("http: {listen: 127.0.0.1:0}"), []byte("http: "+section), 1))
	b.startSecure()
	return b
}

func (b *box) startSecure() {
	b.t.Helper()
	b.process = launch(b.t, b.dir, absolute(b.t, program), "serve", "-c", "callbox.yaml")
	b.http = b.line(`ready http=(https://\S+) sip=`)[1]
}

func fetch(t *testing.T, client *http.Client, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// installed is a browser that has installed what the box gives out at /ca.crt,
// as a person would: past the warning once, then without it.
func (b *box) installed() (*http.Client, *tls.Config) {
	b.t.Helper()
	careless := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, file := fetch(b.t, careless, b.http+"/ca.crt")
	roots := x509.NewCertPool()
	if kind := resp.Header.Get("Content-Type"); kind != "application/x-x509-ca-cert" || !roots.AppendCertsFromPEM(file) {
		b.t.Fatalf("/ca.crt: %s %s", kind, file)
	}
	trust := &tls.Config{RootCAs: roots}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: patience, Transport: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}}, trust
}

// TestHTTPSOutOfTheBox: one line of configuration; an agent who installed the
// authority logs in by https and has the WebSocket; a restart changes nothing.
func TestHTTPSOutOfTheBox(t *testing.T) {
	t.Parallel()
	b := newSecureBox(t, "{listen: 127.0.0.1:0, tls: {self_signed: true}, redirect: 127.0.0.1:0}")
	client, trust := b.installed()
	var security struct {
		HTTPS       bool   `json:"https"`
		SelfSigned  bool   `json:"self_signed"`
		Fingerprint string `json:"fingerprint"`
		CAURL       string `json:"ca_url"`
		Why         string `json:"why"`
	}
	_, body := fetch(t, client, b.http+"/api/v1/security")
	if err := json.Unmarshal(body, &security); err != nil || !security.HTTPS || !security.SelfSigned || security.Why != "" {
		t.Errorf("security: %s %v", body, err)
	}
	if _, page := fetch(t, client, b.http+security.CAURL); !bytes.Contains(page, []byte(security.Fingerprint)) {
		t.Error("/ca does not show the fingerprint")
	}
	resp, err := client.Post(b.http+"/api/v1/login", "application/json", strings.NewReader(`{"user":"1001","password":"secret-1001"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c := resp.Header.Get("Set-Cookie"); resp.StatusCode != 200 || !strings.Contains(c, "Secure") || resp.ProtoMajor != 2 {
		t.Errorf("log-in: %s %s %q", resp.Proto, resp.Status, c)
	}
	if resp.Header.Get("Strict-Transport-Security") != "" {
		t.Error("browsers are bound to a certificate that others do not trust")
	}
	dialer := websocket.Dialer{Jar: client.Jar, TLSClientConfig: trust, Subprotocols: []string{"callbox.v1"}}
	conn, _, err := dialer.Dial(strings.Replace(b.http, "https", "wss", 1)+"/api/v1/ws", http.Header{"Origin": {b.http}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var first map[string]any
	if err := conn.ReadJSON(&first); err != nil || first["type"] != "snapshot" {
		t.Errorf("first message %v %v", first, err)
	}
	b.end(syscall.SIGTERM)
	b.startSecure()
	if resp, _ := fetch(t, client, b.http+"/healthz"); resp.StatusCode != 200 {
		t.Errorf("after a restart: %s", resp.Status)
	}
}

// TestCertificateFilesAreReadAgain: new files and SIGHUP, and the next
// connection sees them.
func TestCertificateFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	first, second := newSecureBox(t, "{listen: 127.0.0.1:0, tls: {self_signed: true}}"), newSecureBox(t, "{listen: 127.0.0.1:0, tls: {self_signed: true}}")
	pair := func(from *box) []byte {
		text, err := os.ReadFile(filepath.Join(from.dir, "data", "ca", "leaf.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "box.pem"), pair(first))
	b := newSecureBox(t, "{listen: 127.0.0.1:0, tls: {cert_file: "+filepath.Join(dir, "box.pem")+", key_file: "+filepath.Join(dir, "box.pem")+"}}")
	_, trustsFirst := first.installed()
	_, trustsSecond := second.installed()
	shown := func(trust *tls.Config) bool {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(b.http, "https://"), trust)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	if !shown(trustsFirst) || shown(trustsSecond) {
		t.Fatal("not the certificate of the files")
	}
	put(t, filepath.Join(dir, "box.pem"), pair(second))
	// Size and second may be the same as before.
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(filepath.Join(dir, "box.pem"), later, later); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wait(t, "the new certificate", func() bool { return shown(trustsSecond) })
}
