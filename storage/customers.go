package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

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
// with the lowest id. Withheld numbers find nobody.
func (d *DB) Find(ctx context.Context, n cti.Number) (cti.Customer, bool, error) {
	key := n.E164
	if key == "" {
		key = number.Key(n.Raw, d.cfg.AreaCode)
	}
	if key == "" {
		return cti.Customer{}, false, nil
	}
	var found []cti.Customer
	err := load(ctx, d.reader, &found, scanDoc[cti.Customer], `SELECT doc FROM customers WHERE id =
		(SELECT min(customer) FROM customer_numbers WHERE number = ?)`, key)
	if err != nil || len(found) == 0 {
		return cti.Customer{}, false, wrap("find customer", err)
	}
	return found[0], true, nil
}
