package sms

import (
	"context"
	"time"

	"callbox/internal/segment"
	"callbox/internal/stamp"
)

// Submission is one message handed to a carrier: its parts in order, all over
// one connection. To is the number in the form the carrier wants nationally
// (13800138000 for +8613800138000, else E.164 without +).
type Submission struct {
	ID        string // the message's id, for the log
	To        string
	Parts     []string         // texts; more than one is a long message
	Alphabet  segment.Alphabet // that the parts were cut for; empty: the carrier chooses
	Extension string           // digits behind the access number
	Reference uint8            // of the long message (UDH), per destination
}

// Receipt is the centre's answer to all parts: their message ids in the
// carrier's text form (CMPP: 16 hex digits), in order; "" for one whose id is
// not known.
type Receipt struct {
	Parts []string
}

// CarrierState is what screens and /readyz tell about an account.
type CarrierState struct {
	Up         bool
	Since      time.Time
	Why        string // why it is not up
	WindowUsed int
	Window     int // how many may be open at present: fewer while answers are slow
}

// Carrier is one account's way to the telephone network.
type Carrier interface {
	Name() string
	// Submit blocks until every part was answered. Errors: ErrNotSent,
	// ErrThrottled, ErrUncertain (wrapped), *Rejected. It waits for window and
	// rate; while the link is down it returns ErrNotSent at once.
	Submit(ctx context.Context, s Submission) (Receipt, error)
	// Capacity is how many Submits may usefully run at once.
	Capacity() int
	// Ready is closed while submits can be taken; a new channel otherwise.
	Ready() <-chan struct{}
	State() CarrierState
	// Run keeps the link up until ctx ends and hands what comes in to r, whose
	// nil means that it is on disk and may be acknowledged.
	Run(ctx context.Context, r Receiver) error
}

// Report is a carrier's word on one part.
type Report struct {
	Account string
	ID      string // message id as in Receipt
	To      string
	Stat    string // DELIVRD, EXPIRED, … as it came, trimmed
	Done    string // Done_time as it came
}

// Text is one incoming text, or one part of a long one.
type Text struct {
	Account string
	ID      string // the DELIVER's own id, for de-duplication
	From    string
	To      string // access number with extension digits
	Text    string
	Part    Part

	Octets   string           // of a part, instead of Text: it may begin or end within a character
	Alphabet segment.Alphabet // that Octets are in; empty: there is Text
}

// Part says which part of a long text this is; the zero value: the only one.
type Part struct {
	Ref          uint16
	Total, Index uint8 // Index from 1
}

// Receiver takes what comes in from carriers; [Gateway] is one.
type Receiver interface {
	Report(ctx context.Context, r Report) error
	Incoming(ctx context.Context, t Text) error
}

// Store keeps jobs and what comes in. Update runs f in one transaction and
// returns when it is on disk; f's error undoes it. Transactions run one after
// another, so what f reads still holds when it writes.
type Store interface {
	Update(ctx context.Context, what string, f func(Tx) error) error
	// Overdue gives messages that have yet to be delivered, to fail or to be
	// told late. It reads beside the writer.
	Overdue(ctx context.Context, q Overdue) (Found, error)
}

// Overdue asks for messages that were accepted, or released, before Before, by
// account. After is where the last look ended; 0: those of the last days.
type Overdue struct {
	Accounts []string
	Before   stamp.Time
	After    int64
	Limit    int
}

// Found are ids of messages, and where to go on.
type Found struct {
	Messages []string
	Next     int64
	More     bool // there may be more before Before
}

// Tx is one transaction of a [Store]. It must not outlive the function it was
// handed to.
type Tx interface {
	JobTx
	MessageTx
	ReportTx
	LongTx
	MatchTx
	InboxTx
	PolicyTx
	BlacklistTx
	NoticeTx
}

// JobTx is what a transaction does with jobs.
type JobTx interface {
	// JobByKey gives the id and digest of the job with this key, or ErrNotFound.
	JobByKey(key string) (id, digest string, err error)
	// JobByDedup gives the id of the newest job that requests with this key are
	// until at, or ErrNotFound.
	JobByDedup(key string, at stamp.Time) (id string, err error)
	// Confirm says that a job need not wait any more; before is true where that
	// had been said. Errors: ErrNotFound, ErrNotAwaiting.
	Confirm(job string) (before bool, err error)
	// Job gives a job with its messages, or ErrNotFound.
	Job(id string) (Job, error)
	// AddJob stores a job and its records.
	AddJob(j NewJob) error
	// NextExtension gives the next number of an account's replies, counting
	// from 0 modulo 10^digits, as so many digits.
	NextExtension(account string, digits int) (string, error)
}

// MessageTx is what a transaction does with messages.
type MessageTx interface {
	// Claim moves up to n queued messages of account to submitting, lowest
	// rank first (none below rank), then oldest, and gives them in that order.
	// Long ones get a new Reference. What is over at at is left.
	Claim(account string, n, rank int, at stamp.Time) ([]Record, error)
	// Waiting is how many messages are queued, by account.
	Waiting() (map[string]int, error)
	// Records gives the messages that q asks for, oldest first.
	Records(q Query) ([]Record, error)
	// Next is the first time at which a message that waits is due, or over; zero
	// for none.
	Next() (stamp.Time, error)
	// Start makes the scheduled messages of a job's first level due at at, and
	// says how many these are.
	Start(job string, at stamp.Time) (int, error)
	// Restart makes the scheduled messages of a class due at their job's
	// send_at, at the earliest at. Those without a time stay as they are.
	Restart(class string, at stamp.Time) error
	// Save writes what may change of a record (status, account, parts, pieces,
	// error, lost, maybe_sent, times) where its status is still was, else
	// ErrMoved. New pieces can be found by their id from then on.
	Save(r Record, was Status) error
	// Announce puts a notice with the message as it stands into the outbox.
	Announce(r Record) error
	// MarkLate marks those of these messages that are still on their way and not
	// marked, puts a notice of each into the outbox, and gives them.
	MarkLate(ids []string, at stamp.Time) ([]Record, error)
}

// Query picks messages; what is set narrows.
type Query struct {
	Job, Ref  string
	Account   string
	To        string     // E.164
	Statuses  []Status   // any of them
	MaybeSent bool       // only those that are
	Before    stamp.Time // last change of status before
	Since     stamp.Time // last change of status at or after
	Due       stamp.Time // scheduled ones that are due by then
	Over      stamp.Time // waiting ones that must not leave behind it
	Class     string
	Listed    bool   // only those to a number on the blacklist
	Free      bool   // only those that are not bound to their account
	After     string // behind this id
	Limit     int    // 0: all
}

// ReportTx is what a transaction does with reports.
type ReportTx interface {
	// OfPart gives the message that has a part of this id at account, or
	// ErrNotFound.
	OfPart(account, part string) (Record, error)
	// Park keeps a report whose message is not known yet; Parked takes those
	// with these ids out again.
	Park(r Report, at stamp.Time) error
	Parked(account string, parts []string) ([]Report, error)
	// Forget drops parked reports, and the memory of incoming texts' ids, from
	// before at.
	Forget(at stamp.Time) error
}

// LongTx is what a transaction does with the parts of long incoming texts.
type LongTx interface {
	// AddPart keeps a part, the last one of an index wins, and gives all there
	// are of that text, by index. Where the same text was finished since, the
	// same part again is none (and gives none), and another one begins a new
	// text.
	AddPart(t Text, at, since stamp.Time) ([]Text, error)
	// FinishParts puts the parts of the text that t belongs to away, and
	// remembers them until ForgetParts.
	FinishParts(t Text, at stamp.Time) error
	ForgetParts(account string, before stamp.Time) error
	// Stale gives the parts of account's long texts whose first part came
	// before at, one slice a text.
	Stale(account string, before stamp.Time) ([][]Text, error)
}

// MatchTx is what a transaction knows of the messages that a text may answer.
type MatchTx interface {
	// Recent gives messages to this number (E.164) made since, newest first.
	Recent(to string, since stamp.Time) ([]Candidate, error)
	// Quoted gives a message of each job that has one of these refs and was made
	// since, newest first.
	Quoted(refs []string, since stamp.Time) ([]Candidate, error)
	// MessageOf gives a job's message to this number, else any one, or
	// ErrNotFound.
	MessageOf(job, to string) (Candidate, error)
}

// InboxTx is what a transaction does with incoming texts.
type InboxTx interface {
	// Seen says whether t (by account, id and sender) came before, and
	// remembers it.
	Seen(t Text, at stamp.Time) (bool, error)
	AddIncoming(in Incoming) error
	// AnnounceIncoming puts a notice of a row into the outbox, which also goes to
	// c's callback when c is not nil.
	AnnounceIncoming(in Incoming, c *Candidate) error
	// InboxRow gives one, or ErrNotFound.
	InboxRow(id string) (Incoming, error)
	// SaveIncoming writes what people change of a row: the job it answers, who
	// claimed it, its answer.
	SaveIncoming(in Incoming) error
}

// PolicyTx is what a transaction does with what a supervisor set, and with
// what keys have used up.
type PolicyTx interface {
	// Setting gives a document (JSON) by name, or ErrNotFound.
	Setting(name string) ([]byte, error)
	SaveSetting(name string, doc []byte) error
	// Spend adds n messages to what signer used on a day (2006-01-02) where that
	// stays within limit; false: it would not, and nothing changed. Earlier days
	// are forgotten.
	Spend(signer, day string, n, limit int) (bool, error)
}

// BlacklistTx is what a transaction does with the numbers that get no texts.
type BlacklistTx interface {
	// Blacklist is the whole list, by number.
	Blacklist() ([]Listing, error)
	// SaveBlacklist makes list the whole list.
	SaveBlacklist(list []Listing) error
	// Listed gives those of these numbers (E.164) that are on the list.
	Listed(numbers []string) (map[string]Listing, error)
	// AddListing puts a number on the list, unless it is there.
	AddListing(l Listing) error
}

// NoticeTx is what a transaction does with notices that climb and with
// acknowledgements.
type NoticeTx interface {
	// Standing is how far a job is, or ErrNotFound.
	Standing(job string) (Standing, error)
	// DueNotices gives at most n jobs whose notice's next step is due at a time,
	// the longest overdue first; NextStep is when the soonest of all is, zero:
	// none is to come.
	DueNotices(at stamp.Time, n int) ([]Standing, error)
	NextStep() (stamp.Time, error)
	// SaveNotice writes how far a job's notice is.
	SaveNotice(job string, n Notice) error
	// HaltNotice leaves no step to come of a job's notice, and the notice as it
	// is.
	HaltNotice(job string) error
	// AddMessages adds messages to jobs that are there.
	AddMessages(records []Record, at stamp.Time) error
	// SaveAck writes a job's acknowledgement; AnnounceAck puts a notice with the
	// job as it stands into the outbox.
	SaveAck(job string, a Ack) error
	AnnounceAck(job string) error
	// OfToken gives the message with this token in its link that was queued at
	// or after since, or ErrNotFound.
	OfToken(token string, since stamp.Time) (Record, error)
	// SameAnswer says whether the inbox has a row like in, of the same sender to
	// the same job, since.
	SameAnswer(in Incoming, since stamp.Time) (bool, error)
}

// Standing is how far a job is, without its messages.
type Standing struct {
	Job    string
	Ref    string
	SendAt stamp.Time // nothing of it leaves before that; zero: no limit
	Until  stamp.Time // nor after that; zero: no limit
	Notice *Notice    // nil: one text each, and that is all
	Ack    *Ack       // nil: not acknowledged
	Fault  error      // Notice or Ack cannot be read, and neither is there
}

// Templates finds a template by id, or ErrNotFound.
type Templates interface {
	Template(ctx context.Context, id string) (Template, error)
}

// Types of [Note]: the event types of the journal.
const (
	NoteStatus   = "smsStatus"
	NoteLate     = "smsLate" // not delivered in time
	NoteReceived = "smsReceived"
	NoteInbox    = "smsInbox" // an inbox row was claimed, answered or matched
	NoteStep     = "noticeStep"
	NoteAck      = "noticeAck"
)

// Note is something that happened to a text, for screens and the journal: a
// message's change of status, an incoming text, or what became of a notice.
type Note struct {
	Type     string
	Message  *Message
	Incoming *Incoming
	Notice   *News
}

// News is a step of a job's notice, or its acknowledgement.
type News struct {
	Job, Ref string
	Step     *Step
	Ack      *Ack
}

// Events takes what happened, once it is on disk, in its order. It must not
// wait for the disk.
type Events interface {
	Note(ctx context.Context, n Note)
}
