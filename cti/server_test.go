package cti_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
)

// leg is a party in memory; the outgoing ones answer when told.
type leg struct {
	id       string
	origin   cti.Origin
	answered chan struct{}
	done     chan struct{}
	once     sync.Once
	err      error

	mu    sync.Mutex
	cause string
}

func newLeg(id, from string) *leg {
	return &leg{
		id: id, answered: make(chan struct{}), done: make(chan struct{}),
		origin: cti.Origin{Direction: cti.In, From: cti.Number{Raw: from}, DID: "4001234567", Line: "carrier"},
	}
}

func (l *leg) ID() string                { return l.id }
func (l *leg) Device() cti.Device        { return cti.Device("test:" + l.id) }
func (l *leg) Origin() cti.Origin        { return l.origin }
func (l *leg) Alerting() <-chan struct{} { c := make(chan struct{}); close(c); return c }
func (l *leg) Media() media.Port         { return port{} }
func (l *leg) Done() <-chan struct{}     { return l.done }
func (l *leg) Err() error                { return l.err }

func (l *leg) Answer(ctx context.Context) error {
	if l.origin.Direction == cti.In {
		return nil
	}
	select {
	case <-l.answered:
		return nil
	case <-l.done:
		return cti.ErrRejected
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *leg) Hangup(cause string) { l.end(nil, cause) }

// leave is the party's own hang-up.
func (l *leg) leave() { l.end(cti.ErrRemoteHangup, "") }

func (l *leg) end(err error, cause string) {
	l.once.Do(func() {
		l.mu.Lock()
		l.err, l.cause = err, cause
		l.mu.Unlock()
		close(l.done)
	})
}

func (l *leg) hungUp() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

type port struct{}

func (port) Play(context.Context, media.Prompt) error { return nil }
func (port) Digits() <-chan rune                      { return nil }
func (port) Send(string)                              {}
func (port) Tap(media.Sink)                           {}
func (port) Law() media.Law                           { return media.PCMA }
func (port) Stats() media.Stats                       { return media.Stats{Received: 90, Lost: 10} }

type engine struct{}

func (engine) Bridge(media.Port, media.Port) func()                    { return func() {} }
func (engine) Pipe(media.Law, <-chan []byte, chan<- []byte) media.Port { return port{} }
func (engine) Open(netip.Addr) (media.RTP, error)                      { return nil, errors.ErrUnsupported }
func (engine) Room() media.Room                                        { return nil }

// ledger remembers all it is told.
type ledger struct {
	mu     sync.Mutex
	events []cti.Event
	final  []cti.CDR
}

func (l *ledger) Open(context.Context, cti.CDR) error { return nil }
func (l *ledger) Note(_ context.Context, e cti.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return nil
}

func (l *ledger) Close(_ context.Context, r cti.CDR) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.final = append(l.final, r)
	return nil
}
func (l *ledger) Amend(context.Context, string, cti.Amendment) error { return nil }

func (l *ledger) types() (types []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		types = append(types, e.Type)
	}
	return types
}

func (l *ledger) event(kind string) (cti.Event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.events, func(e cti.Event) bool { return e.Type == kind })
	if i < 0 {
		return cti.Event{}, false
	}
	return l.events[i], true
}

type shelf struct{}

func (shelf) Record(context.Context, string, media.Port) (func(context.Context) cti.Recording, error) {
	return func(context.Context) cti.Recording { return cti.Recording{State: cti.RecordingComplete, Seconds: 1} }, nil
}

// slowSystem is a ticket system that answers after a while.
type slowSystem struct {
	after time.Duration
	reply string
}

func (s slowSystem) Get(ctx context.Context, _ string) (json.RawMessage, error) {
	select {
	case <-time.After(s.after):
		return json.RawMessage(s.reply), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// handler is a function as a handler, and the only route.
type handler func(context.Context, *cti.Call) (cti.Outcome, error)

func (h handler) Handle(ctx context.Context, c *cti.Call) (cti.Outcome, error) { return h(ctx, c) }
func (h handler) Route(cti.Origin, cti.Target) (cti.Handler, error)            { return h, nil }

type dialer struct{ leg *leg }

func (d dialer) Dial(context.Context, cti.Device, cti.Number, string) (cti.Leg, error) {
	return d.leg, nil
}

// scene is a server with one outside leg and one agent's phone.
type scene struct {
	server  *cti.Server
	ledger  *ledger
	outside *leg
	phone   *leg
	over    chan error
}

func newScene(fetch cti.Fetcher, h handler) *scene {
	s := &scene{ledger: &ledger{}, outside: newLeg("out", "13800138000"), phone: newLeg("phone", ""), over: make(chan error, 1)}
	s.phone.origin.Direction = cti.Out
	cfg := cti.Config{Log: slog.New(slog.DiscardHandler), Lookup: cti.LookupConfig{URL: "http://t/", Timeout: 800 * time.Millisecond}}
	s.server = cti.NewServer(cfg, cti.Deps{Engine: engine{}, Recorder: shelf{}, Ledger: s.ledger, Fetcher: fetch})
	s.server.SetRouter(h)
	s.server.Register("sip", dialer{s.phone})
	return s
}

func (s *scene) accept(ctx context.Context) {
	go func() { s.over <- s.server.Accept(ctx, s.outside) }()
}

var wang = cti.Ref{ID: "1001", Name: "王芳"}

// desk queues, rings the phone and talks, as the floor does.
func desk(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
	if err := c.Answer(ctx); err != nil {
		return cti.Outcome{}, err
	}
	c.Queued(cti.Ref{ID: "repair", Name: "报修"})
	c.Offer(wang, "longest idle")
	leg, err := c.Ring(ctx, "sip:1001")
	if err != nil {
		return cti.Outcome{Kind: cti.Gone}, err
	}
	<-leg.Alerting()
	c.Delivered(wang, leg)
	if err := leg.Answer(ctx); err != nil {
		c.EndOffer(cti.OfferCanceled)
		return cti.Outcome{Kind: cti.Gone}, err
	}
	c.EndOffer(cti.OfferAnswered)
	c.Dequeued("")
	return c.Bridge(ctx, wang, leg)
}

func TestTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(slowSystem{100 * time.Millisecond, `{"customer":{"id":"c1","name":"安顺","colour":"red"}}`}, desk)
		s.accept(t.Context())
		time.Sleep(200 * time.Millisecond)
		pop, ok := s.ledger.event(cti.EventDelivered)
		if customer, _ := pop.UserData["customer"].(cti.Customer); !ok || customer.Name != "安顺" || customer.Extra["colour"] != "red" {
			t.Errorf("pop = %+v", pop)
		}
		close(s.phone.answered)
		time.Sleep(time.Second)
		s.outside.leave()
		if err := <-s.over; err != nil {
			t.Fatal(err)
		}
		want := []string{
			"offered", "recordStarted", "queued", "delivered", "diverted", "established",
			"connectionCleared", "callCleared", "recordStopped",
		}
		if got := s.ledger.types(); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		r := s.ledger.final[0]
		if *r.Result != cti.ResultAnswered || r.HangupSide != cti.CallerSide || r.Customer.Name != "安顺" || r.From.E164 != "+8613800138000" {
			t.Errorf("record = %+v", r)
		}
		if len(r.Legs) != 2 || r.Legs[1].End.IsZero() || r.Legs[0].Loss != 10 {
			t.Errorf("legs = %+v", r.Legs)
		}
		if s.phone.hungUp() == "" {
			t.Error("the agent's phone was not hung up")
		}
	})
}

// TestLineLostInTalk: screens and record tell the same of a box that was
// unplugged.
func TestLineLostInTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(slowSystem{}, desk)
		s.accept(t.Context())
		time.Sleep(time.Second)
		close(s.phone.answered)
		time.Sleep(time.Second)
		s.outside.end(cti.ErrLineLost, "")
		if err := <-s.over; err != nil {
			t.Fatal(err)
		}
		e, _ := s.ledger.event(cti.EventConnectionCleared)
		if r := s.ledger.final[0]; e.Cause != cti.CauseLineLost || e.UserData["side"] != cti.LineSide || r.Cause != cti.CauseLineLost || r.HangupSide != cti.LineSide {
			t.Errorf("event %q by %v, record %q by %q", e.Cause, e.UserData["side"], r.Cause, r.HangupSide)
		}
	})
}

func TestLateCustomerFollowsThePop(t *testing.T) {
	for name, tt := range map[string]struct {
		answers time.Duration
		late    bool
	}{
		"last instant": {800*time.Millisecond - 1, false},
		"too late":     {800*time.Millisecond + 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(slowSystem{tt.answers, `{"customer":{"id":"c1","name":"安顺"}}`}, desk)
				s.accept(t.Context())
				time.Sleep(2 * time.Second)
				pop, _ := s.ledger.event(cti.EventDelivered)
				more, follows := s.ledger.event(cti.EventCallInformation)
				if (pop.UserData["customer"] == nil) != tt.late || follows != tt.late {
					t.Errorf("pop %v, follows %v, want late %v", pop.UserData, follows, tt.late)
				}
				if follows && more.AgentID != "1001" {
					t.Errorf("told %q", more.AgentID)
				}
				s.outside.leave()
				<-s.over
			})
		})
	}
}

func TestCallerLeavesWhileThePhoneRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		s.accept(t.Context())
		time.Sleep(time.Second)
		s.outside.leave()
		begin := time.Now()
		<-s.over
		if took := time.Since(begin); took > 0 {
			t.Errorf("it took %v to end the call", took)
		}
		synctest.Wait()
		if s.phone.hungUp() != cti.CauseCanceled {
			t.Errorf("phone hung up with %q", s.phone.hungUp())
		}
		if r := s.ledger.final[0]; *r.Result != cti.ResultAbandoned || r.Where != cti.WhereRinging {
			t.Errorf("result %s where %s", *r.Result, r.Where)
		}
	})
}

func TestAgentClearsByCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		s.accept(t.Context())
		close(s.phone.answered)
		synctest.Wait()
		id := s.server.Calls()[0].ID
		fly := cti.Command{Name: "flyCall", By: "1001"}
		if _, err := s.server.Do(t.Context(), id, fly); !errors.Is(err, cti.ErrNotServed) {
			t.Errorf("flyCall = %v", err)
		}
		if _, err := s.server.Do(t.Context(), id, cti.Command{Name: cti.CmdClearConnection, By: "1001"}); err != nil {
			t.Errorf("clearConnection = %v", err)
		}
		<-s.over
		if r := s.ledger.final[0]; r.HangupSide != cti.AgentSide || s.outside.hungUp() != cti.CauseNormal {
			t.Errorf("side %s, outside %s", r.HangupSide, s.outside.hungUp())
		}
		if _, err := s.server.Do(t.Context(), id, fly); !errors.Is(err, cti.ErrWrongState) && !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("command after the end = %v", err)
		}
	})
}

func TestPanicEndsOneCallOnly(t *testing.T) {
	s := newScene(nil, func(context.Context, *cti.Call) (cti.Outcome, error) { panic("fell") })
	s.accept(t.Context())
	if err := <-s.over; err != nil {
		t.Fatal(err)
	}
	if r := s.ledger.final[0]; *r.Result != cti.ResultFailed || r.Cause != cti.CauseError {
		t.Errorf("record = %+v", r)
	}
}

func TestDrainWaitsThenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		s.accept(t.Context())
		close(s.phone.answered)
		synctest.Wait()
		limit, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		s.server.Drain(limit)
		if waited := time.Since(begin); waited != 5*time.Second {
			t.Errorf("drained after %v, want 5s", waited)
		}
		<-s.over
		if r := s.ledger.final[0]; *r.Result != cti.ResultAnswered || r.HangupSide != cti.BoxSide {
			t.Errorf("record = %+v", r)
		}
		late := newLeg("late", "13900139000")
		if err := s.server.Accept(t.Context(), late); !errors.Is(err, cti.ErrShutdown) || late.hungUp() != cti.CauseCongestion {
			t.Errorf("Accept while draining = %v, %s", err, late.hungUp())
		}
	})
}

func (shelf) Pause(string, bool) error { return nil }
