package acdtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"

	"pgregory.net/rapid"
)

// event is something that happens on the floor, so long after the one before.
type event struct {
	after time.Duration
	what  func(*testing.T, *acdtest.Floor, *day)
}

type day struct {
	callers []*acdtest.Caller
	made    []string // calls by agents
	lines   []<-chan struct{}
	detach  map[string]func()
}

var agents = []string{"1", "2", "3", "4"}

func config() acd.Config {
	cfg := acd.Config{Queues: []acd.Queue{
		{ID: "a", RingTimeout: 20 * time.Second, WrapUp: 15 * time.Second, MaxWait: 2 * time.Minute, MaxLength: 5},
		{ID: "b", RingTimeout: 10 * time.Second, Strategy: "random", MaxWait: time.Minute},
	}}
	for i, a := range agents {
		queues := [][]string{{"a"}, {"a", "b"}, {"b"}, {"b", "a"}}[i]
		cfg.Agents = append(cfg.Agents, acd.Agent{ID: a, Extension: a, Queues: queues})
	}
	return cfg
}

var phones = []acdtest.Phone{
	{Talk: 30 * time.Second},
	{Alerts: time.Second, After: 5 * time.Second, Talk: time.Minute},
	{After: 19 * time.Second},
	{Never: true},
	{Refuses: cti.ErrRejected},
	{After: time.Second, Refuses: cti.ErrBusy},
	{Dead: cti.ErrUnreachable},
}

func anyEvent(t *rapid.T) event {
	agent := rapid.SampledFrom(agents).Draw(t, "agent")
	e := event{after: time.Duration(rapid.IntRange(0, 20000).Draw(t, "after")) * time.Millisecond}
	switch rapid.IntRange(0, 7).Draw(t, "event") {
	case 0, 1, 2:
		w := cti.Wanted{
			Queue:    rapid.SampledFrom([]string{"a", "b"}).Draw(t, "queue"),
			Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
		}
		patience := time.Duration(rapid.IntRange(0, 200).Draw(t, "patience")) * time.Second
		e.what = func(_ *testing.T, f *acdtest.Floor, d *day) {
			c := f.Call(w)
			d.callers = append(d.callers, c)
			time.AfterFunc(patience, c.HangUp)
		}
	case 3:
		state := rapid.SampledFrom([]acd.State{acd.Ready, acd.Ready, acd.NotReady, acd.WorkingAfterCall}).Draw(t, "state")
		e.what = func(t *testing.T, f *acdtest.Floor, _ *day) { f.Set(t, agent, state) }
	case 4:
		plan := rapid.SampledFrom(phones).Draw(t, "phone")
		e.what = func(_ *testing.T, f *acdtest.Floor, _ *day) { f.Phones.Plan(agent, plan) }
	case 5:
		e.what = func(_ *testing.T, f *acdtest.Floor, d *day) {
			if d.detach[agent] != nil {
				d.detach[agent]()
				d.detach[agent] = nil
			} else {
				d.detach[agent] = f.Attach(agent)
			}
		}
	case 6:
		plan := rapid.SampledFrom(phones).Draw(t, "customer")
		e.what = func(_ *testing.T, f *acdtest.Floor, d *day) {
			f.Abroad.Plan("carrier/+8613900139000", plan)
			if call, err := f.Make(agent, "13900139000"); err == nil {
				d.made = append(d.made, call.ID)
				time.AfterFunc(5*time.Minute, func() { // nobody talks for ever
					_, _ = f.Server.Do(context.Background(), call.ID, cti.Command{Name: cti.CmdClearConnection})
				})
			}
		}
	case 7:
		out := rapid.Bool().Draw(t, "out")
		lifts := time.Duration(rapid.IntRange(0, 40).Draw(t, "lifts")) * time.Second
		ends := time.Duration(rapid.IntRange(0, 80).Draw(t, "ends")) * time.Second
		e.what = func(_ *testing.T, f *acdtest.Floor, d *day) { d.line(f, agent, out, lifts, ends) }
	}
	return e
}

// line lets an agent's own telephone ring, or call out.
func (d *day) line(f *acdtest.Floor, agent string, out bool, lifts, ends time.Duration) {
	o := cti.Origin{Direction: cti.In, Device: "line:1", Attend: agent}
	if out {
		o.Direction = cti.Out
	}
	line := ctitest.NewLine(o)
	d.lines = append(d.lines, f.Line(line))
	time.AfterFunc(lifts/2, func() { line.Tell("13700137000", "13900139000") })
	time.AfterFunc(lifts, line.Lift)
	time.AfterFunc(ends, line.Replace)
}

// pass lives through the day and says what went wrong.
func pass(t *testing.T, events []event) error {
	f, d := acdtest.Start(t, config()), &day{detach: map[string]func(){}}
	f.Seat(t, agents...)
	for _, e := range events {
		time.Sleep(e.after)
		e.what(t, f, d)
		if n := f.Phones.Live(); n > len(agents) {
			return fmt.Errorf("%d phones are in use by %d agents", n, len(agents))
		}
	}
	time.Sleep(time.Hour)
	for _, c := range d.callers {
		if !c.Over() {
			return fmt.Errorf("caller %s never came to an end", c.DID)
		}
		if out, cdr := c.Wait(); cdr.Result == nil || out.Kind == "" || out.Kind == cti.Failed {
			return fmt.Errorf("caller %s: outcome %+v, record %+v", c.DID, out, cdr)
		}
	}
	for _, line := range d.lines {
		select {
		case <-line:
		default:
			return errors.New("a call at an own telephone never came to an end")
		}
	}
	if live := f.Server.Calls(); len(live) != 0 {
		return fmt.Errorf("%d calls live for ever, of %d by agents", len(live), len(d.made))
	}
	for _, desk := range f.Desks() {
		if desk.Call != "" && desk.State != acd.WorkingAfterCall || desk.Pending != "" {
			return fmt.Errorf("a desk is stuck: %+v", desk)
		}
	}
	if n := f.Phones.Live() + f.Abroad.Live(); n != 0 {
		return fmt.Errorf("%d phones still in use", n)
	}
	return nil
}

// Days of real calls with moody phones, impatient callers and agents who come
// and go: every caller gets an outcome and a record, no desk and no phone is
// stuck.
func TestDays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(anyEvent), 1, 40).Draw(rt, "events")
		var wrong error
		synctest.Test(t, func(t *testing.T) { wrong = pass(t, events) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}
