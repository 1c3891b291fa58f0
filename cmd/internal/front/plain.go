package front

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// plainly is what the plain port answers: what a browser needs before it can
// trust the other one, a sign of life, an authority's challenge; all else is
// led to https.
func (f *Front) plainly(face http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case f.challenged(w, r):
		case r.URL.Path == "/healthz", r.URL.Path == "/ca", strings.HasPrefix(r.URL.Path, "/ca."):
			face.ServeHTTP(w, r)
		default:
			f.lead(w, r)
		}
	})
}

func (f *Front) challenged(w http.ResponseWriter, r *http.Request) bool {
	a, ok := f.source.(*authority)
	return ok && a.challenged(w, r)
}

// lead sends a browser to the same place by https: under the host that it came
// to, unless that is the public one, whose port may differ from ours. 307 keeps
// method and body (RFC 9110 §15.4.8).
func (f *Front) lead(w http.ResponseWriter, r *http.Request) {
	asked, err := url.Parse("//" + r.Host)
	if err != nil || asked.Hostname() == "" || !strings.HasPrefix(r.URL.Path, "/") {
		http.Error(w, "https is spoken here", http.StatusBadRequest)
		return
	}
	base := "https://" + withPort(asked.Hostname(), portOf(f.port))
	if public, err := url.Parse(f.cfg.HTTP.PublicURL); err == nil && public.Scheme == "https" && strings.EqualFold(public.Hostname(), asked.Hostname()) {
		base = "https://" + public.Host
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, base+r.URL.RequestURI(), http.StatusTemporaryRedirect)
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// withPort is host with port, unless that is https's own.
func withPort(host string, port int) string {
	if port != 443 {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
