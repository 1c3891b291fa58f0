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
	rows, err := d.reader.QueryContext(ctx, "SELECT agent, state, reason, since, call FROM desks ORDER BY agent")
	if err != nil {
		return nil, fmt.Errorf("load desks: %w", err)
	}
	return collect(rows, scanDesk)
}

func scanDesk(rows *sql.Rows) (r acd.DeskRow, err error) {
	var since int64
	err = rows.Scan(&r.Agent, &r.State, &r.Reason, &since, &r.Call)
	r.Since = stamp.FromMillis(since).Time
	return r, err
}

// SaveDesk writes a desk's row behind.
func (d *DB) SaveDesk(r acd.DeskRow) {
	d.Later("save desk", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO desks (agent, state, reason, since, call) VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (agent) DO UPDATE SET state = ?2, reason = ?3, since = ?4, call = ?5`,
			r.Agent, string(r.State), r.Reason, stamp.At(r.Since).Millis(), r.Call)
		return err
	})
}
