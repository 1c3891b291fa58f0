package storage

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
)

// onTheWay are the messages that may be late, in the words of the index
// sms_messages_released.
const onTheWay = "status IN ('queued', 'submitting', 'submitted', 'unknown')"

// firstLook is how far back the first look for late messages goes.
const firstLook = 72 * time.Hour

// clockSlack is how far ahead of the clock a row's time may be before it is
// the work of a clock that was wrong.
const clockSlack = time.Hour

// Overdue implements [sms.Store]. Messages lie in the order in which they were
// accepted (rowid), so each is looked at once; those released later are found
// by an index that holds no others. Nothing is kept for this when a message is
// written.
func (s *SMS) Overdue(ctx context.Context, q sms.Overdue) (sms.Found, error) {
	tx, err := s.db.Reader().BeginTx(ctx, nil)
	if err != nil {
		return sms.Found{}, fmt.Errorf("overdue messages: %w", err)
	}
	defer tx.Rollback() // #nosec: nothing was written
	look := overdue{tx: tx, ctx: ctx, q: q, accounts: encode(q.Accounts)}
	found, err := look.released()
	if err == nil && !found.More {
		err = look.accepted(&found)
	}
	if err != nil {
		return sms.Found{}, fmt.Errorf("overdue messages: %w", err)
	}
	return found, nil
}

type overdue struct {
	tx       *sql.Tx
	ctx      context.Context
	q        sms.Overdue
	accounts string // as JSON
}

const findReleased = `SELECT id FROM sms_messages
	WHERE due > 0 AND due < ? AND late = 0 AND ` + onTheWay + `
		AND account IN (SELECT value FROM json_each(?)) LIMIT ?`

func (o overdue) released() (sms.Found, error) {
	rows, err := o.tx.QueryContext(o.ctx, findReleased, o.q.Before.Millis(), o.accounts, o.q.Limit)
	if err != nil {
		return sms.Found{}, err
	}
	ids, err := collect(rows, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
	return sms.Found{Messages: ids, Next: o.q.After, More: len(ids) == o.q.Limit}, err
}

const findAccepted = `SELECT rowid, id FROM sms_messages
	WHERE rowid > ? AND rowid < ? AND due = 0 AND late = 0 AND ` + onTheWay + `
		AND account IN (SELECT value FROM json_each(?)) ORDER BY rowid LIMIT ?`

// accepted adds what was accepted before q.Before, behind q.After.
func (o overdue) accepted(found *sms.Found) error {
	from, err := o.from()
	if err != nil {
		return err
	}
	end, err := o.end(from)
	if err != nil {
		return err
	}
	limit := o.q.Limit - len(found.Messages)
	rows, err := o.tx.QueryContext(o.ctx, findAccepted, from, end, o.accounts, limit)
	if err != nil {
		return err
	}
	last := from
	ids, err := collect(rows, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&last, &id) })
	if err != nil {
		return err
	}
	found.Messages = append(found.Messages, ids...)
	found.Next, found.More = end-1, len(ids) == limit
	if found.More {
		found.Next = last
	}
	return nil
}

// from is the row behind which to look: that of the last look, or the first of
// the last days. Ids are UUIDv7, which begin with the time.
func (o overdue) from() (int64, error) {
	if o.q.After > 0 {
		return o.q.After, nil
	}
	first := o.q.Before.Add(-firstLook).UnixMilli()
	id := fmt.Sprintf("%08x-%04x-7000-8000-000000000000", first>>16, first&0xffff)
	row, err := o.row("SELECT rowid FROM sms_messages WHERE id >= ? ORDER BY id LIMIT 1", id)
	return max(row-1, 0), err
}

const findYoung = "SELECT rowid FROM sms_messages WHERE rowid > ? AND created >= ? AND created < ? ORDER BY rowid LIMIT 1"

// end is the first row behind from that is too young.
func (o overdue) end(from int64) (int64, error) {
	row, err := o.row(findYoung, from, o.q.Before.Millis(), time.Now().Add(clockSlack).UnixMilli())
	if err != nil || row > 0 {
		return row, err
	}
	row, err = o.row("SELECT ifnull(max(rowid), 0) FROM sms_messages")
	return max(row, from) + 1, err
}

// row is the one that a query gives, 0 where it gives none.
func (o overdue) row(query string, args ...any) (row int64, err error) {
	err = o.tx.QueryRowContext(o.ctx, query, args...).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return row, err
}

// MarkLate implements [sms.MessageTx].
func (t *smsTx) MarkLate(ids []string, at stamp.Time) ([]sms.Record, error) {
	const q = `UPDATE sms_messages SET late = 1
		WHERE id IN (SELECT value FROM json_each(?)) AND late = 0 AND ` + onTheWay + ` RETURNING ` + smsColumns
	late, err := smsRecords(context.Background(), t, q, encode(ids))
	if err != nil {
		return nil, fmt.Errorf("mark late messages: %w", err)
	}
	slices.SortFunc(late, func(a, b sms.Record) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range late {
		err := t.db.Notices().Add(t.Tx, Notice{
			Event: NoticeSMSLate, OrderKey: r.Job, Time: at, Data: r.Message,
			CallbackURL: r.Callback, Signer: r.Signer, Format: r.Format,
		})
		if err != nil {
			return nil, err
		}
	}
	return late, nil
}
