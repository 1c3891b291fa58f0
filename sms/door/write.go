package door

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"callbox/internal/number"
	"callbox/sms"
)

// Write implements [outbox].
func (t *tables) Write(ctx context.Context, changes []change) (refusals, error) {
	sh, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	r, err := t.each(ctx, len(changes), func(ctx context.Context, tx *sql.Tx, i int) error {
		return t.change(ctx, tx, sh, changes[i])
	})
	if err != nil {
		return nil, err
	}
	return t.refused(ctx, r, func(ctx context.Context, tx *sql.Tx, i int) error {
		c := changes[i]
		c.words = cut(c.words, 40) // a narrow column is better than no status
		return t.change(ctx, tx, sh, c)
	}, func(i int) string { return changes[i].row }), nil
}

func (t *tables) change(ctx context.Context, tx *sql.Tx, sh *shape, c change) error {
	s := t.statement("UPDATE ", t.name(t.out.Table), " SET ", t.name(t.out.Status), " = ").arg(t.out.value(string(c.status)))
	set := func(column string, value any) {
		if column != "" {
			s.add(", ", t.name(column), " = ").arg(value)
		}
	}
	set(t.out.Error, c.words)
	set(t.out.Changed, t.at(time.Now()))
	if c.message != "" {
		set(t.out.Message, c.message)
		set(t.out.Parts, c.parts)
		set(t.out.Sent, t.at(c.sent))
		set(t.out.Delivered, t.at(c.delivered))
	}
	s.add(" WHERE ", t.name(t.out.ID), " = ").arg(sh.id(c.row)).add(" AND NOT ").fresh(t.out)
	_, err := tx.ExecContext(ctx, s.String(), s.args...)
	return err
}

// Insert implements [database].
func (t *tables) Insert(ctx context.Context, texts []sms.Incoming) (refusals, error) {
	r, err := t.each(ctx, len(texts), func(ctx context.Context, tx *sql.Tx, i int) error {
		return t.insert(ctx, tx, texts[i])
	})
	if err != nil {
		return nil, err
	}
	return t.refused(ctx, r, func(ctx context.Context, tx *sql.Tx, i int) error {
		in := texts[i]
		in.Text = strings.Map(withoutEmoji, in.Text) // a column may hold no such sign
		return t.insert(ctx, tx, in)
	}, func(i int) string { return texts[i].ID }), nil
}

// withoutEmoji puts a box in the place of what three bytes of UTF-8 do not hold.
func withoutEmoji(r rune) rune {
	if r > 0xFFFF {
		return '□'
	}
	return r
}

func (t *tables) insert(ctx context.Context, tx *sql.Tx, in sms.Incoming) error {
	if t.in.ID != "" {
		var n int
		s := t.statement("SELECT count(*) FROM ", t.name(t.in.Table), " WHERE ", t.name(t.in.ID), " = ").arg(in.ID)
		if err := tx.QueryRowContext(ctx, s.String(), s.args...).Scan(&n); err != nil || n > 0 {
			return err
		}
	}
	s := t.statement("INSERT INTO ", t.name(t.in.Table), " (")
	var values []any
	add := func(column string, value any) {
		if column == "" {
			return
		}
		if len(values) > 0 {
			s.add(", ")
		}
		s.add(t.name(column))
		values = append(values, value)
	}
	add(t.in.From, sender(in))
	add(t.in.Text, in.Text)
	add(t.in.ID, in.ID)
	add(t.in.To, in.To)
	add(t.in.Time, t.at(in.Time.Time))
	add(t.in.Ref, orNull(in.Ref))
	add(t.in.Job, orNull(in.Job))
	add(t.in.Keyword, orNull(in.Keyword))
	add(t.in.Account, in.Account)
	s.add(") VALUES (")
	for i, v := range values {
		if i > 0 {
			s.add(", ")
		}
		s.arg(v)
	}
	s.add(")")
	_, err := tx.ExecContext(ctx, s.String(), s.args...)
	return err
}

// sender is who sent a text, as people here write the number.
func sender(in sms.Incoming) string {
	if in.From == "" {
		return in.Raw
	}
	return number.National(in.From)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
