package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/internal/stamp"
)

// recorded says whether there is a recording, or one is being made.
func recorded(r cti.Recording) bool { return r.ID != "" && r.State != cti.RecordingNone }

// ShelfFilter picks recorded calls; what is empty does not limit. VisibleTo is an
// agent, as in [CallFilter].
//
// Q is a whole number in any form (10 digits and more), of either party, which
// an index finds; or the end of one, or a part of the customer's or the agent's
// name: for these an index of all recordings is read, newest first, until the
// page is full.
type ShelfFilter struct {
	Since, Until time.Time // seized at or after, before
	Number       string    // of either party, in any form
	Q            string
	Agent        string
	Queue        string
	MinSeconds   float64
	VisibleTo    string
	Page
}

// Shelf gives the records of recorded calls, running ones too, newest first, and
// the cursor behind the last. Error: [ErrCursor].
func (d *DB) Shelf(ctx context.Context, f ShelfFilter) (calls []cti.CDR, next string, err error) {
	query, args, err := d.shelfQuery(f)
	if err != nil {
		return nil, "", err
	}
	rows, err := d.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, "", fmt.Errorf("list recordings: %w", err)
	}
	if calls, err = collect(rows, func(rows *sql.Rows) (cti.CDR, error) { return scanCall(rows) }); err != nil {
		return nil, "", fmt.Errorf("list recordings: %w", err)
	}
	calls, next = cut(calls, f.limit(), func(c cti.CDR) string { return cursor(c.Times.Seize.Millis(), c.ID) })
	return calls, next, nil
}

func (d *DB) shelfQuery(f ShelfFilter) (query string, args []any, err error) {
	w := &filter{}
	w.and(true, "recorded = 1")
	w.and(!f.Since.IsZero(), "seize >= ?", stamp.At(f.Since).Millis())
	w.and(!f.Until.IsZero(), "seize < ?", stamp.At(f.Until).Millis())
	w.and(f.Agent != "", "agent = ?", f.Agent)
	w.and(f.Queue != "", "queue = ?", f.Queue)
	w.and(f.MinSeconds > 0, "seconds >= ?", f.MinSeconds)
	w.and(f.VisibleTo != "", "id IN (SELECT call FROM call_agents WHERE agent = ?)", f.VisibleTo)
	ms, id, err := parseCursor(f.Cursor)
	w.and(f.Cursor != "", "(seize, id) < (?, ?)", ms, id)
	numbers := d.sought(f, w)
	if len(numbers) == 0 {
		return selectCall + w.sql() + newest, append(w.args, f.limit()+1), err
	}
	for _, n := range numbers[1:] {
		w.and(true, "(from_number = ? OR to_number = ?)", n, n)
	}
	query, args = w.ofNumber(numbers[0], f.limit()+1)
	return query, args, err
}

const newest = " ORDER BY seize DESC, id DESC LIMIT ?"

// sought gives the whole numbers that are looked for, and filters by what else Q
// may be.
func (d *DB) sought(f ShelfFilter, w *filter) (numbers []string) {
	if f.Number != "" {
		numbers = append(numbers, number.Key(f.Number, d.cfg.AreaCode))
	}
	q := strings.TrimSpace(f.Q)
	digits := strings.TrimPrefix(number.Clean(q), "+")
	within, end := "%"+escapeLike(q)+"%", "%"+escapeLike(digits)
	switch {
	case q == "":
	case len(digits) >= wholeNumber:
		numbers = append(numbers, number.Key(q, d.cfg.AreaCode))
	case digits != "":
		w.and(true, `(from_number LIKE ? ESCAPE '\' OR to_number LIKE ? ESCAPE '\' OR customer LIKE ? ESCAPE '\' OR agent_name LIKE ? ESCAPE '\')`,
			end, end, within, within)
	default:
		w.and(true, `(customer LIKE ? ESCAPE '\' OR agent_name LIKE ? ESCAPE '\')`, within, within)
	}
	return numbers
}

// wholeNumber is how many digits a number has at least that is no extension,
// service number or end of another one.
const wholeNumber = 10

// ofNumber is the query for the calls of one number. Each index gives its newest
// in order, so that a number with a million calls, the hotline's, costs no more
// than another.
func (w *filter) ofNumber(n string, limit int) (query string, args []any) {
	var sides []string
	for _, side := range []string{"from_number", "to_number"} {
		one := filter{terms: append([]string{side + " = ?"}, w.terms...)}
		sides = append(sides, "SELECT * FROM (SELECT seize, id FROM calls"+one.sql()+newest+")")
		args = append(append(append(args, n), w.args...), limit)
	}
	return selectCall + " WHERE id IN (SELECT id FROM (" + strings.Join(sides, " UNION ALL ") + "))" + newest, append(args, limit)
}

// escapeLike makes text stand for itself in LIKE with the escape \.
func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text)
}
