package sms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	downLong  = 30 * time.Second // then others take over
	downLook  = 5 * time.Second  // how often it is looked who is up
	downAgain = 30 * time.Second // how often what came since is looked for
)

// outage is one account's time without a link.
type outage struct {
	since time.Time
	seen  time.Time // when it was last looked what could be moved
	up    []*lane   // who was up then
}

// failOver gives what waits for an account that has been down for long to
// others, until ctx ends.
func (g *Gateway) failOver(ctx context.Context) {
	if len(g.lanes) < 2 {
		return
	}
	down := map[*lane]*outage{}
	for wait := time.Duration(0); sleep(ctx, wait); {
		up := g.look(down, time.Now())
		wait = downLook
		for l, o := range down {
			now := time.Now()
			if left := o.since.Add(downLong).Sub(now); left > 0 {
				wait = min(wait, left)
				continue
			}
			if len(up) == 0 || slices.Equal(up, o.up) && now.Sub(o.seen) < downAgain {
				continue
			}
			if err := g.evacuate(ctx, l); err != nil {
				l.log.Error("messages not moved to another account, trying again", "err", err)
				continue
			}
			o.seen, o.up = now, up
		}
	}
}

// look notes who is down since when, and gives those who are up.
func (g *Gateway) look(down map[*lane]*outage, now time.Time) (up []*lane) {
	for _, l := range g.lanes {
		s := l.carrier.State()
		switch {
		case s.Up:
			delete(down, l)
			up = append(up, l)
		case down[l] == nil && now.Sub(s.Since) < downLook:
			down[l] = &outage{since: s.Since}
		case down[l] == nil:
			down[l] = &outage{since: now}
		}
	}
	return up
}

// evacuate moves what waits for a lane, and is not bound to it, to lanes that
// serve the same numbers and are up. What may have left stays.
func (g *Gateway) evacuate(ctx context.Context, from *lane) error {
	moved := map[string]int{}
	for after, n := "", sweepBatch; n == sweepBatch; {
		last, batch := after, map[string]int{}
		err := g.update(ctx, "fail over", func(w *work) error {
			clear(batch)
			queued, err := w.Records(Query{
				Account: from.name(), Statuses: []Status{Queued}, Free: true, After: after, Limit: sweepBatch,
			})
			if err != nil {
				return err
			}
			if n = len(queued); n > 0 {
				last = queued[n-1].ID
			}
			return w.reroute(queued, from, batch)
		})
		if err != nil {
			return fmt.Errorf("fail over: %w", err)
		}
		after = last
		for account, count := range batch {
			moved[account] += count
		}
	}
	for account, count := range moved {
		from.log.Warn("account is down: its messages go through another one", "to", account, "count", count)
	}
	return nil
}

// reroute gives messages to lanes that are up, and counts them by account.
func (w *work) reroute(records []Record, from *lane, moved map[string]int) error {
	now := standing{from: false}
	extensions := map[string]string{}
	for _, r := range records {
		to := now.best(w.g.serving(r.To))
		if to == nil || to == from || !now.up(to) {
			continue
		}
		r.wordFor(from.account, to.account)
		if r.Parts > maxParts {
			continue
		}
		if err := w.extendAnew(&r, to.account, extensions); err != nil {
			return err
		}
		if err := w.save(r, r.Status); err != nil {
			return err
		}
		w.news.wake(r.Account)
		moved[r.Account]++
	}
	return nil
}

// extendAnew gives a message digits of its new account, the same for all of its
// job.
func (w *work) extendAnew(r *Record, to Account, extensions map[string]string) error {
	if to.ExtensionDigits == 0 {
		return nil
	}
	key := r.Job + " " + to.Name
	if extensions[key] == "" {
		ext, err := w.NextExtension(to.Name, to.ExtensionDigits)
		if err != nil {
			return err
		}
		extensions[key] = ext
	}
	r.Extension = extensions[key]
	return nil
}

// divert makes a message whose time has come another account's, where its own
// has been down for long and it is not bound to it: [Gateway.failOver] would
// find it only later.
func (w *work) divert(r *Record) error {
	from := w.g.lane(r.Account)
	if r.Bound || from == nil {
		return nil
	}
	if s := from.carrier.State(); s.Up || w.at.Sub(s.Since) < downLong {
		return nil
	}
	now := standing{from: false}
	to := now.best(w.g.serving(r.To))
	if to == nil || to == from || !now.up(to) {
		return nil
	}
	moved := *r
	if moved.wordFor(from.account, to.account); moved.Parts > maxParts {
		return nil
	}
	if w.diverted == nil {
		w.diverted = map[string]string{}
	}
	err := w.extendAnew(&moved, to.account, w.diverted)
	*r = moved
	return err
}

// wordFor makes a message another account's: its signature, its parts.
func (r *Record) wordFor(from, to Account) {
	r.Text, r.Reserve = to.word(strings.TrimPrefix(r.Text, from.Signature))
	_, parts := to.Style.Cut(r.Text, r.Reserve)
	r.Account, r.Parts, r.Extension = to.Name, len(parts), ""
}
