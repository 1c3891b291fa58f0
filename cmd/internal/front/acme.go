package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"callbox/cmd/internal/config"
)

// challengeProtocol is what an authority asks for to see that the domain is
// ours (RFC 8737 §6.2).
const challengeProtocol = "acme-tls/1"

// authority is a certificate that a public authority, or a house's own, signs
// by ACME. It sees that the domain is ours over TLS at port 443 or, where there
// is a plain port, over HTTP at port 80; both have to lead here.
type authority struct {
	domain  string
	log     *slog.Logger
	cache   *certmagic.Cache
	magic   *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	trouble trouble
}

// openACME prepares; nothing is asked of the authority before keep. plain may
// be nil.
func openACME(cfg config.ACME, folder string, port, plain net.Listener, log *slog.Logger) (*authority, error) {
	a := &authority{domain: cfg.Domain, log: log}
	issuer := certmagic.ACMEIssuer{
		CA: cfg.CA, Email: cfg.Email, Agreed: true, Logger: zap.NewNop(), // events tell what matters
		ListenHost: hostOf(port), AltTLSALPNPort: portOf(port), DisableHTTPChallenge: plain == nil,
	}
	if plain != nil {
		issuer.AltHTTPPort = portOf(plain)
	}
	if cfg.CAFile != "" {
		text, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("acme.ca_file: %w", err)
		}
		issuer.TrustedRoots = x509.NewCertPool()
		if !issuer.TrustedRoots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("acme.ca_file: no certificate in %s", cfg.CAFile)
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of ACME: %w", err)
	}
	a.trouble.err = fmt.Errorf("no certificate for %s yet", cfg.Domain)
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil }, Logger: zap.NewNop(),
	})
	a.magic = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: folder}, Logger: zap.NewNop(), OnEvent: a.hear,
		// Browsers that come by an address see the certificate, too.
		DefaultServerName: cfg.Domain, FallbackServerName: cfg.Domain,
	})
	a.issuer = certmagic.NewACMEIssuer(a.magic, issuer)
	a.magic.Issuers = []certmagic.Issuer{a.issuer}
	return a, nil
}

func hostOf(l net.Listener) string {
	ip := l.Addr().(*net.TCPAddr).IP
	if ip.IsUnspecified() {
		return ""
	}
	return ip.String()
}

// hear notes what became of a certificate.
func (a *authority) hear(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_failed":
		err, _ := data["error"].(error)
		a.trouble.note(fmt.Errorf("no certificate for %s: %w", a.domain, err), a.log,
			"the authority signed nothing; it is asked again later. It has to reach this port at the domain's port 443, or http.redirect at port 80")
	case "cert_obtained":
		a.trouble.note(nil, a.log, "")
		a.log.Info("certificate signed by the authority", "domain", a.domain, "renewed", data["renewal"])
	case "cached_managed_cert":
		a.trouble.note(nil, a.log, "")
	}
	return nil
}

func (a *authority) show(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.magic.GetCertificate(hello)
}

// again does nothing: the library asks again by itself.
func (a *authority) again() {}

// keep gets the certificate and renews it until ctx ends.
func (a *authority) keep(ctx context.Context) error {
	defer a.cache.Stop()
	if err := a.magic.ManageAsync(ctx, []string{a.domain}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (a *authority) state() error { return a.trouble.last() }

func (a *authority) challenged(w http.ResponseWriter, r *http.Request) bool {
	return a.issuer.HandleHTTPChallenge(w, r)
}
