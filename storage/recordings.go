package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
)

// RecordingRow is what is known of one recording. Its id is the call's; Path
// is below the recordings folder; State is a cti.Recording… constant.
type RecordingRow struct {
	ID      string
	Path    string
	Law     string
	Started time.Time
	State   string
	Seconds float64
	Missing float64 // seconds
	Why     string
	SHA256  string
	Mixed   bool
}

// Recording is the row as the call's record shows it.
func (r RecordingRow) Recording() cti.Recording {
	return cti.Recording{
		ID: r.ID, State: r.State, Seconds: r.Seconds, MissingSeconds: r.Missing,
		Why: r.Why, Mixed: r.Mixed, SHA256: r.SHA256,
	}
}

// PutRecording writes a recording's row, new or changed, and returns when it is
// on disk.
func (d *DB) PutRecording(ctx context.Context, r RecordingRow) error {
	return d.keep(ctx, "put recording", r.put)
}

// PutRecordingLater is PutRecording without waiting.
func (d *DB) PutRecordingLater(r RecordingRow) { d.Later("put recording", r.put) }

func (r RecordingRow) put(tx *sql.Tx) error {
	_, err := tx.Exec(`INSERT INTO recordings (id, path, law, started, state, seconds, missing, why, sha256, mixed)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (id) DO UPDATE SET path = ?2, law = ?3, started = ?4, state = ?5, seconds = ?6,
			missing = ?7, why = ?8, sha256 = ?9, mixed = ?10`,
		r.ID, r.Path, r.Law, stamp.At(r.Started).Millis(), r.State, r.Seconds, r.Missing, r.Why, r.SHA256, r.Mixed)
	return err
}

const selectRecording = "SELECT id, path, law, started, state, seconds, missing, why, sha256, mixed FROM recordings"

func scanRecording(row scanner) (r RecordingRow, err error) {
	var started int64
	err = row.Scan(&r.ID, &r.Path, &r.Law, &started, &r.State, &r.Seconds, &r.Missing, &r.Why, &r.SHA256, &r.Mixed)
	r.Started = stamp.FromMillis(started).Time
	return r, notFound(err)
}

func scanRecordings(rows *sql.Rows) (RecordingRow, error) { return scanRecording(rows) }

// Recording gives one row. Error: [ErrNotFound].
func (d *DB) Recording(ctx context.Context, id string) (RecordingRow, error) {
	r, err := scanRecording(d.reader.QueryRowContext(ctx, selectRecording+" WHERE id = ?", id))
	if err != nil {
		return r, fmt.Errorf("recording %s: %w", id, err)
	}
	return r, nil
}

// OpenRecordings gives the rows that were never closed: what to mend at start.
func (d *DB) OpenRecordings(ctx context.Context) ([]RecordingRow, error) {
	rows, err := d.reader.QueryContext(ctx, selectRecording+" WHERE state = 'recording' ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("open recordings: %w", err)
	}
	return collect(rows, scanRecordings)
}

// RecordingFilter picks recordings; what is empty does not limit. VisibleTo is
// an agent, as in [CallFilter].
type RecordingFilter struct {
	Since     time.Time
	State     string
	VisibleTo string
	Page
}

// Recordings gives rows, newest first, and the cursor behind the last.
func (d *DB) Recordings(ctx context.Context, f RecordingFilter) (list []RecordingRow, next string, err error) {
	ms, id, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &filter{}
	w.and(!f.Since.IsZero(), "started >= ?", stamp.At(f.Since).Millis())
	w.and(f.State != "", "state = ?", f.State)
	w.and(f.VisibleTo != "", "id IN (SELECT call FROM call_agents WHERE agent = ?)", f.VisibleTo)
	w.and(f.Cursor != "", "(started, id) < (?, ?)", ms, id)
	rows, err := d.reader.QueryContext(ctx,
		selectRecording+w.sql()+" ORDER BY started DESC, id DESC LIMIT ?", append(w.args, f.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list recordings: %w", err)
	}
	if list, err = collect(rows, scanRecordings); err != nil {
		return nil, "", fmt.Errorf("list recordings: %w", err)
	}
	list, next = cut(list, f.limit(), func(r RecordingRow) string { return cursor(stamp.At(r.Started).Millis(), r.ID) })
	return list, next, nil
}
