package storage

import (
	"context"
	"database/sql"
	"fmt"

	"callbox/internal/stamp"
)

// RecordingNote is what somebody wrote at a moment of a recording.
type RecordingNote struct {
	ID        string
	Recording string
	At        float64 // seconds from its beginning
	Text      string
	By        string // user
	Name      string // the user's, as it was then
	Time      stamp.Time
}

// AddRecordingNote keeps a note and gives it with its id and time.
func (d *DB) AddRecordingNote(ctx context.Context, n RecordingNote) (RecordingNote, error) {
	n.ID, n.Time = newID(), stamp.Now()
	err := d.Write(ctx, "add recording note", func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO recording_notes (id, recording, at, text, by, name, time) VALUES (?, ?, ?, ?, ?, ?, ?)",
			n.ID, n.Recording, n.At, n.Text, n.By, n.Name, n.Time.Millis())
		return err
	})
	return n, err
}

// RemoveRecordingNote removes a note of a recording that by wrote. Error:
// [ErrNotFound].
func (d *DB) RemoveRecordingNote(ctx context.Context, recording, id, by string) error {
	return d.Write(ctx, "remove recording note", func(tx *sql.Tx) error {
		return mustHit(tx.Exec("DELETE FROM recording_notes WHERE id = ? AND recording = ? AND by = ?", id, recording, by))
	})
}

// RecordingNotes are a recording's notes from its beginning on.
func (d *DB) RecordingNotes(ctx context.Context, recording string) ([]RecordingNote, error) {
	rows, err := d.reader.QueryContext(ctx,
		"SELECT id, recording, at, text, by, name, time FROM recording_notes WHERE recording = ? ORDER BY at, id", recording)
	if err != nil {
		return nil, fmt.Errorf("notes of recording %s: %w", recording, err)
	}
	return collect(rows, func(rows *sql.Rows) (n RecordingNote, err error) {
		var ms int64
		err = rows.Scan(&n.ID, &n.Recording, &n.At, &n.Text, &n.By, &n.Name, &ms)
		n.Time = stamp.FromMillis(ms)
		return n, err
	})
}
