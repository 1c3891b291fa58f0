package outbound_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"callbox/internal/outbound"
)

func TestPermitted(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "223.5.5.5": true, "2400:3200::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "fd00::1": false, "fe80::1%eth0": false,
		"169.254.169.254": false, "100.100.100.200": false, "224.0.0.1": false, "255.255.255.255": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "198.18.0.1": false,
	} {
		err := outbound.Permitted(netip.MustParseAddr(addr), nil)
		if (err == nil) != want || (err != nil && !errors.Is(err, outbound.ErrForbidden)) {
			t.Errorf("Permitted(%s) = %v", addr, err)
		}
	}
	if err := outbound.Permitted(netip.MustParseAddr("10.1.2.3"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err != nil {
		t.Errorf("an allowed network: %v", err)
	}
}

func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://tickets.example/hook": true, "http://8.8.8.8/": true,
		"ftp://tickets.example/": false, "tickets.example": false, "http://": false, "http://[::1]/": false,
		"http://127.0.0.1:8080/": false, "http://%zz/": false, "http://[::ffff:7f00:1]/": false,
		"http://localhost:8080/": false, "http://box.LocalHost./": false, "http://localhost.example/": true,
		"http://tickets.example:99999/": false, "http://tickets.example:0/": false, "http://tickets.example:65535/": true,
	} {
		if err := outbound.CheckURL(raw, nil); (err == nil) != want {
			t.Errorf("CheckURL(%q) = %v", raw, err)
		}
	}
}

// inner is a server on loopback whose /to/N redirects N times.
func inner(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var left int
		if n, _ := fmt.Sscanf(r.URL.Path, "/to/%d", &left); n == 1 && left > 0 {
			http.Redirect(w, r, fmt.Sprintf("/to/%d", left-1), http.StatusTemporaryRedirect)
			return
		}
		if to := r.URL.Query().Get("away"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func get(c *http.Client, url string) error {
	res, err := c.Get(url)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func TestStrangersStayOut(t *testing.T) {
	s := inner(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.Client(nil, false)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:7f00:1]", "2130706433", "0x7f000001", "127.1"} {
		if err := get(c, "http://"+host+":"+u.Port()+"/"); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	if err := get(c, s.URL); !errors.Is(err, outbound.ErrForbidden) {
		t.Errorf("loopback: %v, want ErrForbidden", err)
	}
	allowed := outbound.Client([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, false)
	if err := get(allowed, s.URL); err != nil {
		t.Errorf("an allowed network: %v", err)
	}
}

func TestTrustEndsAtRedirects(t *testing.T) {
	s, other := inner(t), inner(t)
	c := outbound.Client(nil, true)
	if err := get(c, s.URL+"/to/3"); err != nil {
		t.Errorf("three redirects at home: %v", err)
	}
	if err := get(c, s.URL+"/to/4"); err == nil {
		t.Error("four redirects were followed")
	}
	if err := get(c, s.URL+"/?away="+url.QueryEscape(other.URL)); !errors.Is(err, outbound.ErrForbidden) {
		t.Errorf("redirected to another host of this machine: %v, want ErrForbidden", err)
	}
	if err := get(c, s.URL+"/?away="+url.QueryEscape(other.URL+"/to/1")); !errors.Is(err, outbound.ErrForbidden) {
		t.Errorf("and on: %v, want ErrForbidden", err)
	}
	if err := get(c, s.URL+"/?away="+url.QueryEscape("file:///etc/passwd")); err == nil {
		t.Error("a file was followed")
	}
}
