package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"callbox/sms"
)

// idOf is what an object of the site is known by.
func idOf(object any) string {
	switch o := object.(type) {
	case Queue:
		return o.ID
	case Route:
		return o.Number
	case Flow:
		return o.ID
	case Calendar:
		return o.ID
	case sms.Template:
		return o.ID
	}
	return ""
}

func replaceObjects[T any](tx *sql.Tx, kind string, objects []T) error {
	if _, err := tx.Exec("DELETE FROM objects WHERE kind = ?", kind); err != nil {
		return err
	}
	for i, o := range objects {
		doc, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("%s %d: %w", kind, i, err)
		}
		if err := putObject(tx, kind, idOf(o), i, doc); err != nil {
			return fmt.Errorf("%s %s: %w", kind, idOf(o), err)
		}
	}
	return nil
}

// putObject writes one object; a known one keeps its place.
func putObject(tx *sql.Tx, kind, id string, pos int, doc json.RawMessage) error {
	_, err := tx.Exec(`INSERT INTO objects (kind, id, pos, doc) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (kind, id) DO UPDATE SET doc = ?4`, kind, id, pos, string(doc))
	return err
}

// appendObject is putObject behind all others of its kind.
func appendObject(tx *sql.Tx, kind, id string, doc json.RawMessage) error {
	var last int
	if err := tx.QueryRow("SELECT coalesce(max(pos), 0) FROM objects WHERE kind = ?", kind).Scan(&last); err != nil {
		return err
	}
	return putObject(tx, kind, id, last+1, doc)
}

func loadObjects[T any](ctx context.Context, q querier, kind string, into *[]T) error {
	return load(ctx, q, into, scanDoc[T], "SELECT doc FROM objects WHERE kind = ? ORDER BY pos, id", kind)
}

// load reads all rows of a query; no row gives an empty list, not nil.
func load[T any](ctx context.Context, q querier, into *[]T, scan func(*sql.Rows) (T, error), query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	list, err := collect(rows, scan)
	if list == nil {
		list = []T{}
	}
	*into = list
	return err
}

func scanDoc[T any](rows *sql.Rows) (v T, err error) {
	var doc []byte
	if err := rows.Scan(&doc); err != nil {
		return v, err
	}
	return v, json.Unmarshal(doc, &v)
}
