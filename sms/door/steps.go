package door

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// patience is how long many transactions may take together.
const patience = 15 * time.Second

var (
	errNotTried = errors.New("not tried: the database is too slow")
	errUnsure   = errors.New("nobody knows whether it was committed")
)

// result says which items were refused, and whether some may be done all the
// same.
type result struct {
	no     map[int]error
	unsure bool
}

func (r *result) note(i int, err error) {
	if err == nil {
		return
	}
	if r.no == nil {
		r.no = map[int]error{}
	}
	r.no[i] = err
	r.unsure = r.unsure || errors.Is(err, errUnsure)
}

// step is what is done to the i-th item, in a transaction.
type step func(ctx context.Context, tx *sql.Tx, i int) error

// each takes a step for n items, many in one transaction. Where the database is
// there and refuses one, each item has a transaction of its own, so that one
// row which somebody holds, or which is too wide, does not cost the others
// theirs. An error is the database's being away.
func (t *tables) each(ctx context.Context, n int, f step) (r result, err error) {
	end := time.Now().Add(patience)
	for from := 0; from < n; {
		to := min(n, from+t.chunk)
		if time.Now().After(end) {
			r.note(from, errNotTried)
			from++
			continue
		}
		err := t.within(ctx, f, from, to)
		switch {
		case err == nil:
			t.chunk = min(pageSize, 2*t.chunk)
		case ctx.Err() != nil || t.Ping(ctx) != nil:
			return r, err
		default:
			if errors.Is(err, context.DeadlineExceeded) {
				t.chunk = max(1, t.chunk/2)
			}
			r.unsure = r.unsure || errors.Is(err, errUnsure)
			t.singly(ctx, f, from, to, end, &r)
		}
		from = to
	}
	return r, nil
}

func (t *tables) singly(ctx context.Context, f step, from, to int, end time.Time, r *result) {
	t.shape.Store(nil) // the table may have been altered
	for i := from; i < to; i++ {
		if time.Now().After(end) {
			r.note(i, errNotTried)
			continue
		}
		r.note(i, t.within(ctx, f, i, i+1))
	}
}

// within takes the steps of some items in one transaction.
func (t *tables) within(ctx context.Context, f step, from, to int) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if err := f(ctx, tx, i); err != nil {
			_ = tx.Rollback() // what is not committed is undone in any case
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errUnsure, err)
	}
	return nil
}

// refused are a result's refusals by the items' ids, once those items had a
// second chance.
func (t *tables) refused(ctx context.Context, r result, again step, id func(i int) string) refusals {
	no := refusals{}
	for i, err := range r.no {
		if !errors.Is(err, errNotTried) && t.within(ctx, again, i, i+1) == nil {
			continue
		}
		no[id(i)] = err
	}
	return no
}
