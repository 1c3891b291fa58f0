// Package front is where programs and browsers come in: the port of the pages,
// plain or with a certificate, and beside it, if wanted, a plain one that leads
// there.
//
// [Open] binds both ports, [Front.Run] answers on them and keeps the
// certificate: the box's own, which follows its addresses; two files, which are
// read again when they change; or one that an authority signs by ACME (RFC
// 8555). Handshakes see each change at once. It knows nothing of what is
// served.
package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"callbox/api"
	"callbox/cmd/internal/config"
	"callbox/internal/guard"
)

// grace is how long requests under way may take when the daemon stops.
const grace = 2 * time.Second

// Config is what a front is told once.
type Config struct {
	HTTP config.HTTP
	Data string // the folder below which ca/ and acme/ lie
	Log  *slog.Logger
}

// Front is the ports. Its methods may be called from any goroutine.
type Front struct {
	cfg         Config
	log         *slog.Logger
	port, plain net.Listener // plain: nil without a redirect
	source      source       // nil: port is plain
}

// source is where the certificate comes from.
type source interface {
	show(*tls.ClientHelloInfo) (*tls.Certificate, error)
	keep(context.Context) error // until ctx ends, which is no error
	again()                     // looks for a newer one now
	state() error               // what is wrong with it, or will be soon
}

// Open binds the ports and makes what they show. Nothing is answered before
// Run.
func Open(ctx context.Context, cfg Config) (_ *Front, err error) {
	f := &Front{cfg: cfg, log: cfg.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var d net.ListenConfig
	if f.port, err = d.Listen(ctx, "tcp", cfg.HTTP.Listen); err != nil {
		return f, fmt.Errorf("http.listen: %w", err)
	}
	if cfg.HTTP.Redirect != "" {
		if f.plain, err = d.Listen(ctx, "tcp", cfg.HTTP.Redirect); err != nil {
			return f, fmt.Errorf("http.redirect: %w", err)
		}
	}
	if f.source, err = f.open(); err != nil {
		return f, fmt.Errorf("http.tls: %w", err)
	}
	return f, nil
}

// open makes the source that the configuration names; nil for none.
func (f *Front) open() (source, error) {
	switch t := f.cfg.HTTP.TLS; {
	case t.SelfSigned:
		return openOwn(filepath.Join(f.cfg.Data, "ca"), publicHost(f.cfg.HTTP), f.log)
	case t.Files():
		return openFiles(t.CertFile, t.KeyFile, f.log)
	case t.On():
		return openACME(t.ACME, filepath.Join(f.cfg.Data, "acme"), f.port, f.plain, f.log)
	}
	return nil, nil
}

// publicHost is the host of the public URL, if there is one.
func publicHost(h config.HTTP) string {
	u, err := url.Parse(h.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Close frees the ports, also those that Run served.
func (f *Front) Close() error {
	var errs []error
	for _, l := range []net.Listener{f.port, f.plain} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Secure says whether the port speaks TLS.
func (f *Front) Secure() bool { return f.source != nil }

// URL is where the pages really are: https://127.0.0.1:8443.
func (f *Front) URL() string { return f.scheme() + f.port.Addr().String() }

func (f *Front) scheme() string {
	if f.Secure() {
		return "https://"
	}
	return "http://"
}

// LinkBase is what links that people get begin with. Certain is false where it
// is only the port's own address, which others may not reach.
func (f *Front) LinkBase() (base string, certain bool) {
	if public := strings.TrimRight(f.cfg.HTTP.PublicURL, "/"); public != "" {
		return public, true
	}
	if domain := f.Domain(); domain != "" {
		return "https://" + withPort(domain, portOf(f.port)), true
	}
	return f.URL(), false
}

// Domain is the name that a certificate is got for by ACME, if it is.
func (f *Front) Domain() string { return f.cfg.HTTP.TLS.ACME.Domain }

// Authority is the certificate that people install; nil where the box signs
// nothing itself.
func (f *Front) Authority() *x509.Certificate {
	if o, ok := f.source.(*own); ok {
		return o.authority.Certificate()
	}
	return nil
}

// Reload looks for a newer certificate at once.
func (f *Front) Reload() {
	if f.Secure() {
		f.source.again()
	}
}

// State is what is wrong with the certificate, or will be soon; nil where all
// is well.
func (f *Front) State() error {
	if !f.Secure() {
		return nil
	}
	return f.source.state()
}

// RedirectURL is where the plain port is, "" without one.
func (f *Front) RedirectURL() string {
	if f.plain == nil {
		return ""
	}
	return "http://" + f.plain.Addr().String()
}

// Run answers with face until ctx ends or a port fails. When it returns its
// goroutines have.
func (f *Front) Run(ctx context.Context, face http.Handler) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := guard.Group{Log: f.log}
	for name, part := range f.parts(face) {
		g.Go(name, func() {
			if err := part(work); err != nil {
				stop(fmt.Errorf("%s: %w", name, err)) // the first cause stays
			}
		})
	}
	g.Wait()
	if ctx.Err() == nil {
		return context.Cause(work)
	}
	return nil
}

func (f *Front) parts(face http.Handler) map[string]func(context.Context) error {
	port := f.port
	parts := map[string]func(context.Context) error{}
	if f.Secure() {
		port = tls.NewListener(port, f.guise())
		parts["certificate"] = f.source.keep
	}
	serve := func(l net.Listener, h http.Handler) func(context.Context) error {
		return func(ctx context.Context) error {
			return guard.Serve(ctx, api.NewServer(h, f.log), l, grace, f.log)
		}
	}
	parts["http port"] = serve(port, face)
	if f.plain != nil {
		parts["plain http port"] = serve(f.plain, f.plainly(face))
	}
	return parts
}

// guise is how the port speaks TLS. Screens come by HTTP/1.1, whatever the
// pages do: browsers open a connection of its own for a WebSocket unless the
// server offers RFC 8441, which ours does not.
func (f *Front) guise() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.source.show, NextProtos: []string{"h2", "http/1.1"}}
	if f.Domain() != "" {
		c.NextProtos = append(c.NextProtos, challengeProtocol)
	}
	return c
}
