package doors

import (
	"context"
	"time"

	"callbox/sms"
)

// Key is a program's API key, as far as texts go.
type Key struct {
	ID, Name string
	Texts    bool // it may send and read them
	Limits   sms.Limits
}

// Keys knows the programs' keys.
type Keys interface {
	// Key gives the key with this text, or [ErrNoKey].
	Key(ctx context.Context, text string) (Key, error)
}

// Texter takes and cancels jobs.
type Texter interface {
	// Accept stores a job; created is false where an earlier one is meant.
	// Errors: [sms.Invalid], and others of sms.
	Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error)
	Cancel(ctx context.Context, id string) (sms.Job, error)
}

// Texts are the messages on disk.
type Texts interface {
	// Message gives a message with who asked for it (as in [sms.Request]), or
	// [sms.ErrNotFound].
	Message(ctx context.Context, id string) (m sms.Message, signer string, err error)
	// Messages lists, newest first; next is the cursor of the page behind. A
	// cursor that is none is [ErrCursor].
	Messages(ctx context.Context, f Filter) (page []sms.Message, next string, err error)
}

// Filter narrows a list of messages by what is set.
type Filter struct {
	Signer       string // who asked for it
	To           string // in any writing
	Accounts     []string
	Since, Until time.Time // when it was submitted: from, and before
	Limit        int
	Cursor       string
}
