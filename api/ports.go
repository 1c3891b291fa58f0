package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/alexedwards/scs/v2"

	"callbox/acd"
	"callbox/cti"
	"callbox/sms"
	"callbox/storage"
)

// User is who may log in: Hash is argon2id's, empty for one without a password.
type User struct {
	ID, Name, Role, Hash string
}

// Users knows who may log in.
type Users interface {
	// User gives the user with this id; false where there is none.
	User(ctx context.Context, id string) (User, bool, error)
}

// Key is a program's key.
type Key struct {
	ID, Name string
	Scopes   []string
}

// Keys knows the programs' keys.
type Keys interface {
	// Key gives what belongs to a key as a program sends it; false where it is
	// unknown.
	Key(ctx context.Context, secret string) (Key, bool, error)
}

// Sessions keeps log-ins: scs's store, with contexts.
type Sessions = scs.CtxStore

// Floor is the agents' states and the queues as they stand.
type Floor interface {
	Presence
	// Snapshot is an agent's desk and his queues, or cti.ErrNotFound.
	Snapshot(agent string) (acd.Desk, []acd.QueueStatus, error)
	Desks() []acd.Desk
	Queues() []acd.QueueStatus
}

// Presence is told who is here and what they want to do. What a desk's state
// does not allow is cti.ErrWrongState, an unknown agent cti.ErrNotFound.
type Presence interface {
	LogOn(ctx context.Context, agent string) (acd.Desk, error)
	LogOff(ctx context.Context, agent string) (acd.Desk, error)
	// SetState asks for a state; during a call it is kept as pending.
	SetState(ctx context.Context, agent string, to acd.State, reason string) (acd.Desk, error)
	// Attach says that the agent has a live screen, detach that it is gone.
	Attach(agent string) (detach func())
}

// Calls are the live calls.
type Calls interface {
	Calls() []cti.CDR
	Call(id string) (cti.CDR, bool)
	Do(ctx context.Context, call string, cmd cti.Command) error
}

// Ledger takes what screens add: messages between people, and dispositions.
type Ledger interface {
	Note(ctx context.Context, e cti.Event) error
	Amend(ctx context.Context, id string, a cti.Amendment) error
}

// Journal is the event log, in memory at once and on disk behind.
type Journal interface {
	// Last is the newest event's number.
	Last() int64
	// Since gives the events after seq, oldest first; false where the journal
	// cannot serve that number, or would have to give more than limit.
	Since(ctx context.Context, seq int64, limit int) ([]cti.Event, bool, error)
	// Follow calls f for each event from now on, in order, until ctx ends. It
	// never holds a writer up.
	Follow(ctx context.Context, f func(cti.Event)) error
}

// CallQuery asks for records. What is empty does not limit; Visible is the
// agent who asks and sees his own only.
type CallQuery struct {
	Since                        time.Time
	Number, Agent, Queue, Result string
	Visible                      string
	Page
}

// Page is which part of a list: at most Limit rows behind Cursor.
type Page struct {
	Limit  int
	Cursor string
}

// Records are the calls' records on disk, newest first.
type Records interface {
	Records(ctx context.Context, q CallQuery) (rows []cti.CDR, next string, err error)
	// Record gives one; false where there is none.
	Record(ctx context.Context, id string) (cti.CDR, bool, error)
}

// Recorded is a recording's row: Path is below the recordings folder.
type Recorded struct {
	cti.Recording
	Started time.Time
	Path    string
}

// Recordings are the recordings' rows.
type Recordings interface {
	Recording(ctx context.Context, id string) (Recorded, bool, error)
}

// Audit takes who did what to what, from where; it returns when that is on
// disk.
type Audit interface {
	Audit(ctx context.Context, who, what, object, origin string) error
}

// Texter takes and cancels jobs.
type Texter interface {
	// Accept stores a job; created is false where the request's key gave an
	// earlier one. Errors: sms.Invalid, sms.ErrKeyConflict.
	Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error)
	Cancel(ctx context.Context, id string) (sms.Job, error)
	CancelRef(ctx context.Context, ref string) ([]sms.Job, error)
}

// Texts are jobs, messages and the inbox on disk, newest first. What is not
// there is storage.ErrNotFound.
type Texts interface {
	Job(ctx context.Context, id string) (sms.Job, error)
	// Signer is who made a job, as in sms.Request.
	Signer(ctx context.Context, job string) (string, error)
	Messages(ctx context.Context, f storage.MessageFilter) (page []sms.Message, next string, err error)
	Inbox(ctx context.Context, f storage.InboxFilter) (page []sms.Incoming, next string, err error)
}

// DeadLetter is a notice that was given up.
type DeadLetter struct {
	ID       string          `json:"id"`
	Event    string          `json:"event"`
	URL      string          `json:"url"`
	Time     cti.Time        `json:"time"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Dead are the dead letters, newest first.
type Dead interface {
	Dead(ctx context.Context, p Page) ([]DeadLetter, string, error)
	// Replay sends one again; false where there is none.
	Replay(ctx context.Context, id string) (bool, error)
}

// Site is what a supervisor edits, as documents of JSON by kind: agents queues
// routes flows calendars templates customers.
type Site interface {
	List(ctx context.Context, kind string, p Page) ([]json.RawMessage, string, error)
	Get(ctx context.Context, kind, id string) (json.RawMessage, bool, error)
}

// Editor changes the site; what is wrong with a document is [Faults].
type Editor interface {
	Put(ctx context.Context, kind, id string, doc json.RawMessage) error
	// Delete removes one; false where there is none.
	Delete(ctx context.Context, kind, id string) (bool, error)
	// Batch puts many of a kind, all or none.
	Batch(ctx context.Context, kind string, docs []json.RawMessage) error
}

// Fault is one thing wrong with a document: Field as in keys.1 or to[3].
type Fault struct {
	Field, Message string
}

// Faults is everything that is wrong with a document.
type Faults []Fault

func (f Faults) Error() string {
	if len(f) == 0 {
		return "the document is wrong"
	}
	return f[0].Field + ": " + f[0].Message
}
