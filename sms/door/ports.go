package door

import (
	"context"
	"time"

	"callbox/sms"
)

// Texts takes jobs; [sms.Gateway] is one.
type Texts interface {
	// Accept stores a job and returns when it is on disk; the same key again
	// gives the first one. Errors: [sms.Invalid], [sms.ErrKeyConflict], others
	// that pass.
	Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error)
}

// Entry is a row of the outbox table that became a text.
type Entry struct {
	Row     string // its id
	Take    int    // how often it became one, from 1
	Digest  string // of its number and text
	Message string
	Written sms.Status // last written back; empty: none
	Done    bool       // that was the last one there is
}

// News is an entry whose text has another status than was written back.
type News struct {
	Entry
	Now sms.Message
}

// Ledger keeps, in callbox's own database, which row became which text and what
// was written back. What a method wrote is on disk when it returns.
type Ledger interface {
	// Known gives those of these rows that became texts before.
	Known(ctx context.Context, door string, rows []string) ([]Entry, error)
	// Keep stores entries, over what was known of their rows.
	Keep(ctx context.Context, door string, entries []Entry) error
	// Changed gives at most limit entries with news, in the order of their
	// rows' ids, behind after.
	Changed(ctx context.Context, door, after string, limit int) ([]News, error)
	// Written notes what was written back.
	Written(ctx context.Context, door string, entries []Entry) error
	// MessageByKey gives the message of the job with this key and who made it,
	// or [sms.ErrNotFound].
	MessageByKey(ctx context.Context, key string) (message, signer string, err error)
}

// Replies are the incoming texts that wait for their rows of the inbox table.
type Replies interface {
	// Waiting gives at most limit of them, oldest first, behind after.
	Waiting(ctx context.Context, door, after string, limit int) ([]sms.Incoming, error)
	// Replied takes out those that have their rows.
	Replied(ctx context.Context, door string, incoming []string) error
}

// row is a row of the outbox table as it was claimed.
type row struct {
	id, to, text, template, vars, account, class, ref string

	sendAt time.Time // zero: now
	fault  error     // what could not be read of it
}

// change is what is written back into a row. Without a message the row never
// became a text.
type change struct {
	row             string
	status          sms.Status
	words           string // of the error
	sent, delivered time.Time
	message         string
	parts           int
}

// database is the foreign database's side. All calls return within seconds.
type database interface {
	outbox
	// Insert adds inbox rows and says which ones were refused.
	Insert(ctx context.Context, texts []sms.Incoming) (refusals, error)
	Ping(ctx context.Context) error
	Close() error
}

// page is a page of the outbox table.
type page struct {
	rows []row
	last string // the last id that was looked at; empty: none is behind it
	no   refusals

	unsure bool // rows may be claimed that are not among these
}

// outbox is the foreign outbox table.
type outbox interface {
	// Claim claims at most n new rows behind after, in the order of their ids.
	// An error leaves open which of them are claimed.
	Claim(ctx context.Context, after string, n int) (page, error)
	// Left gives at most n rows that are claimed, behind after.
	Left(ctx context.Context, after string, n int) (page, error)
	// Write writes changes back, each unless its row is new again, and says
	// which ones were refused.
	Write(ctx context.Context, changes []change) (refusals, error)
}
