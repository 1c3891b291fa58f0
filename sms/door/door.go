// Package door is the database door (短信发送列表): rows of an outbox table in
// somebody else's database become texts, what comes of them is written back
// into those rows, and incoming texts become rows of an inbox table.
//
// [Door.Run] is one goroutine (and, while it hands over rows, a few beside it)
// that looks into the table every so often. It keeps no state that must not be
// lost: which row became which text, and what was written back, is callbox's
// own database's ([Ledger]); a row says "claimed" before its text is accepted,
// and the text's key is the row's, so that whatever a crash leaves half done is
// done again and gives the same text. It knows no carrier, no HTTP, and of the
// foreign database only the columns that its configuration names.
package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long is waited behind a failure: doubling from the first to the longest.
const (
	firstPause   = time.Second
	longestPause = 10 * time.Second
)

// pageSize is how many rows are handled together.
const pageSize = 200

// Deps is what a door needs of callbox.
type Deps struct {
	Texts   Texts
	Ledger  Ledger
	Replies Replies
	Log     *slog.Logger
}

// State is what /readyz tells about a door.
type State struct {
	Up  bool
	Why string // why it is not up, or what of it is not
}

// Door is one database door.
type Door struct {
	cfg   Config
	log   *slog.Logger
	texts Texts
	known Ledger
	inbox Replies
	db    database

	parts []*part
	left  bool      // rows may be claimed that nobody is at work on
	seen  string    // the last row that the outbox was read to
	stuck refusals  // rows that stayed claimed
	retry time.Time // when they are taken again; zero: there are none
	told  progress  // of what is written back
	heard progress  // of the inbox

	mu   sync.Mutex // guards what State reads: lost, and the parts' err
	lost error      // why the database is out of reach
	gone time.Time  // since when; zero: it never was reached
}

// part is one of the things a door does, with its own troubles.
type part struct {
	name string
	work func(context.Context) (more bool, err error)
	err  error // nil: it works
	wait pause
}

var errNotYet = errors.New("not yet connected")

// New makes a door. It does not connect before Run.
func New(cfg Config, deps Deps) (*Door, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("database door %s: %w", cfg.Name, err)
	}
	db, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("database door %s: %w", cfg.Name, err)
	}
	return newDoor(cfg, deps, db), nil
}

func newDoor(cfg Config, deps Deps, db database) *Door {
	d := &Door{
		cfg: cfg.withDefaults(), log: deps.Log, texts: deps.Texts, known: deps.Ledger, inbox: deps.Replies,
		db: db, left: true, lost: errNotYet,
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.log = d.log.With("door", cfg.Name)
	if cfg.Outbox.Table != "" {
		d.parts = append(d.parts, &part{name: "outbox", work: d.take}, &part{name: "status", work: d.tell})
	}
	if cfg.Inbox.Table != "" {
		d.parts = append(d.parts, &part{name: "inbox", work: d.hear})
	}
	return d
}

// Name is the door's name.
func (d *Door) Name() string { return d.cfg.Name }

// State tells how the door is.
func (d *Door) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return State{Why: d.lost.Error()}
	}
	var why []string
	for _, p := range d.parts {
		if p.err != nil {
			why = append(why, p.name+": "+p.err.Error())
		}
	}
	return State{Up: len(why) == 0, Why: strings.Join(why, "; ")}
}

// Run works until ctx ends. A database that is away or says no is logged, shown
// and tried again; no error ends Run.
func (d *Door) Run(ctx context.Context) error {
	defer d.db.Close() // #nosec: nothing is open in it any more
	var away pause
	for ctx.Err() == nil {
		if !d.reach(ctx) {
			sleep(ctx, away.next())
			continue
		}
		away = pause{}
		if !d.round(ctx) {
			sleep(ctx, d.cfg.Every)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// reach says whether the database is there; it is asked only where it was not.
func (d *Door) reach(ctx context.Context) bool {
	if d.lost == nil {
		return true
	}
	err := d.db.Ping(ctx)
	d.note(ctx, err)
	return err == nil
}

// note keeps whether the database is there: one line at loss, one at return.
func (d *Door) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // a stop is no loss
	}
	d.mu.Lock()
	was, since := d.lost, d.gone
	d.lost = plain(err)
	if err != nil && (was == nil || errors.Is(was, errNotYet)) {
		d.gone = time.Now()
	}
	d.mu.Unlock()
	switch {
	case err != nil && (was == nil || errors.Is(was, errNotYet)):
		d.log.Error("database door lost; it is tried again", "err", plain(err))
	case err == nil && errors.Is(was, errNotYet):
		d.log.Info("database door open")
	case err == nil && was != nil:
		d.log.Info("database door is back", "after", time.Since(since).Round(time.Second))
	}
	if err != nil {
		d.relook() // who knows what the last statement did
	}
}

// round lets each part work once. more says that there is more to do at once.
func (d *Door) round(ctx context.Context) (more bool) {
	for _, p := range d.parts {
		if p.wait.on() {
			continue
		}
		again, err := p.work(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err != nil && !isRefusal(err) {
			if away := d.db.Ping(ctx); away != nil {
				d.note(ctx, away)
				return false
			}
		}
		d.judge(p, err)
		more = more || again && err == nil
	}
	return more
}

// judge keeps how a part is. What the database refuses of single rows is shown
// and holds nothing up.
func (d *Door) judge(p *part, err error) {
	if err == nil || isRefusal(err) {
		p.wait = pause{}
	} else {
		p.wait.next()
	}
	err = plain(err)
	d.mu.Lock()
	was := p.err
	p.err = err
	d.mu.Unlock()
	switch {
	case was == nil && err != nil:
		d.log.Error("database door: a part fails; it is tried again", "part", p.name, "err", err)
	case was != nil && err == nil:
		d.log.Info("database door: the part works again", "part", p.name)
	}
}

// pause doubles from firstPause to longestPause.
type pause struct {
	step  time.Duration
	until time.Time
}

func (p *pause) next() time.Duration {
	p.step = min(max(2*p.step, firstPause), longestPause)
	p.until = time.Now().Add(p.step)
	return p.step
}

func (p *pause) on() bool { return time.Now().Before(p.until) }

// refusals are what the database refused of single rows, by their ids.
type refusals map[string]error

func (r refusals) Error() string {
	ids := make([]string, 0, len(r))
	for id := range r {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	words := fmt.Sprintf("row %s: %v", ids[0], r[ids[0]])
	if len(ids) > 1 {
		words += fmt.Sprintf(" (and %d more)", len(ids)-1)
	}
	return words
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[refusals](err)
	return ok
}

// orNil is r as an error.
func (r refusals) orNil() error {
	if len(r) == 0 {
		return nil
	}
	return r
}

// longestWords is how much of an error is shown and written into a row.
const longestWords = 250

// plain is err on one line.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(cut(strings.Join(strings.Fields(err.Error()), " "), longestWords))
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
