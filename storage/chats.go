package storage

import (
	"context"
	"database/sql"
	"fmt"

	"callbox/cti"
	"callbox/internal/stamp"
)

// Chat is what one person wrote to another.
type Chat struct {
	ID   string     `json:"id"`
	Time stamp.Time `json:"time"`
	From string     `json:"from"`
	To   string     `json:"to"`
	Text string     `json:"text"`
	Name string     `json:"name"` // of who wrote it
}

// putChat keeps a message event as what it says.
func putChat(tx *sql.Tx, e cti.Event) error {
	word := func(key string) string { s, _ := e.UserData[key].(string); return s }
	_, err := tx.Exec("INSERT OR IGNORE INTO chats (id, time, sender, recipient, name, text) VALUES (?, ?, ?, ?, ?, ?)",
		e.ID, e.Time.Millis(), word("from"), e.AgentID, word("name"), word("text"))
	return err
}

// Chats gives what a person wrote and got, newest first, of a talk with one
// other where with is not empty, and the cursor behind the last. Error:
// [ErrCursor].
func (d *DB) Chats(ctx context.Context, person, with string, p Page) (list []Chat, next string, err error) {
	w := &filter{}
	w.and(with == "", "(sender = ? OR recipient = ?)", person, person)
	w.and(with != "", "(sender = ? AND recipient = ? OR sender = ? AND recipient = ?)", person, with, with, person)
	_, id, err := parseCursor(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	w.and(p.Cursor != "", "id < ?", id)
	rows, err := d.reader.QueryContext(ctx, "SELECT id, time, sender, recipient, text, name FROM chats"+w.sql()+
		" ORDER BY id DESC LIMIT ?", append(w.args, p.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("chats: %w", err)
	}
	list, err = collect(rows, func(rows *sql.Rows) (c Chat, err error) {
		var ms int64
		err = rows.Scan(&c.ID, &ms, &c.From, &c.To, &c.Text, &c.Name)
		c.Time = stamp.FromMillis(ms)
		return c, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("chats: %w", err)
	}
	list, next = cut(list, p.limit(), func(c Chat) string { return cursor(0, c.ID) })
	return list, next, nil
}
