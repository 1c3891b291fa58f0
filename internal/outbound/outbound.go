// Package outbound makes HTTP clients that may be given URLs by strangers:
// they do not connect to this machine or into its networks (SSRF). The check
// is made on the address that is connected to, so that no name, redirect or
// second answer of a name server gets round it. It runs no goroutine of its
// own and knows nothing of what is fetched.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of a client; a request's own limit is its context's.
const (
	connectTime  = 5 * time.Second
	idleTime     = 60 * time.Second
	idlePerHost  = 8
	maxRedirects = 3
)

// ErrForbidden: the address is this machine's, a private network's, or one of
// no host in the Internet, and is not allowed.
var ErrForbidden = errors.New("the address is not allowed")

// closed are networks that a stranger's URL must not reach beside those that
// netip names: IANA's special-purpose registries for IPv4 and IPv6.
var closed = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16",
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// Permitted says whether a stranger's URL may lead to addr. Error:
// [ErrForbidden].
func Permitted(addr netip.Addr, allow []netip.Prefix) error {
	addr = addr.Unmap().WithZone("")
	for _, p := range allow {
		if p.Contains(addr) {
			return nil
		}
	}
	bad := !addr.IsGlobalUnicast() || addr.IsPrivate() // loopback, link-local, multicast, unspecified are not global
	for _, p := range closed {
		bad = bad || p.Contains(addr)
	}
	if bad {
		return fmt.Errorf("%w: %s", ErrForbidden, addr)
	}
	return nil
}

// CheckURL says what is wrong with a URL that a stranger gives, as far as it
// can be told without asking for its name.
func CheckURL(raw string, allow []netip.Prefix) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a URL")
	}
	if err := checkScheme(u); err != nil {
		return err
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return Permitted(addr, allow)
	}
	if here(u.Hostname()) {
		return Permitted(netip.AddrFrom4([4]byte{127, 0, 0, 1}), allow)
	}
	return nil
}

// here says whether a name is this machine's everywhere (RFC 6761, 6.3).
func here(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func checkScheme(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return errors.New("not an http or https URL")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("%s is no port", p)
		}
	}
	return nil
}

// Client makes a client. A trusted one, for URLs of the configuration, connects
// anywhere as long as it stays at the URL's own host; where a redirect leads
// elsewhere, and for a client that is not trusted, only what [Permitted] lets
// through is connected to. Redirects are followed at most three times. Proxies
// of the environment are not used.
func Client(allow []netip.Prefix, trusted bool) *http.Client {
	guarded := transport(&net.Dialer{Timeout: connectTime, ControlContext: control(allow)})
	c := &http.Client{Transport: guarded, CheckRedirect: checkRedirect}
	if trusted {
		c.Transport = &home{open: transport(&net.Dialer{Timeout: connectTime}), guarded: guarded}
	}
	return c
}

func transport(d *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: connectTime,
		MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTime,
	}
}

// control is called with the very address before it is connected to.
func control(allow []netip.Prefix) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", ErrForbidden, address)
		}
		return Permitted(at.Addr(), allow)
	}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return checkScheme(req.URL)
}

// home goes openly to the host that was asked for, and guarded where redirects
// lead away from it.
type home struct{ open, guarded *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (h *home) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == first(req).URL.Host {
		return h.open.RoundTrip(req)
	}
	return h.guarded.RoundTrip(req)
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls.
func (h *home) CloseIdleConnections() {
	h.open.CloseIdleConnections()
	h.guarded.CloseIdleConnections()
}

// first is the request that redirects made req of.
func first(req *http.Request) *http.Request {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	return req
}
