package sms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

const (
	sweepMost  = time.Minute
	sweepLeast = 100 * time.Millisecond
	sweepBatch = 500 // messages in one transaction
)

// sweepUntil looks after what time changes until ctx ends.
func (g *Gateway) sweepUntil(ctx context.Context) {
	for sleep(ctx, g.sweepEvery()) {
		if err := g.sweep(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("sweep failed", "err", err)
		}
	}
}

// sweepEvery is a tenth of the shortest limit there is.
func (g *Gateway) sweepEvery() time.Duration {
	every := sweepMost
	for _, l := range g.lanes {
		every = min(every, l.account.ReportWait/10, l.account.LongWait/10)
	}
	return max(every, sweepLeast)
}

func (g *Gateway) sweep(ctx context.Context) error {
	for _, l := range g.lanes {
		if err := g.forgetReports(ctx, l.account); err != nil {
			return fmt.Errorf("messages without a report: %w", err)
		}
		if err := g.flush(ctx, l.account); err != nil {
			return fmt.Errorf("incomplete texts: %w", err)
		}
	}
	return g.store.Update(ctx, "forget reports", func(tx Tx) error {
		return tx.Forget(stamp.At(time.Now().Add(-parkedFor)))
	})
}

// forgetReports makes messages unknown for which no report came in time.
func (g *Gateway) forgetReports(ctx context.Context, a Account) error {
	for n := sweepBatch; n == sweepBatch; {
		err := g.update(ctx, "no report", func(w *work) error {
			late, err := w.Records(Query{
				Account: a.Name, Statuses: []Status{Submitted},
				Before: stamp.At(w.at.Add(-a.ReportWait)), Limit: sweepBatch,
			})
			n = len(late)
			for _, r := range late {
				r.Error = &Error{Text: "no report came"}
				if err := w.move(r, forget); err != nil {
					return err
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// flush gives up waiting for parts of long texts.
func (g *Gateway) flush(ctx context.Context, a Account) error {
	return g.update(ctx, "flush long texts", func(w *work) error {
		stale, err := w.Stale(a.Name, stamp.At(w.at.Add(-a.LongWait)))
		for _, parts := range stale {
			if err := w.join(parts); err != nil {
				return err
			}
		}
		return errors.Join(err, w.ForgetParts(a.Name, stamp.At(w.at.Add(-a.LongWait))))
	})
}
