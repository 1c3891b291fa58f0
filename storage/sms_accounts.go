package storage

import (
	"context"
	"database/sql"
	"fmt"

	"callbox/internal/stamp"
)

// AccountCount is what an account has to send and has sent.
type AccountCount struct{ Queued, Sent int64 }

// longestPlan is how long before its submission a message may have been
// accepted and still be counted.
const longestPlan = 31 * 24 * 3600 * 1000

// Accounts counts, by account, the messages that wait now and those that were
// submitted since a time.
func (s *SMS) Accounts(ctx context.Context, since stamp.Time) (map[string]AccountCount, error) {
	all := map[string]AccountCount{}
	err := s.tally(ctx, "SELECT account, count(*) FROM sms_messages WHERE status = 'queued' GROUP BY account", nil,
		func(account string, n int64) { all[account] = AccountCount{Queued: n} })
	if err != nil {
		return nil, fmt.Errorf("count waiting messages: %w", err)
	}
	err = s.tally(ctx, `SELECT account, count(*) FROM sms_messages
		WHERE id >= ? AND changed >= ? AND times ->> '$.submitted' >= ? GROUP BY account`,
		[]any{idFrom(since.Millis() - longestPlan), since.Millis(), since.Millis()},
		func(account string, n int64) { c := all[account]; c.Sent = n; all[account] = c })
	if err != nil {
		return nil, fmt.Errorf("count sent messages: %w", err)
	}
	return all, nil
}

func (s *SMS) tally(ctx context.Context, query string, args []any, add func(string, int64)) error {
	rows, err := s.db.Reader().QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var account string
		var n int64
		err := rows.Scan(&account, &n)
		add(account, n)
		return struct{}{}, err
	})
	return err
}

// idFrom is where the ids made at or after ms begin (UUIDv7, RFC 9562 §5.7).
func idFrom(ms int64) string {
	ms = max(ms, 0)
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}
