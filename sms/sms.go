// Package sms takes jobs, brings their texts to a carrier and brings reports
// and answers back.
//
// [Gateway.Accept] checks and splits a job and returns when it is stored;
// [Gateway.Run] owns the goroutines that claim, pace and submit, one set a
// carrier account, and takes what the carriers bring in. It knows no protocol
// (a [Carrier] does) and no HTTP.
package sms

import (
	"errors"

	"callbox/internal/stamp"
)

// Status of a message, and of a job.
type Status string

// Statuses of a message.
const (
	Scheduled  Status = "scheduled"
	Queued     Status = "queued"
	Submitting Status = "submitting" // claimed: its bytes may be leaving
	Submitted  Status = "submitted"
	Delivered  Status = "delivered"
	Failed     Status = "failed"
	Expired    Status = "expired"
	Unknown    Status = "unknown"
	Canceled   Status = "canceled"
)

// Statuses of a job.
const (
	JobAwaitingConfirm = "awaiting_confirm"
	JobOpen            = "open"
	JobDone            = "done"
	JobCanceled        = "canceled"
)

// What a carrier's Submit ends with, beside nil.
var (
	ErrNotSent   = errors.New("not sent")             // nothing left; queue again
	ErrThrottled = errors.New("throttled by carrier") // result 8; queue again
	ErrUncertain = errors.New("outcome unknown")      // bytes left, no answer came
)

// What a caller of the gateway or a store decides on.
var (
	// ErrNotServed: documented, and not served yet.
	ErrNotServed = errors.New("not yet supported")
	// ErrKeyConflict: a job with this key exists and its body is another.
	ErrKeyConflict = errors.New("the key belongs to another job")
	// ErrNotFound: there is no such job, message, part or template.
	ErrNotFound = errors.New("not found")
	// ErrNotAwaiting: the job is not one that awaits a confirmation.
	ErrNotAwaiting = errors.New("the job awaits no confirmation")
	// ErrMoved: the message is no longer in the status it was taken in.
	ErrMoved = errors.New("the message has moved on")
)

// Rejected is a carrier's final no to one message.
type Rejected struct {
	Code int    // the protocol's result
	Text string // in words
}

func (r *Rejected) Error() string { return r.Text }

// Job is a job as the API shows it.
type Job struct {
	ID       string     `json:"id"`
	Ref      string     `json:"ref"`
	Key      string     `json:"key,omitempty"`
	Class    string     `json:"class"`
	Account  string     `json:"account,omitempty"`
	Status   string     `json:"status"`
	Created  stamp.Time `json:"created"`
	Messages []Message  `json:"messages"`
	Ack      *Ack       `json:"ack"` // null: not acknowledged

	Counts     map[Status]int `json:"counts"` // of the messages, by status
	SendAt     *stamp.Time    `json:"send_at,omitempty"`
	ValidUntil *stamp.Time    `json:"valid_until,omitempty"`
	Notice     *Notice        `json:"notice,omitempty"`
	MaybeSent  bool           `json:"maybe_sent"`
}

// Ack says who acknowledged a job and how: reply, link, api or voice.
type Ack struct {
	How  string     `json:"how"`
	By   string     `json:"by"`
	Time stamp.Time `json:"time"`
}

// Message is one recipient's text of a job.
type Message struct {
	ID        string                `json:"id"`
	Job       string                `json:"job"`
	To        string                `json:"to"` // E.164
	Raw       string                `json:"raw"`
	Tier      int                   `json:"tier,omitempty"`   // of a notice that climbs, from 0
	Repeat    int                   `json:"repeat,omitempty"` // which repeat it is; 0: the first copy
	Text      string                `json:"text"`
	Status    Status                `json:"status"`
	Parts     int                   `json:"parts"`
	Account   string                `json:"account"`
	Ref       string                `json:"ref"`
	Error     *Error                `json:"error"`
	MaybeSent bool                  `json:"maybe_sent"`
	Times     map[Status]stamp.Time `json:"times"`
	Done      string                `json:"done,omitempty"` // the last report's Done_time as it came, YYMMDDhhmm
}

// Error says why a message failed: the result of SUBMIT_RESP, the report's Stat
// as it came, and words.
type Error struct {
	Code int    `json:"code,omitempty"`
	Stat string `json:"stat,omitempty"`
	Text string `json:"text"`
}

// Incoming is an inbox row: an incoming text and what it answers.
type Incoming struct {
	ID         string     `json:"id"`
	Time       stamp.Time `json:"time"`
	From       string     `json:"from"`
	Raw        string     `json:"raw"`
	To         string     `json:"to"`
	Text       string     `json:"text"`
	Account    string     `json:"account"`
	Ref        string     `json:"ref"`
	Job        string     `json:"job"`
	Match      float64    `json:"match"` // 0…1, how sure
	Keyword    string     `json:"keyword"`
	Incomplete bool       `json:"incomplete"`

	ClaimedBy string      `json:"claimed_by"`
	Claimed   *stamp.Time `json:"claimed"`
	Answer    string      `json:"answer"` // the job that answers it
}

// Template is a text with {variables}; Replies give words to answers.
type Template struct {
	ID      string            `json:"id"`
	Class   string            `json:"class"`
	Text    string            `json:"text"`
	Replies map[string]string `json:"replies,omitempty"`
}

// Classes of texts. Unsubscribing, blacklist and quiet hours hold back
// marketing only.
const (
	ClassDispatch  = "dispatch"
	ClassNotice    = "notice"
	ClassMarketing = "marketing"
)
