// Package webhook signs, sends and retries notices.
//
// [Sender.Run] has one goroutine an endpoint with something to send, and up to
// [perEndpoint] attempts at once of each: an endpoint that hangs delays no
// other. Notices of one order key go out one after another; each goes at least
// once. What waits, and until when, is kept by the [Outbox]. It knows bytes and
// addresses, and for receivers made for other products their shapes, which it
// makes of the JSON that the API shows (shape.go); it imports neither calls nor
// texts.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"callbox/internal/guard"
	"callbox/internal/outbound"
)

const (
	// perEndpoint is how many attempts one endpoint may have at once.
	perEndpoint = 8
	// idle is how long an endpoint's goroutine waits for something new.
	idle = time.Minute
	// faultPause is waited after the outbox could not be read or written.
	faultPause = time.Second
)

// Config says how notices are sent. Allow are networks that URLs which do not
// stand in the configuration may point at although they are not public. Senders
// are the accounts' access numbers, Zone is that of times without one; both, and
// Replies, which may be nil, are for other products' shapes.
type Config struct {
	Allow   []netip.Prefix
	Senders map[string]string
	Zone    *time.Location
	Replies Replies
	Log     *slog.Logger
}

func (c Config) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Sender brings what is in the outbox to its receivers.
type Sender struct {
	cfg              Config
	outbox           Outbox
	log              *slog.Logger
	trusted, guarded *http.Client
	brake            brake

	mu      sync.Mutex // guards workers
	workers map[string]*worker
}

// New makes a Sender; it sends nothing before Run.
func New(cfg Config, outbox Outbox) *Sender {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Sender{
		cfg: cfg, outbox: outbox, log: cfg.Log, workers: map[string]*worker{},
		trusted: outbound.Client(cfg.Allow, true), guarded: outbound.Client(cfg.Allow, false),
	}
}

// Run sends until ctx ends. Attempts under way are broken off then; they are
// made again at the next start.
func (s *Sender) Run(ctx context.Context) error {
	g := guard.Group{Log: s.log}
	defer s.trusted.CloseIdleConnections()
	defer s.guarded.CloseIdleConnections()
	defer g.Wait()
	for {
		pause := s.dispatch(ctx, &g)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.outbox.Wake():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// dispatch wakes or starts the worker of every endpoint with something to send
// and says when to look again at the latest.
func (s *Sender) dispatch(ctx context.Context, g *guard.Group) time.Duration {
	endpoints, err := s.outbox.Endpoints(ctx)
	if err != nil {
		s.fault(ctx, "list endpoints", err)
		return faultPause
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range endpoints {
		w := s.workers[e]
		if w == nil {
			w = &worker{Sender: s, endpoint: e, wake: make(chan struct{}, 1), ended: make(chan int64, perEndpoint), flying: map[int64]bool{}}
			s.workers[e] = w
			g.Go("webhook endpoint", func() { w.run(ctx, g) })
		}
		w.nudge()
	}
	return idle
}

func (s *Sender) fault(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.log.Warn("webhook outbox", "what", what, "err", err)
	}
}

// worker sends to one endpoint. flying is its own goroutine's.
type worker struct {
	*Sender
	endpoint string
	wake     chan struct{} // room for one
	ended    chan int64    // attempts that are over
	flying   map[int64]bool
}

func (w *worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run sends what is due until there has been nothing for a while.
func (w *worker) run(ctx context.Context, g *guard.Group) {
	for {
		timer := time.NewTimer(w.start(ctx, g))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case id := <-w.ended:
			delete(w.flying, id)
		case <-timer.C:
			if w.leave(ctx) {
				return
			}
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// start begins the attempts that are due and says when to look again.
func (w *worker) start(ctx context.Context, g *guard.Group) time.Duration {
	now := time.Now()
	due, next, err := w.outbox.Due(ctx, w.endpoint, now, 2*perEndpoint)
	if err != nil {
		w.fault(ctx, "read what is due", err)
		return faultPause
	}
	for _, d := range due {
		if len(w.flying) == perEndpoint {
			break
		}
		if w.flying[d.ID] {
			continue
		}
		w.flying[d.ID] = true
		g.Go("webhook attempt", func() {
			defer func() { w.ended <- d.ID }()
			w.attempt(ctx, d)
		})
	}
	if next.IsZero() {
		return idle
	}
	return min(max(next.Sub(now), time.Millisecond), idle)
}

// leave ends the worker if nothing waits; what comes later starts another.
func (w *worker) leave(ctx context.Context) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.flying) > 0 || len(w.wake) > 0 {
		return false
	}
	due, next, err := w.outbox.Due(ctx, w.endpoint, time.Now(), 1)
	if err != nil || len(due) > 0 || !next.IsZero() {
		return false
	}
	delete(w.workers, w.endpoint)
	return true
}

// attempt sends once and books what came of it.
func (w *worker) attempt(ctx context.Context, d Delivery) {
	at := time.Now()
	err := w.post(ctx, d)
	if ctx.Err() != nil {
		return
	}
	if booked := w.book(ctx, d, at, err); booked != nil {
		w.fault(ctx, "book an attempt", booked)
		w.pause(ctx)
	}
}

func (w *worker) book(ctx context.Context, d Delivery, at time.Time, failed error) error {
	if failed == nil {
		return w.outbox.Sent(ctx, d.ID)
	}
	next, again := after(d, time.Now())
	if !again || (!d.Trusted && errors.Is(failed, outbound.ErrForbidden)) {
		w.log.Warn("webhook given up", "endpoint", w.endpoint, "event", d.Event, "attempts", d.Attempt+1, "err", failed)
		return w.outbox.Dead(ctx, d.ID, failed.Error())
	}
	w.log.Info("webhook failed", "endpoint", w.endpoint, "event", d.Event, "attempt", d.Attempt+1, "next", next, "err", failed)
	return w.outbox.Failed(ctx, d.ID, at, next, failed.Error())
}

// pause keeps a delivery that could not be booked from being sent in a circle.
func (w *worker) pause(ctx context.Context) {
	timer := time.NewTimer(faultPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
