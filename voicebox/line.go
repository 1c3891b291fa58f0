package voicebox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/voicebox/v253"
)

const (
	retryEvery = time.Second      // while there is no box
	openLimit  = 30 * time.Second // for setting up a box that takes its time; a dead one is known in 4 s
	resetLimit = 5 * time.Second
	maxResets  = 3 // in a row, before the port is opened anew
)

// errSilent is a box that does not answer, or whose sound does not come.
var errSilent = errors.New("the box does not answer")

// errInUse is a line that somebody else has: another way out may be free, and
// nobody is busy whom we called.
var errInUse = fmt.Errorf("%w: the line is in use", cti.ErrUnreachable)

// line is one line for as long as the program runs.
type line struct {
	cfg  Line
	all  *Lines
	log  *slog.Logger
	outs chan *leg // calls to be dialled; holds one

	mu sync.Mutex // guards status, and what enters outs
	status
}

// status is what others see of a line.
type status struct {
	State
	calls   int       // since the start
	idle    time.Time // since when nobody speaks on it
	ready   bool      // a session stands and nothing goes on
	claimed bool      // by a call in outs
	told    bool      // that it is out of service
}

func (s status) free() bool { return s.State.State == InService && s.ready && !s.claimed }

func newLine(all *Lines, cfg Line) *line {
	return &line{
		cfg: cfg, all: all, log: all.log.With("line", cfg.Label), outs: make(chan *leg, 1),
		status: status{State: State{Label: cfg.Label, Number: cfg.Number, Port: cfg.Port, State: OutOfService, Since: time.Now(), Why: "not opened yet"}},
	}
}

func (l *line) now() status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// run keeps the line in service until ctx ends, whatever happens to its box.
func (l *line) run(ctx context.Context) {
	for ctx.Err() == nil {
		var err error
		if fell := guard.Call(func() { err = l.serve(ctx) }); fell != nil {
			err = fell
			l.log.Error("line fell", "err", err)
		}
		if ctx.Err() != nil {
			return
		}
		l.outOfService(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// serve finds, opens and serves the line's box; the error says why it ended.
func (l *line) serve(ctx context.Context) error {
	port, err := l.find()
	if err != nil {
		return err
	}
	opening, cancel := context.WithTimeoutCause(ctx, openLimit, errSilent)
	defer cancel()
	b, err := l.all.connect(opening, port, l.cfg)
	if err != nil {
		return err
	}
	defer func() {
		if err := b.Close(); err != nil {
			l.log.Debug("port not closed", "err", err)
		}
	}()
	l.inService(ctx, port, b.Identity())
	return l.sessions(ctx, b)
}

// sessions serves a box; one that gets stuck is reset and served on.
func (l *line) sessions(ctx context.Context, b box) error {
	for resets := 0; ; resets++ {
		begin := time.Now()
		err := newSession(ctx, l, b).serve()
		if ctx.Err() != nil || isDone(b) {
			return err
		}
		if time.Since(begin) > time.Minute {
			resets = 0
		}
		if resets >= maxResets {
			return fmt.Errorf("reset %d times: %w", resets, err)
		}
		l.log.Warn("the box is reset", "why", err)
		if failed := l.reset(ctx, b); failed != nil {
			return fmt.Errorf("%w; %w", err, failed)
		}
	}
}

func (l *line) reset(ctx context.Context, b box) error {
	ctx, cancel := context.WithTimeoutCause(ctx, resetLimit, errSilent)
	defer cancel()
	if err := b.Reset(ctx); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

func isDone(b box) bool {
	select {
	case <-b.Done():
		return true
	default:
		return false
	}
}

func (l *line) inService(ctx context.Context, port string, id v253.Identity) {
	l.mu.Lock()
	l.Port, l.Box = port, id
	l.State.State, l.Since, l.Why = InService, time.Now(), ""
	l.idle = time.Now()
	l.mu.Unlock()
	l.log.Info("line in service", "port", port, "box", id.Model)
	l.note(ctx)
}

// outOfService tells why, once; another reason later is for who asks.
func (l *line) outOfService(ctx context.Context, err error) {
	why := "ended"
	if err != nil {
		why = err.Error()
	}
	l.mu.Lock()
	told := l.State.State == OutOfService && l.told
	if l.State.State != OutOfService {
		l.Since = time.Now()
	}
	l.State.State, l.Why, l.told = OutOfService, why, true
	l.mu.Unlock()
	if told {
		return
	}
	l.log.Error("line out of service", "err", err)
	l.note(ctx)
}

// note puts the line's state into the journal.
func (l *line) note(ctx context.Context) {
	s := l.now()
	e := cti.Event{Type: cti.EventLineState, Line: s.Label, UserData: map[string]any{
		"state": s.State.State, "why": s.Why, "number": s.Number, "busy": s.Busy, "box": cti.Box(s.Box),
	}}
	if err := l.all.deps.Journal.Note(ctx, e); err != nil {
		l.log.Error("event not noted", "event", e.Type, "err", err)
	}
}

// publish tells others what the session does. A line that starts a call counts
// it, one that ends it is idle from now on.
func (l *line) publish(was, is state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready, l.Busy = is == idle, is != idle
	switch {
	case was == idle && is != idle:
		l.calls++
	case is == idle:
		l.idle = time.Now()
	}
}

// close takes the line from whoever wants to dial, and gives the calls that
// waited for it.
func (l *line) close() (waiting []*leg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready, l.Busy, l.claimed = false, false, false
	for {
		select {
		case leg := <-l.outs:
			waiting = append(waiting, leg)
		default:
			return waiting
		}
	}
}

// dial queues a call for the line's goroutine.
func (l *line) dial(d cti.Device, wanted string, as cti.Number, callID string) (*leg, error) {
	if l.cfg.Mode != ModeAnswer {
		return nil, fmt.Errorf("%w: it is only attended", cti.ErrUnreachable)
	}
	digits := dialled(wanted, l.all.cfg.AreaCode)
	if digits == "" {
		return nil, fmt.Errorf("%w: not a number that can be dialled", cti.ErrNotFound)
	}
	leg, err := newLeg(l.all.deps.Engine, l.log.With("call", callID), cti.Origin{
		Direction: cti.Out, Device: d, From: as, To: cti.Number{Raw: wanted}, DID: wanted, Line: l.cfg.Label,
	})
	if err != nil {
		return nil, err
	}
	leg.digits = digits
	if err := l.claim(leg); err != nil {
		leg.free()
		return nil, err
	}
	return leg, nil
}

func (l *line) claim(leg *leg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.State.State != InService:
		return fmt.Errorf("%w: %s", cti.ErrUnreachable, l.Why)
	case !l.free():
		return errInUse
	}
	l.claimed = true
	l.outs <- leg
	return nil
}

// unclaim says that the session has taken the call.
func (l *line) unclaim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claimed = false
}
