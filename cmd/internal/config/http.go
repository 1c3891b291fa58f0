package config

import (
	"crypto/tls"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// HTTP is where programs and browsers come in.
type HTTP struct {
	Listen         string         `yaml:"listen"`
	TLS            TLS            `yaml:"tls"`
	Redirect       string         `yaml:"redirect"` // a plain port that leads to the one above
	PublicURL      string         `yaml:"public_url"`
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded headers count
}

// TLS is what the port shows, one of three; with none it speaks plain HTTP.
type TLS struct {
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	SelfSigned bool   `yaml:"self_signed"`
	ACME       ACME   `yaml:"acme"`
}

// ACME is an authority that signs by RFC 8555.
type ACME struct {
	Domain string `yaml:"domain"`
	Email  string `yaml:"email"`
	CA     string `yaml:"ca"`      // the directory's URL; Let's Encrypt
	CAFile string `yaml:"ca_file"` // who signed the directory's certificate, if it is private
}

// Files says whether the certificate comes from files.
func (t TLS) Files() bool { return t.CertFile != "" || t.KeyFile != "" }

// On says whether the port speaks TLS.
func (t TLS) On() bool { return t.Files() || t.SelfSigned || t.ACME != (ACME{}) }

// paths are those of the section, to be made absolute.
func (h *HTTP) paths() []*string {
	return []*string{&h.TLS.CertFile, &h.TLS.KeyFile, &h.TLS.ACME.CAFile}
}

func (h HTTP) check(d *document) {
	d.checkAddress("http.listen", h.Listen)
	if h.PublicURL != "" {
		d.checkURL("http.public_url", h.PublicURL)
	}
	if h.Redirect != "" {
		h.checkRedirect(d)
	}
	for _, p := range h.TrustedProxies {
		if p.Bits() == 0 {
			d.reject("http.trusted_proxies", "%v is everybody: anybody could pretend to be anybody", p)
		}
	}
	h.TLS.check(d)
}

func (h HTTP) checkRedirect(d *document) {
	d.checkAddress("http.redirect", h.Redirect)
	if !h.TLS.On() {
		d.reject("http.redirect", "has no https to lead to: http.tls is not set")
	}
	if _, port, err := net.SplitHostPort(h.Redirect); err == nil && h.Redirect == h.Listen && port != "0" {
		d.reject("http.redirect", "%s is http.listen's address", h.Redirect)
	}
}

func (t TLS) check(d *document) {
	ways := 0
	for _, way := range []bool{t.Files(), t.SelfSigned, t.ACME != (ACME{})} {
		if way {
			ways++
		}
	}
	if ways > 1 {
		d.reject("http.tls", "is one of self_signed, cert_file with key_file, and acme")
	}
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		d.reject("http.tls.cert_file", "stands without key_file")
	case t.KeyFile != "" && t.CertFile == "":
		d.reject("http.tls.key_file", "stands without cert_file")
	}
	if t.ACME != (ACME{}) {
		t.ACME.check(d)
	}
}

// checkFiles tries the files; their paths are absolute by now.
func (t TLS) checkFiles(d *document) {
	if t.CertFile != "" && t.KeyFile != "" {
		if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
			d.reject("http.tls.cert_file", "%v", err)
		}
	}
	if t.ACME.CAFile != "" {
		if _, err := os.ReadFile(t.ACME.CAFile); err != nil {
			d.reject("http.tls.acme.ca_file", "%v", err)
		}
	}
}

const domainPath = "http.tls.acme.domain"

// domainName is a name of at least two labels (RFC 1123 §2.1).
var domainName = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// private are ends of names that no public authority signs (RFC 6761, RFC 6762,
// RFC 8375, and .internal, which ICANN set aside).
var private = []string{".local", ".localhost", ".test", ".invalid", ".example", ".internal", ".lan", ".home.arpa"}

func (a ACME) check(d *document) {
	_, notIP := netip.ParseAddr(strings.Trim(a.Domain, "[]"))
	switch {
	case a.Domain == "":
		d.reject("http.tls.acme", "wants a domain")
	case notIP == nil:
		d.reject(domainPath, "%q is an address: a name is signed for; for addresses there is self_signed", a.Domain)
	case strings.HasPrefix(a.Domain, "*."):
		d.reject(domainPath, "%q: names with * are %s", a.Domain, notYet)
	case !domainName.MatchString(a.Domain) || len(a.Domain) > 253:
		d.reject(domainPath, "%q is no domain such as callbox.example.com", a.Domain)
	case a.CA == "" && endsIn(a.Domain, private):
		d.reject(domainPath, "%q is no public name: no public authority signs it; give ca, or use self_signed", a.Domain)
	}
	if _, err := mail.ParseAddress(a.Email); err != nil && a.Email != "" {
		d.reject("http.tls.acme.email", "%q is no mail address", a.Email)
	}
	if u, err := url.Parse(a.CA); a.CA != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		d.reject("http.tls.acme.ca", "%q is no https URL of a directory", a.CA)
	}
	if a.CAFile != "" && a.CA == "" {
		d.reject("http.tls.acme.ca_file", "stands without ca")
	}
}

func endsIn(name string, ends []string) bool {
	for _, end := range ends {
		if strings.HasSuffix(strings.ToLower(name), end) {
			return true
		}
	}
	return false
}
