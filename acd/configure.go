package acd

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"callbox/acd/strategy"
)

// Config is who works on the floor and what they serve.
type Config struct {
	Agents []Agent
	Queues []Queue
	Log    *slog.Logger // slog.Default when nil
}

// Validate names every fault at once.
func (c Config) Validate() error {
	var faults []error
	queues, agents := map[string]bool{}, map[string]bool{}
	for _, q := range c.Queues {
		faults = append(faults, once(queues, "queue", q.ID))
		if err := strategy.Validate(q.Strategy); err != nil {
			faults = append(faults, fmt.Errorf("queue %s: %w", q.ID, err))
		}
	}
	for _, a := range c.Agents {
		faults = append(faults, once(agents, "agent", a.ID))
		for _, q := range a.Queues {
			if !queues[q] {
				faults = append(faults, fmt.Errorf("agent %s: no queue %q", a.ID, q))
			}
		}
	}
	return errors.Join(faults...)
}

func once(seen map[string]bool, what, id string) error {
	if id == "" {
		return fmt.Errorf("%s without an id", what)
	}
	if seen[id] {
		return fmt.Errorf("%s %s: twice", what, id)
	}
	seen[id] = true
	return nil
}

// configure takes over agents and queues; those who stay keep state and calls.
func (b *board) configure(cfg Config, now time.Time) {
	b.configureDesks(cfg.Agents, now)
	b.configureLines(cfg.Queues)
	for _, d := range b.order {
		b.seat(d)
	}
	for _, d := range b.desks {
		b.touch(d)
		b.retire(d)
	}
	b.unstaff()
}

func (b *board) configureDesks(agents []Agent, now time.Time) {
	b.order = nil
	for _, d := range b.desks {
		d.removed, d.seats = true, nil
	}
	for _, a := range agents {
		d := b.desks[a.ID]
		if d == nil {
			d = &desk{state: LoggedOff, since: now}
			b.desks[a.ID] = d
		}
		d.agent, d.removed = a, false
		d.phone = b.phoneOf(a)
		b.order = append(b.order, d)
	}
}

func (b *board) configureLines(queues []Queue) {
	b.queues = nil
	for _, l := range b.lines {
		l.removed = true
		l.desks, l.view, l.free, l.loggedOn, l.last = nil, nil, 0, 0, -1
	}
	for _, q := range queues {
		l := b.lines[q.ID]
		if l == nil {
			l = &line{last: -1}
			b.lines[q.ID] = l
		}
		l.Queue, l.removed = q, false
		b.queues = append(b.queues, l)
		b.stale[l] = true
	}
	for id, l := range b.lines {
		if l.removed {
			delete(b.lines, id)
		}
	}
}

// seat gives a desk its place in each of its queues.
func (b *board) seat(d *desk) {
	for _, id := range d.agent.Queues {
		if l := b.lines[id]; l != nil {
			d.seats = append(d.seats, seat{l, len(l.desks)})
			l.desks = append(l.desks, d)
			l.view = append(l.view, strategy.Desk{})
		}
	}
}

// retire lets a desk go that is no longer configured, once no call is there.
func (b *board) retire(d *desk) {
	if !d.removed || d.ticket != nil {
		return
	}
	delete(b.desks, d.agent.ID)
	d.seats = nil
	if d.state != LoggedOff {
		b.move(d, LogOff, "", time.Now())
	}
}
