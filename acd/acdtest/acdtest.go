// Package acdtest is a floor in memory: real calls of a real cti.Server, with
// simulated agents' phones and callers. Inside a synctest bubble a working day
// passes in milliseconds. Its goroutines are started by guard and end with the
// test; it knows no network, no files and no sound.
package acdtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// Floor is a running floor and the server whose calls it serves.
type Floor struct {
	*acd.Floor
	Server *cti.Server
	Store  *Store
	Phones *Phones  // the agents', by extension
	Abroad *Phones  // everybody else's, by NAME/NUMBER of a way out
	Ways   []string // names of the ways out, the best first; "carrier"

	ctx    context.Context
	stop   context.CancelFunc
	group  guard.Group
	mu     sync.Mutex
	wanted map[string]cti.Wanted // by DID
	got    map[string]cti.Outcome
	made   int
}

// Option changes what a floor is built from.
type Option func(*acd.Deps)

// WithAnnouncer lets a play while callers wait.
func WithAnnouncer(a acd.Announcer) Option { return func(d *acd.Deps) { d.Announcer = a } }

// WithDesks starts the floor with desks stored before.
func WithDesks(rows ...acd.DeskRow) Option {
	return func(d *acd.Deps) { d.Desks.(*Store).rows = rows }
}

// Start runs a floor until the test ends. All phones answer at once unless told
// otherwise.
func Start(t testing.TB, cfg acd.Config, options ...Option) *Floor {
	t.Helper()
	log := cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	store, phones := &Store{}, newPhones()
	deps := acd.Deps{Phones: phones, Journal: store, Desks: store}
	for _, o := range options {
		o(&deps)
	}
	cfg.Log = log
	floor, err := acd.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	f := &Floor{
		Floor: floor, Store: store, Phones: phones, Abroad: newPhones(), Ways: []string{"carrier"},
		Server: cti.NewServer(cti.Config{AreaCode: "0571", Log: log}, cti.Deps{Engine: engine{}, Recorder: recorder{}, Ledger: store}),
		wanted: map[string]cti.Wanted{}, got: map[string]cti.Outcome{},
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.Server.SetRouter(router{f})
	f.Server.Register("sip", phones)
	f.Server.Register("trunk", f.Abroad)
	f.Server.SetOutgoing(exits{f}, floor)
	f.group.Go("floor", func() {
		if err := floor.Run(f.ctx); err != nil {
			t.Errorf("floor: %v", err)
		}
	})
	t.Cleanup(f.Stop)
	return f
}

// Stop ends the floor and everything on it.
func (f *Floor) Stop() {
	f.stop()
	f.group.Wait()
}

// Seat logs agents on, with a screen, and makes them ready.
func (f *Floor) Seat(t testing.TB, agents ...string) {
	t.Helper()
	for _, a := range agents {
		f.Attach(a)
		if _, err := f.LogOn(f.ctx, a); err != nil {
			t.Fatal(err)
		}
		f.Set(t, a, acd.Ready)
	}
}

// Set is an agent's wish that must be granted.
func (f *Floor) Set(t testing.TB, agent string, state acd.State) acd.Desk {
	t.Helper()
	d, err := f.SetState(f.ctx, agent, state, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Desk is one desk as it stands.
func (f *Floor) Desk(t testing.TB, agent string) acd.Desk {
	t.Helper()
	d, _, err := f.Snapshot(agent)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Caller is somebody who called a queue.
type Caller struct {
	*ctitest.Leg
	DID   string // the number dialled, one a caller
	floor *Floor
	ended chan struct{}
}

// Call lets somebody ask for w; the call runs by itself.
func (f *Floor) Call(w cti.Wanted) *Caller {
	f.mu.Lock()
	f.made++
	did := fmt.Sprintf("9%05d", f.made)
	f.wanted[did] = w
	f.mu.Unlock()
	c := &Caller{DID: did, floor: f, ended: make(chan struct{}), Leg: ctitest.Incoming("13800138000", did)}
	f.group.Go("caller", func() {
		defer close(c.ended)
		_ = f.Server.Accept(f.ctx, c.Leg)
	})
	return c
}

// Line lets a line's leg in; over is closed when its call is.
func (f *Floor) Line(leg cti.Leg) (over <-chan struct{}) {
	ended := make(chan struct{})
	f.group.Go("line", func() {
		defer close(ended)
		_ = f.Server.Accept(f.ctx, leg)
	})
	return ended
}

// Make has an agent call a number.
func (f *Floor) Make(agent, to string) (cti.CDR, error) {
	return f.Server.Make(f.ctx, cti.Order{To: to, Agent: agent})
}

// Phone has an agent's own phone call somebody; over is closed when its call is.
func (f *Floor) Phone(extension, to string) (phone *ctitest.Leg, over <-chan struct{}) {
	phone = ctitest.NewLeg(cti.Origin{
		Direction: cti.In, Device: cti.Device("sip:" + extension), Agent: extension,
		From: cti.Number{Raw: extension}, To: cti.Number{Raw: to}, DID: to,
	}, nil)
	return phone, f.Line(phone)
}

// Talking is the running call to did and the agent whose it is; false before
// and after.
func (f *Floor) Talking(did string) (call, agent string, ok bool) {
	for _, c := range f.Server.Calls() {
		if c.DID == did && c.Agent != nil {
			return c.ID, c.Agent.ID, true
		}
	}
	return "", "", false
}

// Ask is an agent's command for a call; to may be empty.
func (f *Floor) Ask(call, agent, command, to string) error {
	args, err := json.Marshal(map[string]string{"to": to})
	if err != nil {
		return err
	}
	_, err = f.Server.Do(f.ctx, call, cti.Command{Name: command, By: agent, Args: args})
	return err
}

// exits lead out by the floor's ways.
type exits struct{ *Floor }

// Exits gives them.
func (x exits) Exits(to cti.Number) []cti.Exit {
	var all []cti.Exit
	for _, way := range x.Ways {
		all = append(all, cti.Exit{
			Device: cti.Device("trunk:" + way + "/" + to.E164), As: cti.Number{Raw: "4001234567"}, Line: way,
		})
	}
	return all
}

// HangUp is the caller putting down the receiver.
func (c *Caller) HangUp() { c.RemoteHangup() }

// Wait returns when the call is over, with what the queue made of it and the
// record.
func (c *Caller) Wait() (cti.Outcome, cti.CDR) {
	<-c.ended
	c.floor.mu.Lock()
	defer c.floor.mu.Unlock()
	return c.floor.got[c.DID], c.floor.Store.Record(c.DID)
}

// Over says whether the call is over.
func (c *Caller) Over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// router sends every call to the queue its caller wants, one at an agent's own
// telephone to the agent, and a transferred one where it goes next.
type router struct{ *Floor }

func (r router) Route(o cti.Origin, next cti.Target) (cti.Handler, error) {
	switch {
	case next.Agent != "":
		return r.Agent(next.Agent), nil
	case next.Queue != "":
		return r.Queue(next.Queue), nil
	case o.Attend != "":
		return r.Attend(o.Attend), nil
	}
	return r, nil
}

func (r router) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	did := call.Origin().DID
	r.mu.Lock()
	w := r.wanted[did]
	r.mu.Unlock()
	out, err := r.Enqueue(ctx, call, w)
	r.mu.Lock()
	r.got[did] = out
	r.mu.Unlock()
	return out, err
}

// Store is ledger, journal and desks in memory.
type Store struct {
	mu      sync.Mutex
	events  []cti.Event
	records map[string]cti.CDR // by DID
	amended []cti.Amendment
	ends    map[string][]cti.Time // of wrap-up, by call
	rows    []acd.DeskRow
}

// Open keeps nothing: a call counts when it is closed.
func (s *Store) Open(context.Context, cti.CDR) error { return nil }

// Note keeps an event.
func (s *Store) Note(_ context.Context, e cti.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Time.Time = time.Now()
	s.events = append(s.events, e)
	return nil
}

// Close keeps a record.
func (s *Store) Close(_ context.Context, r cti.CDR) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		s.records = map[string]cti.CDR{}
	}
	s.records[r.DID] = r
	return nil
}

// Amend keeps an amendment.
func (s *Store) Amend(_ context.Context, call string, a cti.Amendment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends == nil {
		s.ends = map[string][]cti.Time{}
	}
	s.amended, s.ends[call] = append(s.amended, a), append(s.ends[call], a.ACWEnd)
	return nil
}

// Ends are when the wrap-up of a call ended, once for each time it was told.
func (s *Store) Ends(call string) []cti.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]cti.Time{}, s.ends[call]...)
}

// LoadDesks gives the rows of [WithDesks].
func (s *Store) LoadDesks(context.Context) ([]acd.DeskRow, error) { return s.Rows(), nil }

// SaveDesk keeps the newest row of each agent.
func (s *Store) SaveDesk(row acd.DeskRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.rows {
		if s.rows[i].Agent == row.Agent {
			s.rows[i] = row
			return
		}
	}
	s.rows = append(s.rows, row)
}

// Rows are the stored desks.
func (s *Store) Rows() []acd.DeskRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]acd.DeskRow{}, s.rows...)
}

// Events are the events of these types, or all of them, in order.
func (s *Store) Events(types ...string) []cti.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []cti.Event
	for _, e := range s.events {
		for _, typ := range types {
			if e.Type == typ {
				out = append(out, e)
			}
		}
		if len(types) == 0 {
			out = append(out, e)
		}
	}
	return out
}

// Record is the closed record of the call to did.
func (s *Store) Record(did string) cti.CDR {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[did]
}

// Amendments are all that came, in order.
func (s *Store) Amendments() []cti.Amendment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]cti.Amendment{}, s.amended...)
}
