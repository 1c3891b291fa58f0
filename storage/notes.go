package storage

import (
	"context"
	"database/sql"
	"errors"

	"callbox/internal/stamp"
)

// Note is what somebody wrote down about a call and has not filed yet.
type Note struct {
	Call string     `json:"-"`
	By   string     `json:"by"`
	Text string     `json:"text"`
	Time stamp.Time `json:"time"`
}

// CallNote is a person's draft about a call; where he has none, the newest of
// the others', which he may go on with. Without any it is empty.
func (d *DB) CallNote(ctx context.Context, call, by string) (Note, error) {
	n := Note{Call: call}
	var ms int64
	err := d.reader.QueryRowContext(ctx, `SELECT agent, text, time FROM notes WHERE call = ?1
		ORDER BY agent = ?2 DESC, time DESC LIMIT 1`, call, by).Scan(&n.By, &n.Text, &ms)
	n.Time = stamp.FromMillis(ms)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, wrap("note of call "+call, err)
}

// PutCallNote keeps a person's draft, in the place of the one before, until he
// disposes of the call.
func (d *DB) PutCallNote(ctx context.Context, n Note) error {
	return d.Write(ctx, "put note", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO notes (call, agent, text, time) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (call, agent) DO UPDATE SET text = ?3, time = ?4`, n.Call, n.By, n.Text, n.Time.Millis())
		return err
	})
}

// dropNote forgets a draft that was filed.
func dropNote(tx *sql.Tx, call, by string) error {
	_, err := tx.Exec("DELETE FROM notes WHERE call = ? AND agent = ?", call, by)
	return err
}
