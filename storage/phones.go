package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

// Binding is one registered phone of an extension, as SIP's registrar keeps it.
type Binding struct {
	User      string
	Contact   string
	Source    string
	Transport string
	Expires   time.Time
	CallID    string
	CSeq      uint32
	UserAgent string
}

// Bindings gives those that have not expired.
func (d *DB) Bindings(ctx context.Context) ([]Binding, error) {
	rows, err := d.reader.QueryContext(ctx, `SELECT user, contact, source, transport, expires, call_id, cseq, user_agent
		FROM bindings WHERE expires > ? ORDER BY user, contact`, stamp.Now().Millis())
	if err != nil {
		return nil, fmt.Errorf("load bindings: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (b Binding, err error) {
		var expires int64
		err = rows.Scan(&b.User, &b.Contact, &b.Source, &b.Transport, &expires, &b.CallID, &b.CSeq, &b.UserAgent)
		b.Expires = stamp.FromMillis(expires).Time
		return b, err
	})
}

// SaveBinding writes a binding behind; it is known by its user and contact.
func (d *DB) SaveBinding(b Binding) {
	d.Later("save binding", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO bindings (user, contact, source, transport, expires, call_id, cseq, user_agent)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
			ON CONFLICT (user, contact) DO UPDATE SET source = ?3, transport = ?4, expires = ?5, call_id = ?6,
				cseq = ?7, user_agent = ?8`,
			b.User, b.Contact, b.Source, b.Transport, stamp.At(b.Expires).Millis(), b.CallID, b.CSeq, b.UserAgent)
		return err
	})
}

// RemoveBinding forgets a binding, behind.
func (d *DB) RemoveBinding(user, contact string) {
	d.Later("remove binding", func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM bindings WHERE user = ? AND contact = ?", user, contact)
		return err
	})
}

// SaveDialog keeps, behind, what a BYE after a crash needs, as a document whose
// form is SIP's.
func (d *DB) SaveDialog(id string, doc json.RawMessage) {
	d.Later("save dialog", func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO dialogs (id, doc) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET doc = ?2",
			id, string(doc))
		return err
	})
}

// RemoveDialog forgets a dialog that is over, behind.
func (d *DB) RemoveDialog(id string) {
	d.Later("remove dialog", func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM dialogs WHERE id = ?", id)
		return err
	})
}

// Dialogs gives those that were never removed.
func (d *DB) Dialogs(ctx context.Context) ([]json.RawMessage, error) {
	rows, err := d.reader.QueryContext(ctx, "SELECT doc FROM dialogs ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("load dialogs: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (json.RawMessage, error) {
		var doc string
		err := rows.Scan(&doc)
		return json.RawMessage(doc), err
	})
}
