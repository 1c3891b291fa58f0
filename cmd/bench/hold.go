package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// holdTalk is how long callers and agents, or callers and flows, talk in hold.
const holdTalk = 100 * time.Millisecond

// hold keeps a rate of new calls up, with journal, record and recording: into a
// flow that ends them, then through to agents, there a quarter and a half of
// the rate first.
func (b *bench) hold(ctx context.Context, dir string) (rows []row, err error) {
	n := int(b.holdFor.Seconds() * float64(b.holdRate))
	s, err := newStaff(ctx, b.program, dir, files{agents: b.holdDesks, customers: n})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.warm(ctx); err != nil {
		return nil, err
	}
	s.behave(ctitest.Plan{Talk: holdTalk})
	idle, _, err := s.spent(ctx, 5*time.Second)
	if err != nil {
		return nil, err
	}
	flow, err := s.keepUp(ctx, greeting, b.holdRate, b.holdFor, idle.Seconds()/5)
	if err != nil {
		return nil, fmt.Errorf("into a flow: %w", err)
	}
	rows = flow.rows("into a flow", "")
	for _, rate := range []int{b.holdRate / 4, b.holdRate / 2, b.holdRate} {
		desks, err := s.keepUp(ctx, hotline, rate, b.holdFor, idle.Seconds()/5)
		if err != nil {
			return rows, fmt.Errorf("%d/s to agents: %w", rate, err)
		}
		rows = append(rows, desks.rows("through to an agent", "<= 1 ms")...)
		if desks.failed > 0 {
			break // more of them would only wait longer
		}
	}
	return rows, nil
}

// held is what came of a rate that was to be kept up.
type held struct {
	wanted        int // calls a second
	span          time.Duration
	rate          float64 // calls a second that were answered
	failed        int
	why           error   // of one that failed
	cost          float64 // processor time a call in seconds, without idle
	before, after int     // resident memory in kB
	answers       []time.Duration
	rings         []time.Duration // INVITE to 180, or to an agent's phone
}

func (h held) rows(way, reach string) []row {
	name := fmt.Sprintf("%d calls/s for %v %s", h.wanted, h.span, way)
	failures := fmt.Sprintf("%.0f/s, %d failed", h.rate, h.failed)
	if h.why != nil {
		failures += fmt.Sprintf(" (%v)", h.why)
	}
	rows := []row{
		{name, failures, "0 failed"},
		{"— CPU a call from INVITE to record", fmt.Sprintf("%.2f ms", 1000*h.cost), reach},
		{"— INVITE to 200", spread(h.answers, 0.5, 0.99), ""},
	}
	if len(h.rings) > 0 {
		rows = append(rows, row{"— INVITE to the INVITE at an agent's phone", spread(h.rings, 0.5, 0.99), ""})
	}
	return append(rows, row{"— resident memory before and after", mega(h.before) + ", " + mega(h.after), ""})
}

// keepUp makes rate calls a second for as long as span whatever becomes of
// them, waits for their records, and says what they cost.
func (s *staff) keepUp(ctx context.Context, to string, rate int, span time.Duration, idle float64) (h held, err error) {
	h = held{wanted: rate, span: span}
	n := int(span.Seconds() * float64(rate))
	s.behave(ctitest.Plan{Talk: holdTalk})
	if h.before, err = s.rss(); err != nil {
		return h, err
	}
	spent, err := s.cpu()
	if err != nil {
		return h, err
	}
	began := time.Now()
	calls := s.volley(ctx, to, n, rate)
	made := s.judge(&h, calls, began)
	if _, err := s.api().recorded(ctx, resultOf(to), made, began); err != nil {
		return h, err
	}
	seconds := time.Since(began).Seconds()
	after, err := s.cpu()
	if err != nil {
		return h, err
	}
	h.cost = ((after - spent).Seconds() - idle*seconds) / float64(n)
	h.after, err = s.rss()
	return h, err
}

// resultOf is what calls to a number end with.
func resultOf(to string) string {
	if to == greeting {
		return "completed"
	}
	return "answered"
}

// judge counts calls that were answered and ended well, and sorts their times.
func (s *staff) judge(h *held, calls []outcome, began time.Time) (made int) {
	var last time.Duration
	rang := map[string]time.Time{}
	for _, a := range s.answers() {
		rang[a.talk.From()] = a.talk.Times().Begin
	}
	for _, c := range calls {
		if c.err != nil {
			h.failed++
			h.why = c.err
			continue
		}
		made++
		times := c.talk.Times()
		last = max(last, times.Answered.Sub(began))
		h.answers = append(h.answers, times.Answered.Sub(times.Begin))
		if at := rang[c.talk.From()]; !at.IsZero() {
			h.rings = append(h.rings, at.Sub(times.Begin))
		}
	}
	h.rate = float64(made) / max(last, h.span).Seconds()
	return made
}

// outcome is what became of one call of a volley.
type outcome struct {
	talk *ctitest.Talk
	err  error
}

// longestLag is how much of a stall of the bench itself is made up for: more at
// once would be more than the box takes in a second.
const longestLag = 200 * time.Millisecond

// volley makes calls at the times that rate sets, and waits until all are over.
// Each comes from another number.
func (s *staff) volley(ctx context.Context, to string, n, rate int) []outcome {
	var (
		wg   guard.Group
		mu   sync.Mutex
		all  []outcome
		next = time.Now()
	)
	for i := range n {
		if pause(ctx, time.Until(next)) != nil {
			break
		}
		next = next.Add(time.Second / time.Duration(rate))
		if late := time.Since(next); late > longestLag {
			next = next.Add(late - longestLag)
		}
		wg.Go("caller", func() {
			t, err := s.passing(ctx, to, customerNumber(i))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, outcome{t, err})
		})
	}
	wg.Wait()
	return slices.Clip(all)
}

// passing is one call that the other side ends.
func (s *staff) passing(ctx context.Context, to, from string) (*ctitest.Talk, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	t, err := s.carrier.Call(ctx, to, ctitest.CallOptions{From: from})
	if err != nil {
		return nil, err
	}
	defer t.Hangup()
	t.Tone(callerTone)
	if err := t.WaitAnswered(ctx); err != nil {
		return t, err
	}
	select {
	case <-t.Ended():
		return t, nil
	case <-ctx.Done():
		return t, fmt.Errorf("a call did not end: %w", context.Cause(ctx))
	}
}

// customerNumber is the number that customer i calls from.
func customerNumber(i int) string { return "138" + strconv.Itoa(10_000_000+i) }
