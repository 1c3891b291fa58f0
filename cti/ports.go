package cti

import (
	"context"
	"encoding/json"
	"time"

	"callbox/cti/media"
)

// Handler serves a call until it has nothing more to do with it. It returns
// soon after ctx ends; context.Cause(ctx) says why.
type Handler interface {
	Handle(ctx context.Context, call *Call) (Outcome, error)
}

// Router finds who handles a call: by its number first, later by next.
// ErrNotFound means that there is no route.
type Router interface {
	Route(o Origin, next Target) (Handler, error)
}

// Dialer rings a device of its scheme, showing as, and returns the ringing leg
// at once. callID is the call that rings it, for logs and matching.
type Dialer interface {
	Dial(ctx context.Context, d Device, as Number, callID string) (Leg, error)
}

// Exits knows the ways out for a number, the best first: lines and trunks. The
// next one is tried when one is not reachable.
type Exits interface {
	Exits(to Number) []Exit
}

// Desks lends an agent's desk to a call that the agent wants to make: from now
// on, until the handler that it gives returns, nothing else is offered there.
// Errors: ErrNotFound (no such agent), ErrWrongState (logged off, or in a
// call), ErrUnreachable (no phone).
type Desks interface {
	Reserve(ctx context.Context, agent, call string) (Ref, Handler, error)
	// Find says what a word names: an agent by id or extension, a queue by id;
	// false for neither (it may be a number).
	Find(word string) (Target, bool)
	// Lend takes a desk for a part in a call that runs, a consultation say: of
	// the agent whom t names, or of one who is ready in the queue that it names;
	// an agent who is notReady may be asked for by name. Errors: ErrNotFound,
	// ErrWrongState (logged off, or in another call), ErrUnreachable (no phone),
	// ErrBusy (nobody of the queue is free).
	Lend(ctx context.Context, t Target, call string) (Desk, error)
	// Seat is where a user who is to listen in is rung; the desk is not taken.
	// Errors: ErrNotFound, ErrUnreachable.
	Seat(ctx context.Context, user string) (Ref, Device, error)
}

// Desk is an agent's desk that was lent to a call. Nothing else is offered there
// until Free. A lease that nobody picks up ends by itself.
type Desk interface {
	Agent() Ref
	Device() Device
	Ring() time.Duration // how long its phone may ring
	// Picked says that the agent picked up; false where the lease was lost.
	Picked(ctx context.Context) bool
	// Free gives the desk back, once: to wrap-up after a talk. It does not wait.
	Free(talked bool)
}

// Recorder records the outside party from now on. Stop flushes, closes and
// reports what there is; record loss never fails a call. A port whose method
// Mixed gives true has both people on what is received: the row says so.
type Recorder interface {
	Record(ctx context.Context, call string, outside media.Port) (stop func(context.Context) Recording, err error)
	// Pause lets silence stand in the running recording of call until it goes on;
	// time runs on. ErrNotFound where there is none. Twice the same is no error.
	Pause(call string, paused bool) error
}

// Ledger keeps records and events. Open and Note never wait for the disk: the
// event has its number and is on the screens when they return. Close and Amend
// return when they are on disk.
type Ledger interface {
	Open(ctx context.Context, cdr CDR) error
	Note(ctx context.Context, e Event) error
	// Close makes the record final in result, cause and times, together with
	// its notices.
	Close(ctx context.Context, cdr CDR) error
	// Amend fills what may come after the end, nothing else.
	Amend(ctx context.Context, id string, a Amendment) error
}

// Directory knows customers kept in the box.
type Directory interface {
	// Find gives the customer with this number, the first of several together
	// with all Matches; false where there is none.
	Find(ctx context.Context, n Number) (Customer, bool, error)
}

// Fetcher gets JSON over HTTP; a status other than 200 and 404 is an error, a
// 404 gives nil.
type Fetcher interface {
	Get(ctx context.Context, url string) (json.RawMessage, error)
}
