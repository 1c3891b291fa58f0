// Package doors lets programs in that were made for other products: the shapes
// of Twilio, SMSEagle, Kannel, Zammad's Massenversand, and the webhooks of
// Alertmanager and Grafana.
//
// Each door reads its product's request, finds the key in it, makes a
// [sms.Request] and puts the answer, or why there is none, into its product's
// words. What is common to them, keys and the kinds of refusal, stands in this
// file and in refusal.go. It runs no goroutine, keeps nothing, and knows neither
// storage nor the API around it.
package doors

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"callbox/sms"
)

// Limits of a request's body; what is in a URL is bounded by the server.
const (
	maxForm  = 64 << 10
	maxAlert = 1 << 20
)

// What the ports answer with.
var (
	ErrNoKey       = errors.New("no such key")
	ErrCursor      = errors.New("no such cursor")
	ErrUnavailable = errors.New("the box cannot write it down now") // for the moment
)

// Account is one of the carriers' accounts and the access number that phones
// see.
type Account struct{ Name, SrcID string }

// Config is what the doors are told once. Zone is that of times without one.
type Config struct {
	Accounts []Account
	Zone     *time.Location
	Log      *slog.Logger
}

// Deps are the parts behind the doors.
type Deps struct {
	Keys   Keys
	Texter Texter
	Texts  Texts
}

// Doors are the doors. Its handlers may be called from any goroutine.
type Doors struct {
	cfg  Config
	deps Deps
}

// New makes the doors.
func New(cfg Config, deps Deps) *Doors {
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Doors{cfg, deps}
}

// key finds the key with this text, if it may send texts. Errors: *refusal.
func (d *Doors) key(ctx context.Context, text string) (Key, error) {
	k, err := d.find(ctx, text)
	if err != nil {
		return Key{}, err
	}
	return k, k.scope()
}

// named is key for shapes with a user name: the key's. A wrong name and a wrong
// key are one answer, so that nobody learns which names there are.
func (d *Doors) named(ctx context.Context, name, text string) (Key, error) {
	k, err := d.find(ctx, text)
	if err != nil {
		return Key{}, err
	}
	if subtle.ConstantTimeCompare([]byte(k.Name), []byte(name)) != 1 {
		return Key{}, errBadKey
	}
	return k, k.scope()
}

// errBadKey is the one answer to whoever holds no key.
var errBadKey = refuse(badKey, "", "nobody has this name and key")

func (d *Doors) find(ctx context.Context, text string) (Key, error) {
	if text == "" {
		return Key{}, errBadKey
	}
	k, err := d.deps.Keys.Key(ctx, text)
	switch {
	case errors.Is(err, ErrNoKey):
		return Key{}, errBadKey
	case err != nil:
		return Key{}, fmt.Errorf("look up a key: %w", err)
	}
	return k, nil
}

func (k Key) scope() error {
	if !k.Texts {
		return refuse(noScope, "", "the key lacks the scope sms")
	}
	return nil
}

// accept stores a job for the key.
func (d *Doors) accept(ctx context.Context, k Key, r sms.Request) (sms.Job, error) {
	r.Signer, r.Limits = k.ID, k.Limits
	job, _, err := d.deps.Texter.Accept(ctx, r)
	if err == nil && len(job.Messages) == 0 {
		err = errors.New("a job without messages")
	}
	return job, err
}

// accountOf is the account with this access number, with or without a +; false
// where there is none.
func (d *Doors) accountOf(number string) (Account, bool) {
	number = strings.TrimPrefix(strings.TrimSpace(number), "+")
	for _, a := range d.cfg.Accounts {
		if number != "" && a.SrcID == number {
			return a, true
		}
	}
	return Account{}, false
}

// srcID is the access number of an account.
func (d *Doors) srcID(account string) string {
	for _, a := range d.cfg.Accounts {
		if a.Name == account {
			return a.SrcID
		}
	}
	return ""
}

// form reads the query and, up to maxForm, a form in the body. Error: *refusal.
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		err = r.ParseMultipartForm(maxForm)
	}
	if err != nil {
		return refuse(badField, "body", "the form cannot be read: "+err.Error())
	}
	return nil
}

// list splits a list of numbers at any of seps and leaves empty ones out.
func list(numbers, seps string) []string {
	return strings.FieldsFunc(numbers, func(r rune) bool { return r == ' ' || strings.ContainsRune(seps, r) })
}

// later is the time so long from now, or from at if that is set.
func later(at *time.Time, wait time.Duration) *time.Time {
	t := time.Now()
	if at != nil {
		t = *at
	}
	t = t.Add(wait)
	return &t
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody to tell
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client went away: nobody to tell
}
