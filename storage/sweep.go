package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// How long what nobody deletes is kept.
const (
	journalKept = 30 * 24 * time.Hour
	deadKept    = 30 * 24 * time.Hour
	notesKept   = 30 * 24 * time.Hour
	chatsKept   = 365 * 24 * time.Hour
)

// How often Sweep works, and how much of a table one transaction deletes.
const (
	sweepEvery = time.Hour
	sweepRows  = 2000
)

// Sweep deletes what is past its time, once an hour, until ctx ends: events, dead
// letters and drafts of more than 30 days, chats of more than a year, sessions
// and bindings that are over.
func (d *DB) Sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := d.SweepOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			d.log.Warn("sweep failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// SweepOnce deletes what is past its time at now, a little a transaction.
func (d *DB) SweepOnce(ctx context.Context, now time.Time) error {
	day := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	for _, s := range []struct {
		what, query string
		before      int64
	}{
		{"journal", `DELETE FROM journal WHERE time < ?1 AND seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?2)`, day(journalKept)},
		{"dead letters", `DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d JOIN notices n ON n.id = d.notice
			WHERE d.dead = 1 AND n.time < ?1 LIMIT ?2)`, day(deadKept)},
		{"told notices", `DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE time < ?1
			AND NOT EXISTS (SELECT 1 FROM deliveries WHERE notice = notices.id) LIMIT ?2)`, day(deadKept)},
		{"unknown door rows", `UPDATE door_rows SET done = 1 WHERE (door, row) IN
			(SELECT door, row FROM door_rows WHERE done = 0 AND written = 'unknown' AND changed < ?1 LIMIT ?2)`, day(deadKept)},
		{"notes", `DELETE FROM notes WHERE (call, agent) IN
			(SELECT call, agent FROM notes WHERE time < ?1 LIMIT ?2)`, day(notesKept)},
		{"chats", "DELETE FROM chats WHERE id IN (SELECT id FROM chats WHERE time < ?1 LIMIT ?2)", day(chatsKept)},
		{"sessions", "DELETE FROM sessions WHERE token IN (SELECT token FROM sessions WHERE expires < ?1 LIMIT ?2)", now.UnixMilli()},
		{"bindings", `DELETE FROM bindings WHERE (user, contact) IN
			(SELECT user, contact FROM bindings WHERE expires < ?1 LIMIT ?2)`, now.UnixMilli()},
	} {
		if err := d.sweepTable(ctx, s.what, s.query, s.before); err != nil {
			return fmt.Errorf("sweep %s: %w", s.what, err)
		}
	}
	return nil
}

func (d *DB) sweepTable(ctx context.Context, what, query string, before int64) error {
	for {
		var gone int64
		err := d.Write(ctx, "sweep "+what, func(tx *sql.Tx) error {
			res, err := tx.Exec(query, before, sweepRows)
			if err != nil {
				return err
			}
			gone, err = res.RowsAffected()
			return err
		})
		if err != nil || gone < sweepRows {
			return err
		}
	}
}
