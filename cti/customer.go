package cti

import (
	"encoding/json"
	"fmt"
)

// Customer is who is calling, as the card shows it. Keys that callbox does not
// know are kept in Extra and shown.
type Customer struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	VIP         bool             `json:"vip"`
	Numbers     []string         `json:"numbers"`
	Devices     []map[string]any `json:"devices"`      // id, model, serial, place, warranty_until, vendor
	OpenTickets []map[string]any `json:"open_tickets"` // ref, title, status, url
	History     []map[string]any `json:"history"`      // time, kind, title, ref
	Extra       map[string]any   `json:"-"`

	// Matches are all who have the number by which this one was found, this one
	// first; empty where there is no other.
	Matches []Match `json:"-"`
}

// Match is one of several customers with the same number.
type Match struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	VIP  bool   `json:"vip"`
}

// show puts the customer into what a pop carries.
func (c Customer) show(data map[string]any) {
	data["customer"] = c
	if len(c.Matches) > 1 {
		data["matches"] = c.Matches
	}
}

type plainCustomer Customer

var customerKeys = []string{"id", "name", "vip", "numbers", "devices", "open_tickets", "history"}

// MarshalJSON writes the known keys and Extra in one object; lists are never null.
func (c Customer) MarshalJSON() ([]byte, error) {
	out := map[string]any{}
	for k, v := range c.Extra {
		out[k] = v
	}
	out["id"], out["name"], out["vip"] = c.ID, c.Name, c.VIP
	out["numbers"] = orEmpty(c.Numbers)
	out["devices"] = orEmpty(c.Devices)
	out["open_tickets"] = orEmpty(c.OpenTickets)
	out["history"] = orEmpty(c.History)
	return json.Marshal(out)
}

// UnmarshalJSON reads the known keys and keeps the others.
func (c *Customer) UnmarshalJSON(b []byte) error {
	var known plainCustomer
	if err := json.Unmarshal(b, &known); err != nil {
		return fmt.Errorf("customer: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("customer: %w", err)
	}
	for _, k := range customerKeys {
		delete(all, k)
	}
	if len(all) > 0 {
		known.Extra = all
	}
	*c = Customer(known)
	return nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
