package sms

import (
	"context"
	"time"
)

// Submission is one message handed to a carrier: its parts in order, all over
// one connection. To is the number in the form the carrier wants nationally
// (13800138000 for +8613800138000, else E.164 without +).
type Submission struct {
	ID        string // the message's id, for the log
	To        string
	Parts     []string // texts; more than one is a long message
	Extension string   // digits behind the access number
	Reference uint8    // of the long message (UDH), per destination
}

// Receipt is the centre's answer to all parts: their message ids in the
// carrier's text form (CMPP: 16 hex digits), in order.
type Receipt struct {
	Parts []string
}

// CarrierState is what screens and /readyz tell about an account.
type CarrierState struct {
	Up         bool
	Since      time.Time
	Why        string // why it is not up
	WindowUsed int
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
