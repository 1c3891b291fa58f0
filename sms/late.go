package sms

import (
	"context"
	"fmt"
	"slices"
	"time"

	"callbox/internal/stamp"
)

// How late messages are looked for.
const (
	lateMost  = 10 * time.Second // between two looks
	lateLeast = 100 * time.Millisecond
	lateBatch = 200                   // messages in one transaction
	latePause = 50 * time.Millisecond // between two transactions: other work goes on
)

// patience is how long some accounts' messages may take, from acceptance or
// release to the handset, and how far they have been looked through.
type patience struct {
	after    time.Duration
	accounts []string // those whose limit is this one, or shorter
	mark     int64
}

// patiences are the limits that the accounts have, shortest first. A message
// that changes its account is looked at again by the longer limits, so that it
// is never overlooked.
func (g *Gateway) patiences() []*patience {
	var all []*patience
	for _, l := range g.lanes {
		after := l.account.LateAfter
		if after > 0 && !slices.ContainsFunc(all, func(p *patience) bool { return p.after == after }) {
			all = append(all, &patience{after: after})
		}
	}
	slices.SortFunc(all, func(a, b *patience) int { return int(a.after - b.after) })
	for _, p := range all {
		for _, l := range g.lanes {
			if l.account.LateAfter > 0 && l.account.LateAfter <= p.after {
				p.accounts = append(p.accounts, l.name())
			}
		}
	}
	return all
}

// watchLate tells, until ctx ends, of messages that are not delivered in time.
func (g *Gateway) watchLate(ctx context.Context) {
	all := g.patiences()
	if len(all) == 0 {
		return
	}
	every := max(min(all[0].after/10, lateMost), lateLeast)
	for sleep(ctx, every) {
		for _, p := range all {
			late, err := g.tellLate(ctx, p)
			if late > 0 {
				g.log.Warn("texts are not delivered in time", "count", late, "late_after", p.after)
			}
			if err != nil && ctx.Err() == nil {
				g.log.Error("late texts not told", "err", err)
			}
		}
	}
}

// tellLate tells once of each message that has become late since the last
// look, and gives how many those are.
func (g *Gateway) tellLate(ctx context.Context, p *patience) (told int, err error) {
	before := stamp.At(time.Now().Add(-p.after))
	for {
		found, err := g.store.Overdue(ctx, Overdue{Accounts: p.accounts, Before: before, After: p.mark, Limit: lateBatch})
		if err != nil {
			return told, fmt.Errorf("find late texts: %w", err)
		}
		n, err := g.markLate(ctx, found.Messages)
		if err != nil {
			return told, err
		}
		p.mark = found.Next
		told += n
		if !found.More || !sleep(ctx, latePause) {
			return told, nil
		}
	}
}

func (g *Gateway) markLate(ctx context.Context, messages []string) (n int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	err = g.update(ctx, "tell late texts", func(w *work) error {
		late, err := w.MarkLate(messages, w.at)
		n = len(late)
		for i := range late {
			w.news.add(Note{Type: NoteLate, Message: &late[i].Message})
		}
		return err
	})
	return n, err
}
