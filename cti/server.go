package cti

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/internal/number"
	"callbox/internal/stamp"

	"github.com/google/uuid"
)

// closeLimit bounds what a call still does for its record after its end.
const closeLimit = 30 * time.Second

// Config is what a [Server] is told once.
type Config struct {
	AreaCode string // the local area, for numbers without one
	Lookup   LookupConfig
	NoAudio  NoAudio
	Dialing  Dialing
	Zone     *time.Location // whose days the limits of Dialing count; the machine's when nil
	Music    media.Prompt   // for who is on hold; silence when empty
	Log      *slog.Logger
}

// NoAudio is what becomes of a call in which a party that should be heard is
// not. Zero values are 10 s and 60 s, negative ones never.
type NoAudio struct {
	Notice time.Duration // until it is told: event noAudio
	Hangup time.Duration // until the call is ended
}

// Deps are the parts a [Server] works with. Directory and Fetcher may be nil.
type Deps struct {
	Engine    media.Engine
	Recorder  Recorder
	Ledger    Ledger
	Directory Directory
	Fetcher   Fetcher
}

// Server owns the live calls. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	deps    Deps
	dialing *turnstile

	mu       sync.Mutex // guards what follows; held for map work only
	router   Router
	exits    Exits
	popLink  string // of SetPopLink
	desks    Desks
	dialers  map[string]Dialer
	calls    map[string]*Call
	draining bool
	empty    chan struct{} // closed by the last call to end while draining
}

// NewServer makes a server without routes and dialers; see SetRouter and
// Register.
func NewServer(cfg Config, deps Deps) *Server {
	number.Warm()
	return &Server{cfg: cfg, deps: deps, dialing: newTurnstile(cfg.Dialing, cfg.Zone), dialers: map[string]Dialer{}, calls: map[string]*Call{}}
}

// Register lets d ring the devices of scheme.
func (s *Server) Register(scheme string, d Dialer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialers[scheme] = d
}

// SetRouter replaces the routes; calls that are already routed keep theirs.
func (s *Server) SetRouter(r Router) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.router = r
}

// Accept makes leg a call and returns when the call is over and recorded.
// ErrShutdown means that the box takes no calls and the leg was refused.
func (s *Server) Accept(ctx context.Context, leg Leg) error {
	if leg.Origin().Agent != "" {
		return s.acceptPhone(ctx, leg)
	}
	id, err := uuid.NewV7()
	if err != nil {
		leg.Hangup(CauseCongestion)
		return fmt.Errorf("call id: %w", err)
	}
	call := newCall(ctx, s, id.String(), leg)
	if err := s.admit(call); err != nil {
		leg.Hangup(CauseCongestion)
		return err
	}
	defer s.release(call)
	call.open()
	call.watch(leg)
	return call.finish(call.serve(nil))
}

func (s *Server) admit(call *Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		call.cancel(ErrShutdown)
		return ErrShutdown
	}
	s.calls[call.id] = call
	return nil
}

func (s *Server) number(n Number) Number {
	if n.E164 == "" {
		n.E164 = number.Normalize(n.Raw, s.cfg.AreaCode)
	}
	if n.Place == "" {
		n.Place = number.Place(n.E164)
	}
	return n
}

func (s *Server) release(c *Call) {
	c.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, c.id)
	if s.empty != nil && len(s.calls) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

func (s *Server) route(o Origin, next Target) (Handler, error) {
	s.mu.Lock()
	r := s.router
	s.mu.Unlock()
	if r == nil {
		return nil, ErrNotFound
	}
	return r.Route(o, next)
}

func (s *Server) dialer(scheme string) (Dialer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.dialers[scheme]
	if !ok {
		return nil, fmt.Errorf("no way to ring %q devices: %w", scheme, ErrUnreachable)
	}
	return d, nil
}

// Drain refuses new calls and returns when none is left. When ctx ends first,
// the rest is ended with ErrShutdown and recorded.
func (s *Server) Drain(ctx context.Context) {
	empty := s.closeDoor()
	select {
	case <-empty:
		return
	case <-ctx.Done():
	}
	for _, c := range s.live() {
		c.cancel(ErrShutdown)
	}
	<-empty
}

func (s *Server) closeDoor() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	empty := make(chan struct{})
	if len(s.calls) == 0 {
		close(empty)
	} else {
		s.empty = empty
	}
	return empty
}

func (s *Server) live() []*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Call, 0, len(s.calls))
	for _, c := range s.calls {
		all = append(all, c)
	}
	return all
}

// Command is a screen's wish for a live call, by its CSTA name: clearConnection,
// holdCall … By is the agent who asks; Args the command's JSON.
type Command struct {
	Name string
	By   string
	Args json.RawMessage
}

// Do puts a command into a call's mailbox and waits for its answer, which is
// what the asker's screen gets as result; nil for most. Errors: ErrNotFound,
// ErrWrongState, ErrNotServed, ErrBadNumber, ErrBarred, ErrTooMany,
// ErrUnreachable (no phone), ErrBusy.
func (s *Server) Do(ctx context.Context, call string, cmd Command) (any, error) {
	s.mu.Lock()
	c, ok := s.calls[call]
	s.mu.Unlock()
	if !ok {
		return nil, ErrNotFound
	}
	return c.do(ctx, cmd)
}

// Calls are the records of the live calls as they stand, newest first.
func (s *Server) Calls() []CDR {
	live := s.live()
	records := make([]CDR, len(live))
	for i, c := range live {
		records[i] = c.Record()
	}
	slices.SortFunc(records, func(a, b CDR) int { return cmp.Compare(b.ID, a.ID) })
	return records
}

// Call is a live call's record as it stands.
func (s *Server) Call(id string) (CDR, bool) {
	s.mu.Lock()
	c, ok := s.calls[id]
	s.mu.Unlock()
	if !ok {
		return CDR{}, false
	}
	return c.Record(), true
}

// open writes the record's beginning, tells the screens, and starts what runs
// beside the call.
func (c *Call) open() {
	c.startLookup()
	c.follow()
	if err := c.server.deps.Ledger.Open(c.ctx, c.Record()); err != nil {
		c.log.Error("call not opened in the ledger", "err", err)
	}
	o := c.Origin()
	e := Event{Type: EventOffered, ConnectionID: c.leg.ID()}
	if o.Direction == Out {
		e.AgentID, e.UserData = c.agentID(), map[string]any{"direction": Out}
	}
	c.note(e)
	c.log.Info("call", "direction", o.Direction, "line", o.Line, "from", number.Masked(o.From.Raw),
		"to", number.Masked(o.To.Raw), "did", o.DID)
}

// serve takes the call from handler to handler until one has nothing more;
// first is nil for a call that its number is to route.
func (c *Call) serve(first Handler) Outcome {
	var next Target
	for handler := first; ; handler = nil {
		if handler == nil {
			var err error
			if handler, err = c.server.route(c.Origin(), next); err != nil {
				return c.unrouted(err)
			}
		}
		outcome := c.serveBy(handler)
		for c.conversation != nil && c.ctx.Err() == nil && outcome.Kind != Failed {
			outcome = c.serveBy(c.conversation) // others go on
		}
		if outcome.Next == (Target{}) || c.ctx.Err() != nil {
			return outcome
		}
		next = outcome.Next
	}
}

func (c *Call) serveBy(h Handler) Outcome {
	outcome, err := c.handle(h)
	if err != nil && c.ctx.Err() == nil {
		c.log.Error("call handler failed", "err", err)
		return Outcome{Kind: Failed, Side: BoxSide, Cause: CauseError}
	}
	return outcome
}

func (c *Call) unrouted(err error) Outcome {
	if !errors.Is(err, ErrNotFound) {
		c.log.Error("call not routed", "err", err)
		return Outcome{Kind: Failed, Side: BoxSide, Cause: CauseError}
	}
	c.log.Warn("no route for this number", "did", c.Origin().DID)
	return Outcome{Kind: Refused, Side: BoxSide, Cause: CauseNotFound}
}

// handle runs one handler; a panic in it is an error of this call only.
func (c *Call) handle(h Handler) (outcome Outcome, err error) {
	if fell := guard.Call(func() { outcome, err = h.Handle(c.ctx, c) }); fell != nil {
		return Outcome{}, fmt.Errorf("handler: %w", fell)
	}
	return outcome, err
}

// finish ends the legs, closes the recording and makes the record final.
func (c *Call) finish(o Outcome) error {
	gone := context.Cause(c.ctx)
	verdict := judge(o, c.Record(), c.phase(), gone)
	c.endConversation()
	if !errors.Is(gone, errCeded) {
		c.leg.Hangup(verdict.cause)
	}
	c.cancel(ErrCleared)
	c.update(func(r *CDR) {
		r.Times.Hangup = stamp.Now()
		if !r.Times.IVRIn.IsZero() && r.Times.IVROut.IsZero() {
			r.Times.IVROut = r.Times.Hangup
		}
		if c.deskless && len(r.Offers) == 0 { // there is no wrap-up to wait for
			r.Times.ACWEnd = r.Times.Hangup
		}
		r.closeLeg(c.leg)
	})
	c.note(Event{Type: EventCallCleared, ConnectionID: c.leg.ID(), AgentID: c.agentID(), Cause: verdict.cause})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), closeLimit)
	defer cancel()
	c.stopRecording(ctx)
	c.update(verdict.write)
	c.log.Info("call over", "result", verdict.result, "where", verdict.where, "cause", verdict.cause,
		"side", verdict.side, "agent", c.agentID(), "recording", c.Record().Recording.State)
	if err := c.server.deps.Ledger.Close(ctx, c.Record()); err != nil {
		return fmt.Errorf("close the record of call %s: %w", c.id, err)
	}
	return nil
}
