package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"callbox/internal/stamp"
	"callbox/sms"
)

// SMS keeps texts: the gateway's store, and what the API reads of it.
type SMS struct{ db *DB }

var _ sms.Store = (*SMS)(nil)

// SMS is the part of the database that keeps texts.
func (d *DB) SMS() *SMS { return &SMS{db: d} }

// Update runs f in the writer's next transaction and returns when it is on
// disk.
func (s *SMS) Update(ctx context.Context, what string, f func(sms.Tx) error) error {
	return s.db.Write(ctx, what, func(tx *sql.Tx) error {
		return f(&smsTx{Tx: tx, db: s.db})
	})
}

// smsTx is one transaction as sms sees it.
type smsTx struct {
	*sql.Tx
	db *DB
}

// QueryContext and its likes ask the transaction's connection: for each query
// that a [sql.Tx] is asked it starts a goroutine.
func (t *smsTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.db.conn.QueryContext(ctx, query, args...)
}

// Query is QueryContext without a context.
func (t *smsTx) Query(query string, args ...any) (*sql.Rows, error) {
	return t.db.conn.QueryContext(context.Background(), query, args...)
}

// QueryRowContext asks for one row.
func (t *smsTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.db.conn.QueryRowContext(ctx, query, args...)
}

// QueryRow is QueryRowContext without a context.
func (t *smsTx) QueryRow(query string, args ...any) *sql.Row {
	return t.db.conn.QueryRowContext(context.Background(), query, args...)
}

var _ sms.Tx = (*smsTx)(nil)

// errNoSMS is what both packages' callers decide on.
var errNoSMS = fmt.Errorf("%w: %w", sms.ErrNotFound, ErrNotFound)

func noRow(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errNoSMS
	}
	return err
}

// JobByKey implements [sms.JobTx].
func (t *smsTx) JobByKey(key string) (id, digest string, err error) {
	err = t.QueryRow("SELECT id, digest FROM sms_jobs WHERE key = ?", key).Scan(&id, &digest)
	return id, digest, noRow(err)
}

// Job implements [sms.JobTx].
func (t *smsTx) Job(id string) (sms.Job, error) { return smsJob(t.Tx, id) }

// AddJob implements [sms.JobTx].
func (t *smsTx) AddJob(j sms.NewJob) error {
	const q = `INSERT INTO sms_jobs (id, ref, key, digest, class, account, replies, created,
			awaiting, dedup, dedup_until, send_at, valid_until, notice, step)
		VALUES (?, ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	notice := ""
	if j.Notice != nil {
		notice = asJSON(j.Notice)
	}
	_, err := t.Exec(q, j.ID, j.Ref, j.Key, j.Digest, j.Class, j.Account, asJSON(j.Replies), j.Created.Millis(),
		j.Awaiting, j.Dedup, millis(j.DedupUntil), millis(j.SendAt), millis(j.ValidUntil), notice, millis(j.Step))
	if err != nil {
		return fmt.Errorf("add job: %w", err)
	}
	for _, r := range j.Records {
		if err := t.addMessage(r, j.Created); err != nil {
			return fmt.Errorf("add message: %w", err)
		}
	}
	return nil
}

func (t *smsTx) addMessage(r sms.Record, created stamp.Time) error {
	const q = `INSERT INTO sms_messages (id, job, number, raw, text, status, parts, account, ref, error,
			maybe_sent, times, rank, extension, reserve, reference, lost, pieces, callback, signer, created, changed,
			class, due, valid_until, bound, tier, token, format, again)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.Exec(q, r.ID, r.Job, r.To, r.Raw, r.Text, r.Status, r.Parts, r.Account, r.Ref, faultJSON(r.Error),
		r.MaybeSent, timesJSON(r.Times), r.Rank, r.Extension, r.Reserve, r.Reference, r.Lost, piecesJSON(r.Pieces),
		r.Callback, r.Signer, created.Millis(), created.Millis(), r.Class, millis(r.Due), millis(r.Until), r.Bound,
		r.Tier, r.Token, r.Format, r.Repeat)
	return err
}

// NextExtension implements [sms.JobTx].
func (t *smsTx) NextExtension(account string, digits int) (string, error) {
	const q = `INSERT INTO sms_extensions (account, last) VALUES (?, 0)
		ON CONFLICT (account) DO UPDATE SET last = last + 1 RETURNING last`
	var n int64
	if err := t.QueryRow(q, account).Scan(&n); err != nil {
		return "", fmt.Errorf("next extension: %w", err)
	}
	limit := int64(1)
	for range digits {
		limit *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%limit), nil
}

// asJSON is a value of strings and numbers, which always has a JSON form.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

// piecesJSON and faultJSON are asJSON for columns that mostly are null.
func piecesJSON(pieces []sms.Piece) string {
	if pieces == nil {
		return "null"
	}
	return asJSON(pieces)
}

func faultJSON(fault *sms.Error) string {
	if fault == nil {
		return "null"
	}
	return asJSON(fault)
}

// timesJSON is {"queued":1700000000000,…}: statuses are plain words, and this is
// written three times a message.
func timesJSON(times map[sms.Status]stamp.Time) string {
	b := make([]byte, 0, 32*len(times)+2)
	for s, at := range times {
		b = strconv.AppendQuote(append(b, ','), string(s))
		b = strconv.AppendInt(append(b, ':'), at.Millis(), 10)
	}
	if len(b) == 0 {
		return "{}"
	}
	b[0] = '{'
	return string(append(b, '}'))
}

// timesOf reads what timesJSON wrote.
func timesOf(doc string) (map[sms.Status]stamp.Time, error) {
	times := make(map[sms.Status]stamp.Time, 5)
	inner, ok := strings.CutPrefix(doc, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if !ok || !closed {
		return nil, fmt.Errorf("times: %q", doc)
	}
	for inner != "" {
		var pair string
		pair, inner, _ = strings.Cut(inner, ",")
		name, number, _ := strings.Cut(pair, ":")
		ms, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("times: %w", err)
		}
		times[sms.Status(strings.Trim(name, `" `))] = stamp.FromMillis(ms)
	}
	return times, nil
}
