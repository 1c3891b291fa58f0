package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"callbox/cti"
	"callbox/internal/guard"

	wire "github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

const (
	usualHealth = 10 * time.Second
	probeLimit  = 3 * time.Second  // for all addresses of a trunk together
	showEach    = 30 * time.Second // changes of a trunk's state come no faster
	probesTurn  = 2                // that many in a row change a trunk's state
)

// TrunkState is how a trunk is.
type TrunkState struct {
	Name       string
	Up         bool // calls can be sent there
	Since      time.Time
	Why        string // it is down, or not registered
	Registered bool
	Calls      int // at the moment
}

// Trunks are the trunks in their order.
func (s *Server) Trunks() []TrunkState {
	all := make([]TrunkState, len(s.trunks))
	for i, t := range s.trunks {
		all[i] = t.state()
	}
	return all
}

func (t *trunk) state() TrunkState {
	now := t.health.now()
	return TrunkState{
		Name: t.Name, Up: now.up, Since: now.since, Why: now.why,
		Registered: now.registered, Calls: int(t.active.Load()),
	}
}

// vitals are what a trunk's last probes said. They turn when as many as
// probesTurn in a row say otherwise.
type vitals struct {
	alive  bool
	streak int // of probes that said otherwise
}

// after is pure.
func (v vitals) after(alive bool) vitals {
	if alive == v.alive {
		return vitals{alive: alive}
	}
	if v.streak+1 >= probesTurn {
		return vitals{alive: alive}
	}
	return vitals{alive: v.alive, streak: v.streak + 1}
}

func (v vitals) doubtful() bool { return v.streak > 0 }

// health is how a trunk is and what others were told of it. What it shows
// changes at once, but not again before showEach has passed.
type health struct {
	stirred chan struct{}

	mu         sync.Mutex // guards what follows
	vitals     vitals
	silent     string    // why the last probe failed
	refused    string    // why the registrar does not have us
	unheard    string    // why the last registration came to nothing
	registered time.Time // until then
	shown      shownState
	heard      bool // it answered, ever
	told       bool
	changed    time.Time // zero before the first change
}

type shownState struct {
	up         bool
	since      time.Time
	why        string
	registered bool
}

func newHealth() *health {
	return &health{
		stirred: make(chan struct{}, 1), vitals: vitals{alive: true},
		shown: shownState{up: true, since: time.Now()},
	}
}

// stir has watch look again.
func (h *health) stir() {
	select {
	case h.stirred <- struct{}{}:
	default:
	}
}

// probed takes what a probe found, nil for an answer; it says whether the next
// one should come soon.
func (h *health) probed(err error) (doubtful bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.stir()
	h.heard = h.heard || err == nil
	h.vitals = h.vitals.after(err == nil)
	if err != nil {
		h.silent = err.Error()
	}
	return h.vitals.doubtful()
}

// enrolled takes what a registration came to: it holds until then.
func (h *health) enrolled(until time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.stir()
	switch {
	case err == nil:
		h.heard, h.registered, h.refused, h.unheard = true, until, "", ""
	case errors.Is(err, errTurnedAway):
		h.registered, h.refused, h.unheard = time.Time{}, err.Error(), err.Error()
	case errors.Is(err, errConnectionLost):
		h.registered, h.unheard = time.Time{}, err.Error()
	default:
		h.unheard = err.Error()
	}
}

// now is what is shown.
func (h *health) now() shownState {
	h.mu.Lock()
	defer h.mu.Unlock()
	state := h.shown
	state.registered = time.Now().Before(h.registered)
	if state.up && !state.registered && h.unheard != "" {
		state.why = "not registered: " + h.unheard
	}
	return state
}

// settle shows what is known by now. It says whether that is news, and when to
// look again if it has to wait.
func (h *health) settle(now time.Time) (news bool, again time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	up, why := h.vitals.alive, h.silent
	if h.refused != "" {
		up, why = false, h.refused
	}
	if up {
		why = ""
	}
	if up == h.shown.up {
		h.shown.why = why
		news = h.heard && !h.told
		h.told = h.told || news
		return news, 0
	}
	if wait := showEach - now.Sub(h.changed); !h.changed.IsZero() && wait > 0 {
		return false, wait
	}
	h.shown, h.changed, h.told = shownState{up: up, since: now, why: why}, now, true
	return true, 0
}

// watch settles whenever there is something new, and tells what changed.
func (h *health) watch(ctx context.Context, tell func()) {
	for {
		news, again := h.settle(time.Now())
		if news {
			tell()
		}
		var later <-chan time.Time
		if again > 0 {
			later = time.After(again)
		}
		select {
		case <-ctx.Done():
			return
		case <-h.stirred:
		case <-later:
		}
	}
}

// probe asks every so often whether the trunk is there; in doubt sooner, so
// that a dead one is known within twice the interval. A trunk counts as alive
// until it was first asked.
func (h *health) probe(ctx context.Context, each time.Duration, ask func(context.Context) error) {
	wait := apart(each)
	for sleep(ctx, wait) {
		began := time.Now()
		limited, cancel := context.WithTimeoutCause(ctx, min(probeLimit, each*3/10), errSilent)
		err := ask(limited)
		cancel()
		if ctx.Err() != nil {
			return
		}
		wait = apart(each) - time.Since(began)
		if h.probed(err) {
			wait = each / 5
		}
	}
}

// apart is the time between two probes, spread so that trunks are not asked all
// at once.
func apart(each time.Duration) time.Duration { return each*9/10 + rand.N(each/10+1) }

// runTrunks keeps trunks registered and watches how they are until ctx ends.
// Registrations are taken back within what Run gives its last words.
func (s *Server) runTrunks(ctx context.Context) {
	g := guard.Group{Log: s.log}
	for _, t := range s.trunks {
		g.Go("state of a trunk", func() { t.health.watch(ctx, func() { s.tell(ctx, t) }) })
		if t.contact != nil {
			s.work.Go("registration", func() { t.contact.keep(ctx, s) })
		}
		if each := healthEach(t.Health); t.places != nil && each > 0 {
			g.Go("health of a trunk", func() {
				t.health.probe(ctx, each, func(ctx context.Context) error { return s.ask(ctx, t) })
			})
		}
	}
	g.Wait()
}

// healthEach is the time between two OPTIONS, 0 for none.
func healthEach(set time.Duration) time.Duration {
	switch {
	case set == 0:
		return usualHealth
	case set < 0:
		return 0
	}
	return set
}

// tell puts the trunk's state into log and journal.
func (s *Server) tell(ctx context.Context, t *trunk) {
	is, state := t.state(), cti.OutOfService
	if is.Up {
		state = cti.InService
		s.log.Info("trunk in service", "trunk", t.Name)
	} else {
		s.log.Error("trunk out of service", "trunk", t.Name, "err", is.Why)
	}
	if s.deps.Journal == nil {
		return
	}
	e := cti.Event{Type: cti.EventLineState, Line: t.Name, UserData: map[string]any{"state": state, "why": is.Why, "trunk": true}}
	if err := s.deps.Journal.Note(ctx, e); err != nil {
		s.log.Error("event not noted", "event", e.Type, "err", err)
	}
}

// ask sends OPTIONS to one address of the trunk after the other until one
// answers, each with its share of the time.
func (s *Server) ask(ctx context.Context, t *trunk) error {
	way, err := s.wayTo(ctx, t)
	if err != nil {
		return err
	}
	for {
		share, cancel := shareOf(ctx, 1+len(way.next))
		err := s.options(share, t, way)
		cancel()
		if err == nil {
			t.places.resting.awake(way.to)
			return nil
		}
		t.places.rest(way.to, silentRest, false)
		if len(way.next) == 0 || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", way.to, err)
		}
		way.to, way.next = way.next[0], way.next[1:]
	}
}

// shareOf gives one of n what is left of ctx's time.
func shareOf(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, time.Until(end)/time.Duration(n), errSilent)
}

// absent are answers to OPTIONS that say no more than silence does; any other
// comes from somebody who is there.
var absent = map[int]bool{408: true, 502: true, 503: true, 504: true}

func (s *Server) options(ctx context.Context, t *trunk, way target) error {
	req := s.outside(wire.OPTIONS, t, way, t.uri(""))
	req.AppendHeader(&wire.CSeqHeader{SeqNo: 1, MethodName: wire.OPTIONS})
	callID := wire.CallIDHeader(uuid.NewString())
	req.AppendHeader(&callID)
	req.AppendHeader(s.contact(way.ep, way.to.Addr()))
	req.AppendHeader(wire.NewHeader("Accept", "application/sdp"))
	if err := s.address(ctx, req, way.ep, way.to); err != nil {
		return err
	}
	res, err := s.transact(ctx, req)
	if err != nil {
		return err
	}
	if absent[res.StatusCode] {
		return fmt.Errorf("it answers %d", res.StatusCode)
	}
	return nil
}

// outside is a request of ours to the trunk outside of any dialog, from and to
// us as the trunk knows us.
func (s *Server) outside(method wire.RequestMethod, t *trunk, way target, uri wire.Uri) *wire.Request {
	req := wire.NewRequest(method, uri)
	way.lead(req)
	from := wire.Uri{Scheme: "sip", User: "callbox", Host: hostText(s.advertised(way.ep, way.to.Addr()))}
	to := wire.Uri{Scheme: "sip", Host: t.domain()}
	if t.Register {
		from = wire.Uri{Scheme: "sip", User: userPart(t.Username), Host: t.domain()}
	}
	if method == wire.REGISTER {
		to = from
	}
	req.AppendHeader(&wire.FromHeader{Address: from, Params: wire.HeaderParams{{K: "tag", V: wire.GenerateTagN(20)}}})
	req.AppendHeader(&wire.ToHeader{Address: to})
	return req
}
