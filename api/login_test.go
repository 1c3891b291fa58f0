package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/storage"
)

func TestLogin(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Secure = true })
	resp := w.browser().send("POST", "/api/v1/login", map[string]string{"user": "1001", "password": "secret"})
	defer resp.Body.Close()
	set := resp.Header.Get("Set-Cookie")
	for _, want := range []string{"callbox_session=", "HttpOnly", "SameSite=Strict", "Secure", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("Set-Cookie %q lacks %s", set, want)
		}
	}
	if d := w.desks["1001"]; d.State != "notReady" || d.Reason != "login" {
		t.Errorf("desk = %+v, want notReady login", d)
	}
}

func TestMeAndLogout(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	status, body := b.do("GET", "/api/v1/me", nil)
	if status != 200 || strings.TrimSpace(body) != `{"user":"1001","role":"agent","name":"A 1001"}` {
		t.Errorf("me = %d %s", status, body)
	}
	old := b.client.Jar.Cookies(w.url())
	if status, _ := b.do("POST", "/api/v1/logout", nil); status != http.StatusNoContent {
		t.Errorf("logout = %d", status)
	}
	if w.desks["1001"].State != "loggedOff" {
		t.Errorf("desk = %+v, want loggedOff", w.desks["1001"])
	}
	if status, _ := b.do("GET", "/api/v1/me", nil); status != 401 {
		t.Errorf("me after logout = %d", status)
	}
	b.client.Jar.SetCookies(w.url(), old)
	if status, _ := b.do("GET", "/api/v1/me", nil); status != 401 {
		t.Errorf("me with the stolen cookie = %d, want 401", status)
	}
}

func (w *world) url() *url.URL {
	u, err := url.Parse(w.srv.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func TestNewIDAtLogin(t *testing.T) {
	w := newWorld(t)
	b := w.login("1001")
	before := b.client.Jar.Cookies(w.url())
	if status, _ := b.do("POST", "/api/v1/login", map[string]string{"user": "supervisor", "password": "secret"}); status != 200 {
		t.Fatal(status)
	}
	b.client.Jar.SetCookies(w.url(), before)
	if status, _ := b.do("GET", "/api/v1/me", nil); status != 401 {
		t.Errorf("the session before the log-in = %d, want 401", status)
	}
}

func TestSessionEndsWithThePasswordAndTheUser(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(){
		"another password": func() { w.users["1001"] = storage.Agent{ID: "1001", Role: "agent", PasswordHash: "other"} },
		"removed":          func() { delete(w.users, "1001") },
	} {
		w.users["1001"] = storage.Agent{ID: "1001", Role: "agent", PasswordHash: secretHash}
		b := w.login("1001")
		w.mu.Lock()
		change()
		w.mu.Unlock()
		if status, _ := b.do("GET", "/api/v1/me", nil); status != 401 {
			t.Errorf("%s: me = %d, want 401", name, status)
		}
	}
}

func TestWrongLoginsLookAlike(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	_, known := b.do("POST", "/api/v1/login", map[string]string{"user": "1001", "password": "wrong"})
	status, unknown := b.do("POST", "/api/v1/login", map[string]string{"user": "9999", "password": "wrong"})
	if status != 401 || known != unknown {
		t.Errorf("known %s, unknown %d %s", known, status, unknown)
	}
}

func TestGuessingIsSlow(t *testing.T) {
	w := newWorld(t)
	var told bytes.Buffer
	w.api.log = slog.New(slog.NewTextHandler(&told, nil))
	counts := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			status, _ := w.browser().do("POST", "/api/v1/login", map[string]string{"user": "1001", "password": fmt.Sprint("guess", i)})
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	wg.Wait()
	if counts[401] == 0 || counts[401] > 6 || counts[401]+counts[429] != 100 {
		t.Errorf("answers = %v, want 6 evaluated at most, the rest 429", counts)
	}
	if log := told.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "user=1001 address=127.0.0.1") || strings.Contains(log, "guess") {
		t.Errorf("told %q, want it once", log)
	}
	resp := w.browser().send("POST", "/api/v1/login", map[string]string{"user": "1001", "password": "secret"})
	resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the right one meanwhile = %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if status, _ := w.browser().do("POST", "/api/v1/login", map[string]string{"user": "1002", "password": "secret"}); status != 200 {
		t.Errorf("another user = %d, want 200", status)
	}
}

func TestDelayGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		judged := 0
		for range 1000 {
			if l.try("a", time.Now()) == 0 {
				judged++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if judged > 20 {
			t.Errorf("%d of 1000 tries in 100 s judged, want 20 at most", judged)
		}
		l.good("a")
		if wait := l.try("a", time.Now()); wait != 0 {
			t.Errorf("after a good one: wait %v", wait)
		}
	})
}

func TestLimiterForgets(t *testing.T) {
	var l limiter
	now := time.Now()
	for i := range manyTries + 10 {
		l.try(fmt.Sprint(i), now)
	}
	if n := len(l.tries); n > manyTries {
		t.Errorf("%d entries kept, want %d at most", n, manyTries)
	}
}

func TestBadLoginBodies(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		body   string
		status int
		words  string
	}{
		{`{"user":`, 400, "body"},
		{``, 400, "required"},
		{`{"user":"a"}`, 422, "password"},
		{`{"user":"a","password":"b","colour":1}`, 422, "colour"},
		{`{"User":"a","password":"b"}`, 422, "body.User"},
		{`{"user":7,"password":"b"}`, 422, "body.user"},
	} {
		status, body := w.browser().do("POST", "/api/v1/login", tt.body)
		if status != tt.status || !strings.Contains(body, tt.words) {
			t.Errorf("%s = %d %s, want %d with %s", tt.body, status, body, tt.status, tt.words)
		}
	}
}

func TestBodyTooLarge(t *testing.T) {
	w := newWorld(t)
	status, body := w.login("admin").do("POST", "/api/v1/sms/jobs", `{"text":"`+strings.Repeat("x", maxBody)+`"}`)
	if status != 413 {
		t.Errorf("= %d %.100s, want 413", status, body)
	}
}
