package cti_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
)

// house is a server with everything round it in memory: agents 1001 to 1005 at
// sip:…, a supervisor 2001, the queues repair and sales (served by 1004), and
// numbers outside by trunk:carrier/….
type house struct {
	*cti.Server
	ledger *ledger
	mixer  *mixer
	caller *ctitest.Leg
	over   chan error

	mu     sync.Mutex // guards what follows
	legs   map[string][]*ctitest.Leg
	dead   map[string]bool // phones that cannot be rung
	busy   map[string]bool // desks that are not lent
	desks  []*desk1
	queued []string
	paused []bool
}

var music = media.NewPrompt("music", make([]int16, 8000))

// open starts a call of which agent 1001 is rung and picks up.
func open(t *testing.T) *house {
	t.Helper()
	h := &house{
		ledger: &ledger{}, mixer: &mixer{bridges: map[*bridge1]bool{}, rooms: map[*room1]bool{}}, over: make(chan error, 1),
		legs: map[string][]*ctitest.Leg{}, dead: map[string]bool{}, busy: map[string]bool{},
	}
	h.Server = cti.NewServer(
		cti.Config{AreaCode: "0571", Music: music, Log: slog.New(slog.DiscardHandler)},
		cti.Deps{Engine: h.mixer, Recorder: h, Ledger: h.ledger},
	)
	h.Register("trunk", h)
	h.Register("sip", h)
	h.SetRouter(h)
	h.SetOutgoing(h, h)
	h.caller = h.leg(cti.Origin{
		Direction: cti.In, Device: "trunk:carrier/13800138000", DID: "4001234567", Line: "carrier",
		From: cti.Number{Raw: "13800138000"},
	})
	go func() { h.over <- h.Accept(context.Background(), h.caller) }()
	synctest.Wait()
	return h
}

// talk is open with the caller and 1001 talking.
func talk(t *testing.T) *house {
	t.Helper()
	h := open(t)
	h.phone(t, "1001").PickUp()
	synctest.Wait()
	return h
}

// sounding is a port that knows what it is made to hear now.
type sounding struct {
	*ctitest.Port
	mu  sync.Mutex
	now []string
}

func (s *sounding) Play(ctx context.Context, p media.Prompt) error {
	s.mu.Lock()
	s.now = append(s.now, p.Name)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		at := slices.Index(s.now, p.Name)
		s.now = slices.Delete(s.now, at, at+1)
	}()
	return s.Port.Play(ctx, p)
}

func (h *house) leg(o cti.Origin) *ctitest.Leg {
	return ctitest.NewLeg(o, &sounding{Port: ctitest.NewPort(media.PCMA)})
}

// Dial rings a device.
func (h *house) Dial(_ context.Context, d cti.Device, _ cti.Number, _ string) (cti.Leg, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := d.Address()
	name = name[strings.LastIndex(name, "/")+1:]
	if h.dead[name] {
		return nil, cti.ErrUnreachable
	}
	leg := h.leg(cti.Origin{Direction: cti.Out, Device: d})
	h.legs[name] = append(h.legs[name], leg)
	return leg, nil
}

// phone is the leg of a name's that was rung last: 1002, 13900139000.
func (h *house) phone(t testing.TB, name string) *ctitest.Leg {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.legs[name]) == 0 {
		t.Fatalf("%s was not rung; events %v", name, h.ledger.types())
	}
	return h.legs[name][len(h.legs[name])-1]
}

func (h *house) rings(name string) int {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.legs[name])
}

func (h *house) Exits(to cti.Number) []cti.Exit {
	return []cti.Exit{{Device: cti.Device("trunk:carrier/" + to.Raw), As: cti.Number{Raw: "4001234567"}, Line: "carrier"}}
}

// Route sends a call to 1001 first, then where it is told.
func (h *house) Route(_ cti.Origin, next cti.Target) (cti.Handler, error) {
	switch {
	case next == cti.Target{}:
		return handler(h.first), nil
	case next.Queue == "":
		return nil, cti.ErrNotFound
	}
	return handler(func(ctx context.Context, c *cti.Call) (cti.Outcome, error) { return h.queue(ctx, c, next.Queue) }), nil
}

func (h *house) first(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
	if err := c.Answer(ctx); err != nil {
		return cti.Outcome{Kind: cti.Gone}, err
	}
	c.Queued(cti.Ref{ID: "repair", Name: "报修"})
	return h.serve(ctx, c, "1001")
}

func (h *house) queue(ctx context.Context, c *cti.Call, id string) (cti.Outcome, error) {
	h.mu.Lock()
	h.queued = append(h.queued, id)
	h.mu.Unlock()
	c.Queued(cti.Ref{ID: id})
	return h.serve(ctx, c, "1004")
}

// serve rings an agent as the floor does, whose desk is the handler's.
func (h *house) serve(ctx context.Context, c *cti.Call, agent string) (cti.Outcome, error) {
	d, err := h.lend(agent)
	if err != nil {
		return cti.Outcome{Kind: cti.NoAgents}, nil
	}
	d.own = true
	talked := false
	defer func() { d.Free(talked) }()
	c.Offer(d.Agent(), "longest idle")
	leg, err := c.Ring(ctx, d.Device())
	if err != nil {
		return cti.Outcome{Kind: cti.NoAgents}, nil
	}
	limit, stop := context.WithTimeoutCause(ctx, 20*time.Second, cti.ErrNoAnswer)
	defer stop()
	if err := leg.Answer(limit); err != nil {
		leg.Hangup(cti.CauseNoAnswer)
		c.EndOffer(cti.OfferMissed)
		return cti.Outcome{Kind: cti.TimedOut}, nil
	}
	c.EndOffer(cti.OfferAnswered)
	talked = true
	return c.Bridge(ctx, d.Agent(), leg)
}

// desk1 is an agent's desk while it is lent.
type desk1 struct {
	house *house
	agent string

	mu     sync.Mutex
	picked bool
	freed  int
	talked bool
	lost   bool
	own    bool // of the handler that rings it
}

func (d *desk1) Agent() cti.Ref      { return cti.Ref{ID: d.agent, Name: "坐席" + d.agent} }
func (d *desk1) Device() cti.Device  { return cti.Device("sip:" + d.agent) }
func (d *desk1) Ring() time.Duration { return 20 * time.Second }

func (d *desk1) Picked(context.Context) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.picked = !d.lost
	return d.picked
}

func (d *desk1) Free(talked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freed++
	d.talked = talked
}

func (d *desk1) isFree() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.freed > 0
}

func (h *house) Find(word string) (cti.Target, bool) {
	switch {
	case word == "repair" || word == "sales":
		return cti.Target{Queue: word}, true
	case len(word) == 4 && word[0] == '1':
		return cti.Target{Agent: word}, true
	}
	return cti.Target{}, false
}

func (h *house) Lend(_ context.Context, t cti.Target, _ string) (cti.Desk, error) {
	d, err := h.lend(cmp.Or(t.Agent, "1004"))
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (h *house) lend(agent string) (*desk1, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[agent] || agent >= "2000" {
		return nil, cti.ErrWrongState
	}
	for _, d := range h.desks {
		if d.agent == agent && !d.isFree() {
			return nil, cti.ErrWrongState
		}
	}
	d := &desk1{house: h, agent: agent}
	h.desks = append(h.desks, d)
	return d, nil
}

func (h *house) Reserve(context.Context, string, string) (cti.Ref, cti.Handler, error) {
	d, err := h.lend("1001")
	if err != nil {
		return cti.Ref{}, nil, err
	}
	d.own = true
	return d.Agent(), handler(func(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
		talked := false
		defer func() { d.Free(talked) }()
		leg, err := c.Ring(ctx, d.Device())
		if err == nil {
			err = leg.Answer(ctx)
		}
		if err != nil {
			return cti.Outcome{Kind: cti.Failed}, nil
		}
		out, err := c.Connect(ctx, d.Agent(), leg)
		talked = out.Kind == cti.Talked || out.Kind == cti.MovedOn
		return out, err
	}), nil
}

func (h *house) Seat(_ context.Context, user string) (cti.Ref, cti.Device, error) {
	if user != "2001" && user != "2002" {
		return cti.Ref{}, "", cti.ErrNotFound
	}
	return cti.Ref{ID: user}, cti.Device("sip:" + user), nil
}

func (h *house) Record(context.Context, string, media.Port) (func(context.Context) cti.Recording, error) {
	return func(context.Context) cti.Recording { return cti.Recording{State: cti.RecordingComplete, Seconds: 1} }, nil
}

func (h *house) Pause(_ string, paused bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = append(h.paused, paused)
	return nil
}

// do is a command of by's in the one call there is.
func (h *house) do(by, name string, args map[string]any) (any, error) {
	calls := h.Calls()
	if len(calls) == 0 {
		return nil, cti.ErrNotFound
	}
	doc, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got, err := h.Do(ctx, calls[len(calls)-1].ID, cti.Command{Name: name, By: by, Args: doc})
	synctest.Wait()
	return got, err
}

// must is do that has to work.
func (h *house) must(t testing.TB, by, name string, args map[string]any) any {
	t.Helper()
	got, err := h.do(by, name, args)
	if err != nil {
		t.Fatalf("%s by %s: %v", name, by, err)
	}
	return got
}

func to(word string) map[string]any { return map[string]any{"to": word} }

// hears are the parties and prompts that a leg is made to hear, sorted.
func (h *house) hears(t testing.TB, l *ctitest.Leg) string {
	t.Helper()
	synctest.Wait()
	heard := []string{}
	for _, port := range h.mixer.heard(t, l.Media()) {
		heard = append(heard, h.nameOf(port))
	}
	s := l.Media().(*sounding)
	s.mu.Lock()
	heard = append(heard, s.now...)
	s.mu.Unlock()
	slices.Sort(heard)
	return strings.Join(heard, " ")
}

func (h *house) nameOf(port media.Port) string {
	if port == h.caller.Media() {
		return "caller"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, legs := range h.legs {
		for _, l := range legs {
			if l.Media() == port {
				return name
			}
		}
	}
	return "?"
}

// heard checks what several parties hear: name, then what.
func (h *house) heard(t testing.TB, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		l := h.caller
		if want[i] != "caller" {
			l = h.phone(t, want[i])
		}
		if got := h.hears(t, l); got != want[i+1] {
			t.Errorf("%s hears %q, want %q", want[i], got, want[i+1])
		}
	}
}

// told are the events of an agent since the last time, without those of others.
func (h *house) told(agent string) string {
	synctest.Wait()
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	var words []string
	for _, e := range h.ledger.events {
		if e.AgentID == agent {
			words = append(words, e.Type)
		}
	}
	return strings.Join(words, " ")
}

// ends waits for the call's end and gives its record, after a look that nothing
// was left.
func (h *house) ends(t testing.TB) cti.CDR {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-h.over:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Fatalf("the call is not over; events %v", h.ledger.types())
	}
	h.tidy(t)
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	return h.ledger.final[0]
}

// tidy looks whether anything of a call that is over is left.
func (h *house) tidy(t testing.TB) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	for name, legs := range h.legs {
		for _, l := range legs {
			select {
			case <-l.Done():
			default:
				t.Errorf("a leg of %s is left", name)
			}
		}
	}
	for _, d := range h.desks {
		if d.freed != 1 {
			t.Errorf("desk %s was freed %d times", d.agent, d.freed)
		}
	}
	h.mu.Unlock()
	h.wrapsUp(t)
	h.mixer.empty(t)
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	if n := len(h.ledger.final); n != 1 {
		t.Fatalf("%d records were closed", n)
	}
	cleared := 0
	for _, e := range h.ledger.events {
		if e.Type == cti.EventCallCleared {
			cleared++
		}
	}
	if cleared != 1 {
		t.Errorf("callCleared %d times", cleared)
	}
	for _, l := range h.ledger.final[0].Legs {
		if l.End.IsZero() || l.Standing != "" || !l.StandingSince.IsZero() {
			t.Errorf("leg %+v has no end, or stands somewhere", l)
		}
	}
	for _, o := range h.ledger.final[0].Offers {
		if o.End.IsZero() || o.Outcome == "" {
			t.Errorf("offer %+v has no end", o)
		}
	}
	for _, p := range h.ledger.final[0].Recording.Pauses {
		if p.End.IsZero() {
			t.Errorf("pause %+v has no end", p)
		}
	}
}

// wrapsUp looks whether those desks wrap up whose agents talked.
func (h *house) wrapsUp(t testing.TB) {
	t.Helper()
	for _, d := range h.desks {
		if !d.own && d.talked != d.picked {
			t.Errorf("desk %s: talked %t, picked up %t", d.agent, d.talked, d.picked)
		}
	}
}

// legs gives the kinds of a record's legs, with the agents'.
func legs(r cti.CDR) string {
	var all []string
	for _, l := range r.Legs {
		all = append(all, strings.TrimSuffix(l.Kind+":"+l.Agent, ":"))
	}
	return strings.Join(all, " ")
}

func offers(r cti.CDR) string {
	var all []string
	for _, o := range r.Offers {
		all = append(all, o.Agent+" "+o.Outcome)
	}
	return strings.Join(all, ", ")
}

// mixer is an engine that knows who hears whom.
type mixer struct {
	mu      sync.Mutex
	bridges map[*bridge1]bool
	rooms   map[*room1]bool
	once    []string // faults
}

type (
	bridge1 struct{ a, b media.Port }
	room1   struct {
		m     *mixer
		hears map[media.Port][]media.Port
	}
)

func (m *mixer) Bridge(a, b media.Port) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	br := &bridge1{a, b}
	for o := range m.bridges {
		if o.a == a || o.a == b || o.b == a || o.b == b {
			m.once = append(m.once, "a port in two bridges")
		}
	}
	m.bridges[br] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.bridges, br)
	}
}

func (m *mixer) Room() media.Room {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &room1{m, map[media.Port][]media.Port{}}
	m.rooms[r] = true
	return r
}

func (*mixer) Pipe(media.Law, <-chan []byte, chan<- []byte) media.Port { return port{} }
func (*mixer) Open(netip.Addr) (media.RTP, error)                      { return nil, errors.ErrUnsupported }

func (r *room1) Hear(l media.Port, sources ...media.Port) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.hears[l] = sources
}

func (r *room1) Leave(p media.Port) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	delete(r.hears, p)
	for l, sources := range r.hears {
		r.hears[l] = slices.DeleteFunc(slices.Clone(sources), func(s media.Port) bool { return s == p })
	}
}

func (r *room1) Close() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	delete(r.m.rooms, r)
}

// heard are the ports that p hears.
func (m *mixer) heard(t testing.TB, p media.Port) []media.Port {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []media.Port
	for br := range m.bridges {
		switch p {
		case br.a:
			all = append(all, br.b)
		case br.b:
			all = append(all, br.a)
		}
	}
	for r := range m.rooms {
		if _, in := r.hears[p]; in && len(all) > 0 {
			t.Error("a port is in a bridge and in a room")
		}
		all = append(all, r.hears[p]...)
	}
	for _, fault := range m.once {
		t.Error(fault)
	}
	m.once = nil
	return all
}

// mixed is how many ports are in rooms, and how many bridges there are.
func (m *mixer) count() (mixed, bridges int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.rooms {
		mixed += len(r.hears)
	}
	return mixed, len(m.bridges)
}

func (m *mixer) empty(t testing.TB) {
	t.Helper()
	if mixed, bridges := m.count(); mixed > 0 || bridges > 0 {
		t.Errorf("%d ports are left in rooms and %d bridges", mixed, bridges)
	}
}
