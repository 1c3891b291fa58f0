package storage

import (
	"context"
	"database/sql"
	"slices"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
)

// UrgeVars are what a template by which tickets are urged may have filled in;
// ack is the link that acknowledges.
var UrgeVars = []string{"ref", "customer", "number", "agent", "title", "ack"}

// Unurged are the variables of a template that an urge does not know.
func Unurged(t sms.Template) []string {
	return slices.DeleteFunc(t.Vars(), func(name string) bool { return slices.Contains(UrgeVars, name) })
}

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
