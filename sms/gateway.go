package sms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"callbox/internal/guard"
	"callbox/internal/stamp"
)

// How long a stop waits for answers to what is on the wire before it ends the
// carriers, and how long after these have ended for the store.
const (
	answerGrace = 3 * time.Second
	storeGrace  = 3 * time.Second
)

// Config is what a gateway needs beside its store and carriers. Templates may
// be nil (there are none), as may Events and the observers.
type Config struct {
	Accounts  []Account // in the order in which they are asked for a number
	AreaCode  string
	Location  *time.Location // of quiet hours and of a key's day; UTC when nil
	Allow     []netip.Prefix // networks that are not public and callback_url may point at
	Log       *slog.Logger
	Templates Templates
	Events    Events
	LinkBase  string // what goes before /a/ in a text's link; empty: {ack} is refused
	// Submitted observes the time from a message's acceptance, or the release of
	// a scheduled one, to the carrier's answer that took it; Delivered that from
	// there to the handset; Answered how long a carrier took to answer such a
	// submit. They must be quick.
	Submitted func(account string, took time.Duration)
	Delivered func(account string, took time.Duration)
	Answered  func(account string, took time.Duration)
}

// Gateway takes jobs and what carriers bring in. It is a [Receiver].
type Gateway struct {
	cfg    Config
	log    *slog.Logger
	store  Store
	lanes  []*lane // in the order of the accounts
	herald *herald
	counts counts
	book   *rulebook
	alarm  *alarm
	held   atomic.Int64 // the end of the quiet hours, in milliseconds, for which marketing was held back
	meter  meter
	steps  chan struct{} // a notice's next step is another; room for one
	blank  string        // stands for a link's token until there is one
	turned atomic.Int64  // reports whose id came with its bytes turned round
}

var _ Receiver = (*Gateway)(nil)

// New makes a gateway with one carrier for each account, by name. It starts
// nothing.
func New(cfg Config, store Store, carriers ...Carrier) (*Gateway, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{
		cfg: cfg, log: cfg.Log, store: store, herald: &herald{events: cfg.Events}, alarm: newAlarm(),
		book: newRulebook(), steps: make(chan struct{}, 1), blank: newToken(),
	}
	byName := map[string]Carrier{}
	for _, c := range carriers {
		byName[c.Name()] = c
	}
	var errs []error
	for _, a := range cfg.Accounts {
		c, ok := byName[a.Name]
		delete(byName, a.Name)
		if err := a.Validate(); err != nil {
			errs = append(errs, err)
		}
		if !ok {
			errs = append(errs, fmt.Errorf("account %s: no carrier, or named twice", a.Name))
		}
		g.lanes = append(g.lanes, newLane(g, a.withDefaults(), c))
	}
	for name := range byName {
		errs = append(errs, fmt.Errorf("carrier %s: no account", name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	return g, nil
}

// Run decides about what a crash left, keeps the carriers' links up and
// submits until ctx ends. Then it claims no more, waits some seconds for the
// answers to what is on the wire, and takes the links down. A stop is no
// error.
func (g *Gateway) Run(ctx context.Context) error {
	for _, first := range []func(context.Context) error{g.readRules, g.recover, g.tend} {
		if err := first(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("sms: %w", err)
		}
	}
	link, down := context.WithCancel(context.WithoutCancel(ctx))
	defer down()
	links, lanes := guard.Group{Log: g.log}, guard.Group{Log: g.log}
	for _, l := range g.lanes {
		gone, leave := context.WithCancel(context.WithoutCancel(ctx))
		links.Go("sms link "+l.name(), func() { defer leave(); l.keepLink(link) })
		lanes.Go("sms lane "+l.name(), func() { l.run(ctx, link, gone) })
	}
	lanes.Go("sms clock", func() { g.keepTime(ctx) })
	lanes.Go("sms fail-over", func() { g.failOver(ctx) })
	lanes.Go("sms sweeper", func() { g.sweepUntil(ctx) })
	lanes.Go("sms late", func() { g.watchLate(ctx) })
	lanes.Go("sms notices", func() { g.climbUntil(ctx) })
	links.Go("sms grace", func() { grace(ctx, link, down) })
	lanes.Wait()
	down()
	links.Wait()
	return nil
}

// grace calls down some time after ctx ended, unless link was down before.
func grace(ctx, link context.Context, down func()) {
	select {
	case <-ctx.Done():
	case <-link.Done():
	}
	timer := time.NewTimer(answerGrace)
	defer timer.Stop()
	select {
	case <-timer.C:
		down()
	case <-link.Done():
	}
}

// Cancel cancels what of a job has not been claimed, and gives the job as it
// then is. Error: [ErrNotFound].
func (g *Gateway) Cancel(ctx context.Context, id string) (Job, error) {
	var job Job
	err := g.update(ctx, "cancel job", func(w *work) (err error) {
		if err := w.endNotice(id); err != nil {
			return err
		}
		if err := w.cancel(Query{Job: id}); err != nil {
			return err
		}
		job, err = w.Job(id)
		return err
	})
	return job, err
}

// CancelRef cancels what of all jobs with this ref has not been claimed, and
// gives these jobs as they then are.
func (g *Gateway) CancelRef(ctx context.Context, ref string) ([]Job, error) {
	var jobs []Job
	err := g.update(ctx, "cancel by ref", func(w *work) error {
		jobs = nil
		if ref == "" {
			return nil
		}
		records, err := w.Records(Query{Ref: ref})
		if err != nil {
			return err
		}
		if err := w.endNotices(records); err != nil {
			return err
		}
		if err := w.cancel(Query{Ref: ref}); err != nil {
			return err
		}
		jobs, err = w.jobsOf(records)
		return err
	})
	return jobs, err
}

func (w *work) cancel(q Query) error {
	q.Statuses = []Status{Scheduled, Queued}
	records, err := w.Records(q)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := w.move(r, cancel); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) jobsOf(records []Record) ([]Job, error) {
	var jobs []Job
	for _, r := range records {
		if n := len(jobs); n > 0 && jobs[n-1].ID == r.Job {
			continue
		}
		j, err := w.Job(r.Job)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// States tells about every account's carrier, by account.
func (g *Gateway) States() map[string]CarrierState {
	states := map[string]CarrierState{}
	for _, l := range g.lanes {
		states[l.name()] = l.carrier.State()
	}
	return states
}

func (g *Gateway) lane(account string) *lane {
	for _, l := range g.lanes {
		if l.name() == account {
			return l
		}
	}
	return nil
}

// account gives an account's settings; the defaults for one that is gone.
func (g *Gateway) account(name string) Account {
	if l := g.lane(name); l != nil {
		return l.account
	}
	return Account{Name: name}.withDefaults()
}

// work is one transaction and what there is to tell once it is on disk.
type work struct {
	Tx
	g    *Gateway
	at   stamp.Time
	news *bulletin

	diverted map[string]string // extensions of the jobs whose messages found another account
}

// update runs f in one transaction and then tells what it changed, in the
// order of the transactions.
func (g *Gateway) update(ctx context.Context, what string, f func(*work) error) error {
	news := &bulletin{}
	err := g.store.Update(ctx, what, func(tx Tx) error {
		g.herald.enter(news)
		return f(&work{Tx: tx, g: g, at: stamp.Now(), news: news})
	})
	g.herald.publish(ctx, news, err == nil)
	if err == nil {
		g.count(news)
		g.wake(news)
	}
	return err
}

// wake tells those who wait of what a committed transaction made for them.
func (g *Gateway) wake(news *bulletin) {
	for _, account := range news.queued {
		if l := g.lane(account); l != nil {
			l.wakeUp()
		}
	}
	if news.stepped {
		poke(g.steps)
	}
}

// move applies e to r and saves it; r stays as it is where e means nothing.
func (w *work) move(r Record, e event) error {
	was := r.Status
	to, ok := was.next(e)
	if !ok {
		return nil
	}
	r.arrive(to, w.at)
	return w.save(r, was)
}

// arrive puts r into a status. Its times are the last ones, but for queued,
// which stays the first: when the job was accepted.
func (r *Record) arrive(s Status, at stamp.Time) {
	times := map[Status]stamp.Time{s: at}
	for k, v := range r.Times {
		if k != s || s == Queued {
			times[k] = v
		}
	}
	r.Status, r.Times = s, times
}

// save writes r and tells of it where its status is a new one.
func (w *work) save(r Record, was Status) error {
	w.abide(&r, was)
	r.SetDone()
	if was == Scheduled && r.Status == Queued { // its waiting begins now
		r.Times = maps.Clone(r.Times)
		r.Due, r.Times[Queued] = w.at, w.at
	}
	if err := w.Save(r, was); err != nil {
		return err
	}
	if r.Status == was || !r.Status.told() {
		return nil
	}
	w.news.add(Note{Type: NoteStatus, Message: &r.Message})
	return w.Announce(r)
}
