// Package web is the browser's side of callbox: the pages, built from the
// TypeScript beside this file, and the handler that serves them.
//
// [Files] tells whether the pages were built into this binary, [Handler] serves
// them, or says how to build them. It starts no goroutines and knows neither
// the API nor who is logged in; the pages talk to /api/v1 themselves.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist holds placeholder.html always, and app/ after a build of the pages.
//
//go:embed all:dist
var dist embed.FS

// policy lets the pages use what callbox itself serves and nothing else; it
// needs neither inline scripts nor inline styles.
const policy = "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// nonceHole stands in index.html where each answer's own nonce is put: the
// waveform's library brings a style element of its own.
const nonceHole = "STYLE-NONCE"

// embedded is the one page that others' pages may show in a frame.
const embedded = "/embed"

// Frames are the foreign origins in whose company the pages are seen.
type Frames struct {
	Around []string // whose pages may show the embeddable desk in a frame
	Within []string // whose pages the desk shows in a frame of its own
}

// policyFor is policy for one answer of index.html: styles with its nonce, and
// the frames that there are.
func policyFor(path, nonce string, f Frames) string {
	out := policy + "; style-src 'self' 'nonce-" + nonce + "'"
	if path == embedded && len(f.Around) > 0 {
		out = strings.Replace(out, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(f.Around, " "), 1)
	}
	if len(f.Within) > 0 {
		out += "; frame-src " + strings.Join(f.Within, " ")
	}
	return out
}

const (
	forEver  = "public, max-age=31536000, immutable" // names that carry their content's hash
	askAgain = "no-cache"
)

// Files returns the built pages, with index.html at the root, and true; or
// false when this binary was built without them.
func Files() (fs.FS, bool) { return built(dist) }

func built(all fs.FS) (fs.FS, bool) {
	app, err := fs.Sub(all, "dist/app")
	if err != nil {
		return nil, false
	}
	if _, err := fs.Stat(app, "index.html"); err != nil {
		return nil, false
	}
	return app, true
}

// Handler serves the pages to GET and HEAD: files by their names, index.html
// for a path without a dot (a page of the application), nothing below /api.
// Without built pages it answers 503 and says which commands make them.
// Frames is asked for each page; nil is none.
func Handler(frames func() Frames) http.Handler { return handler(dist, frames) }

func handler(all fs.FS, frames func() Frames) http.Handler {
	app, ok := built(all)
	if !ok {
		note, _ := fs.ReadFile(all, "dist/placeholder.html")
		return guarded(placeholder(note))
	}
	p, err := load(app)
	if err != nil { // files within the binary: a fault of the build
		return guarded(placeholder([]byte("The pages in this binary cannot be read: " + err.Error())))
	}
	return guarded(site{p, frames})
}

// guarded sets the headers of every answer and refuses what pages never get.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD here", http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// placeholder answers every path with the note and 503.
func placeholder(note []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(note) // the browser went away: nobody to tell
	})
}

// page is one file, ready to be sent.
type page struct {
	kind  string // Content-Type
	cache string
	tag   string // hash of the content
	body  []byte
	small []byte // gzip; nil where it is no smaller
}

// pages are the files of a build by path, without a leading slash.
type pages map[string]page

// load reads and compresses all files once; a build is some hundred kilobytes.
func load(app fs.FS) (pages, error) {
	all := pages{}
	err := fs.WalkDir(app, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(app, name)
		if err != nil {
			return fmt.Errorf("read page %s: %w", name, err)
		}
		all[name], err = newPage(name, body)
		return err
	})
	return all, err
}

func newPage(name string, body []byte) (page, error) {
	p := page{kind: kindOf(name), cache: askAgain, tag: tagOf(body), body: body}
	if strings.HasPrefix(name, "assets/") {
		p.cache = forEver
	}
	var small bytes.Buffer
	z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return p, fmt.Errorf("compress page %s: %w", name, err)
	}
	_, werr := z.Write(body)
	if err := z.Close(); werr != nil || err != nil {
		return p, fmt.Errorf("compress page %s: %w", name, err)
	}
	if small.Len() < len(body) {
		p.small = small.Bytes()
	}
	return p, nil
}

// kindOf does not ask the machine's own table for the types pages need.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:12])
}

// site is the pages with the frames that there are.
type site struct {
	pages  pages
	frames func() Frames
}

// ServeHTTP implements [http.Handler].
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if one, ok := s.pages[name]; ok && name != index {
		one.serve(w, r)
		return
	}
	if strings.Contains(name, ".") && name != index {
		http.NotFound(w, r)
		return
	}
	s.start(w, r)
}

const index = "index.html"

// start sends the page that begins the application, each time with a nonce of
// its own.
func (s site) start(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	var frames Frames
	if s.frames != nil {
		frames = s.frames()
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policyFor(path.Clean("/"+r.URL.Path), nonce, frames))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	body := bytes.ReplaceAll(s.pages[index].body, []byte(nonceHole), []byte(nonce))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func (p page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", p.kind)
	h.Set("Cache-Control", p.cache)
	h.Add("Vary", "Accept-Encoding")
	body, tag := p.body, p.tag
	if p.small != nil && acceptsGzip(r) {
		body, tag = p.small, p.tag+"-gz"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding as browsers send it; "gzip;q=0" is a no.
func acceptsGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";")
		if strings.EqualFold(coding, "gzip") {
			return strings.Trim(q, "q=0.") != "" || q == ""
		}
	}
	return false
}
