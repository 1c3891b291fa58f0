package acdtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"
)

// faults keeps what was logged as an error.
type faults struct {
	slog.Handler
	mu   sync.Mutex
	said []string
}

func (f *faults) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (f *faults) WithAttrs([]slog.Attr) slog.Handler           { return f }

func (f *faults) Handle(_ context.Context, r slog.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	f.said = append(f.said, line)
	return nil
}

const team = 20

// hotline is a floor of twenty in three queues.
func hotline(log slog.Handler) acd.Config {
	cfg := acd.Config{Log: slog.New(log), Queues: []acd.Queue{
		{ID: "first", RingTimeout: 15 * time.Second, WrapUp: 15 * time.Second, MaxWait: 3 * time.Minute},
		{ID: "second", RingTimeout: 20 * time.Second, WrapUp: 40 * time.Second, MaxWait: time.Minute, Strategy: "round_robin"},
		{ID: "third", RingTimeout: 10 * time.Second, MaxWait: time.Minute, Strategy: "fewest_calls"},
	}}
	for n := range team {
		queues := [][]string{{"first"}, {"first", "second"}, {"second", "third"}, {"third", "first"}}[n%4]
		cfg.Agents = append(cfg.Agents, acd.Agent{ID: who(n), Extension: fmt.Sprint(8000 + n), Queues: queues})
	}
	return cfg
}

func who(n int) string { return fmt.Sprintf("agent%d", n) }

// busy is a day at the hotline.
type busy struct {
	*acdtest.Floor
	dice    *rand.Rand
	callers []*acdtest.Caller
	phones  []<-chan struct{} // calls that they made

	counting sync.Mutex
	granted  map[string]int // by command
}

func (b *busy) agent() string               { return who(b.dice.IntN(team)) }
func (b *busy) extension() string           { return fmt.Sprint(8000 + b.dice.IntN(team)) }
func (b *busy) queue() string               { return []string{"first", "second", "third"}[b.dice.IntN(3)] }
func (b *busy) seconds(n int) time.Duration { return time.Duration(1+b.dice.IntN(n)) * time.Second }

// abroad is the customer's phone as the floor's ways out reach it.
const abroad = "carrier/+8613900139000"

// whom is whom a call may be sent to.
func (b *busy) whom() string {
	switch b.dice.IntN(4) {
	case 0:
		return b.queue()
	case 1:
		return "13900139000"
	case 2:
		return b.extension()
	}
	return b.agent()
}

// mood is how a phone behaves from now on.
func (b *busy) mood() acdtest.Phone {
	p := acdtest.Phone{Alerts: time.Second, After: b.seconds(8), Talk: b.seconds(150)}
	switch b.dice.IntN(12) {
	case 0:
		p.Never = true
	case 1:
		p.Refuses = []error{cti.ErrBusy, cti.ErrRejected}[b.dice.IntN(2)]
	case 2:
		p.Dead = cti.ErrUnreachable
	}
	return p
}

// next is what an agent may do with the outside party.
var next = [][]string{
	{cti.CmdSingleStepTransfer},
	{cti.CmdConsultationCall, cti.CmdTransferCall},
	{cti.CmdConsultationCall, cti.CmdReconnectCall},
	{cti.CmdConsultationCall, cti.CmdAlternateCall, cti.CmdConferenceCall, cti.CmdClearConnection},
	{cti.CmdConsultationCall, cti.CmdClearConnection},
	{cti.CmdHoldCall, cti.CmdRetrieveCall},
	{cti.CmdHoldCall, cti.CmdClearConnection},
}

// step is something to be done so long after the step before.
type step struct {
	after       time.Duration
	command, to string
}

// handle lets the agent who will have the call to did do something with it.
func (b *busy) handle(did string) {
	var steps []step
	for _, command := range next[b.dice.IntN(len(next))] {
		steps = append(steps, step{b.seconds(15), command, b.whom()})
	}
	var look func()
	look = func() {
		call, agent, ok := b.Talking(did)
		for i := 0; ok && i < len(steps); i++ {
			time.Sleep(steps[i].after)
			if b.Ask(call, agent, steps[i].command, steps[i].to) == nil {
				b.count(steps[i].command)
			}
		}
		if !ok && b.waits(did) {
			time.AfterFunc(5*time.Second, look)
		}
	}
	time.AfterFunc(time.Second, look)
}

// waits says that the call to did still runs.
func (b *busy) waits(did string) bool {
	return slices.ContainsFunc(b.Server.Calls(), func(c cti.CDR) bool { return c.DID == did })
}

// dialled counts a phone's call that found the agent's desk free.
func (b *busy) dialled(leg *ctitest.Leg) {
	select {
	case <-leg.Answered():
		b.count("dialled")
	case <-leg.Done():
	}
}

func (b *busy) count(command string) {
	b.counting.Lock()
	defer b.counting.Unlock()
	b.granted[command]++
}

// goHome ends what only agents end, and lets all be asked once more.
func (b *busy) goHome() {
	for n := range team {
		_, _ = b.LogOn(context.Background(), who(n))
		_, _ = b.SetState(context.Background(), who(n), acd.Ready, "")
	}
	synctest.Wait()
}

// pass lets n callers in, one every few seconds, and what goes with them.
func (b *busy) pass(n int) {
	for range n {
		time.Sleep(b.seconds(14))
		c := b.Call(cti.Wanted{Queue: b.queue()})
		b.callers = append(b.callers, c)
		time.AfterFunc(b.seconds(600), c.HangUp)
		if b.dice.IntN(3) == 0 {
			b.handle(c.DID)
		}
		switch b.dice.IntN(10) {
		case 0, 1, 2:
			b.Phones.Plan(b.extension(), b.mood())
			b.Abroad.Plan(abroad, b.mood())
		case 3, 4:
			leg, over := b.Phone(b.extension(), b.whom())
			b.phones = append(b.phones, over)
			time.AfterFunc(b.seconds(200), leg.RemoteHangup)
			time.AfterFunc(0, func() { b.dialled(leg) })
		case 5, 6:
			state := []acd.State{acd.NotReady, acd.WorkingAfterCall, acd.LoggedOff}[b.dice.IntN(3)]
			_, _ = b.SetState(context.Background(), b.agent(), state, "")
		default: // somebody comes back
			_, _ = b.LogOn(context.Background(), b.agent())
			_, _ = b.SetState(context.Background(), b.agent(), acd.Ready, "")
		}
	}
}

// check says what is wrong when everybody has gone home.
func (b *busy) check(t *testing.T) {
	talked := 0
	for _, c := range b.callers {
		if !c.Over() {
			t.Fatalf("caller %s never came to an end", c.DID)
		}
		_, r := c.Wait()
		if r.Talked() {
			talked++
		}
		if !r.Final() {
			t.Errorf("call %s has no final record", r.ID)
		}
		if ends := b.Store.Ends(r.ID); r.Agent != nil && len(ends) != 1 {
			t.Errorf("the record of %s learned of the end of wrap-up %d times: %v, legs %+v", r.ID, len(ends), ends, r.Legs)
		}
	}
	if talked < len(b.callers)/2 {
		t.Errorf("%d of %d callers talked to somebody", talked, len(b.callers))
	}
	for _, over := range b.phones {
		select {
		case <-over:
		default:
			t.Error("a phone's call never came to an end")
		}
	}
	if live := b.Server.Calls(); len(live) != 0 {
		t.Errorf("%d calls live for ever: %+v", len(live), live[0])
	}
	if n := b.Floor.Phones.Live() + b.Abroad.Live(); n != 0 {
		t.Errorf("%d phones still in use", n)
	}
	for _, d := range b.Desks() {
		if d.Call != "" && d.State != acd.WorkingAfterCall || d.Pending != "" {
			t.Errorf("a desk is stuck: %+v", d)
		}
		desk, err := b.Lend(t.Context(), cti.Target{Agent: d.ID}, "closing time")
		if err != nil {
			t.Errorf("a lease never ended: %v", err)
			continue
		}
		desk.Free(false)
	}
}

// A day of 2,000 calls at a floor of twenty: agents transfer, consult, confer and
// hold, call colleagues and customers from their phones, go away and come back;
// phones are let ring, refuse and fail. In the evening no desk, phone, call or
// lease is left, each record learned once that its work is over, and nothing was
// logged as a fault.
func TestBusyDay(t *testing.T) {
	log := &faults{}
	synctest.Test(t, func(t *testing.T) {
		cfg := hotline(log)
		b := &busy{Floor: acdtest.Start(t, cfg), dice: rand.New(rand.NewPCG(1, 0)), granted: map[string]int{}}
		for _, a := range cfg.Agents {
			b.Seat(t, a.ID)
			b.Phones.Plan(a.Extension, acdtest.Phone{After: b.seconds(8), Talk: b.seconds(150)})
		}
		b.pass(2000)
		time.Sleep(2 * time.Hour)
		b.goHome()
		b.check(t)
		b.checkGranted(t)
	})
	for _, line := range log.said {
		t.Error(line)
	}
}

// checkGranted says whether the day was a busy one.
func (b *busy) checkGranted(t *testing.T) {
	b.counting.Lock()
	defer b.counting.Unlock()
	for command, least := range map[string]int{
		cti.CmdSingleStepTransfer: 20, cti.CmdConsultationCall: 80, cti.CmdTransferCall: 10,
		"dialled": 50, cti.CmdConferenceCall: 5, cti.CmdReconnectCall: 10, cti.CmdHoldCall: 50,
	} {
		if n := b.granted[command]; n < least {
			t.Errorf("%s was granted %d times, not %d", command, n, least)
		}
	}
	t.Log(b.granted)
}
