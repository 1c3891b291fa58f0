package storage

import (
	"context"
	"database/sql"
	"fmt"

	"callbox/internal/stamp"
	"callbox/sms"
)

// Setting implements [sms.PolicyTx].
func (t *smsTx) Setting(name string) (doc []byte, err error) {
	if err := t.QueryRow("SELECT doc FROM sms_settings WHERE name = ?", name).Scan(&doc); err != nil {
		return nil, fmt.Errorf("setting %s: %w", name, noRow(err))
	}
	return doc, nil
}

// SaveSetting implements [sms.PolicyTx].
func (t *smsTx) SaveSetting(name string, doc []byte) error {
	_, err := t.Exec("INSERT OR REPLACE INTO sms_settings (name, doc) VALUES (?, ?)", name, string(doc))
	if err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	return nil
}

// Spend implements [sms.PolicyTx].
func (t *smsTx) Spend(signer, day string, n, limit int) (bool, error) {
	const q = `INSERT INTO sms_quota (signer, day, used) SELECT ?1, ?2, ?3 WHERE ?3 <= ?4
		ON CONFLICT (signer, day) DO UPDATE SET used = used + ?3 WHERE used + ?3 <= ?4`
	res, err := t.Exec(q, signer, day, n, limit)
	if err != nil {
		return false, fmt.Errorf("count messages of %s: %w", signer, err)
	}
	if hit, err := res.RowsAffected(); err != nil || hit == 0 {
		return false, err
	}
	if _, err := t.Exec("DELETE FROM sms_quota WHERE signer = ? AND day < ?", signer, day); err != nil {
		return false, fmt.Errorf("forget earlier days of %s: %w", signer, err)
	}
	return true, nil
}

const listingColumns = "number, kind, why, time"

func scanListing(rows *sql.Rows) (sms.Listing, error) {
	var l sms.Listing
	var since int64
	err := rows.Scan(&l.Number, &l.Kind, &l.Why, &since)
	l.Time = stamp.FromMillis(since)
	return l, err
}

func blacklist(ctx context.Context, q querier) ([]sms.Listing, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+listingColumns+" FROM sms_blocked ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("blacklist: %w", err)
	}
	return collect(rows, scanListing)
}

// Blacklist is the list of numbers that get no texts, by number.
func (s *SMS) Blacklist(ctx context.Context) ([]sms.Listing, error) {
	return blacklist(ctx, s.db.Reader())
}

// Blacklist implements [sms.BlacklistTx].
func (t *smsTx) Blacklist() ([]sms.Listing, error) { return blacklist(context.Background(), t) }

// SaveBlacklist implements [sms.BlacklistTx].
func (t *smsTx) SaveBlacklist(list []sms.Listing) error {
	if _, err := t.Exec("DELETE FROM sms_blocked"); err != nil {
		return fmt.Errorf("blacklist: %w", err)
	}
	for _, l := range list {
		if err := t.AddListing(l); err != nil {
			return err
		}
	}
	return nil
}

// AddListing implements [sms.BlacklistTx].
func (t *smsTx) AddListing(l sms.Listing) error {
	_, err := t.Exec("INSERT OR IGNORE INTO sms_blocked ("+listingColumns+") VALUES (?, ?, ?, ?)",
		l.Number, l.Kind, l.Why, millis(l.Time))
	if err != nil {
		return fmt.Errorf("blacklist: %w", err)
	}
	return nil
}

// Listed implements [sms.BlacklistTx].
func (t *smsTx) Listed(numbers []string) (map[string]sms.Listing, error) {
	rows, err := t.Query("SELECT "+listingColumns+" FROM sms_blocked WHERE number IN (SELECT value FROM json_each(?))", asJSON(numbers))
	if err != nil {
		return nil, fmt.Errorf("blacklist: %w", err)
	}
	found, err := collect(rows, scanListing)
	if err != nil {
		return nil, fmt.Errorf("blacklist: %w", err)
	}
	listed := make(map[string]sms.Listing, len(found))
	for _, l := range found {
		listed[l.Number] = l
	}
	return listed, nil
}

// JobByDedup implements [sms.JobTx].
func (t *smsTx) JobByDedup(key string, at stamp.Time) (id string, err error) {
	const q = "SELECT id FROM sms_jobs WHERE dedup = ? AND dedup != '' AND dedup_until > ? ORDER BY dedup_until DESC LIMIT 1"
	err = t.QueryRow(q, key, at.Millis()).Scan(&id)
	return id, noRow(err)
}

// What sms_jobs.awaiting says.
const (
	awaitsNothing = iota
	awaitsConfirmation
	wasConfirmed
)

// Confirm implements [sms.JobTx].
func (t *smsTx) Confirm(job string) (before bool, err error) {
	var awaiting int
	if err := t.QueryRow("SELECT awaiting FROM sms_jobs WHERE id = ?", job).Scan(&awaiting); err != nil {
		return false, fmt.Errorf("job %s: %w", job, noRow(err))
	}
	switch awaiting {
	case awaitsNothing:
		return false, sms.ErrNotAwaiting
	case wasConfirmed:
		return true, nil
	}
	if _, err := t.Exec("UPDATE sms_jobs SET awaiting = ? WHERE id = ?", wasConfirmed, job); err != nil {
		return false, fmt.Errorf("confirm job %s: %w", job, err)
	}
	return false, nil
}

// Next implements [sms.MessageTx].
func (t *smsTx) Next() (stamp.Time, error) {
	var due, over sql.NullInt64
	const q = `SELECT (SELECT min(due) FROM sms_messages WHERE status = 'scheduled' AND due > 0),
		(SELECT min(valid_until) FROM sms_messages WHERE valid_until > 0 AND status IN ('scheduled', 'queued'))`
	if err := t.QueryRow(q).Scan(&due, &over); err != nil {
		return stamp.Time{}, fmt.Errorf("next due message: %w", err)
	}
	if !due.Valid || over.Valid && over.Int64 < due.Int64 {
		due = over
	}
	return moment(due.Int64), nil
}

// Start implements [sms.MessageTx].
func (t *smsTx) Start(job string, at stamp.Time) (int, error) {
	const q = "UPDATE sms_messages SET due = ? WHERE job = ? AND status = 'scheduled' AND tier = 0"
	res, err := t.Exec(q, at.Millis(), job)
	if err != nil {
		return 0, fmt.Errorf("start job %s: %w", job, err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// Restart implements [sms.MessageTx].
func (t *smsTx) Restart(class string, at stamp.Time) error {
	const q = `UPDATE sms_messages SET due = max(?1, (SELECT send_at FROM sms_jobs j WHERE j.id = job))
		WHERE status = 'scheduled' AND due > 0 AND class = ?2`
	if _, err := t.Exec(q, at.Millis(), class); err != nil {
		return fmt.Errorf("scheduled texts: %w", err)
	}
	return nil
}

// waits narrows to what waits for its time.
func (w *where) waits(q sms.Query) {
	if !q.Due.IsZero() {
		w.add("status = 'scheduled' AND due > 0 AND due <= ?", q.Due.Millis())
	}
	if !q.Over.IsZero() {
		w.add("status IN ('scheduled', 'queued') AND valid_until > 0 AND valid_until <= ?", q.Over.Millis())
	}
	w.equal("class = ?", q.Class)
	if q.Listed {
		w.add("number IN (SELECT number FROM sms_blocked)")
	}
	if q.Free {
		w.add("bound = 0")
	}
	w.equal("id > ?", q.After)
}
