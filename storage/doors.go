package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"callbox/internal/stamp"
	"callbox/sms"
)

// DoorRow is a row of a database door's outbox table that became a text.
type DoorRow struct {
	Row     string // its id
	Take    int    // how often it became one
	Digest  string // of its number and text
	Message string
	Written sms.Status // last written back; empty: none
	Done    bool       // that was the last one there is
}

// DoorChange is a row whose text has another status than was written back.
type DoorChange struct {
	DoorRow
	Now sms.Message
}

// Doors keeps what database doors have taken and have yet to tell.
type Doors struct {
	d *DB

	mu      sync.RWMutex // guards replies
	replies []string
}

// Doors is the part of the database that keeps the doors' state.
func (d *DB) Doors() *Doors { return d.doors }

// Replies makes doors the ones that get incoming texts from now on. What waits
// for others is dropped.
func (x *Doors) Replies(doors []string) {
	x.mu.Lock()
	x.replies = doors
	x.mu.Unlock()
	x.d.Later("drop old doors' replies", func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM door_replies WHERE door NOT IN (SELECT value FROM json_each(?))", encode(doors))
		return err
	})
}

// reply keeps an incoming text for the doors, in the transaction that stores it.
func (x *Doors) reply(tx *sql.Tx, incoming string) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, door := range x.replies {
		if _, err := tx.Exec("INSERT INTO door_replies (door, incoming) VALUES (?, ?)", door, incoming); err != nil {
			return fmt.Errorf("reply for door %s: %w", door, err)
		}
	}
	return nil
}

const doorColumns = "d.row, d.take, d.digest, d.message, d.written, d.done"

func scanDoorRow(rows *sql.Rows) (r DoorRow, err error) {
	return r, rows.Scan(&r.Row, &r.Take, &r.Digest, &r.Message, &r.Written, &r.Done)
}

// Known gives those of these rows that became texts before.
func (x *Doors) Known(ctx context.Context, door string, rows []string) ([]DoorRow, error) {
	found, err := x.d.reader.QueryContext(ctx, "SELECT "+doorColumns+
		" FROM door_rows d WHERE d.door = ? AND d.row IN (SELECT value FROM json_each(?))", door, encode(rows))
	if err != nil {
		return nil, fmt.Errorf("known rows: %w", err)
	}
	known, err := collect(found, scanDoorRow)
	return known, wrap("known rows", err)
}

// Keep stores rows, over what was known of them.
func (x *Doors) Keep(ctx context.Context, door string, rows []DoorRow) error {
	return x.d.Write(ctx, "keep door's rows", func(tx *sql.Tx) error {
		for _, r := range rows {
			_, err := tx.Exec(`INSERT OR REPLACE INTO door_rows (door, row, take, digest, message, written, done, changed)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
				door, r.Row, r.Take, r.Digest, r.Message, r.Written, r.Done, stamp.Now().Millis())
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Changed gives at most limit rows behind after, in the order of their ids,
// whose text has another status than was written back. Submitting counts as
// queued.
func (x *Doors) Changed(ctx context.Context, door, after string, limit int) ([]DoorChange, error) {
	const shown = "CASE m.status WHEN 'submitting' THEN 'queued' ELSE m.status END"
	rows, err := x.d.reader.QueryContext(ctx, "SELECT "+doorColumns+` FROM door_rows d JOIN sms_messages m ON m.id = d.message
		WHERE d.door = ? AND d.row > ? AND d.done = 0 AND d.written != `+shown+" ORDER BY d.row LIMIT ?", door, after, limit)
	if err != nil {
		return nil, fmt.Errorf("changed rows: %w", err)
	}
	changed, err := collect(rows, scanDoorRow)
	if err != nil || len(changed) == 0 {
		return nil, wrap("changed rows", err)
	}
	return x.withMessages(ctx, changed)
}

func (x *Doors) withMessages(ctx context.Context, rows []DoorRow) ([]DoorChange, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.Message
	}
	found, err := smsRecords(ctx, x.d.reader, "SELECT "+smsColumns+
		" FROM sms_messages WHERE id IN (SELECT value FROM json_each(?))", encode(ids))
	if err != nil {
		return nil, fmt.Errorf("messages of rows: %w", err)
	}
	byID := map[string]sms.Message{}
	for _, r := range found {
		byID[r.ID] = r.Message
	}
	var all []DoorChange
	for _, r := range rows {
		if m, ok := byID[r.Message]; ok {
			all = append(all, DoorChange{r, m})
		}
	}
	return all, nil
}

// Written notes what was written back into rows. One that is known by another
// message meanwhile stays as it is.
func (x *Doors) Written(ctx context.Context, door string, rows []DoorRow) error {
	return x.d.Write(ctx, "door's rows written back", func(tx *sql.Tx) error {
		for _, r := range rows {
			_, err := tx.Exec("UPDATE door_rows SET written = ?, done = ?, changed = ? WHERE door = ? AND row = ? AND message = ?",
				r.Written, r.Done, stamp.Now().Millis(), door, r.Row, r.Message)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// MessageByKey gives the id of the message of the job with this key, and the
// job's signer, or [ErrNotFound].
func (x *Doors) MessageByKey(ctx context.Context, key string) (message, signer string, err error) {
	const find = "SELECT m.id, m.signer FROM sms_jobs j JOIN sms_messages m ON m.job = j.id WHERE j.key = ? LIMIT 1"
	if err := x.d.reader.QueryRowContext(ctx, find, key).Scan(&message, &signer); err != nil {
		return "", "", fmt.Errorf("job of key %s: %w", key, noRow(err))
	}
	return message, signer, nil
}

// Waiting gives at most limit incoming texts behind after that wait for their
// row in a door's inbox table, oldest first.
func (x *Doors) Waiting(ctx context.Context, door, after string, limit int) ([]sms.Incoming, error) {
	rows, err := x.d.reader.QueryContext(ctx, "SELECT "+prefixed("i", inboxColumns)+` FROM door_replies d JOIN sms_inbox i ON i.id = d.incoming
		WHERE d.door = ? AND d.incoming > ? ORDER BY d.incoming LIMIT ?`, door, after, limit)
	if err != nil {
		return nil, fmt.Errorf("waiting replies: %w", err)
	}
	waiting, err := collect(rows, scanIncoming)
	return waiting, wrap("waiting replies", err)
}

func prefixed(table, columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = table + "." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

// Replied takes out what has its row.
func (x *Doors) Replied(ctx context.Context, door string, incoming []string) error {
	return x.d.Write(ctx, "door's replies written", func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM door_replies WHERE door = ? AND incoming IN (SELECT value FROM json_each(?))", door, encode(incoming))
		return err
	})
}
