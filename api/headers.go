package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/internal/guard"
)

// Limits of a request.
const (
	maxBody     = 1 << 20
	maxBatch    = 32 << 20 // a batch of customers, the blacklist
	headerTime  = 10 * time.Second
	bodyTime    = 30 * time.Second
	answerTime  = 60 * time.Second // not for sound and sockets
	idleTime    = 2 * time.Minute
	maxHeader   = 64 << 10
	policy      = "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
	audioSuffix = "/audio"
)

// NewServer is an HTTP server for h with callbox's limits of time and size.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

type requestKey struct{}

// requestOf is the HTTP request behind a handler of huma's.
func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey{}).(*http.Request)
	return r
}

// wrapped puts what every request passes through around next: recovery, the
// security headers, the limits and the check of Origin.
func (a *API) wrapped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := guard.Call(func() {
			r = a.cfg.Way.asSent(r)
			headers(w, r)
			a.strict(w, r)
			limits(w, r)
			if err := a.crossSite.Check(r); err != nil {
				a.fail(w, r, huma.NewError(http.StatusForbidden, "refused: the request comes from another site"))
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
		})
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// headers sets what protects the pages; the pages' own handler may be stricter.
func headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	if strings.HasPrefix(r.URL.Path, "/api/") {
		h.Set("Cache-Control", "no-store")
	}
}

// large says whether a path takes long lists.
func large(path string) bool {
	return strings.HasSuffix(path, ":batch") || strings.HasSuffix(path, "/sms/blacklist")
}

// limits bounds the body, and the time of an answer that is not sound.
func limits(w http.ResponseWriter, r *http.Request) {
	size := int64(maxBody)
	if large(r.URL.Path) {
		size = maxBatch
	}
	r.Body = http.MaxBytesReader(w, r.Body, size)
	deadline := time.Now().Add(answerTime)
	if strings.HasSuffix(r.URL.Path, audioSuffix) {
		deadline = time.Time{}
	}
	// Where the server cannot do it there is no slow client either.
	_ = http.NewResponseController(w).SetWriteDeadline(deadline)
}
