package storage

import (
	"context"
	"database/sql"
	"fmt"

	"callbox/acd"
	"callbox/internal/stamp"
)

// LoadDesks gives what of the desks survived: the floor's port.
func (d *DB) LoadDesks(ctx context.Context) ([]acd.DeskRow, error) {
	rows, err := d.reader.QueryContext(ctx, "SELECT agent, state, reason, since, until, call FROM desks ORDER BY agent")
	if err != nil {
		return nil, fmt.Errorf("load desks: %w", err)
	}
	return collect(rows, scanDesk)
}

func scanDesk(rows *sql.Rows) (r acd.DeskRow, err error) {
	var since, until int64
	err = rows.Scan(&r.Agent, &r.State, &r.Reason, &since, &until, &r.Call)
	r.Since, r.Until = stamp.FromMillis(since).Time, stamp.FromMillis(until).Time
	return r, err
}

// SaveDesk writes a desk's row behind.
func (d *DB) SaveDesk(r acd.DeskRow) {
	d.Later("save desk", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO desks (agent, state, reason, since, until, call) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
			ON CONFLICT (agent) DO UPDATE SET state = ?2, reason = ?3, since = ?4, until = ?5, call = ?6`,
			r.Agent, string(r.State), r.Reason, stamp.At(r.Since).Millis(), stamp.At(r.Until).Millis(), r.Call)
		return err
	})
}
