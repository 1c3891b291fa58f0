package sip

import (
	"context"
	"time"

	"callbox/cti"
)

// Calls takes a ringing leg and returns when its call is over. cti.Server is
// the one in the daemon.
type Calls interface {
	Accept(ctx context.Context, leg cti.Leg) error
}

// Accounts knows the phones' secrets: HA1 (RFC 7616 §3.4.2) of user in the realm
// callbox, in lower-case hex. It must not be slow and must take the same time
// for known and unknown users as far as it can.
type Accounts interface {
	HA1(ctx context.Context, user string) (md5, sha256 string, ok bool)
}

// Binding is one registered phone of an extension.
type Binding struct {
	User      string    `json:"user"`    // the extension
	Contact   string    `json:"contact"` // URI as registered
	Source    string    `json:"source"`  // IP:PORT the phone registered from; it rings there
	Transport string    `json:"transport"`
	Expires   time.Time `json:"expires"`
	CallID    string    `json:"call_id"`
	CSeq      uint32    `json:"cseq"`
	UserAgent string    `json:"user_agent"`
}

// Bindings keeps bindings over a restart. Save and Remove do not wait for the
// disk; a binding is known by its user and contact.
type Bindings interface {
	Load(ctx context.Context) ([]Binding, error)
	Save(b Binding)
	Remove(user, contact string)
}

// DialogRow is what a BYE needs, kept so that a crash leaves no peer hanging.
type DialogRow struct {
	ID        string   `json:"id"`
	CallID    string   `json:"call_id"`
	Local     string   `json:"local"`  // From of our requests, with tag
	Remote    string   `json:"remote"` // To of our requests, with tag
	Target    string   `json:"target"`
	Routes    []string `json:"routes"`
	Seq       uint32   `json:"seq"`
	Transport string   `json:"transport"`
	From      string   `json:"from"` // the listener's IP:PORT
	To        string   `json:"to"`   // the peer's IP:PORT
}

// Dialogs keeps the open dialogs. Open (also for a change) and Closed do not
// wait for the disk; Left is what the last run did not close.
type Dialogs interface {
	Open(d DialogRow)
	Closed(id string)
	Left(ctx context.Context) ([]DialogRow, error)
}

// Journal is told how trunks are: event lineState, whose line is the trunk's
// name and whose user_data are state (cti.InService, cti.OutOfService) and why.
type Journal interface {
	Note(ctx context.Context, e cti.Event) error
}

// Mailboxes know how many messages wait for an extension (RFC 3842).
type Mailboxes interface {
	Waiting(ctx context.Context, extension string) (fresh, old int)
}
