package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"callbox/cti"
	"callbox/sms"
)

// ErrBadDocument: a document is not what its kind asks for.
var ErrBadDocument = errors.New("not a document of this kind")

// kind is how one section of the site is kept: its objects as documents, in the
// form that the API shows.
type kind struct {
	list string // SQL that gives id and doc of what lies behind ?1, ?2 many
	one  string // SQL that gives id and doc of ?1
	drop string // SQL that removes ?1
	put  func(d *DB, ctx context.Context, docs []json.RawMessage) error
}

const agentDoc = `json_object('id', id, 'name', name, 'role', role, 'extension', coalesce(extension, ''),
	'skills', json(skills), 'queues', json(queues))`

// kinds are the sections of the site that are kept as documents.
var kinds = map[string]kind{
	"agents": {
		list: "SELECT id, " + agentDoc + " FROM users WHERE listed = 1 AND id > ?1 ORDER BY id LIMIT ?2",
		one:  "SELECT id, " + agentDoc + " FROM users WHERE listed = 1 AND id = ?1",
		drop: "DELETE FROM users WHERE listed = 1 AND id = ?1",
		put:  putAgents,
	},
	"customers": {
		list: "SELECT id, doc FROM customers WHERE id > ?1 ORDER BY id LIMIT ?2",
		one:  "SELECT id, doc FROM customers WHERE id = ?1",
		drop: "DELETE FROM customers WHERE id = ?1",
		put:  putDocs(func(d *DB, tx *sql.Tx, c cti.Customer) error { return d.putCustomer(tx, c) }, checkCustomer),
	},
	"queues":    objectKind[Queue](queueKind),
	"routes":    objectKind[Route](routeKind),
	"calendars": objectKind[Calendar](calendarKind),
	"flows":     flowDocs(),
	"templates": objectKind[sms.Template](templateKind),
	"desk":      deskKindOfOne(),
}

func objectKind[T any](name string) kind {
	return kind{
		list: "SELECT id, doc FROM objects WHERE kind = '" + name + "' AND id > ?1 ORDER BY id LIMIT ?2",
		one:  "SELECT id, doc FROM objects WHERE kind = '" + name + "' AND id = ?1",
		drop: "DELETE FROM objects WHERE kind = '" + name + "' AND id = ?1",
		put: putDocs(func(_ *DB, tx *sql.Tx, v T) error {
			doc, err := json.Marshal(v)
			if err != nil {
				return err
			}
			return appendObject(tx, name, idOf(v), doc)
		}, func(v T) bool { return idOf(v) != "" }),
	}
}

// deskKindOfOne is the desk's settings: one document that is whole.
func deskKindOfOne() kind {
	k := objectKind[DeskSettings](deskKind)
	k.put = putDocs(putDeskSettings, func(DeskSettings) bool { return true })
	return k
}

func checkCustomer(c cti.Customer) bool { return c.ID != "" }

// putDocs reads documents strictly and writes them in one transaction.
func putDocs[T any](put func(*DB, *sql.Tx, T) error, good func(T) bool) func(*DB, context.Context, []json.RawMessage) error {
	return func(d *DB, ctx context.Context, docs []json.RawMessage) error {
		objects, err := decodeAll(docs, good)
		if err != nil {
			return err
		}
		return d.Write(ctx, "put documents", func(tx *sql.Tx) error {
			return linked(tx, func() error {
				for _, o := range objects {
					if err := put(d, tx, o); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

func putAgents(d *DB, ctx context.Context, docs []json.RawMessage) error {
	agents, err := decodeAll(docs, func(a Agent) bool { return a.ID != "" })
	if err != nil {
		return err
	}
	if err := d.keepRoles(ctx, agents); err != nil {
		return fmt.Errorf("put agents: %w", err)
	}
	if agents, err = d.settleAgents(ctx, agents); err != nil {
		return fmt.Errorf("put agents: %w", err)
	}
	return d.Write(ctx, "put agents", func(tx *sql.Tx) error {
		return linked(tx, func() error { return keepsAdmin(tx, func() error { return putListed(tx, agents) }) })
	})
}

func putListed(tx *sql.Tx, agents []Agent) error {
	for _, a := range agents {
		if err := putUser(tx, a, true); err != nil {
			return fmt.Errorf("agent %s: %w", a.ID, err)
		}
	}
	return dropOrphans(tx)
}

// keepRoles leaves whom no role is given the one he has.
func (d *DB) keepRoles(ctx context.Context, agents []Agent) error {
	for i := range agents {
		if agents[i].Role != "" {
			continue
		}
		was, err := d.User(ctx, agents[i].ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		agents[i].Role = was.Role
	}
	return nil
}

func decodeAll[T any](docs []json.RawMessage, good func(T) bool) ([]T, error) {
	var all []T
	for i, doc := range docs {
		var v T
		dec := json.NewDecoder(bytes.NewReader(doc))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("%w: document %d: %w", ErrBadDocument, i, err)
		}
		if !good(v) {
			return nil, fmt.Errorf("%w: document %d: its id is missing", ErrBadDocument, i)
		}
		all = append(all, v)
	}
	return all, nil
}

func kindOf(name string) (kind, error) {
	k, ok := kinds[name]
	if !ok {
		return k, fmt.Errorf("kind %q: %w", name, ErrNotFound)
	}
	return k, nil
}

// Documents gives objects of a kind (agents queues calendars routes flows
// templates customers) by id, without secrets, and the cursor behind the last.
func (d *DB) Documents(ctx context.Context, kindName string, p Page) (docs []json.RawMessage, next string, err error) {
	k, err := kindOf(kindName)
	if err != nil {
		return nil, "", err
	}
	_, after, err := parseCursor(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := d.reader.QueryContext(ctx, k.list, after, p.limit()+1)
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", kindName, err)
	}
	found, err := collect(rows, func(rows *sql.Rows) (document, error) { return scanDocument(rows) })
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", kindName, err)
	}
	found, next = cut(found, p.limit(), func(x document) string { return cursor(0, x.id) })
	for _, x := range found {
		docs = append(docs, x.doc)
	}
	return docs, next, nil
}

// document is a row of the kinds' lists.
type document struct {
	id  string
	doc json.RawMessage
}

func scanDocument(row scanner) (x document, err error) {
	var doc []byte
	err = row.Scan(&x.id, &doc)
	x.doc = doc
	return x, notFound(err)
}

// Document gives one object of a kind. Error: [ErrNotFound].
func (d *DB) Document(ctx context.Context, kindName, id string) (json.RawMessage, error) {
	k, err := kindOf(kindName)
	if err != nil {
		return nil, err
	}
	x, err := scanDocument(d.reader.QueryRowContext(ctx, k.one, id))
	return x.doc, wrap(kindName+" "+id, err)
}

// PutDocuments writes objects of a kind, new or changed, all or none. Errors:
// [ErrBadDocument], [ErrConflict], [ErrDangling], [ErrLastAdmin].
func (d *DB) PutDocuments(ctx context.Context, kindName string, docs []json.RawMessage) error {
	k, err := kindOf(kindName)
	if err != nil {
		return err
	}
	return k.put(d, ctx, docs)
}

// DeleteDocument removes one object of a kind. Errors: [ErrNotFound],
// [ErrDangling] where another object still names it, [ErrLastAdmin].
func (d *DB) DeleteDocument(ctx context.Context, kindName, id string) error {
	k, err := kindOf(kindName)
	if err != nil {
		return err
	}
	return d.Write(ctx, "delete "+kindName, func(tx *sql.Tx) error {
		return linked(tx, func() error {
			return keepsAdmin(tx, func() error {
				if err := mustHit(tx.Exec(k.drop, id)); err != nil {
					return err
				}
				return errors.Join(dropOrphans(tx), dropTexts(tx))
			})
		})
	})
}
