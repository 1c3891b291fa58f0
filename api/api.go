// Package api is callbox's face towards programs and browsers: the routes
// under /api/v1, the WebSocket, log-in and roles, health and metrics.
//
// [New] builds it, [API.Handler] answers requests, [API.Run] owns the
// goroutine that hands the journal's events to the screens; a socket's writer
// and slow commands live as long as its request. Who may do what stands in one
// table for routes (table.go) and one for commands (commands.go). It decides
// nothing about calls, agents or texts: it asks who does, through ports.go, and
// puts their answers into HTTP.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"callbox/api/doors"
	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/recorder"
	"callbox/sms"
	"callbox/storage"
)

// Config is what the face is told once.
type Config struct {
	Version    string
	PublicURL  string       // how browsers reach the box, if not by its own address
	Secure     bool         // the cookie goes over https only, however a browser came
	Way        Way          // how browsers reach the box
	Recordings string       // the folder below which recordings lie
	Pages      http.Handler // the web pages: everything that is not a route
	Accounts   []doors.Account
	Zone       *time.Location // of times without one, in other products' requests
	Log        *slog.Logger
}

func (c Config) pages() http.Handler {
	if c.Pages == nil {
		return http.NotFoundHandler()
	}
	return c.Pages
}

// Deps are the parts the face works with. Editor may be nil: the site is then
// read only (501). Gauges, Lines, Network and Browsers may be nil.
type Deps struct {
	Users      Users
	Keys       Keys
	Sessions   Sessions
	Floor      Floor
	Calls      Calls
	Lines      Lines
	Network    Network
	Browsers   Browsers
	Ledger     Ledger
	Journal    Journal
	Records    Records
	Missed     Missed
	Recordings Recordings
	Shelf      Shelf
	History    History
	Audit      Audit
	Texter     Texter
	Texts      Texts
	TextRules  TextRules
	Dead       Dead
	Site       Site
	Desk       Desk
	Editor     Editor
	Metrics    *Metrics
	Ready      func(context.Context) Readiness
	Gauges     func(context.Context) Gauges
	Flows      Flows
	Calendars  Calendars
	Carriers   Carriers
	Hooks      Hooks
	KeyStore   KeyStore
	People     People
}

// missing names the parts that are not there.
func (d Deps) missing() error {
	optional := map[string]bool{"Editor": true, "Gauges": true, "Lines": true, "Network": true, "Browsers": true}
	var errs []error
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsNil() && !optional[name] {
			errs = append(errs, fmt.Errorf("%s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// API is the face. Its methods may be called from any goroutine.
type API struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	metrics   *Metrics
	mux       *http.ServeMux
	huma      huma.API
	doors     *doors.Doors
	routes    []route
	other     map[string]func(http.Handler) http.Handler // around huma's handler of a pattern
	jobSchema *huma.Schema
	handler   http.Handler
	crossSite *http.CrossOriginProtection
	origin    string // of PublicURL
	shelf     *os.Root
	sessions  *scs.SessionManager
	closing   sync.Mutex // held while a session's activity is written, or its end
	guesses   limiter
	misses    *bucket       // of links that are no one's, by where they are tried from
	presses   *bucket       // behind a link, by its token
	hashing   chan struct{} // slots for password hashes
	touched   chan string
	hub       *hub
	today     today           // figures
	meter     *recorder.Meter // of recordings
}

// waitingTouches is how many sessions' activity may wait to be written.
const waitingTouches = 1024

// New builds the face; nothing runs before Run, and Handler answers at once.
func New(cfg Config, deps Deps) (*API, error) {
	if err := deps.missing(); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		cfg: cfg, deps: deps, log: cfg.Log, metrics: deps.Metrics, mux: http.NewServeMux(), other: map[string]func(http.Handler) http.Handler{},
		crossSite: http.NewCrossOriginProtection(), sessions: newSessions(deps.Sessions, cfg.Secure),
		hashing: make(chan struct{}, 2), touched: make(chan string, waitingTouches), hub: newHub(),
		misses: newBucket(freeMisses, missEvery), presses: newBucket(freePresses, pressEvery),
	}
	if err := errors.Join(a.trust(cfg.PublicURL), a.openShelf()); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	a.doors = doors.New(doors.Config{Accounts: cfg.Accounts, Zone: cfg.Zone, Log: cfg.Log},
		doors.Deps{Keys: doorKeys{deps.Keys}, Texter: doorTexter{deps.Texter}, Texts: doorTexts{deps.Texts}})
	a.routes = slices.Concat(table(), objects(), doorRoutes(), links(), trust(), deskRoutes())
	a.huma = humago.New(muxOf{a}, humaConfig(cfg.Version))
	a.mountAll()
	a.handler = a.wrapped(a.mux)
	return a, nil
}

// trust lets pages from the public address in.
func (a *API) trust(public string) error {
	if public == "" {
		return nil
	}
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		return fmt.Errorf("public_url %q is no URL", public)
	}
	a.origin = u.Scheme + "://" + u.Host
	return a.crossSite.AddTrustedOrigin(a.origin)
}

func (a *API) openShelf() (err error) {
	if err = os.MkdirAll(a.cfg.Recordings, 0o700); err != nil {
		return fmt.Errorf("make the recordings' folder: %w", err)
	}
	if a.shelf, err = os.OpenRoot(a.cfg.Recordings); err != nil {
		return fmt.Errorf("open the recordings: %w", err)
	}
	a.meter = recorder.NewMeter(a.shelf, a.log)
	return nil
}

func init() {
	huma.ValidateStrictCasing = true // keys are what they are, as in files
}

// humaConfig is huma's without what it would serve by itself: pages with
// scripts from elsewhere, and links in bodies.
func humaConfig(version string) huma.Config {
	types := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	types.RegisterTypeAlias(reflect.TypeFor[stamp.Time](), reflect.TypeFor[time.Time]())
	types.RegisterTypeAlias(reflect.TypeFor[sms.Priority](), reflect.TypeFor[priority]())
	types.RegisterTypeAlias(reflect.TypeFor[storage.Duration](), reflect.TypeFor[float64]())
	types.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]())
	format := huma.Format{
		Marshal:   func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
		Unmarshal: decode,
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0", Info: &huma.Info{Title: "callbox", Version: version},
			Components: &huma.Components{
				Schemas: types,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key":     {Type: "http", Scheme: "bearer"},
					"session": {Type: "apiKey", In: "cookie", Name: cookie},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json", RejectUnknownQueryParameters: true,
		Transformers: []huma.Transformer{
			func(_ huma.Context, _ string, v any) (any, error) { return bounded(v), nil },
		},
	}
}

// decode reads JSON that is UTF-8 (RFC 8259 §8.1). What is not, such as a text
// in GBK, would otherwise arrive on a handset as U+FFFD.
func decode(body []byte, v any) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	return json.Unmarshal(body, v)
}

// Handler answers every request of the box's HTTP port.
func (a *API) Handler() http.Handler { return a.handler }

// lookAgain is how often sockets are checked for their session and queues.
const lookAgain = 20 * time.Second

// Run hands the journal's events to the screens and keeps sessions until ctx
// ends; then it closes every socket and waits for the last. A stop is no error.
func (a *API) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := guard.Group{Log: a.log}
	for name, part := range map[string]func(context.Context) error{
		"screens": a.follow, "sessions": a.keepSessions,
	} {
		g.Go(name, func() {
			if err := part(work); err != nil {
				stop(fmt.Errorf("%s: %w", name, err)) // the first cause stays
			}
		})
	}
	g.Wait()
	a.hub.shut()
	err := a.shelf.Close()
	if ctx.Err() == nil {
		err = errors.Join(context.Cause(work), err)
	}
	return err
}

// follow hands out events. Where it was too slow for the journal it fetches
// what it missed.
func (a *API) follow(ctx context.Context) error {
	a.hub.start(a.deps.Journal.Last())
	for {
		err := a.deps.Journal.Follow(ctx, func(e cti.Event) {
			if e.Seq > a.hub.newest()+1 {
				a.catchUp(ctx, e.Seq)
			}
			a.handOut(ctx, &e)
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, storage.ErrTooSlow):
			return fmt.Errorf("follow the journal: %w", err)
		}
		a.log.Warn("screens fell behind the journal")
		a.catchUp(ctx, a.deps.Journal.Last()+1)
	}
}

// catchUp hands out the events that were missed before the one numbered next.
// Where the journal cannot give them the screens are closed: they come back
// for a snapshot.
func (a *API) catchUp(ctx context.Context, next int64) {
	missed, ok, err := a.deps.Journal.Since(ctx, a.hub.newest(), replayLimit)
	if err != nil || !ok {
		a.log.Warn("events are missing; screens start anew", "err", err)
		a.hub.restart(next - 1)
		return
	}
	for i := range missed {
		if missed[i].Seq < next {
			a.handOut(ctx, &missed[i])
		}
	}
}

func (a *API) handOut(ctx context.Context, e *cti.Event) {
	if !a.hub.watched() { // those who see all need no look at whose it is
		a.hub.publish(e, nil, "")
		return
	}
	a.hub.publish(e, a.callOf(ctx, e, nil), a.ownerOf(ctx, e))
}

// keepSessions writes down who is active and closes sockets whose session is
// over.
func (a *API) keepSessions(ctx context.Context) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case token := <-a.touched:
			if err := a.keepAlive(ctx, token); err != nil && ctx.Err() == nil {
				a.log.Warn("a session's activity was not kept", "err", err)
			}
		case <-tick.C:
			a.inspectAll(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *API) inspectAll(ctx context.Context) {
	for _, s := range a.hub.all() {
		a.inspect(ctx, s)
	}
}

// inspect closes a socket whose session, or key, is over.
func (a *API) inspect(ctx context.Context, s *socket) {
	who, err := s.again(ctx)
	switch {
	case err != nil:
		a.log.Warn("a socket's session cannot be read", "user", s.who.ID, "err", err)
	case who == nil || who.Role != s.who.Role:
		s.stop(sessionOver)
	default:
		s.refresh()
	}
}
