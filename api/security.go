package api

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"callbox/internal/localca"
)

// Way is how browsers reach the box.
type Way struct {
	TLS       bool              // our own port speaks it
	Authority *x509.Certificate // the box's own, which people install; nil: none
	Domain    string            // a public name, whose certificate every browser trusts
	Proxies   []netip.Prefix    // whose X-Forwarded headers count
}

type secureKey struct{}

// asSent is a request as the browser sent it: host, scheme and address of what
// came through a trusted proxy are those that it tells. Others may write what
// they like into these headers.
func (w Way) asSent(r *http.Request) *http.Request {
	secure := r.TLS != nil
	var host, from string
	if w.proxy(address(r)) {
		if proto := last(r.Header.Values("X-Forwarded-Proto")); proto != "" {
			secure = strings.EqualFold(proto, "https")
		}
		host, from = last(r.Header.Values("X-Forwarded-Host")), w.client(r)
	}
	r = r.WithContext(context.WithValue(r.Context(), secureKey{}, secure))
	if host != "" {
		r.Host = host
	}
	if from != "" {
		r.RemoteAddr = net.JoinHostPort(from, "0")
	}
	return r
}

// proxy says whether an address is a trusted proxy's.
func (w Way) proxy(from string) bool {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		return false
	}
	for _, p := range w.Proxies {
		if p.Contains(addr.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// client is the last address of X-Forwarded-For that is no proxy of ours: what
// stands before it the client may have made up. "" is none.
func (w Way) client(r *http.Request) string {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	from := ""
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := hopOf(hops[i])
		if !ok {
			break
		}
		from = hop
		if !w.proxy(hop) {
			break
		}
	}
	return from
}

// hopOf reads an entry of X-Forwarded-For; some proxies write ports.
func hopOf(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().String(), true
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap().String(), err == nil
}

// last is the entry that the nearest proxy wrote.
func last(values []string) string {
	all := strings.Split(strings.Join(values, ","), ",")
	return strings.TrimSpace(all[len(all)-1])
}

// secure says whether a browser came by https, as far as the box can know.
func (a *API) secure(r *http.Request) bool {
	secure, _ := r.Context().Value(secureKey{}).(bool)
	return secure
}

// strict keeps browsers on https (RFC 6797), for a month, where the name is a
// public one. With any other certificate it would lock people out whose browser
// does not know the authority yet.
func (a *API) strict(w http.ResponseWriter, r *http.Request) {
	if d := a.cfg.Way.Domain; d != "" && a.secure(r) && strings.EqualFold(hostOf(r), d) {
		w.Header().Set("Strict-Transport-Security", "max-age=2592000")
	}
}

// hostOf is the host that a request asks for, without port.
func hostOf(r *http.Request) string {
	u, err := url.Parse("//" + r.Host)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// security is what the log-in page needs to say why there is no microphone:
// browsers give it to pages of https and of this machine only.
type security struct {
	HTTPS       bool   `json:"https" doc:"this request came by https"`
	SelfSigned  bool   `json:"self_signed" doc:"the certificate is of the box's own authority"`
	Fingerprint string `json:"fingerprint" doc:"SHA-256 of that authority's certificate, AB:CD:…; empty without"`
	CAURL       string `json:"ca_url" doc:"the page that tells how to install it; empty without"`
	HTTPSURL    string `json:"https_url" doc:"where the pages are to be had by https; empty where that is not known"`
	Why         string `json:"why" enum:",use_https,no_https,proxy_not_trusted" doc:"why browsers give no microphone; empty: they do"`
}

// Reasons why browsers give no microphone.
const (
	useHTTPS        = "use_https"         // there is https, elsewhere
	noHTTPS         = "no_https"          // http.tls is not set
	proxyNotTrusted = "proxy_not_trusted" // https ends at a proxy that http.trusted_proxies does not name
)

type securityOut struct{ Body security }

func (a *API) security(ctx context.Context, _ *struct{}) (*securityOut, error) {
	r := requestOf(ctx)
	s := security{HTTPS: a.secure(r), HTTPSURL: a.httpsURL(r)}
	if c := a.cfg.Way.Authority; c != nil {
		s.SelfSigned, s.Fingerprint, s.CAURL = true, localca.Fingerprint(c), "/ca"
	}
	switch {
	case s.HTTPS || thisMachine(hostOf(r)):
	case strings.EqualFold(last(r.Header.Values("X-Forwarded-Proto")), "https"):
		s.Why = proxyNotTrusted
	case s.HTTPSURL != "":
		s.Why = useHTTPS
	default:
		s.Why = noHTTPS
	}
	return &securityOut{Body: s}, nil
}

// httpsURL is where the pages are by https.
func (a *API) httpsURL(r *http.Request) string {
	switch {
	case a.secure(r):
		return "https://" + r.Host
	case strings.HasPrefix(a.origin, "https://"):
		return a.origin
	}
	return ""
}

// thisMachine says whether a host is the browser's own machine, whose pages
// count as secure (W3C Secure Contexts §3.1).
func thisMachine(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
