package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

const selectMissed = `SELECT call, kind, doc, agent, time, first, tries, claimed, claimed_by, claimed_name,
	done, done_by, done_name, outcome, note,
	(SELECT json_group_array(json_object('call_id', call, 'from', voice_from, 'seconds', seconds, 'time', time))
		FROM (SELECT * FROM missed_calls c WHERE c.missed = missed.row AND c.seconds > 0 ORDER BY c.time))
	FROM missed`

func scanMissedRows(rows *sql.Rows) (Missed, error) { return scanMissed(rows) }

func scanMissed(row scanner) (m Missed, err error) {
	var doc, mail []byte
	var at, first, claimed, done int64
	var claim MissedClaim
	var end MissedDone
	err = row.Scan(&m.ID, &m.Kind, &doc, &m.Agent, &at, &first, &m.Tries, &claimed, &claim.By, &claim.Name,
		&done, &end.By, &end.Name, &end.Outcome, &end.Note, &mail)
	if err != nil {
		return m, notFound(err)
	}
	m.Time, m.First = stamp.FromMillis(at), stamp.FromMillis(first)
	if claim.Time = stamp.FromMillis(claimed); claimed > 0 {
		m.Claimed = &claim
	}
	if end.Time = stamp.FromMillis(done); done > 0 {
		m.Done = &end
	}
	var shown missedDoc
	err = json.Unmarshal(doc, &shown)
	m.Number, m.Customer, m.Queue = shown.Number, shown.Customer, shown.Queue
	return m, errors.Join(err, m.readMail(mail))
}

func (m *Missed) readMail(doc []byte) error {
	var mail []struct {
		MissedMail
		Time int64 `json:"time"`
	}
	err := json.Unmarshal(doc, &mail)
	m.Messages = make([]MissedMail, len(mail))
	for i, one := range mail {
		m.Messages[i] = one.MissedMail
		m.Messages[i].Time = stamp.FromMillis(one.Time)
		m.Seconds = one.Seconds
	}
	return err
}

func missedRow(tx *sql.Tx, row int64) (Missed, error) {
	return scanMissed(tx.QueryRow(selectMissed+" WHERE row = ?", row))
}

// MissedFilter picks missed calls; what is empty does not limit. State is open
// (nobody sees to it), claimed or done. VisibleTo is an agent: of his queues,
// his own telephone's, and what concerns everybody.
type MissedFilter struct {
	ID        string // of any of its calls
	State     string
	Queue     string
	Kind      string
	VisibleTo string
	Page
}

var missedStates = map[string]string{
	"open": "done = 0 AND claimed = 0", "claimed": "done = 0 AND claimed > 0", "done": "done > 0",
}

// concerns says of a missed row that it concerns the user u.
const concerns = `(missed.queue IN (SELECT value FROM json_each(u.queues)) OR missed.queue = '' AND missed.agent IN ('', u.id))`

// Missed gives missed calls, newest first, and the cursor behind the last.
// Error: [ErrCursor].
func (d *DB) Missed(ctx context.Context, f MissedFilter) (list []Missed, next string, err error) {
	ms, id, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &filter{}
	w.and(f.ID != "", "row = (SELECT missed FROM missed_calls WHERE call = ?)", f.ID)
	w.and(f.State != "", missedStates[f.State])
	w.and(f.Queue != "", "queue = ?", f.Queue)
	w.and(f.Kind != "", "kind = ?", f.Kind)
	w.and(f.VisibleTo != "", "EXISTS (SELECT 1 FROM users u WHERE u.id = ? AND "+concerns+")", f.VisibleTo)
	w.and(f.Cursor != "", "(time, call) < (?, ?)", ms, id)
	err = load(ctx, d.reader, &list, scanMissedRows, selectMissed+w.sql()+" ORDER BY time DESC, call DESC LIMIT ?",
		append(w.args, f.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list missed calls: %w", err)
	}
	list, next = cut(list, f.limit(), func(m Missed) string { return cursor(m.Time.Millis(), m.ID) })
	return list, next, nil
}

// mailKept is how long a message that was dealt with counts as an old one.
const mailKept = 30 * 24 * time.Hour

const countMail = `SELECT count(*) FILTER (WHERE missed.done = 0), count(*) FILTER (WHERE missed.done > 0)
	FROM users u CROSS JOIN missed WHERE u.extension = ?1 AND missed.kind = 'voicemail'
	AND (missed.done = 0 OR missed.done >= ?2) AND ` + concerns

// MailWaiting is how many messages of an extension's queues are to be heard, and
// how many were dealt with in the last 30 days.
func (d *DB) MailWaiting(ctx context.Context, extension string) (fresh, old int, err error) {
	since := stamp.At(time.Now().Add(-mailKept)).Millis()
	err = d.reader.QueryRowContext(ctx, countMail, extension, since).Scan(&fresh, &old)
	return fresh, old, wrap("count messages", err)
}

// MailListeners are the extensions that a message to queue concerns, or, where
// that is empty, to agent or everybody.
func (d *DB) MailListeners(ctx context.Context, queue, agent string) (extensions []string, err error) {
	err = load(ctx, d.reader, &extensions, func(rows *sql.Rows) (e string, err error) { return e, rows.Scan(&e) },
		`SELECT u.extension FROM users u, (SELECT ?1 AS queue, ?2 AS agent) missed WHERE u.extension IS NOT NULL AND `+concerns, queue, agent)
	return extensions, wrap("whom a message concerns", err)
}
