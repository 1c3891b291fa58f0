// Package app builds all parts of the daemon in order and stops them backwards.
//
// [Run] is the daemon: one straight line from the data folder to the ready
// line. Each part's Run has a goroutine from here; what two parts need of each
// other is paired here and nowhere else. It decides nothing about calls, agents
// or texts.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"callbox/acd"
	"callbox/api"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/cmd/internal/front"
	"callbox/cmpp/client"
	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/sip"
	"callbox/cti/webrtc"
	"callbox/internal/outbound"
	"callbox/internal/seal"
	"callbox/ivr/speech"
	"callbox/recorder"
	"callbox/sms"
	"callbox/sms/door"
	"callbox/storage"
	"callbox/voicebox"
	"callbox/web"
)

// Options is what a run of the daemon gets.
type Options struct {
	File    string // callbox.yaml, read again on Reload; empty: Box stays
	Box     *config.Box
	Version string
	Reload  <-chan os.Signal // asks for both files to be read again
	Ready   func(Ready)      // called once, when every part listens
	Log     *slog.Logger
	// SlowSync is added to every commit: a slow disk, for measurements.
	SlowSync time.Duration
}

// Ready says where the daemon really listens.
type Ready struct {
	HTTP string   // http://127.0.0.1:8080, or https://
	SIP  []string // udp://127.0.0.1:5060 …
}

// String is the line that `callbox serve` prints.
func (r Ready) String() string {
	return fmt.Sprintf("ready http=%s sip=%s", r.HTTP, strings.Join(r.SIP, ","))
}

// app is the daemon while it is built and runs.
type app struct {
	Options
	life lifecycle

	db       *storage.DB
	journal  *storage.Journal
	metrics  *api.Metrics
	engine   *media.Plain
	shelf    *recorder.Shelf
	prompts  *speech.Library
	calls    *cti.Server
	floor    *acd.Floor
	phones   *sip.Server
	pages    *webrtc.Server
	lines    *voicebox.Lines
	carriers map[string]*client.Client
	gateway  *sms.Gateway
	doors    []*door.Door
	site     *site
	hooks    hooks
	front    *front.Front
	health   statuses
}

// Run is the daemon until ctx ends: then it takes no new calls, gives those in
// progress Box.Drain, and stops everything. A part that fails brings it down
// with that part's error.
func Run(ctx context.Context, o Options) error {
	work, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	a := &app{Options: o, carriers: map[string]*client.Client{}, metrics: api.NewMetrics()}
	a.life = lifecycle{log: o.Log, fail: fail}
	failed := a.build(work)
	if failed == nil {
		o.Ready(Ready{HTTP: a.front.URL(), SIP: a.phones.Addrs()})
		a.serve(work)
		a.drain()
		if ctx.Err() == nil {
			failed = context.Cause(work)
		}
	}
	return errors.Join(failed, a.life.stop())
}

// build makes and starts the parts, each after those it leans on.
func (a *app) build(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.openStorage, a.openMedia, a.recover, a.openSite,
		a.openCalls, a.openPhones, a.openPages, a.openLines, a.openFloor, a.answer,
		a.listen, a.openInboxes, a.openTexts, a.openDoors, a.openHooks,
		a.openFace, a.openControl,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	a.readiness(ctx) // from here on it tells since when a part is as it is
	return nil
}

// serve waits for the end and reloads when asked to.
func (a *app) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.Reload:
			a.reload(ctx)
		}
	}
}

func (a *app) drain() {
	a.Log.Info("draining: no new calls", "calls", len(a.calls.Calls()), "limit", a.Box.Drain)
	a.phones.Drain()
	limit, cancel := context.WithTimeout(context.Background(), a.Box.Drain)
	defer cancel()
	a.calls.Drain(limit)
}

func (a *app) openStorage(ctx context.Context) error {
	for _, folder := range []string{a.Box.Data, a.recordings(), filepath.Join(a.Box.Data, "prompts")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	cfg, err := StorageConfig(a.Box, a.Log)
	if err != nil {
		return err
	}
	cfg.SlowSync = a.SlowSync
	cfg.Committed = func(took time.Duration, _ int) { a.metrics.Commit(took) }
	if a.db, err = storage.Open(ctx, cfg); err != nil {
		return err
	}
	a.journal = a.db.Journal()
	a.life.onStop("database", a.db.Close)
	a.life.start("database writer", a.db.Run)
	a.life.start("sweeper", a.db.Sweep)
	return a.db.Notices().Replace(endpoints(a.Box))
}

func (a *app) recordings() string { return filepath.Join(a.Box.Data, "recordings") }

// StorageConfig is how the box's database is opened, by the daemon and by
// commands.
func StorageConfig(box *config.Box, log *slog.Logger) (storage.Config, error) {
	key := box.SecretKeyFile
	load := seal.Load
	if key == "" {
		key, load = filepath.Join(box.Data, "secret.key"), seal.LoadOrMake
	}
	secret, err := load(key)
	if err != nil {
		return storage.Config{}, fmt.Errorf("secret key: %w", err)
	}
	return storage.Config{Dir: box.Data, Log: log, AreaCode: box.AreaCode, Secret: secret}, nil
}

func (a *app) openMedia(context.Context) error {
	first, last, err := a.Box.SIP.PortRange()
	if err != nil {
		return err
	}
	if a.engine, err = media.New(media.Config{PortMin: first, PortMax: last, Log: a.Log}); err != nil {
		return err
	}
	a.shelf, err = recorder.New(recorder.Config{Dir: a.Box.Data, Location: a.Box.Location(), Log: a.Log}, index{a.db})
	if err != nil {
		return err
	}
	if a.prompts, err = speech.New(speech.Config{Dirs: PromptFolders(a.Box), Outside: true}); err != nil {
		return err
	}
	a.life.start("media", a.engine.Run)
	a.life.start("recorder", a.shelf.Run)
	return nil
}

// recover mends what the last run left open: files first, since a call's record
// tells what there is of its recording.
func (a *app) recover(ctx context.Context) error {
	if err := a.shelf.Recover(ctx); err != nil {
		return fmt.Errorf("mend recordings: %w", err)
	}
	mended, err := a.db.Recover(ctx)
	if err != nil {
		return fmt.Errorf("mend records: %w", err)
	}
	if len(mended.Calls)+len(mended.WrapUps) > 0 {
		a.Log.Warn("the last run did not end well", "calls_closed", len(mended.Calls), "wrap_ups_closed", len(mended.WrapUps))
	}
	return nil
}

func (a *app) openSite(ctx context.Context) error {
	a.site = &site{app: a, local: local{a.db, a.Box}}
	return a.site.applyFile(ctx)
}

func (a *app) openFloor(ctx context.Context) error {
	agents, queues, err := a.site.desks(ctx)
	if err != nil {
		return err
	}
	a.floor, err = acd.New(acd.Config{Agents: agents, Queues: queues, Log: a.Log}, acd.Deps{
		Phones: a.phones, Browsers: a.pages, Journal: a.journal, Desks: a.db, Announcer: music{speech.Music()},
	})
	if err != nil {
		return err
	}
	a.life.start("floor", a.floor.Run)
	a.calls.SetOutgoing(exits{a}, a.floor)
	return nil
}

func (a *app) openCalls(context.Context) error {
	quiet, dialing := a.Box.Calls.Rules()
	a.calls = cti.NewServer(
		cti.Config{
			AreaCode: a.Box.AreaCode, Lookup: cti.LookupConfig(a.Box.Lookup), NoAudio: quiet, Dialing: dialing,
			Zone: a.Box.Location(), Music: speech.Music(), Log: a.Log,
		},
		cti.Deps{
			Engine: a.engine, Recorder: shelf{a.shelf}, Ledger: a.metrics.Ledger(a.journal),
			Directory: a.db, Fetcher: fetcher{outbound.Client(nil, true)},
		})
	return nil
}

// openPhones binds the sockets; nothing is read from them before answer.
func (a *app) openPhones(context.Context) error {
	var err error
	a.phones, err = sip.New(a.Box.SIP, sip.Deps{
		Engine: a.engine, Calls: a.calls, Accounts: phones{a.db, a.Log},
		Bindings: phones{a.db, a.Log}, Dialogs: dialogs{a.db, a.Log}, Journal: a.journal, Mailboxes: mailboxes{a.db, a.Log}, Log: a.Log,
	})
	if err != nil {
		return err
	}
	if err := a.phones.Listen(); err != nil {
		return err
	}
	a.calls.Register("sip", a.phones)
	a.calls.Register("trunk", a.phones)
	return nil
}

// answer lets calls in, now that there are routes and a floor.
func (a *app) answer(ctx context.Context) error {
	if err := a.site.route(ctx); err != nil {
		return err
	}
	a.life.start("calls", a.calls.Run)
	a.life.start("sip", a.phones.Run)
	a.life.start("pages", a.pages.Run)
	a.life.start("lines", a.lines.Run)
	a.life.start("phones' changes", a.followPhones)
	a.life.start("pages' changes", a.followPages)
	a.life.start("messages", a.followMail)
	return nil
}

// followPhones tells the floor which phones came and went.
func (a *app) followPhones(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case extension := <-a.phones.Changes():
			a.floor.PhoneChanged(extension)
		}
	}
}

// listen takes the ports of the pages; nothing is answered before openFace. It
// stands before the texts, whose links lead there.
func (a *app) listen(ctx context.Context) (err error) {
	if a.front, err = front.Open(ctx, front.Config{HTTP: a.Box.HTTP, Data: a.Box.Data, Log: a.Log}); err != nil {
		return err
	}
	a.life.onStop("http ports", a.front.Close)
	return nil
}

// linkBase is what links in texts begin with.
func (a *app) linkBase() string {
	base, certain := a.front.LinkBase()
	switch {
	case len(a.Box.SMS.Accounts) == 0:
	case !certain:
		a.Log.Warn("http.public_url is not set: links in texts ({ack}) lead to the box's own address, which phones may not reach", "address", base)
	case a.front.Authority() != nil && strings.HasPrefix(base, "https:"):
		a.Log.Warn("links in texts ({ack}) lead to a certificate of the box's own authority, of which phones warn their owners", "address", base)
	}
	return base
}

func (a *app) openTexts(context.Context) error {
	cfg := sms.Config{
		AreaCode: a.Box.AreaCode, Allow: a.Box.Outbound.Allow, Log: a.Log, Templates: a.db.SMSTemplates(),
		LinkBase:  a.linkBase(),
		Location:  a.Box.Location(),
		Events:    textEvents{a.journal, a.metrics, a.Log},
		Submitted: a.metrics.Submit, Delivered: a.metrics.Delivery, Answered: a.metrics.Answer,
	}
	var carriers []sms.Carrier
	for _, account := range a.Box.SMS.Accounts {
		setting := account.Carrier()
		setting.Log = a.Log
		carrier, err := client.New(setting)
		if err != nil {
			return fmt.Errorf("sms account %s: %w", account.Name, err)
		}
		a.carriers[account.Name] = carrier
		a.metrics.Account(account.Name)
		carriers = append(carriers, carrier)
		cfg.Accounts = append(cfg.Accounts, account.Gateway())
	}
	var err error
	if a.gateway, err = sms.New(cfg, a.db.SMS(), carriers...); err != nil {
		return err
	}
	a.life.start("texts", a.gateway.Run)
	return nil
}

func (a *app) openFace(context.Context) error {
	face, err := api.New(api.Config{
		Version: a.Version, PublicURL: a.Box.HTTP.PublicURL, Secure: strings.HasPrefix(a.Box.HTTP.PublicURL, "https:"), Way: a.way(), Recordings: a.Box.Data,
		Pages: web.Handler(a.frames), Accounts: accounts(a.Box), Zone: a.Box.Location(), Log: a.Log,
	}, api.Deps{
		Users: a.db, Keys: a.db, Sessions: a.db.Sessions(), Floor: a.floor, Calls: a.calls, Lines: lines{a.lines}, Network: network{a.phones}, Browsers: browsers{a.pages, a.calls},
		Ledger: a.journal, Journal: a.journal, Records: a.db, Missed: a.db, Recordings: a.db, Audit: a.db,
		Texter: texter{a.gateway, a.metrics}, Texts: a.db.SMS(), TextRules: a.gateway, Dead: a.db.Notices(), Site: a.db, Desk: a.db, Editor: a.site,
		Metrics: a.metrics, Ready: a.readiness, Gauges: a.gauges,
		Shelf: a.db, History: a.db,
		Flows: a.site, Calendars: &a.site.hours, Carriers: &carriers{app: a}, Hooks: a.hooks, KeyStore: a.db, People: a.site,
	})
	if err != nil {
		return err
	}
	a.life.start("api", face.Run)
	a.life.start("http", func(ctx context.Context) error {
		return a.front.Run(ctx, face.Handler()) // screens are closed by the face itself
	})
	return nil
}

// way is how browsers reach the box, for the pages that explain it.
func (a *app) way() api.Way {
	return api.Way{
		TLS: a.front.Secure(), Authority: a.front.Authority(), Domain: a.front.Domain(), Proxies: a.Box.HTTP.TrustedProxies,
	}
}

func (a *app) openControl(context.Context) error {
	a.life.start("control", func(ctx context.Context) error {
		return control.Serve(ctx, a.Box.Data, a.site, a.Log)
	})
	return nil
}
