package acd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
)

// Deps are the parts a floor works with. Announcer may be nil: callers then
// wait in silence. Browsers may be nil: no page is a phone.
type Deps struct {
	Phones    Phones
	Browsers  Phones
	Journal   Journal
	Desks     Desks
	Announcer Announcer
}

// Floor owns all desks and queues. Its methods may be called from any
// goroutine; those that answer wait for [Floor.Run].
type Floor struct {
	cfg  Config // what Run begins with
	deps Deps
	log  *slog.Logger
	b    *board

	mu   sync.Mutex // guards mail
	mail []func(b *board, now time.Time)
	wake chan struct{}
	done chan struct{} // closed when Run has ended
}

// New makes a floor; nothing happens before Run.
func New(cfg Config, deps Deps) (*Floor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	if deps.Phones == nil || deps.Journal == nil || deps.Desks == nil {
		return nil, errors.New("floor: Phones, Journal and Desks are needed")
	}
	log := cmp.Or(cfg.Log, slog.Default())
	return &Floor{
		cfg: cfg, deps: deps, log: log, b: newBoard(deps, log),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}, nil
}

// Run owns the floor until ctx ends. First the desks come back as they were
// stored; callers who still wait at the end get [cti.ErrShutdown]. A stop is no
// error. It runs once.
func (f *Floor) Run(ctx context.Context) error {
	defer close(f.done)
	rows, err := f.deps.Desks.LoadDesks(ctx)
	if err != nil {
		return fmt.Errorf("floor: load desks: %w", err)
	}
	f.b.ctx = context.WithoutCancel(ctx)
	f.guarded(func() { f.b.configure(f.cfg, time.Now()) })
	f.guarded(func() { f.b.restore(rows, time.Now()) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			f.b.behind.Wait()
			return nil
		case <-f.wake:
		case <-timer.C:
		}
		f.turn()
		timer.Reset(f.b.alarms.next(time.Now()))
	}
}

// turn serves what came by mail and what is due.
func (f *Floor) turn() {
	for _, letter := range f.letters() {
		f.guarded(func() {
			letter(f.b, time.Now())
			f.b.dispatch(time.Now())
		})
	}
	for {
		a, ok := f.b.alarms.due(time.Now())
		if !ok {
			break
		}
		f.guarded(func() { a.ring(time.Now()) })
	}
	f.guarded(func() { f.b.dispatch(time.Now()) })
	f.guarded(f.b.settle)
	f.guarded(func() { f.b.publish(time.Now()) })
}

// guarded keeps a fault in one step from ending the floor.
func (f *Floor) guarded(step func()) {
	if err := guard.Call(step); err != nil {
		f.log.Error("a step of the floor fell", "err", err)
	}
}

func (f *Floor) letters() []func(*board, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mail := f.mail
	f.mail = nil
	return mail
}

// post puts a letter into the floor's mailbox; it never waits.
func (f *Floor) post(letter func(*board, time.Time)) {
	f.mu.Lock()
	f.mail = append(f.mail, letter)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// ask is post and waits for the answer. Errors: ctx's cause, [cti.ErrShutdown].
func ask[T any](ctx context.Context, f *Floor, question func(*board, time.Time) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	reply := make(chan answer, 1)
	f.post(func(b *board, now time.Time) {
		a := answer{err: errors.New("floor: fell over a question")}
		defer func() { reply <- a }()
		a.value, a.err = question(b, now)
	})
	var none T
	select {
	case a := <-reply:
		return a.value, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-f.done:
		return none, cti.ErrShutdown
	}
}

// SetState is an agent's wish for a state: ready, notReady, workingAfterCall or
// loggedOff. During a call it is kept for afterwards and shown as Pending. It
// returns the desk as it then stands. Errors: [cti.ErrNotFound], [ErrBadState],
// [ErrRefused].
func (f *Floor) SetState(ctx context.Context, agent string, state State, reason string) (Desk, error) {
	return f.atDesk(ctx, agent, func(b *board, d *desk, now time.Time) error {
		return b.setState(d, state, reason, now)
	})
}

// LogOn puts an agent on the floor: notReady, reason login. One who is logged
// on stays as it is.
func (f *Floor) LogOn(ctx context.Context, agent string) (Desk, error) {
	return f.atDesk(ctx, agent, func(b *board, d *desk, now time.Time) error {
		b.logOn(d, now)
		return nil
	})
}

// LogOff takes an agent off the floor, during a call behind it.
func (f *Floor) LogOff(ctx context.Context, agent string) (Desk, error) {
	return f.SetState(ctx, agent, LoggedOff, "")
}

func (f *Floor) atDesk(ctx context.Context, agent string, do func(*board, *desk, time.Time) error) (Desk, error) {
	return ask(ctx, f, func(b *board, now time.Time) (Desk, error) {
		d := b.desks[agent]
		if d == nil {
			return Desk{}, fmt.Errorf("agent %s: %w", agent, cti.ErrNotFound)
		}
		if err := do(b, d, now); err != nil {
			return d.screen(), fmt.Errorf("agent %s: %w", agent, err)
		}
		return d.screen(), nil
	})
}

// Attach says that a screen of agent is connected; detach, which may be called
// twice, that it is gone. Neither waits.
func (f *Floor) Attach(agent string) (detach func()) {
	var at *desk // the floor's
	f.post(func(b *board, _ time.Time) {
		if at = b.desks[agent]; at != nil {
			b.socketOpen(at)
		}
	})
	return sync.OnceFunc(func() {
		f.post(func(b *board, now time.Time) {
			if at != nil {
				b.socketClosed(at, now)
			}
		})
	})
}

// PhoneChanged says that the phones of an extension, or the page that is an
// agent's, came or went. It does not wait.
func (f *Floor) PhoneChanged(address string) {
	f.post(func(b *board, _ time.Time) { b.phoneChanged(address) })
}

// Configure takes over other agents and queues. Who stays keeps state and
// calls; who goes ends the running call first; who waits in a queue that goes
// gets NoAgents.
func (f *Floor) Configure(agents []Agent, queues []Queue) error {
	cfg := Config{Agents: agents, Queues: queues}
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	f.post(func(b *board, now time.Time) { b.configure(cfg, now) })
	return nil
}

// Snapshot is an agent's desk and the queues it serves, as screens see them.
// Errors: [cti.ErrNotFound].
func (f *Floor) Snapshot(agent string) (Desk, []QueueStatus, error) {
	type both struct {
		desk   Desk
		queues []QueueStatus
	}
	s, err := ask(context.Background(), f, func(b *board, now time.Time) (both, error) {
		d := b.desks[agent]
		if d == nil {
			return both{}, fmt.Errorf("agent %s: %w", agent, cti.ErrNotFound)
		}
		out := both{d.screen(), []QueueStatus{}}
		for _, s := range d.seats {
			out.queues = append(out.queues, b.status(s.line, now))
		}
		return out, nil
	})
	return s.desk, s.queues, err
}

// Desks are all desks in configured order; none when the floor has ended.
func (f *Floor) Desks() []Desk {
	desks, _ := ask(context.Background(), f, func(b *board, _ time.Time) ([]Desk, error) {
		out := make([]Desk, len(b.order))
		for i, d := range b.order {
			out[i] = d.screen()
		}
		return out, nil
	})
	return desks
}

// Queues are all queues in configured order; none when the floor has ended.
func (f *Floor) Queues() []QueueStatus {
	queues, _ := ask(context.Background(), f, func(b *board, now time.Time) ([]QueueStatus, error) {
		out := make([]QueueStatus, len(b.queues))
		for i, l := range b.queues {
			out[i] = b.status(l, now)
		}
		return out, nil
	})
	return queues
}
