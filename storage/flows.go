package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// flowDocs are flows as documents. One that is put as a document is no longer
// what somebody wrote as YAML.
func flowDocs() kind {
	k := objectKind[Flow](flowKind)
	k.put = putDocs(func(_ *DB, tx *sql.Tx, f Flow) error { return putFlow(tx, f) }, func(f Flow) bool { return f.ID != "" })
	return k
}

func putFlow(tx *sql.Tx, f Flow) error {
	return errors.Join(appendObject(tx, flowKind, f.ID, f.Doc), keepText(tx, f))
}

// keepText keeps or drops the YAML of a flow.
func keepText(tx *sql.Tx, f Flow) error {
	if f.Text == "" {
		_, err := tx.Exec("DELETE FROM objects WHERE kind = ? AND id = ?", flowTextKind, f.ID)
		return err
	}
	return putObject(tx, flowTextKind, f.ID, 0, json.RawMessage(encode(f.Text)))
}

func replaceFlows(tx *sql.Tx, flows []Flow) error {
	if err := replaceObjects(tx, flowKind, flows); err != nil {
		return err
	}
	for _, f := range flows {
		if err := keepText(tx, f); err != nil {
			return fmt.Errorf("flow %s: %w", f.ID, err)
		}
	}
	return dropTexts(tx)
}

// dropTexts forgets the YAML of flows that are gone.
func dropTexts(tx *sql.Tx) error {
	_, err := tx.Exec("DELETE FROM objects WHERE kind = ?1 AND id NOT IN (SELECT id FROM objects WHERE kind = ?2)",
		flowTextKind, flowKind)
	return err
}

// PutFlow writes one flow with the YAML it was written as. Error:
// [ErrDangling].
func (d *DB) PutFlow(ctx context.Context, f Flow) error {
	return d.Write(ctx, "put flow", func(tx *sql.Tx) error {
		return linked(tx, func() error { return putFlow(tx, f) })
	})
}

// Flow gives one flow with the YAML it was written as. Error: [ErrNotFound].
func (d *DB) Flow(ctx context.Context, id string) (f Flow, err error) {
	const find = `SELECT f.doc, coalesce(t.doc, '""') FROM objects f
		LEFT JOIN objects t ON t.kind = 'flow_text' AND t.id = f.id WHERE f.kind = 'flow' AND f.id = ?`
	var doc, text []byte
	if err := d.reader.QueryRowContext(ctx, find, id).Scan(&doc, &text); err != nil {
		return f, fmt.Errorf("flow %s: %w", id, notFound(err))
	}
	f.ID, f.Doc = id, doc
	return f, json.Unmarshal(text, &f.Text)
}
