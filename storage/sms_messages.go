package storage

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"callbox/internal/stamp"
	"callbox/sms"
)

// querier is a transaction or the readers' pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const smsColumns = `id, job, number, raw, text, status, parts, account, ref, error, maybe_sent, times,
	rank, extension, reserve, reference, lost, pieces, callback, signer, class, due, valid_until, bound, tier,
	token, format, late, again`

func scanRecord(rows *sql.Rows) (sms.Record, error) {
	var r sms.Record
	var fault, times, pieces string
	var due, until int64
	err := rows.Scan(&r.ID, &r.Job, &r.To, &r.Raw, &r.Text, &r.Status, &r.Parts, &r.Account, &r.Ref, &fault,
		&r.MaybeSent, &times, &r.Rank, &r.Extension, &r.Reserve, &r.Reference, &r.Lost, &pieces, &r.Callback, &r.Signer,
		&r.Class, &due, &until, &r.Bound, &r.Tier, &r.Token, &r.Format, &r.Late, &r.Repeat)
	if err != nil {
		return r, fmt.Errorf("read message: %w", err)
	}
	r.Due, r.Until = moment(due), moment(until)
	var bad error
	r.Times, bad = timesOf(times)
	if err := errors.Join(bad, ofJSON(fault, &r.Error), ofJSON(pieces, &r.Pieces)); err != nil {
		return r, fmt.Errorf("message %s: %w", r.ID, err)
	}
	r.SetDone()
	return r, nil
}

// ofJSON reads a column that mostly is null.
func ofJSON(doc string, v any) error {
	if doc == "null" {
		return nil
	}
	return json.Unmarshal([]byte(doc), v)
}

// moment is a time, zero for none; millis is its other way round.
func moment(ms int64) stamp.Time {
	if ms == 0 {
		return stamp.Time{}
	}
	return stamp.FromMillis(ms)
}

func millis(at stamp.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Millis()
}

// smsRecords runs a query over smsColumns.
func smsRecords(ctx context.Context, q querier, query string, args ...any) ([]sms.Record, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanRecord)
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Claim implements [sms.MessageTx]. It reads and then writes, row by row: a
// statement with a list of rows in it, or with RETURNING, builds a table in
// memory each time, which costs more than many rows.
func (t *smsTx) Claim(account string, n, rank int, at stamp.Time) ([]sms.Record, error) {
	claimed, err := smsRecords(context.Background(), t, claimable, account, rank, at.Millis(), n)
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for i := range claimed {
		if err := t.claim(&claimed[i], at); err != nil {
			return nil, fmt.Errorf("claim message %s: %w", claimed[i].ID, err)
		}
	}
	return claimed, nil
}

const claimable = "SELECT " + smsColumns + ` FROM sms_messages
	WHERE account = ? AND status = 'queued' AND rank >= ? AND (valid_until = 0 OR valid_until > ?)
	ORDER BY rank, id LIMIT ?`

func (t *smsTx) claim(r *sms.Record, at stamp.Time) (err error) {
	const q = "UPDATE sms_messages SET status = 'submitting', changed = ?, times = ? WHERE id = ?"
	r.Status, r.Times[sms.Submitting] = sms.Submitting, at
	if _, err := t.Exec(q, at.Millis(), timesJSON(r.Times), r.ID); err != nil {
		return err
	}
	if r.Parts > 1 {
		r.Reference, err = t.nextReference(r.Account, r.To)
	}
	return err
}

// Waiting implements [sms.MessageTx].
func (t *smsTx) Waiting() (map[string]int, error) {
	rows, err := t.Query("SELECT account, count(*) FROM sms_messages WHERE status = 'queued' GROUP BY account")
	if err != nil {
		return nil, fmt.Errorf("waiting messages: %w", err)
	}
	waiting := map[string]int{}
	_, err = collect(rows, func(rows *sql.Rows) (account string, err error) {
		var n int
		err = rows.Scan(&account, &n)
		waiting[account] = n
		return account, err
	})
	return waiting, err
}

func (t *smsTx) nextReference(account, number string) (ref uint8, err error) {
	const q = `INSERT INTO sms_references (account, number, last) VALUES (?, ?, 1)
		ON CONFLICT (account, number) DO UPDATE SET last = (last + 1) % 256 RETURNING last`
	if err := t.QueryRow(q, account, number).Scan(&ref); err != nil {
		return 0, fmt.Errorf("next reference: %w", err)
	}
	return ref, nil
}

// Records implements [sms.MessageTx].
func (t *smsTx) Records(q sms.Query) ([]sms.Record, error) {
	var w where
	w.equal("job = ?", q.Job)
	w.equal("job IN (SELECT id FROM sms_jobs WHERE ref = ?)", q.Ref)
	w.equal("account = ?", q.Account)
	w.equal("number = ?", q.To)
	w.status(q.Statuses)
	if q.MaybeSent {
		w.add("maybe_sent = 1")
	}
	w.time("changed < ?", q.Before)
	w.time("changed >= ?", q.Since)
	w.waits(q)
	// +id: the order is not to decide which index is used.
	query := "SELECT " + smsColumns + " FROM sms_messages" + w.clause() + " ORDER BY +id LIMIT ?"
	records, err := smsRecords(context.Background(), t, query, append(w.args, cmp.Or(q.Limit, -1))...)
	if err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	return records, nil
}

// where is a WHERE clause of fixed fragments.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms, w.args = append(w.terms, term), append(w.args, args...)
}

func (w *where) equal(term, value string) {
	if value != "" {
		w.add(term, value)
	}
}

func (w *where) time(term string, at stamp.Time) {
	if !at.IsZero() {
		w.add(term, at.Millis())
	}
}

// statusTerms are spelled out, since a partial index serves only a status that
// stands in the query.
var statusTerms = map[sms.Status]string{
	sms.Scheduled: "status = 'scheduled'", sms.Queued: "status = 'queued'",
	sms.Submitting: "status = 'submitting'", sms.Submitted: "status = 'submitted'",
	sms.Delivered: "status = 'delivered'", sms.Failed: "status = 'failed'",
	sms.Expired: "status = 'expired'", sms.Unknown: "status = 'unknown'",
	sms.Canceled: "status = 'canceled'",
}

// status narrows to any of these; an unknown one is nobody's.
func (w *where) status(any []sms.Status) {
	if len(any) == 0 {
		return
	}
	var terms []string
	for _, s := range any {
		terms = append(terms, cmp.Or(statusTerms[s], "0"))
	}
	w.add("(" + strings.Join(terms, " OR ") + ")")
}

func (w *where) clause() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// Save implements [sms.MessageTx].
func (t *smsTx) Save(r sms.Record, was sms.Status) error {
	const q = `UPDATE sms_messages SET status = ?, account = ?, text = ?, reserve = ?, extension = ?, parts = ?, pieces = ?,
		error = ?, lost = ?, maybe_sent = ?, times = ?, changed = ?, due = ? WHERE id = ? AND status = ?`
	res, err := t.Exec(q, r.Status, r.Account, r.Text, r.Reserve, r.Extension, r.Parts, piecesJSON(r.Pieces),
		faultJSON(r.Error), r.Lost, r.MaybeSent, timesJSON(r.Times), lastOf(r.Times), millis(r.Due), r.ID, was)
	if err != nil {
		return fmt.Errorf("save message %s: %w", r.ID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("message %s was not %s: %w", r.ID, was, sms.ErrMoved))
	}
	if was == sms.Submitted {
		return nil // its pieces are known
	}
	return t.addPieces(r)
}

func lastOf(times map[sms.Status]stamp.Time) (ms int64) {
	for _, at := range times {
		ms = max(ms, at.Millis())
	}
	return ms
}

func (t *smsTx) addPieces(r sms.Record) error {
	for _, p := range r.Pieces {
		_, err := t.Exec("INSERT OR REPLACE INTO sms_parts (account, id, message) VALUES (?, ?, ?)", r.Account, p.ID, r.ID)
		if err != nil {
			return fmt.Errorf("part of message %s: %w", r.ID, err)
		}
	}
	return nil
}

// Announce implements [sms.MessageTx].
func (t *smsTx) Announce(r sms.Record) error {
	return t.db.Notices().Add(t.Tx, Notice{
		Event: NoticeSMSStatus, OrderKey: r.Job, Time: r.Times[r.Status], Data: r.Message,
		CallbackURL: r.Callback, Signer: r.Signer, Format: r.Format,
	})
}
