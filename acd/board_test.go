package acd

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"callbox/cti"

	"pgregory.net/rapid"
)

// quiet takes everything and keeps nothing.
type quiet struct{}

func (quiet) Reachable(string) bool                                { return true }
func (quiet) Note(context.Context, cti.Event) error                { return nil }
func (quiet) Amend(context.Context, string, cti.Amendment) error   { return nil }
func (quiet) LoadDesks(context.Context) ([]DeskRow, error)         { return nil, nil }
func (quiet) SaveDesk(DeskRow)                                     {}
func (quiet) Wait(ctx context.Context, _ *cti.Call, _ Queue) error { <-ctx.Done(); return nil }

func quietDeps() Deps { return Deps{Phones: quiet{}, Journal: quiet{}, Desks: quiet{}} }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// model drives a board with random events and knows what must always hold.
type model struct {
	*board
	now   time.Time
	calls []*ticket
	made  int
}

var modelConfig = Config{
	Agents: []Agent{
		{ID: "1", Extension: "1", Queues: []string{"a"}},
		{ID: "2", Extension: "2", Queues: []string{"a", "b"}, Skills: map[string]int{"pump": 2}},
		{ID: "3", Extension: "3", Queues: []string{"b"}},
	},
	Queues: []Queue{
		{ID: "a", WrapUp: 15 * time.Second, RingTimeout: 20 * time.Second, MaxWait: 5 * time.Minute, MaxLength: 3},
		{ID: "b", Strategy: "round_robin", RingTimeout: 10 * time.Second},
	},
}

func newModel(t *rapid.T) *model {
	m := &model{board: newBoard(quietDeps(), slog.New(slog.DiscardHandler)), now: noon}
	m.configure(modelConfig, m.now)
	for _, d := range m.order {
		m.logOn(d, m.now)
		m.socketOpen(d)
		if rapid.Bool().Draw(t, "ready") {
			_ = m.setState(d, Ready, "", m.now)
		}
	}
	return m
}

func (m *model) anyDesk(t *rapid.T) *desk { return rapid.SampledFrom(m.order).Draw(t, "desk") }

// some draws a call that is in the wanted condition; nil if there is none.
func (m *model) some(t *rapid.T, is func(*ticket) bool) *ticket {
	var fit []*ticket
	for _, c := range m.calls {
		if is(c) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		t.Skip("no such call")
	}
	return rapid.SampledFrom(fit).Draw(t, "call")
}

func ringing(c *ticket) bool { return c.desk != nil && !c.desk.talking }

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":         m.check,
		"join":     m.joins,
		"state":    m.changesState,
		"missed":   func(t *rapid.T) { c := m.some(t, ringing); <-c.offers; m.missed(c, m.now) },
		"picked":   m.picks,
		"gone":     func(t *rapid.T) { m.goes(m.some(t, func(*ticket) bool { return true })) },
		"socket":   func(t *rapid.T) { m.toggleSocket(m.anyDesk(t)) },
		"time":     m.passes,
		"log on":   func(t *rapid.T) { m.logOn(m.anyDesk(t), m.now) },
		"no agent": m.turnedAway,
	}
}

func (m *model) joins(t *rapid.T) {
	m.made++
	c := &ticket{id: fmt.Sprint("call ", m.made), offers: make(chan offer, 1), wanted: cti.Wanted{
		Queue:    rapid.SampledFrom([]string{"a", "b"}).Draw(t, "queue"),
		Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
		Skill:    rapid.SampledFrom([]string{"", "", "pump"}).Draw(t, "skill"),
	}}
	if out, err := m.join(c, m.now); err == nil && out == "" {
		m.calls = append(m.calls, c)
	}
}

func (m *model) changesState(t *rapid.T) {
	wish := rapid.SampledFrom([]State{Ready, Ready, NotReady, WorkingAfterCall, LoggedOff}).Draw(t, "state")
	_ = m.setState(m.anyDesk(t), wish, "", m.now)
}

func (m *model) picks(t *rapid.T) {
	c := m.some(t, ringing)
	<-c.offers
	if !m.picked(c, m.now) {
		t.Fatal("a ringing call was not ours")
	}
}

// turnedAway is a call that read that nobody is logged on.
func (m *model) turnedAway(t *rapid.T) {
	c := m.some(t, func(c *ticket) bool { return c.offered && c.desk == nil && !c.waits })
	<-c.offers
	m.goes(c)
}

func (m *model) goes(c *ticket) {
	m.leave(c, true, m.now)
	for i, other := range m.calls {
		if other == c {
			m.calls = append(m.calls[:i:i], m.calls[i+1:]...)
			return
		}
	}
}

func (m *model) toggleSocket(d *desk) {
	if d.sockets == 0 {
		m.socketOpen(d)
	} else {
		m.socketClosed(d, m.now)
	}
}

// passes lets time go by, with all alarms. A ringing phone is not left beyond
// its lease.
func (m *model) passes(t *rapid.T) {
	end := m.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
	for {
		a, ok := m.alarms.due(end)
		if !ok {
			break
		}
		m.now = a.at
		a.ring(m.now)
	}
	m.now = end
	for _, c := range m.calls {
		if c.offered && c.desk == nil && c.waits { // swept: its goroutine finds out
			<-c.offers
			m.missed(c, m.now)
		}
	}
}

func (m *model) check(t *rapid.T) {
	m.dispatch(m.now)
	m.publish(m.now)
	held := map[*desk]*ticket{}
	for _, c := range m.calls {
		if c.desk == nil {
			continue
		}
		if held[c.desk] != nil {
			t.Fatalf("two calls at desk %s", c.desk.agent.ID)
		}
		held[c.desk] = c
	}
	free := 0
	for _, d := range m.order {
		m.checkDesk(t, d, held[d])
		if d.free() {
			free++
		}
	}
	if free != m.free {
		t.Fatalf("%d desks are free, counted %d", free, m.free)
	}
	m.checkNobodyIdles(t)
}

func (m *model) checkDesk(t *rapid.T, d *desk, c *ticket) {
	switch {
	case d.ticket != c:
		t.Fatalf("desk %s is held by %v, its call is %v", d.agent.ID, d.ticket, c)
	case c != nil && !d.talking && d.state != Ready:
		t.Fatalf("desk %s rings while %s", d.agent.ID, d.state)
	case d.ticket == nil && (d.talking || d.pending != "" && d.state != WorkingAfterCall):
		t.Fatalf("desk %s without a call: talking %v, pending %q", d.agent.ID, d.talking, d.pending)
	case d.wrapFor != "" && d.state != WorkingAfterCall:
		t.Fatalf("desk %s is %s and still wraps up %s", d.agent.ID, d.state, d.wrapFor)
	}
	for _, s := range d.seats {
		if got, want := s.line.view[s.index], d.view(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("queue %s sees %+v, the desk is %+v", s.line.ID, got, want)
		}
	}
}

func (m *model) checkNobodyIdles(t *rapid.T) {
	for _, c := range m.waiting {
		if c.offered || c.expired(m.now) {
			continue
		}
		if pick := c.line.decide(c.call(), m.now); pick.Desk >= 0 {
			t.Fatalf("%s waits in %s while desk %d is free", c.id, c.line.ID, pick.Desk)
		}
	}
}

// Whatever happens in whatever order: no desk is stuck, none has two calls, and
// nobody waits while somebody who could take the call is idle.
func TestBoardHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(m.actions())
		for len(m.calls) > 0 {
			m.goes(m.calls[0])
		}
		m.check(t)
		for _, d := range m.order {
			if d.ticket != nil {
				t.Fatalf("desk %s is stuck with %s", d.agent.ID, d.ticket.id)
			}
		}
	})
}

// The whole step with 2,000 agents and 1,000 waiting: a desk comes free, the
// first caller gets it. The goal is 20 µs.
func BenchmarkDispatch(b *testing.B) {
	cfg := Config{Queues: []Queue{{ID: "q"}}}
	for i := range 2000 {
		cfg.Agents = append(cfg.Agents, Agent{ID: fmt.Sprintf("%04d", i), Queues: []string{"q"}})
	}
	f := newBoard(quietDeps(), slog.New(slog.DiscardHandler))
	f.configure(cfg, noon)
	for _, d := range f.order {
		f.logOn(d, noon)
		_ = f.setState(d, Ready, "", noon)
	}
	for i := range 3000 {
		t := &ticket{id: fmt.Sprint(i), wanted: cti.Wanted{Queue: "q"}, offers: make(chan offer, 1)}
		if out, err := f.join(t, noon); out != "" || err != nil {
			b.Fatal(out, err)
		}
		if t.offered {
			<-t.offers
			f.picked(t, noon)
		}
	}
	f.alarms = nil
	d := f.order[1000]
	for b.Loop() {
		t := d.ticket // leaves for good: the desk is free without wrap-up
		d.ticket, d.talking = nil, false
		f.touch(d)
		f.dispatch(noon)
		next := d.ticket
		<-next.offers
		f.picked(next, noon)
		t.desk, t.offered = nil, false
		f.wait(t)
		f.alarms = f.alarms[:0]
	}
}
