package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func siteWith(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{"dist/placeholder.html": {Data: []byte("make web, make build")}}
	for name, body := range files {
		all["dist/app/"+name] = &fstest.MapFile{Data: []byte(body)}
	}
	return all
}

func get(t *testing.T, h http.Handler, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPlaceholderIsCommitted(t *testing.T) {
	note, err := dist.ReadFile("dist/placeholder.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"make web", "make build", `href="/docs"`, `href="/healthz"`} {
		if !strings.Contains(string(note), want) {
			t.Errorf("placeholder.html does not say %q", want)
		}
	}
	for _, inline := range []string{"<style", "<script", "style="} {
		if strings.Contains(string(note), inline) {
			t.Errorf("placeholder.html has %q, which the policy forbids", inline)
		}
	}
}

func TestWithoutBuild(t *testing.T) {
	all := siteWith(nil)
	if _, ok := built(all); ok {
		t.Fatal("built = true without index.html")
	}
	h := handler(all, nil)
	for path, want := range map[string]int{"/": 503, "/calls": 503, "/assets/a.js": 503, "/api/v1/none": 404} {
		if got := get(t, h, "GET", path, nil).StatusCode; got != want {
			t.Errorf("GET %s = %d, want %d", path, got, want)
		}
	}
	if got := body(t, get(t, h, "GET", "/", nil)); !strings.Contains(got, "make web") {
		t.Errorf("GET / says %q", got)
	}
}

func TestServing(t *testing.T) {
	h := handler(siteWith(map[string]string{
		"index.html": "<!doctype html><title>x</title>", "assets/app-1a2b.js": "let x", "favicon.svg": "<svg/>",
	}), nil)
	for name, tt := range map[string]struct {
		method, path string
		status       int
		kind, cache  string
	}{
		"root":          {"GET", "/", 200, "text/html; charset=utf-8", "no-store"},
		"page":          {"GET", "/calls/42", 200, "text/html; charset=utf-8", "no-store"},
		"head":          {"HEAD", "/", 200, "text/html; charset=utf-8", "no-store"},
		"hashed":        {"GET", "/assets/app-1a2b.js", 200, "text/javascript; charset=utf-8", forEver},
		"plain file":    {"GET", "/favicon.svg", 200, "image/svg+xml", askAgain},
		"missing file":  {"GET", "/assets/old.js", 404, "text/plain; charset=utf-8", ""},
		"below api":     {"GET", "/api/v1/nothing", 404, "text/plain; charset=utf-8", ""},
		"api itself":    {"GET", "/api", 404, "text/plain; charset=utf-8", ""},
		"climbing":      {"GET", "/../../etc/passwd.x", 404, "text/plain; charset=utf-8", ""},
		"not for forms": {"POST", "/", 405, "text/plain; charset=utf-8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := get(t, h, tt.method, tt.path, nil)
			if r.StatusCode != tt.status {
				t.Errorf("status = %d, want %d", r.StatusCode, tt.status)
			}
			if got := r.Header.Get("Content-Type"); got != tt.kind {
				t.Errorf("Content-Type = %q, want %q", got, tt.kind)
			}
			if got := r.Header.Get("Cache-Control"); got != tt.cache {
				t.Errorf("Cache-Control = %q, want %q", got, tt.cache)
			}
			if got := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, policy) {
				t.Errorf("Content-Security-Policy = %q", got)
			}
		})
	}
}

func TestCompressedAndCached(t *testing.T) {
	long := strings.Repeat("text ", 500)
	h := handler(siteWith(map[string]string{"index.html": "x", "assets/a-1.css": long}), nil)
	r := get(t, h, "GET", "/assets/a-1.css", http.Header{"Accept-Encoding": {"br, gzip"}})
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("Content-Encoding = %q, want gzip", r.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != long {
		t.Errorf("unpacked %d bytes, %v; want %d", len(got), err, len(long))
	}
	plain := get(t, h, "GET", "/assets/a-1.css", http.Header{"Accept-Encoding": {"gzip;q=0"}})
	if got := body(t, plain); plain.Header.Get("Content-Encoding") != "" || got != long {
		t.Error("gzip;q=0 was answered with gzip")
	}
	again := get(t, h, "GET", "/assets/a-1.css", http.Header{"If-None-Match": {plain.Header.Get("ETag")}})
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match = %d, want 304", again.StatusCode)
	}
}

func TestNonce(t *testing.T) {
	h := handler(siteWith(map[string]string{"index.html": `<meta content="STYLE-NONCE">`}), nil)
	nonces := map[string]bool{}
	for range 2 {
		r := get(t, h, "GET", "/recordings", nil)
		_, nonce, _ := strings.Cut(r.Header.Get("Content-Security-Policy"), "style-src 'self' 'nonce-")
		nonce = strings.TrimSuffix(nonce, "'")
		if got := body(t, r); len(nonce) < 20 || !strings.Contains(got, nonce) {
			t.Errorf("the page is %q, the nonce %q", got, nonce)
		}
		nonces[nonce] = true
	}
	if len(nonces) != 2 {
		t.Errorf("nonces = %v, want two", nonces)
	}
}

func TestFrames(t *testing.T) {
	h := handler(siteWith(map[string]string{"index.html": "x"}), func() Frames {
		return Frames{Around: []string{"https://crm.example"}, Within: []string{"https://tickets.example"}}
	})
	for path, want := range map[string]string{
		"/embed":  "frame-ancestors https://crm.example;",
		"/":       "frame-ancestors 'none';",
		"/embed/": "frame-ancestors https://crm.example;",
		"/calls":  "; frame-src https://tickets.example",
	} {
		if got := get(t, h, "GET", path, nil).Header.Get("Content-Security-Policy"); !strings.Contains(got, want) {
			t.Errorf("GET %s: policy %q, want %q in it", path, got, want)
		}
	}
	h = handler(siteWith(map[string]string{"index.html": "x"}), nil)
	if got := get(t, h, "GET", "/", nil).Header.Get("Content-Security-Policy"); strings.Contains(got, "frame-src") {
		t.Errorf("without frames: policy %q", got)
	}
}
