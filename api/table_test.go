package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// pathOf fills a route's path with ids that exist nowhere.
func pathOf(rt route) string {
	path := rt.path
	for name := range params(rt.path) {
		path = strings.ReplaceAll(path, "{"+name+"}", "nothing-"+name)
	}
	return path
}

// TestEveryRouteKnowsItsRoles walks the router's own table: every route as
// nobody, as every role, and with a key of every scope. Who is let in meets
// something else than 401 and 403.
func TestEveryRouteKnowsItsRoles(t *testing.T) {
	w := newWorld(t)
	nobody, roles := w.browser(), map[Role]*browser{}
	for _, role := range Roles {
		roles[role] = w.login(string(role))
	}
	for _, rt := range w.api.routes {
		if rt.path == "/api/v1/logout" || rt.path == "/api/v1/ws" {
			continue // have tests of their own
		}
		if rt.access.door {
			continue // tested in its own package
		}
		path := pathOf(rt)
		check := func(who string, b *browser, want int, headers ...string) {
			t.Helper()
			got, body := b.do(rt.method, path, nil, headers...)
			refused := got == http.StatusUnauthorized || got == http.StatusForbidden
			if want != 0 && got != want || want == 0 && refused {
				t.Errorf("%s %s as %s = %d, want %d (0: let in): %s", rt.method, path, who, got, want, body)
			}
			if rt.mount == nil && want == 0 && got != http.StatusNotImplemented {
				t.Errorf("%s %s as %s = %d, want 501", rt.method, path, who, got)
			}
		}
		want := http.StatusUnauthorized
		if rt.access.open {
			want = 0
		}
		check("nobody", nobody, want)
		check("a wrong key", nobody, want, "Authorization", "Bearer wrong")
		for _, role := range Roles {
			want := http.StatusForbidden
			if rt.access.open || slices.Contains(rt.access.roles, role) {
				want = 0
			}
			if rt.path == "/api/v1/sms/jobs" && rt.method == "DELETE" && role == Agent {
				continue // 422 without ?ref, 403 with it
			}
			check(string(role), roles[role], want)
		}
		for _, scope := range Scopes {
			want := http.StatusForbidden
			if rt.access.open || slices.Contains(rt.access.scopes, scope) {
				want = 0
			}
			check("key "+scope, nobody, want, bearerOf(scope)...)
		}
	}
}

// TestEveryRouteChangesNothingFromElsewhere sends every route that is no GET
// from another site's page.
func TestEveryRouteChangesNothingFromElsewhere(t *testing.T) {
	w := newWorld(t)
	b := w.login("admin")
	for _, rt := range w.api.routes {
		if rt.method == "GET" {
			continue
		}
		for name, headers := range map[string][]string{
			"Origin":         {"Origin", "https://evil.example"},
			"Origin null":    {"Origin", "null"},
			"Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site"},
			"same-site":      {"Sec-Fetch-Site", "same-site"},
		} {
			if status, body := b.do(rt.method, pathOf(rt), nil, headers...); status != http.StatusForbidden {
				t.Errorf("%s %s with %s = %d %s, want 403", rt.method, rt.path, name, status, body)
			}
		}
	}
	if status, _ := b.do("GET", "/api/v1/me", nil, "Origin", w.srv.URL); status != 200 {
		t.Errorf("me afterwards = %d, want 200: nobody was logged out", status)
	}
}

// TestEveryCommandKnowsItsRoles walks the commands as HTTP serves them.
func TestEveryCommandKnowsItsRoles(t *testing.T) {
	w := newWorld(t)
	roles := map[Role]*browser{}
	for _, role := range Roles {
		roles[role] = w.login(string(role))
	}
	for name, c := range commands {
		if !c.onCall {
			continue
		}
		for _, role := range Roles {
			got, body := roles[role].do("POST", "/api/v1/calls/none/"+name, "{}")
			allowed := slices.Contains(c.access.roles, role)
			if allowed != (got != http.StatusForbidden) {
				t.Errorf("%s as %s = %d %s, allowed %t", name, role, got, body, allowed)
			}
			if allowed && c.run == nil && got != http.StatusNotImplemented {
				t.Errorf("%s as %s = %d, want 501", name, role, got)
			}
		}
	}
}

func TestOpenAPINamesEveryRoute(t *testing.T) {
	w := newWorld(t)
	_, body := w.browser().do("GET", "/openapi.json", nil)
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, rt := range w.api.routes {
		op, ok := doc.Paths[rt.path][strings.ToLower(rt.method)].(map[string]any)
		if !ok {
			t.Errorf("%s is not in the description", rt.pattern())
			continue
		}
		id := fmt.Sprint(op["operationId"])
		if other := ids[id]; other != "" {
			t.Errorf("%s and %s are both called %s", rt.pattern(), other, id)
		}
		ids[id] = rt.pattern()
	}
}

func TestDocsNeedNoScript(t *testing.T) {
	w := newWorld(t)
	status, body := w.browser().do("GET", "/docs", nil)
	if status != 200 || strings.Contains(body, "<script") || !strings.Contains(body, "/api/v1/sms/jobs") || !strings.Contains(body, "setAgentState") {
		t.Errorf("docs = %d %s", status, body)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	b := w.login("admin")
	for _, tt := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/api/v1/nothing", 404, "no such path"},
		{"PATCH", "/api/v1/calls", 405, "method"},
		{"PUT", "/api/v1/me", 405, "method"},
		{"GET", "/some/page", 200, "page"},
		{"GET", "/", 200, "page"},
	} {
		status, body := b.do(tt.method, tt.path, nil)
		if status != tt.status || !strings.Contains(body, tt.body) {
			t.Errorf("%s %s = %d %s, want %d %s", tt.method, tt.path, status, body, tt.status, tt.body)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/api/v1/me", "/healthz", "/docs", "/openapi.json", "/api/nothing"} {
		resp := w.browser().send("GET", path, nil)
		resp.Body.Close()
		for key, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		} {
			if got := resp.Header.Get(key); got != want {
				t.Errorf("%s: %s = %q, want %q", path, key, got, want)
			}
		}
	}
}

func TestPanicEndsOnlyItsRequest(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) {
		c.Pages = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	})
	status, body := w.browser().do("GET", "/", nil)
	if status != 500 || strings.Contains(body, "boom") {
		t.Errorf("= %d %s, want 500 without details", status, body)
	}
	if status, _ := w.browser().do("GET", "/healthz", nil); status != 200 {
		t.Errorf("healthz afterwards = %d", status)
	}
}
