package front

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"callbox/cmd/internal/config"
	"callbox/internal/guard"
	"callbox/internal/localca"
)

var self = config.TLS{SelfSigned: true}

// page answers with how it was asked; /ws is an echo.
func page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/ws" {
		fmt.Fprintf(w, "%s %s tls=%v", r.Proto, r.URL.Path, r.TLS != nil)
		return
	}
	up := websocket.Upgrader{}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	if kind, text, err := conn.ReadMessage(); err == nil {
		_ = conn.WriteMessage(kind, text)
	}
}

// run opens a front on free ports and answers on it until the test is over.
func run(t *testing.T, h config.HTTP, data string) *Front {
	t.Helper()
	h.Listen = "127.0.0.1:0"
	f, err := Open(t.Context(), Config{HTTP: h, Data: data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start(t, f)
	return f
}

// start answers on f until the test is over.
func start(t *testing.T, f *Front) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	guard.Go("front", nil, func() { over <- f.Run(ctx, http.HandlerFunc(page)) })
	t.Cleanup(func() {
		stop()
		if err := <-over; err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// trusting is a client that knows the box's authority and nothing else.
func trusting(t *testing.T, data string, protos ...string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "ca", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots, NextProtos: protos}
}

func client(t *testing.T, c *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t *testing.T, c *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestPlain(t *testing.T) {
	f := run(t, config.HTTP{}, t.TempDir())
	if !strings.HasPrefix(f.URL(), "http://127.0.0.1:") || f.Secure() || f.Authority() != nil || f.State() != nil {
		t.Errorf("%s, secure %v", f.URL(), f.Secure())
	}
	if _, text, _ := get(t, client(t, nil), f.URL()+"/x"); text != "HTTP/1.1 /x tls=false" {
		t.Error(text)
	}
}

// TestOwnAuthority: pages by HTTP/2, screens by HTTP/1.1 beside them, both with
// no other trust than in ca.crt, by address and by name.
func TestOwnAuthority(t *testing.T) {
	data := t.TempDir()
	f := run(t, config.HTTP{TLS: self, PublicURL: "https://callbox.corp"}, data)
	if !strings.HasPrefix(f.URL(), "https://127.0.0.1:") || f.State() != nil {
		t.Errorf("%s: %v", f.URL(), f.State())
	}
	c := client(t, trusting(t, data))
	if _, text, _ := get(t, c, f.URL()+"/x"); text != "HTTP/2.0 /x tls=true" {
		t.Error(text)
	}
	for _, name := range []string{"localhost", localca.Host(), "callbox.corp"} {
		with := trusting(t, data)
		with.ServerName = name
		conn, err := tls.Dial("tcp", f.port.Addr().String(), with)
		if err != nil {
			t.Errorf("as %s: %v", name, err)
			continue
		}
		conn.Close()
	}
	dialer := websocket.Dialer{TLSClientConfig: trusting(t, data)}
	conn, resp, err := dialer.Dial(strings.Replace(f.URL(), "https", "wss", 1)+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, text, err := conn.ReadMessage(); err != nil || string(text) != "hello" {
		t.Errorf("%s %v", text, err)
	}
}

// TestBrowsersChoice: with both offered, as browsers do for pages, it is
// HTTP/2; a WebSocket's connection offers HTTP/1.1 alone.
func TestBrowsersChoice(t *testing.T) {
	data := t.TempDir()
	f := run(t, config.HTTP{TLS: self}, data)
	for _, tt := range []struct {
		offer []string
		want  string
	}{{[]string{"h2", "http/1.1"}, "h2"}, {[]string{"http/1.1"}, "http/1.1"}, {nil, ""}} {
		conn, err := tls.Dial("tcp", f.port.Addr().String(), trusting(t, data, tt.offer...))
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != tt.want {
			t.Errorf("%v: %q, want %q", tt.offer, got, tt.want)
		}
		conn.Close()
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	data := t.TempDir()
	f := run(t, config.HTTP{TLS: self}, data)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c := trusting(t, data)
		c.MinVersion, c.MaxVersion = version, version
		conn, err := tls.Dial("tcp", f.port.Addr().String(), c)
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestAuthorityOutlivesARestart(t *testing.T) {
	data := t.TempDir()
	var shown [][]byte
	for range 2 {
		f, err := Open(t.Context(), Config{HTTP: config.HTTP{Listen: "127.0.0.1:0", TLS: self}, Data: data, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := f.source.show(nil)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, f.Authority().Raw, leaf.Certificate[0])
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(shown[0], shown[2]) || !bytes.Equal(shown[1], shown[3]) {
		t.Error("another authority or certificate after a restart")
	}
}

func TestRedirect(t *testing.T) {
	data := t.TempDir()
	f := run(t, config.HTTP{TLS: self, Redirect: "127.0.0.1:0", PublicURL: "https://callbox.corp/"}, data)
	_, port, _ := net.SplitHostPort(f.port.Addr().String())
	c := client(t, nil)
	for _, path := range []string{"/ca", "/ca.crt", "/ca.mobileconfig", "/ca.css", "/healthz"} {
		if code, text, _ := get(t, c, f.RedirectURL()+path); code != 200 || text != "HTTP/1.1 "+path+" tls=false" {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	for name, tt := range map[string]struct {
		host, path, want string
		code             int
	}{
		"address":     {"", "/desk?x=1", "https://127.0.0.1:" + port + "/desk?x=1", 307},
		"name":        {"box.local:8081", "/", "https://box.local:" + port + "/", 307},
		"IPv6":        {"[fd00::1]:8081", "/", "https://[fd00::1]:" + port + "/", 307},
		"public name": {"Callbox.Corp:80", "/a", "https://callbox.corp/a", 307},
		"not /ca":     {"box.local", "/cattle", "https://box.local:" + port + "/cattle", 307},
		"two slashes": {"box.local", "//evil.example/", "https://box.local:" + port + "//evil.example/", 307},
		"no host":     {"@", "/", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest("POST", f.RedirectURL()+tt.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("Location"); resp.StatusCode != tt.code || got != tt.want {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, got, tt.code, tt.want)
			}
		})
	}
	// http.Client does not send a path without a slash; others do.
	conn, err := net.Dial("tcp", f.plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "OPTIONS * HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || strings.Contains(line, "307") {
		t.Errorf("OPTIONS *: %q %v", line, err)
	}
}

func TestHTTPSOwnPort(t *testing.T) {
	for host, want := range map[string]string{"box": "box", "fd00::1": "[fd00::1]", "1.2.3.4": "1.2.3.4"} {
		if got := withPort(host, 443); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestLinkBase(t *testing.T) {
	port := &fake{port: 8443}
	for name, tt := range map[string]struct {
		http    config.HTTP
		source  source
		want    string
		certain bool
	}{
		"plain":  {config.HTTP{}, nil, "http://0.0.0.0:8443", false},
		"own":    {config.HTTP{TLS: self}, &own{}, "https://0.0.0.0:8443", false},
		"public": {config.HTTP{TLS: self, PublicURL: "https://box.corp/"}, &own{}, "https://box.corp", true},
		"acme":   {config.HTTP{TLS: config.TLS{ACME: config.ACME{Domain: "box.example"}}}, &authority{}, "https://box.example:8443", true},
	} {
		f := &Front{cfg: Config{HTTP: tt.http}, port: port, source: tt.source}
		if got, certain := f.LinkBase(); got != tt.want || certain != tt.certain {
			t.Errorf("%s: %s %v, want %s %v", name, got, certain, tt.want, tt.certain)
		}
	}
}

// fake is a listener that has an address and nothing else.
type fake struct {
	net.Listener
	port int
}

func (f *fake) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: f.port} }

func TestTakenPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	for want, h := range map[string]config.HTTP{
		"http.listen":   {Listen: at},
		"http.redirect": {Listen: "127.0.0.1:0", Redirect: at, TLS: self},
	} {
		if _, err := Open(t.Context(), Config{HTTP: h, Data: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one of %s", err, want)
		}
	}
}

// TestOwnFollowsAddresses: a new address is in the certificate within a minute,
// without a restart, and what cannot be issued is told of once.
func TestOwnFollowsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		dir := t.TempDir()
		ca, err := localca.Open(dir, "box", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var names atomic.Pointer[localca.Names]
		called := func(name, ip string) {
			names.Store(&localca.Names{DNS: []string{name}, IPs: []netip.Addr{netip.MustParseAddr(ip)}})
		}
		called("box", "192.168.1.5")
		o := &own{authority: ca, log: log.logger(), names: func() (localca.Names, error) { return *names.Load(), nil }}
		if err := o.look(); err != nil {
			t.Fatal(err)
		}
		shown := func() *x509.Certificate {
			c, err := o.show(nil)
			if err != nil {
				t.Fatal(err)
			}
			return c.Leaf
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		guard.Go("keep", nil, func() { _ = o.keep(ctx) })
		first := shown()
		time.Sleep(lookAtAddresses)
		synctest.Wait()
		if !shown().Equal(first) {
			t.Error("issued again without a reason")
		}
		called("box", "10.0.0.7")
		time.Sleep(lookAtAddresses - time.Nanosecond)
		synctest.Wait()
		if !shown().Equal(first) {
			t.Error("looked at before the minute was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := shown().VerifyHostname("10.0.0.7"); err != nil {
			t.Error(err)
		}
		called("other", "10.0.0.7")
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		before := log.count("not issued anew")
		time.Sleep(3 * lookAtAddresses)
		synctest.Wait()
		if got := log.count("not issued anew") - before; got != 1 || o.state() == nil {
			t.Errorf("told %d times, want once; state %v", got, o.state())
		}
	})
}

// lines is a log that can be asked.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
