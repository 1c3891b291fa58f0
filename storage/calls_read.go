package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/internal/stamp"
)

// ErrCursor: the cursor is not one that a list gave.
var ErrCursor = errors.New("not a cursor of this list")

// Lists' limits: what is given where none is asked for, and the most.
const (
	defaultLimit = 50
	maxLimit     = 1000
)

// Page is which part of a list: at most Limit rows (50 when 0, at most 1000)
// behind Cursor, which the page before gave.
type Page struct {
	Limit  int
	Cursor string
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// CallFilter picks records; what is empty does not limit. VisibleTo is an
// agent: only calls that were offered to him.
type CallFilter struct {
	Since     time.Time // seized at or after
	Number    string    // of either party, in any form
	Agent     string    // the agent of the record
	Queue     string
	Result    string
	VisibleTo string
	Page
}

// Calls gives records, running ones too, newest first, and the cursor behind
// the last ("" at the end). Error: [ErrCursor].
func (d *DB) Calls(ctx context.Context, f CallFilter) (calls []cti.CDR, next string, err error) {
	w, err := d.callFilter(f)
	if err != nil {
		return nil, "", err
	}
	w.args = append(w.args, f.limit()+1)
	rows, err := d.reader.QueryContext(ctx,
		selectCall+w.sql()+" ORDER BY seize DESC, id DESC LIMIT ?", w.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list calls: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanCall(rows)
		if err != nil {
			return nil, "", fmt.Errorf("list calls: %w", err)
		}
		calls = append(calls, c)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list calls: %w", err)
	}
	calls, next = cut(calls, f.limit(), func(c cti.CDR) string { return cursor(c.Times.Seize.Millis(), c.ID) })
	return calls, next, nil
}

// Call gives one record. Error: [ErrNotFound].
func (d *DB) Call(ctx context.Context, id string) (cti.CDR, error) {
	c, err := scanCall(d.reader.QueryRowContext(ctx, selectCall+" WHERE id = ?", id))
	if err != nil {
		return c, fmt.Errorf("call %s: %w", id, err)
	}
	return c, nil
}

// Visible says whether a call was offered to agent.
func (d *DB) Visible(ctx context.Context, call, agent string) (bool, error) {
	var n int
	err := d.reader.QueryRowContext(ctx, "SELECT count(*) FROM call_agents WHERE agent = ? AND call = ?", agent, call).Scan(&n)
	return n > 0, err
}

func (d *DB) callFilter(f CallFilter) (*filter, error) {
	w := &filter{}
	w.and(!f.Since.IsZero(), "seize >= ?", stamp.At(f.Since).Millis())
	w.and(f.Agent != "", "agent = ?", f.Agent)
	w.and(f.Queue != "", "queue = ?", f.Queue)
	w.and(f.Result != "", "result = ?", f.Result)
	w.and(f.VisibleTo != "", "id IN (SELECT call FROM call_agents WHERE agent = ?)", f.VisibleTo)
	if f.Number != "" {
		n := number.Key(f.Number, d.cfg.AreaCode)
		w.and(true, "(from_number = ? OR to_number = ?)", n, n)
	}
	ms, id, err := parseCursor(f.Cursor)
	w.and(f.Cursor != "", "(seize, id) < (?, ?)", ms, id)
	return w, err
}

// filter collects conditions: their SQL is constant text, their values bound.
type filter struct {
	terms []string
	args  []any
}

func (w *filter) and(wanted bool, term string, args ...any) {
	if wanted {
		w.terms = append(w.terms, term)
		w.args = append(w.args, args...)
	}
}

func (w *filter) sql() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// cut makes of limit+1 rows a page and the cursor behind it.
func cut[T any](rows []T, limit int, at func(T) string) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], at(rows[limit-1])
}

func cursor(ms int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(ms, 10) + ":" + id))
}

func parseCursor(c string) (ms int64, id string, err error) {
	if c == "" {
		return 0, "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err != nil {
		return 0, "", ErrCursor
	}
	first, id, _ := strings.Cut(string(b), ":")
	if ms, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, "", ErrCursor
	}
	return ms, id, nil
}
