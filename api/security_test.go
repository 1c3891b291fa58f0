package api

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/internal/localca"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}

// came is a request from an address, with headers in pairs.
func came(method, target, from, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr, r.TLS = from, nil
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// by makes it one that came over our own TLS.
func by(r *http.Request) *http.Request {
	r.TLS = &tls.ConnectionState{}
	return r
}

// TestAsSent: what proxies say counts where they are trusted, and nowhere else.
func TestAsSent(t *testing.T) {
	const proxy, other = "10.0.0.1:999", "192.168.1.9:999"
	a := &API{cfg: Config{Way: Way{Proxies: proxies}}}
	all := []string{"X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "box.example"}
	for name, tt := range map[string]struct {
		r          *http.Request
		from, host string
		secure     bool
	}{
		"straight":            {came("GET", "/", other, ""), "192.168.1.9", "example.com", false},
		"straight by TLS":     {by(came("GET", "/", other, "")), "192.168.1.9", "example.com", true},
		"made up":             {came("GET", "/", other, "", all...), "192.168.1.9", "example.com", false},
		"by a proxy":          {came("GET", "/", proxy, "", all...), "203.0.113.7", "box.example", true},
		"by a proxy in IPv6":  {came("GET", "/", "[fd00::1]:9", "", all...), "203.0.113.7", "box.example", true},
		"4 in 6":              {came("GET", "/", "[::ffff:10.0.0.1]:9", "", all...), "203.0.113.7", "box.example", true},
		"proxy says nothing":  {came("GET", "/", proxy, ""), "10.0.0.1", "example.com", false},
		"http to the proxy":   {by(came("GET", "/", proxy, "", "X-Forwarded-Proto", "http")), "10.0.0.1", "example.com", false},
		"made up before it":   {came("GET", "/", proxy, "", "X-Forwarded-For", "127.0.0.1, 203.0.113.7"), "203.0.113.7", "example.com", false},
		"in two headers":      {came("GET", "/", proxy, "", "X-Forwarded-For", "127.0.0.1", "X-Forwarded-For", "203.0.113.7"), "203.0.113.7", "example.com", false},
		"two proxies of ours": {came("GET", "/", proxy, "", "X-Forwarded-For", "203.0.113.7, 10.0.0.2"), "203.0.113.7", "example.com", false},
		"only proxies":        {came("GET", "/", proxy, "", "X-Forwarded-For", "10.0.0.3, 10.0.0.2"), "10.0.0.3", "example.com", false},
		"with a port":         {came("GET", "/", proxy, "", "X-Forwarded-For", "203.0.113.7:4711"), "203.0.113.7", "example.com", false},
		"IPv6 with a port":    {came("GET", "/", proxy, "", "X-Forwarded-For", "[2001:db8::7]:4711"), "2001:db8::7", "example.com", false},
		"no address":          {came("GET", "/", proxy, "", "X-Forwarded-For", "203.0.113.7, unknown"), "10.0.0.1", "example.com", false},
		"nearest proxy's say": {came("GET", "/", proxy, "", "X-Forwarded-Proto", "https, http"), "10.0.0.1", "example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := a.cfg.Way.asSent(tt.r)
			if got := address(r); got != tt.from || r.Host != tt.host || a.secure(r) != tt.secure {
				t.Errorf("from %s for %s, secure %v; want %s, %s, %v", got, r.Host, a.secure(r), tt.from, tt.host, tt.secure)
			}
		})
	}
}

func (w *world) answer(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	return rec
}

// TestCookieIsSecureByHTTPS: per request, since one box may be reached both
// ways.
func TestCookieIsSecureByHTTPS(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Way.Proxies = proxies })
	const body = `{"user":"boss","password":"secret"}`
	for name, tt := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"plain":            {came("POST", "/api/v1/login", "192.168.1.9:1", body), false},
		"TLS":              {by(came("POST", "/api/v1/login", "192.168.1.9:1", body)), true},
		"by a proxy":       {came("POST", "/api/v1/login", "10.0.0.1:1", body, "X-Forwarded-Proto", "https"), true},
		"by somebody else": {came("POST", "/api/v1/login", "192.168.1.9:1", body, "X-Forwarded-Proto", "https"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w.users["boss"] = w.users["supervisor"]
			rec := w.answer(tt.r)
			c := rec.Header().Get("Set-Cookie")
			if rec.Code != 200 || strings.Contains(c, "Secure") != tt.want {
				t.Errorf("%d %q, want Secure: %v", rec.Code, c, tt.want)
			}
		})
	}
}

// TestOriginBehindAProxy: the page's own requests pass, another site's do not,
// and nobody but the proxy says which host is ours.
func TestOriginBehindAProxy(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Way.Proxies = proxies })
	for name, tt := range map[string]struct {
		from, origin string
		want         int
	}{
		"its own page":       {"10.0.0.1:1", "https://box.example", 401},
		"another site":       {"10.0.0.1:1", "https://evil.example", 403},
		"a header made up":   {"192.168.1.9:1", "https://box.example", 403},
		"the socket's host":  {"10.0.0.1:1", "https://callbox:8080", 403},
		"by its own address": {"192.168.1.9:1", "http://callbox:8080", 401},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Origin", tt.origin, "X-Forwarded-Host", "box.example", "X-Forwarded-Proto", "https"}
			if rec := w.answer(came("POST", "http://callbox:8080/api/v1/logout", tt.from, "", headers...)); rec.Code != tt.want {
				t.Errorf("POST: %d, want %d", rec.Code, tt.want)
			}
			if rec := w.answer(came("GET", "http://callbox:8080/api/v1/ws", tt.from, "", headers...)); rec.Code != tt.want {
				t.Errorf("WebSocket: %d, want %d", rec.Code, tt.want)
			}
		})
	}
}

// TestLimitsCountClientsBehindAProxy: one guesses, the other may log in; and
// the one does not get out of it by a header.
func TestLimitsCountClientsBehindAProxy(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Way.Proxies = proxies })
	try := func(from, forwarded, password string) int {
		body := `{"user":"1001","password":"` + password + `"}`
		return w.answer(came("POST", "/api/v1/login", from, body, "X-Forwarded-For", forwarded)).Code
	}
	code := 0
	for range 50 {
		if code = try("10.0.0.1:1", "203.0.113.7", "wrong"); code == 429 {
			break
		}
	}
	if code != 429 {
		t.Fatalf("50 guesses: %d, want 429", code)
	}
	if code := try("10.0.0.1:1", "1.2.3.4, 203.0.113.7", "secret"); code != 429 {
		t.Errorf("who guessed, with an address made up: %d, want 429", code)
	}
	if code := try("10.0.0.1:1", "203.0.113.8", "secret"); code != 200 {
		t.Errorf("somebody else behind the proxy: %d, want 200", code)
	}
}

func TestSecurity(t *testing.T) {
	ca, err := localca.Open(t.TempDir(), "box", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	print := localca.Fingerprint(ca.Certificate())
	own, plain := Way{TLS: true, Authority: ca.Certificate()}, Way{Proxies: proxies}
	const lan = "192.168.1.9:1"
	for name, tt := range map[string]struct {
		way    Way
		public string
		r      *http.Request
		want   security
	}{
		"own authority":     {own, "", by(came("GET", "https://192.168.1.5:8443/", lan, "")), security{HTTPS: true, SelfSigned: true, Fingerprint: print, CAURL: "/ca", HTTPSURL: "https://192.168.1.5:8443"}},
		"own files":         {Way{TLS: true}, "", by(came("GET", "https://box.lan/", lan, "")), security{HTTPS: true, HTTPSURL: "https://box.lan"}},
		"plain":             {plain, "", came("GET", "http://192.168.1.5:8080/", lan, ""), security{Why: "no_https"}},
		"plain, this one":   {plain, "", came("GET", "http://127.0.0.1:8080/", "127.0.0.1:1", ""), security{}},
		"plain, by name":    {plain, "", came("GET", "http://callbox.localhost:8080/", "127.0.0.1:1", ""), security{}},
		"past the proxy":    {plain, "https://box.example", came("GET", "http://192.168.1.5:8080/", lan, ""), security{HTTPSURL: "https://box.example", Why: "use_https"}},
		"by the proxy":      {plain, "https://box.example", came("GET", "http://x/", "10.0.0.1:1", "", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "box.example"), security{HTTPS: true, HTTPSURL: "https://box.example"}},
		"proxy not trusted": {Way{}, "", came("GET", "http://x/", "10.0.0.1:1", "", "X-Forwarded-Proto", "https"), security{Why: "proxy_not_trusted"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *Deps) { c.Way, c.PublicURL = tt.way, tt.public })
			tt.r.URL.Path = "/api/v1/security"
			rec := w.answer(tt.r)
			var got security
			if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 200 {
				t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestStrictTransport: only for a public name, and only there.
func TestStrictTransport(t *testing.T) {
	for name, tt := range map[string]struct {
		domain string
		r      *http.Request
		want   bool
	}{
		"public name":        {"box.example", by(came("GET", "https://box.example/healthz", "1.2.3.4:1", "")), true},
		"its address":        {"box.example", by(came("GET", "https://203.0.113.1/healthz", "1.2.3.4:1", "")), false},
		"plain port":         {"box.example", came("GET", "http://box.example/healthz", "1.2.3.4:1", ""), false},
		"own authority":      {"", by(came("GET", "https://box.example/healthz", "1.2.3.4:1", "")), false},
		"public, other port": {"box.example", by(came("GET", "https://box.example:8443/healthz", "1.2.3.4:1", "")), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config, _ *Deps) { c.Way.Domain = tt.domain })
			if got := w.answer(tt.r).Header().Get("Strict-Transport-Security") != ""; got != tt.want {
				t.Errorf("sent: %v, want %v", got, tt.want)
			}
		})
	}
}
