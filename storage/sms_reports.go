package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"callbox/internal/stamp"
	"callbox/sms"
)

// OfPart implements [sms.ReportTx].
func (t *smsTx) OfPart(account, part string) (sms.Record, error) {
	const q = "SELECT " + smsColumns + ` FROM sms_messages
		WHERE id = (SELECT message FROM sms_parts WHERE account = ? AND id = ?)`
	found, err := smsRecords(context.Background(), t, q, account, part)
	switch {
	case err != nil:
		return sms.Record{}, fmt.Errorf("message of part: %w", err)
	case len(found) == 0:
		return sms.Record{}, errNoSMS
	}
	return found[0], nil
}

// Park implements [sms.ReportTx]. What was said first counts.
func (t *smsTx) Park(r sms.Report, at stamp.Time) error {
	const q = `INSERT OR IGNORE INTO sms_parked (account, id, number, stat, done, time) VALUES (?, ?, ?, ?, ?, ?)`
	if _, err := t.Exec(q, r.Account, r.ID, r.To, r.Stat, r.Done, at.Millis()); err != nil {
		return fmt.Errorf("park report: %w", err)
	}
	return nil
}

// Parked implements [sms.ReportTx].
func (t *smsTx) Parked(account string, parts []string) ([]sms.Report, error) {
	var all []sms.Report
	for _, id := range parts {
		r := sms.Report{Account: account, ID: id}
		const q = "SELECT number, stat, done FROM sms_parked WHERE account = ? AND id = ?"
		err := t.QueryRow(q, account, id).Scan(&r.To, &r.Stat, &r.Done)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("parked reports: %w", err)
		}
		if _, err := t.Exec("DELETE FROM sms_parked WHERE account = ? AND id = ?", account, id); err != nil {
			return nil, fmt.Errorf("take parked report: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}

// Forget implements [sms.ReportTx].
func (t *smsTx) Forget(at stamp.Time) error {
	for _, q := range []string{"DELETE FROM sms_parked WHERE time < ?", "DELETE FROM sms_seen WHERE time < ?"} {
		if _, err := t.Exec(q, at.Millis()); err != nil {
			return fmt.Errorf("forget reports: %w", err)
		}
	}
	return nil
}

// Orphans is how many reports wait for a message that has their id.
func (s *SMS) Orphans(ctx context.Context) (n int64, err error) {
	err = s.db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM sms_parked").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("orphan reports: %w", err)
	}
	return n, nil
}
