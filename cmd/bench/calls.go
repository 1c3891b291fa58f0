package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// load holds bridged, recorded calls and counts processor time and memory.
func (b *bench) load(ctx context.Context, dir string) (rows []row, err error) {
	s, err := newStaff(ctx, b.program, dir, files{agents: b.calls})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	rows = append(rows, row{"idle: resident memory, 2 s after the start", mega(s.idle), "<= 60 MB"})
	before, err := s.warm(ctx)
	if err != nil {
		return rows, err
	}
	s.behave(ctitest.Plan{})
	began := time.Now().Truncate(time.Second).Add(time.Second)
	if err := pause(ctx, time.Until(began)); err != nil {
		return rows, err
	}
	calls, err := s.talkAll(ctx, b.calls)
	if err != nil {
		return rows, err
	}
	used, after, err := s.spent(ctx, b.talk)
	if err != nil {
		return rows, err
	}
	if err := s.heard(calls, 0.8); err != nil {
		return rows, err
	}
	for _, c := range calls {
		c.Hangup()
	}
	if _, err := s.api().answered(ctx, b.calls, began); err != nil {
		return rows, err
	}
	least, err := floor(ctx, b.calls)
	if err != nil {
		return rows, err
	}
	cost := used.Seconds() / (float64(b.calls) * b.talk.Minutes())
	return append(rows,
		row{
			fmt.Sprintf("%d bridged, recorded calls for %v: CPU a call-minute", b.calls, b.talk),
			fmt.Sprintf("%.4f s (%.1f %% of a core)", cost, 100*used.Seconds()/b.talk.Seconds()), "<= 0.06 s",
		},
		row{
			"the same packets through a program that only forwards them",
			fmt.Sprintf("%.4f s (callbox takes %.2f times that)", least, cost/least), "",
		},
		row{
			"memory a call, above agents logged in and first calls made",
			fmt.Sprintf("%d kB (%s in all)", (after-before)/b.calls, mega(after)), "<= 60 kB",
		}), nil
}

// warm makes a few calls, so that what the first calls load once is not counted
// as theirs, and gives the memory after them in kB.
func (s *staff) warm(ctx context.Context) (kB int, err error) {
	s.behave(ctitest.Plan{Talk: 100 * time.Millisecond})
	if err := s.shortCalls(ctx, 5, 1); err != nil {
		return 0, err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return 0, err
	}
	return s.rss()
}

func mega(kB int) string { return fmt.Sprintf("%.1f MB", float64(kB)/1024) }

// talkAll makes n calls, 25 a second, and waits until every agent hears one.
func (s *staff) talkAll(ctx context.Context, n int) ([]*ctitest.Talk, error) {
	var calls []*ctitest.Talk
	for range n {
		c, err := s.call(ctx)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
		if err := pause(ctx, 40*time.Millisecond); err != nil {
			return nil, err
		}
	}
	err := until(ctx, startLimit, func() (bool, error) {
		heard := 0
		for _, a := range s.answers() {
			if !a.talk.FirstHeard(callerTone).IsZero() {
				heard++
			}
		}
		return heard == n, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%d of %d calls came to an agent: %w", len(s.answers()), n, err)
	}
	return calls, pause(ctx, 2*time.Second)
}

// spent is the daemon's processor time over d, and its memory at the end.
func (s *staff) spent(ctx context.Context, d time.Duration) (used time.Duration, kB int, err error) {
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, d); err != nil {
		return 0, 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	kB, err = s.rss()
	return after - before, kB, err
}

// heard looks whether both sides still hear each other: least is the share that
// the other's tone has in all that a side hears.
func (s *staff) heard(calls []*ctitest.Talk, least float64) error {
	deaf, lost := 0, 0
	for _, c := range calls {
		if c.Heard(agentTone) < least {
			deaf++
		}
		lost += c.Stats().Lost
	}
	for _, a := range s.answers() {
		if a.talk.Heard(callerTone) < least {
			deaf++
		}
		lost += a.talk.Stats().Lost
	}
	if deaf > 0 {
		return fmt.Errorf("%d of %d sides do not hear the other", deaf, len(calls)+len(s.answers()))
	}
	if lost > 0 {
		return fmt.Errorf("%d packets lost on loopback", lost)
	}
	return nil
}

// pops measures short calls: ring to pop, answer to audio, then what a call's
// way through the box costs.
func (b *bench) pops(ctx context.Context, dir string) (rows []row, err error) {
	s, err := newStaff(ctx, b.program, dir, files{agents: b.agents})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.behave(ctitest.Plan{Ring: 200 * time.Millisecond, Talk: 300 * time.Millisecond})
	began := time.Now()
	if err := s.shortCalls(ctx, b.popCalls, max(1, b.agents/2)); err != nil {
		return nil, err
	}
	if _, err := s.api().answered(ctx, b.popCalls, began); err != nil {
		return nil, err
	}
	pops, sounds, err := s.latencies()
	if err != nil {
		return nil, err
	}
	rows = append(rows,
		row{"agent's phone says 180 to pop on the screen", spread(pops, 0.5, 0.99), "p99 <= 20 ms"},
		row{"agent's phone says 200 to the caller's first sound there", spread(sounds, 0.5, 0.99), "<= 200 ms"})
	idle, _, err := s.spent(ctx, 5*time.Second)
	if err != nil {
		return rows, err
	}
	cost, rate, err := s.setUps(ctx, b.popCalls, b.agents, idle.Seconds()/5)
	if err != nil {
		return rows, err
	}
	return append(rows, row{
		fmt.Sprintf("CPU a call from INVITE to record (0.1 s of talk, %.0f calls/s; idle's %.1f ms/s taken off)", rate, 200*idle.Seconds()),
		fmt.Sprintf("%.2f ms", 1000*cost), "<= 1 ms",
	}), nil
}

// shortCalls makes n calls, so many at a time; the agents end them.
func (s *staff) shortCalls(ctx context.Context, n, atATime int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg guard.Group
	var made atomic.Int64
	for range atATime {
		wg.Go("caller", func() {
			for int(made.Add(1)) <= n && ctx.Err() == nil {
				if err := s.shortCall(ctx); err != nil {
					stop(err) // the first one counts
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (s *staff) shortCall(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := s.call(ctx)
	if err != nil {
		return err
	}
	defer c.Hangup()
	if err := c.WaitAnswered(ctx); err != nil {
		return err
	}
	select {
	case <-c.Ended():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a call did not end: %w", context.Cause(ctx))
	}
}

// latencies are, of all calls taken, 180 to pop and 200 to sound.
func (s *staff) latencies() (pops, sounds []time.Duration, err error) {
	for _, a := range s.answers() {
		at, ok := a.desk.screen.pop(a.talk.Invite().Get("X-Callbox-Call"))
		if !ok {
			return nil, nil, fmt.Errorf("agent %s had no pop for call %q", a.desk.id, a.talk.Invite().Get("X-Callbox-Call"))
		}
		first := a.talk.FirstHeard(callerTone)
		if first.IsZero() {
			return nil, nil, fmt.Errorf("agent %s heard nothing of a call", a.desk.id)
		}
		times := a.talk.Times()
		pops = append(pops, at.Sub(times.Ringing))
		sounds = append(sounds, first.Sub(times.Answered))
	}
	return pops, sounds, nil
}

// setUps is the processor time a call in seconds, without idle, and how many
// calls there were a second.
func (s *staff) setUps(ctx context.Context, n, agents int, idle float64) (cost, rate float64, err error) {
	s.behave(ctitest.Plan{Talk: 100 * time.Millisecond})
	began := time.Now()
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := s.shortCalls(ctx, n, max(1, agents/2)); err != nil {
		return 0, 0, err
	}
	seconds := time.Since(began).Seconds()
	if err := pause(ctx, 500*time.Millisecond); err != nil { // records and wrap-up
		return 0, 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	used := (after - before).Seconds() - idle*(seconds+0.5)
	_, err = s.api().answered(ctx, n, began)
	return used / float64(n), float64(n) / seconds, err
}
