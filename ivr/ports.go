package ivr

import (
	"context"
	"encoding/json"
	"time"

	"callbox/cti"
	"callbox/cti/media"
)

// Prompts gives sound by its name in the flow. It returns soon after ctx ends.
type Prompts interface {
	Prompt(ctx context.Context, name string) (media.Prompt, error)
}

// Queues lets a call wait for an agent and returns when the talk is over or
// there will be none.
type Queues interface {
	Enqueue(ctx context.Context, call *cti.Call, wanted cti.Wanted) (cti.Outcome, error)
}

// Fetcher gets JSON over HTTP; a 404 gives nil.
type Fetcher interface {
	Get(ctx context.Context, url string) (json.RawMessage, error)
}

// Calendars say whether a calendar is open at a moment; false where there is no
// such calendar. They follow every change at once.
type Calendars interface {
	Open(id string, at time.Time) (open, known bool)
}
