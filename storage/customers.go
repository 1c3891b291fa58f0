package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"callbox/cti"
	"callbox/internal/number"
)

func (d *DB) replaceCustomers(tx *sql.Tx, customers []cti.Customer) error {
	if _, err := tx.Exec("DELETE FROM customers"); err != nil { // their numbers go with them
		return err
	}
	return d.putCustomers(tx, customers)
}

func (d *DB) putCustomers(tx *sql.Tx, customers []cti.Customer) error {
	for _, c := range customers {
		if err := d.putCustomer(tx, c); err != nil {
			return fmt.Errorf("customer %s: %w", c.ID, err)
		}
	}
	return nil
}

func (d *DB) putCustomer(tx *sql.Tx, c cti.Customer) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO customers (id, name, doc) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET name = ?2, doc = ?3",
		c.ID, c.Name, string(doc))
	if err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM customer_numbers WHERE customer = ?", c.ID); err != nil {
		return err
	}
	for _, n := range c.Numbers {
		if _, err := tx.Exec("INSERT OR IGNORE INTO customer_numbers (number, customer) VALUES (?, ?)",
			number.Key(n, d.cfg.AreaCode), c.ID); err != nil {
			return err
		}
	}
	return nil
}

// Find gives the customer with this number, in any form; of several the one
// with the lowest id, together with all of them. Withheld numbers find nobody.
func (d *DB) Find(ctx context.Context, n cti.Number) (cti.Customer, bool, error) {
	key := n.E164
	if key == "" {
		key = number.Key(n.Raw, d.cfg.AreaCode)
	}
	if key == "" {
		return cti.Customer{}, false, nil
	}
	var found []cti.Customer
	err := load(ctx, d.reader, &found, scanDoc[cti.Customer], `SELECT doc FROM customers WHERE id IN
		(SELECT customer FROM customer_numbers WHERE number = ?) ORDER BY id LIMIT ?`, key, maxMatches)
	if err != nil || len(found) == 0 {
		return cti.Customer{}, false, wrap("find customer", err)
	}
	first := found[0]
	if len(found) > 1 {
		for _, c := range found {
			first.Matches = append(first.Matches, cti.Match{ID: c.ID, Name: c.Name, VIP: c.VIP})
		}
	}
	return first, true, nil
}

// maxMatches is how many customers of one number are shown.
const maxMatches = 20

// CustomerFilter picks customers; what is empty does not limit.
type CustomerFilter struct {
	Number string // of a customer, in any form
	Query  string // a part of the name or of a number, or an id
	Page
}

// Customers gives customers by id, and the cursor behind the last. Error:
// [ErrCursor].
func (d *DB) Customers(ctx context.Context, f CustomerFilter) (docs []json.RawMessage, next string, err error) {
	w := &filter{}
	w.and(f.Number != "", "id IN (SELECT customer FROM customer_numbers WHERE number = ?)", number.Key(f.Number, d.cfg.AreaCode))
	digits := strings.TrimPrefix(number.Clean(f.Query), "+")
	w.and(f.Query != "", `(id = ? OR name LIKE ? ESCAPE '\'
		OR ? AND id IN (SELECT customer FROM customer_numbers WHERE number LIKE ? OR number LIKE ?))`,
		f.Query, "%"+likely.Replace(f.Query)+"%", len(digits) >= fewestDigits, "%"+digits+"%",
		"+86"+strings.TrimPrefix(digits, "0")+"%")
	_, after, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	w.and(f.Cursor != "", "id > ?", after)
	rows, err := d.reader.QueryContext(ctx, "SELECT id, doc FROM customers"+w.sql()+" ORDER BY id LIMIT ?", append(w.args, f.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("find customers: %w", err)
	}
	found, err := collect(rows, func(rows *sql.Rows) (document, error) { return scanDocument(rows) })
	if err != nil {
		return nil, "", fmt.Errorf("find customers: %w", err)
	}
	found, next = cut(found, f.limit(), func(x document) string { return cursor(0, x.id) })
	for _, x := range found {
		docs = append(docs, x.doc)
	}
	return docs, next, nil
}

// fewestDigits are looked for in numbers: fewer are in nearly all of them.
const fewestDigits = 3

// likely takes LIKE's own meaning off what people type.
var likely = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// AddNumber gives a customer one more number, unless he has it already, in
// whatever form. Error: [ErrNotFound].
func (d *DB) AddNumber(ctx context.Context, customer, added string) error {
	return d.Write(ctx, "add a customer's number", func(tx *sql.Tx) error {
		x, err := scanDocument(tx.QueryRow(kinds["customers"].one, customer))
		if err != nil {
			return err
		}
		var c cti.Customer
		if err := json.Unmarshal(x.doc, &c); err != nil {
			return err
		}
		same := func(n string) bool { return number.Key(n, d.cfg.AreaCode) == number.Key(added, d.cfg.AreaCode) }
		if slices.ContainsFunc(c.Numbers, same) {
			return nil
		}
		c.Numbers = append(c.Numbers, added)
		return d.putCustomer(tx, c)
	})
}
