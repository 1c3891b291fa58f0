package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/alexedwards/scs/v2"

	"callbox/acd"
	"callbox/cti"
	"callbox/ivr/calendar"
	"callbox/ivr/flow"
	"callbox/ivr/try"
	"callbox/sms"
	"callbox/storage"
)

// Users knows who may log in.
type Users interface {
	// User gives a user with his password's hash, or storage.ErrNotFound.
	User(ctx context.Context, id string) (storage.Agent, error)
}

// Keys knows the programs' keys.
type Keys interface {
	// KeyOf gives the key with this text, or storage.ErrNotFound.
	KeyOf(ctx context.Context, text string) (storage.Key, error)
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
	// Waiting are the calls in queues, in the order in which they are served.
	Waiting() []acd.Waiter
	// Force is Presence's SetState by somebody else.
	Force(ctx context.Context, agent string, to acd.State, reason, by string) (acd.Desk, error)
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
	// Do carries a command out on a live call; what it gives is the result that
	// screens get. Errors as for Make.
	Do(ctx context.Context, call string, cmd cti.Command) (any, error)
	// Make begins a call and gives its record as it begins. Errors:
	// cti.ErrBadNumber, cti.ErrBarred, cti.ErrTooMany, cti.ErrNotFound (the agent,
	// the flow), cti.ErrWrongState, cti.ErrUnreachable (no phone),
	// cti.ErrNotServed, cti.ErrShutdown.
	Make(ctx context.Context, o cti.Order) (cti.CDR, error)
}

// Lines are the analogue lines as they stand.
type Lines interface{ Lines() []cti.Line }

// Network is the SIP side as it stands. Unban is false for an address that was
// not banned.
type Network interface {
	Trunks() []Trunk
	Bans() []Ban
	Unban(address netip.Addr) bool
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
	// never holds a writer up; storage.ErrTooSlow where f did not keep up.
	Follow(ctx context.Context, f func(cti.Event)) error
}

// Records are the calls' records on disk, newest first. What is not there is
// storage.ErrNotFound; a cursor of another list is storage.ErrCursor.
type Records interface {
	Calls(ctx context.Context, f storage.CallFilter) (calls []cti.CDR, next string, err error)
	Call(ctx context.Context, id string) (cti.CDR, error)
}

// Missed are those who wanted an agent and got none, newest first. A row is
// found by any of its calls; one that another sees to, or that is done, is
// *storage.MissedTaken.
type Missed interface {
	Missed(ctx context.Context, f storage.MissedFilter) (list []storage.Missed, next string, err error)
	ClaimMissed(ctx context.Context, id string, by cti.Ref) (storage.Missed, error)
	// ReleaseMissed and FinishMissed change, with anyones, also what another
	// has claimed.
	ReleaseMissed(ctx context.Context, id string, by cti.Ref, anyones bool) (storage.Missed, error)
	FinishMissed(ctx context.Context, id string, by cti.Ref, anyones bool, outcome, note string) (storage.Missed, error)
}

// Recordings are the recordings' rows: where their files are.
type Recordings interface {
	// Recording gives one, or storage.ErrNotFound.
	Recording(ctx context.Context, id string) (storage.RecordingRow, error)
}

// Shelf finds recorded calls and keeps what people write at them.
type Shelf interface {
	// Shelf gives a page of records, newest first; storage.ErrCursor.
	Shelf(ctx context.Context, f storage.ShelfFilter) (calls []cti.CDR, next string, err error)
	RecordingNotes(ctx context.Context, recording string) ([]storage.RecordingNote, error)
	AddRecordingNote(ctx context.Context, n storage.RecordingNote) (storage.RecordingNote, error)
	// RemoveRecordingNote removes what by wrote, or storage.ErrNotFound.
	RemoveRecordingNote(ctx context.Context, recording, id, by string) error
}

// History is what is on disk of the past.
type History interface {
	// CallEvents are the events of a call that the journal still has.
	CallEvents(ctx context.Context, call string) ([]cti.Event, error)
	// AgentChanges are the agents' changes since a time, after seq, in order.
	AgentChanges(ctx context.Context, since time.Time, seq int64) ([]storage.AgentChange, error)
	// Tallies adds up the calls that entered a queue since a time, live ones with
	// them; within are the queues and their service levels.
	Tallies(ctx context.Context, since time.Time, within map[string]time.Duration, live []cti.CDR) (map[string]storage.Tally, error)
}

// Audit takes who did what to what, from where; it returns when that is on
// disk.
type Audit interface {
	Audit(ctx context.Context, e storage.AuditEntry) error
}

// Texter takes and cancels jobs.
type Texter interface {
	// Accept stores a job; created is false where the request's key gave an
	// earlier one. Errors: sms.Invalid, sms.ErrKeyConflict,
	// *sms.OverLimit.
	Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error)
	// Check gives what is wrong with a request as Accept would, and stores
	// nothing.
	Check(ctx context.Context, r sms.Request) error
	// Preview shows a text as it would leave. Error: sms.Invalid.
	Preview(ctx context.Context, r sms.Request) (sms.Preview, error)
	// Confirm lets a job go that awaits it. Errors: sms.ErrNotFound,
	// sms.ErrNotAwaiting.
	Confirm(ctx context.Context, id string) (sms.Job, error)
	Cancel(ctx context.Context, id string) (sms.Job, error)
	CancelRef(ctx context.Context, ref string) ([]sms.Job, error)
	// Acknowledge notes who took a job on; the first one stays. Press takes a
	// button pressed behind a text's link. Errors: sms.Invalid, sms.ErrNotFound.
	Acknowledge(ctx context.Context, job, how, by string) (sms.Job, error)
	Press(ctx context.Context, token string, p sms.Press) error
	// Claim, Match and Answer are what people do with incoming texts. Errors:
	// sms.ErrNotFound, *sms.Claimed, sms.ErrNoJob, those of Accept.
	Claim(ctx context.Context, id, by string) (sms.Incoming, error)
	Match(ctx context.Context, id, job string) (sms.Incoming, error)
	Answer(ctx context.Context, a sms.Answering) (job sms.Job, created bool, err error)
}

// TextRules are what a supervisor sets for all texts, each read and written
// whole. What is wrong with one is sms.Invalid.
type TextRules interface {
	QuietHours(ctx context.Context) (sms.QuietHours, error)
	SetQuietHours(ctx context.Context, q sms.QuietHours) error
	Blacklist(ctx context.Context) ([]sms.Listing, error)
	// SetBlacklist gives the list as it is kept, its numbers in E.164.
	SetBlacklist(ctx context.Context, list []sms.Listing) ([]sms.Listing, error)
	Routes(ctx context.Context) ([]sms.Route, error)
	SetRoutes(ctx context.Context, routes []sms.Route) error
	Codes(ctx context.Context) ([]sms.Code, error)
	SetCodes(ctx context.Context, codes []sms.Code) error
}

// Texts are jobs, messages and the inbox on disk, newest first. What is not
// there is storage.ErrNotFound.
type Texts interface {
	Job(ctx context.Context, id string) (sms.Job, error)
	// Signer is who made a job, as in sms.Request.
	Signer(ctx context.Context, job string) (string, error)
	Message(ctx context.Context, id string) (sms.Message, error)
	Messages(ctx context.Context, f storage.MessageFilter) (page []sms.Message, next string, err error)
	Inbox(ctx context.Context, f storage.InboxFilter) (page []sms.Incoming, next string, err error)
	// Link is what lies behind a text's link.
	Link(ctx context.Context, token string) (sms.Link, error)
}

// Dead are the notices that were given up, newest first.
type Dead interface {
	DeadLetters(ctx context.Context, p storage.Page) (list []storage.DeadLetter, next string, err error)
	// Replay sends one again, or storage.ErrNotFound.
	Replay(ctx context.Context, id string) error
}

// Site is what a supervisor edits, as documents of JSON by kind: agents queues
// routes flows templates customers desk; without secrets. What is not there is
// storage.ErrNotFound.
type Site interface {
	Documents(ctx context.Context, kind string, p storage.Page) (docs []json.RawMessage, next string, err error)
	Document(ctx context.Context, kind, id string) (json.RawMessage, error)
}

// Desk is what agents' pages keep in the box.
type Desk interface {
	Notes
	Customers
	// Staff are the users who may have a desk.
	Staff(ctx context.Context) ([]storage.Agent, error)
	// Chats are what a person wrote and got, newest first; of one other where with
	// is not empty.
	Chats(ctx context.Context, person, with string, p storage.Page) (list []storage.Chat, next string, err error)
	// Urge tells the webhooks and gives the notice's id, "" where none wants it.
	Urge(ctx context.Context, u storage.Urge) (event string, err error)
}

// Notes are drafts about calls, until they are filed.
type Notes interface {
	CallNote(ctx context.Context, call, by string) (storage.Note, error)
	PutCallNote(ctx context.Context, n storage.Note) error
}

// Customers are the box's own. Error of both: storage.ErrNotFound,
// storage.ErrCursor.
type Customers interface {
	Customers(ctx context.Context, f storage.CustomerFilter) (docs []json.RawMessage, next string, err error)
	AddNumber(ctx context.Context, customer, number string) error
}

// Editor changes the site and lets the running box follow. What is wrong with
// a document is [Faults] or storage.ErrBadDocument.
type Editor interface {
	// PutDocuments writes objects of a kind, new or changed, all or none.
	PutDocuments(ctx context.Context, kind string, docs []json.RawMessage) error
	// DeleteDocument removes one, or storage.ErrNotFound.
	DeleteDocument(ctx context.Context, kind, id string) error
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

// Flows are the flows as texts. What is not there is storage.ErrNotFound.
type Flows interface {
	// CheckFlows reads flows in YAML or JSON, asks whether all that they name is
	// there, and gives their ids and every fault.
	CheckFlows(ctx context.Context, text []byte) (ids []string, faults []flow.Fault, err error)
	// FlowText is a stored flow in YAML: as somebody wrote it, else made of it.
	FlowText(ctx context.Context, id string) ([]byte, error)
	// PutFlowText stores one flow and lets the running box follow. What is wrong
	// with it is [FlowFaults].
	PutFlowText(ctx context.Context, id string, text []byte) error
	// TryFlow walks a flow that is given, or stored. Where it cannot be walked
	// there are faults and no steps. Errors: [ErrNoNode].
	TryFlow(ctx context.Context, t Trial) (try.Steps, []flow.Fault, error)
}

// Trial is what is tried: Text if it is given, else the stored flow ID. Of
// several flows in Text it is that named ID, or the first.
type Trial struct {
	ID     string
	Text   []byte
	Script try.Script
}

// ErrNoNode: a flow has no such node to begin at.
var ErrNoNode = errors.New("there is no such node")

// FlowFaults is everything that is wrong with a flow's text.
type FlowFaults []flow.Fault

func (f FlowFaults) Error() string {
	if len(f) == 0 {
		return "the flow is wrong"
	}
	return f[0].Error()
}

// Calendars are the calendars as calls meet them.
type Calendars interface {
	// Now is how one stands at a moment; false where there is no such calendar.
	Now(id string, at time.Time) (calendar.State, bool)
}

// Carriers are the accounts for texts as they stand.
type Carriers interface {
	Carriers(ctx context.Context) ([]Carrier, error)
}

// Hooks are the configuration's webhooks as they stand.
type Hooks interface {
	Hooks(ctx context.Context) ([]Hook, error)
	// TestHook sends a test notice now, or storage.ErrNotFound.
	TestHook(ctx context.Context, id, by string) (HookTest, error)
}

// KeyStore makes and ends programs' keys; a key that is ended is unknown at
// once.
type KeyStore interface {
	Keys(ctx context.Context) ([]storage.Key, error)
	// AddKey gives the key's text, this once, or storage.ErrConflict.
	AddKey(ctx context.Context, name string, scopes []string, limits sms.Limits) (storage.Key, string, error)
	// RevokeKey ends one, or storage.ErrNotFound.
	RevokeKey(ctx context.Context, id string) error
}

// People makes and removes log-ins and lets the floor follow. Errors:
// storage.ErrNotFound, storage.ErrLastAdmin.
type People interface {
	Users(ctx context.Context) ([]storage.Agent, error)
	// SetUser makes one, or changes his name, role and, where it is given,
	// password.
	SetUser(ctx context.Context, u storage.Agent) error
	RemoveUser(ctx context.Context, id string) error
}
