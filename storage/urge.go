package storage

import (
	"context"
	"database/sql"

	"callbox/cti"
	"callbox/internal/stamp"
)

// Urge is that somebody asked again for an open ticket.
type Urge struct {
	CallID   string     `json:"call_id"`
	Ticket   string     `json:"ticket"`
	Customer *cti.Ref   `json:"customer"`
	Number   cti.Number `json:"number"` // of who asks
	Agent    cti.Ref    `json:"agent"`
	Time     stamp.Time `json:"time"`
	Job      string     `json:"job"` // of the text that was sent; "": none was
}

// Urge tells the webhooks and gives the notice's id, "" where none wants it.
func (d *DB) Urge(ctx context.Context, u Urge) (event string, err error) {
	if !d.notices.Wanted(NoticeTicketUrge) {
		return "", nil
	}
	id := newID()
	return id, d.Write(ctx, "urge a ticket", func(tx *sql.Tx) error {
		return d.notices.Add(tx, Notice{ID: id, Event: NoticeTicketUrge, Time: u.Time, OrderKey: u.CallID, Data: u})
	})
}
