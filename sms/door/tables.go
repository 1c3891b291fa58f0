package door

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// tables are the foreign tables, over database/sql. They use what every
// database has: rows are claimed one by one with the status as the guard, so
// that a second box or the program itself may be at work beside.
type tables struct {
	dialect
	db   *sql.DB
	door string
	out  Outbox
	in   Inbox
	zone *time.Location

	chunk int                   // how many steps one transaction takes
	shape atomic.Pointer[shape] // nil: the outbox is yet to be looked at
}

// shape is what must be known of the outbox table's columns.
type shape struct {
	number bool // ids are whole numbers
	wall   bool // send_at has no zone
}

var _ database = (*tables)(nil)

// Close closes the connections.
func (t *tables) Close() error { return t.db.Close() }

// Ping says whether the database is there.
func (t *tables) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := t.db.PingContext(ctx)
	if err != nil {
		t.shape.Store(nil) // it may come back as another one
	}
	return err
}

// look reads the outbox's column types; every column that is mapped must be
// there.
func (t *tables) look(ctx context.Context) (*shape, error) {
	if s := t.shape.Load(); s != nil {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var columns []string
	for _, c := range t.out.columns() {
		if c.name != "" {
			columns = append(columns, t.name(c.name))
		}
	}
	rows, err := t.db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+t.name(t.out.Table)+" WHERE 1 = 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	s := &shape{}
	for i, column := range columns {
		kind := strings.TrimPrefix(strings.ToUpper(types[i].DatabaseTypeName()), "UNSIGNED ")
		switch column {
		case t.name(t.out.ID):
			s.number = slices.Contains(t.numbers, kind)
		case t.name(t.out.SendAt):
			s.wall = slices.Contains(t.walls, kind)
		}
	}
	t.shape.Store(s)
	return s, nil
}

// id is a row's id as an argument.
func (s *shape) id(id string) any {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && s.number {
		return n
	}
	if n, err := strconv.ParseUint(id, 10, 64); err == nil && s.number {
		return n
	}
	return id
}

// fresh adds the condition that a row is new.
func (s *statement) fresh(o Outbox) *statement {
	column := s.name(o.Status)
	s.add("(", column, " IS NULL")
	for _, value := range o.fresh() {
		if value != "" || s.blank {
			s.add(" OR ", column, " = ").arg(value)
		}
	}
	return s.add(")")
}

// behind adds the end of a page: rows behind after, in order, at most n.
func (t *tables) behind(s *statement, sh *shape, after string, n int) *statement {
	if after != "" {
		s.add(" AND ", t.name(t.out.ID), " > ").arg(sh.id(after))
	}
	return s.add(" ORDER BY ", t.name(t.out.ID), fmt.Sprintf(t.fetch, n))
}

// asText is a column as text, whatever it is.
func (t *tables) asText(column string) string { return fmt.Sprintf(t.text, t.name(column)) }

// Claim implements [outbox].
func (t *tables) Claim(ctx context.Context, after string, n int) (page, error) {
	sh, err := t.look(ctx)
	if err != nil {
		return page{}, err
	}
	ids, err := t.freshIDs(ctx, sh, after, n)
	if err != nil || len(ids) == 0 {
		return page{}, err
	}
	p := page{no: refusals{}}
	if len(ids) == n {
		p.last = ids[n-1]
	}
	got := make([]bool, len(ids))
	r, err := t.each(ctx, len(ids), func(ctx context.Context, tx *sql.Tx, i int) (err error) {
		got[i], err = t.claim(ctx, tx, sh, ids[i])
		return err
	})
	if err != nil {
		return page{}, err
	}
	p.unsure = r.unsure
	var ours []string
	for i, id := range ids {
		if r.no[i] != nil {
			p.no[id] = r.no[i]
		} else if got[i] {
			ours = append(ours, id)
		}
	}
	p.rows, err = t.claimed(ctx, sh, ours)
	return p, err
}

func (t *tables) freshIDs(ctx context.Context, sh *shape, after string, n int) (ids []string, err error) {
	s := t.statement("SELECT ", t.asText(t.out.ID), " FROM ", t.name(t.out.Table), " WHERE ").fresh(t.out)
	t.behind(s, sh, after, n)
	err = t.query(ctx, s, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func (t *tables) query(ctx context.Context, s *statement, row func(*sql.Rows) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	rows, err := t.db.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// claim claims a row where it is new still.
func (t *tables) claim(ctx context.Context, tx *sql.Tx, sh *shape, id string) (bool, error) {
	s := t.statement("UPDATE ", t.name(t.out.Table), " SET ", t.name(t.out.Status), " = ").arg(t.out.value(wordClaimed))
	if t.out.ClaimedBy != "" {
		s.add(", ", t.name(t.out.ClaimedBy), " = ").arg(t.door)
	}
	if t.out.Changed != "" {
		s.add(", ", t.name(t.out.Changed), " = ").arg(t.at(time.Now()))
	}
	s.add(" WHERE ", t.name(t.out.ID), " = ").arg(sh.id(id)).add(" AND ").fresh(t.out)
	res, err := tx.ExecContext(ctx, s.String(), s.args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

var errNotHeld = errors.New("is not what the column says once it is written: is it a number, or narrow? see outbox.values")

// claimed reads rows that were claimed. One that says something else by now is
// no longer ours; where none does, the column cannot hold what is written.
func (t *tables) claimed(ctx context.Context, sh *shape, ids []string) ([]row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	s := t.selection(" WHERE ", t.name(t.out.ID), " IN (")
	for i, id := range ids {
		if i > 0 {
			s.add(", ")
		}
		s.arg(sh.id(id))
	}
	s.add(") ORDER BY ", t.name(t.out.ID))
	rows, read, err := t.read(ctx, s, sh)
	if err == nil && len(rows) == 0 && read.n > 0 {
		return nil, fmt.Errorf("column %s: %q %w", t.out.Status, t.out.value(wordClaimed), errNotHeld)
	}
	return rows, err
}

// Left implements [outbox].
func (t *tables) Left(ctx context.Context, after string, n int) (page, error) {
	sh, err := t.look(ctx)
	if err != nil {
		return page{}, err
	}
	s := t.selection(" WHERE ", t.name(t.out.Status), " = ").arg(t.out.value(wordClaimed))
	if t.out.ClaimedBy != "" {
		s.add(" AND ", t.name(t.out.ClaimedBy), " = ").arg(t.door)
	}
	rows, read, err := t.read(ctx, t.behind(s, sh, after, n), sh)
	p := page{rows: rows}
	if read.n == n {
		p.last = read.last
	}
	return p, err
}

// selection begins a SELECT of what [tables.read] reads.
func (t *tables) selection(rest ...string) *statement {
	columns := []string{t.asText(t.out.ID), t.asText(t.out.Status)}
	for _, name := range t.wordColumns() {
		if name != "" {
			columns = append(columns, t.name(name))
		}
	}
	if t.out.SendAt != "" {
		columns = append(columns, t.name(t.out.SendAt))
	}
	return t.statement("SELECT ", strings.Join(columns, ", "), " FROM ", t.name(t.out.Table)).add(rest...)
}

func (t *tables) wordColumns() []string {
	return []string{t.out.To, t.out.Text, t.out.Template, t.out.Vars, t.out.Account, t.out.Class, t.out.Ref}
}

// reading says how many rows were read, and the last one's id.
type reading struct {
	n    int
	last string
}

// read gives those of the rows that say that they are claimed.
func (t *tables) read(ctx context.Context, s *statement, sh *shape) (all []row, done reading, err error) {
	err = t.query(ctx, s, func(rows *sql.Rows) error {
		r, status, err := t.scan(rows, sh)
		if err != nil {
			return err
		}
		done.n, done.last = done.n+1, r.id
		if strings.EqualFold(strings.TrimRight(status, " "), t.out.value(wordClaimed)) {
			all = append(all, r)
		}
		return nil
	})
	return all, done, err
}

func (t *tables) scan(rows *sql.Rows, sh *shape) (r row, status string, err error) {
	var words [9]sql.NullString // id, status and wordColumns
	var sendAt any
	into := []any{&words[0], &words[1]}
	for i, name := range t.wordColumns() {
		if name != "" {
			into = append(into, &words[2+i])
		}
	}
	if t.out.SendAt != "" {
		into = append(into, &sendAt)
	}
	if err := rows.Scan(into...); err != nil {
		return r, "", err
	}
	trimmed := func(i int) string { return strings.TrimSpace(words[i].String) }
	r = row{
		id: words[0].String, to: trimmed(2), text: strings.TrimRight(words[3].String, " "), template: trimmed(4),
		vars: trimmed(5), account: trimmed(6), class: trimmed(7), ref: trimmed(8),
	}
	r.sendAt, r.fault = t.timeOf(sendAt, sh.wall)
	return r, words[1].String, nil
}

// timeOf is a column's time; one without a zone is the box's.
func (t *tables) timeOf(v any, wall bool) (time.Time, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		if wall {
			return time.Date(v.Year(), v.Month(), v.Day(), v.Hour(), v.Minute(), v.Second(), v.Nanosecond(), t.zone), nil
		}
		return v, nil
	case []byte:
		text = string(v)
	case string:
		text = v
	default:
		return time.Time{}, fmt.Errorf("%v is no time", v)
	}
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, t.zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 2026-11-30 08:00:00", text)
}

// at is a time as an argument; columns without a zone keep the box's.
func (t *tables) at(when time.Time) any {
	if when.IsZero() {
		return nil
	}
	return when.In(t.zone).Truncate(time.Millisecond)
}
