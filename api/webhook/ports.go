package webhook

import (
	"context"
	"time"
)

// Delivery is one notice on its way to one URL.
type Delivery struct {
	ID       int64
	Event    string // the event's id, the same over retries
	Endpoint string // whose queue it is
	URL      string
	Trusted  bool   // the URL stands in the configuration
	Format   string // empty: our own; else its name, with what it needs behind a blank
	Secret   []byte
	Attempt  int       // attempts made before
	First    time.Time // the first of them; zero before it
	Body     []byte
}

// Queue says what is to be sent.
type Queue interface {
	// Endpoints are those for which something waits.
	Endpoints(ctx context.Context) ([]string, error)
	// Due gives at most limit deliveries of endpoint whose time has come, the
	// first of each order key only, and when the next one's will (zero: none
	// waits).
	Due(ctx context.Context, endpoint string, now time.Time, limit int) ([]Delivery, time.Time, error)
	// Wake tells, once for many, that there may be something new.
	Wake() <-chan struct{}
}

// Book keeps what became of a delivery; each returns when it is on disk. An
// unknown id is an error.
type Book interface {
	Sent(ctx context.Context, id int64) error
	// Failed notes an attempt made at at, and when the next one comes.
	Failed(ctx context.Context, id int64, at, next time.Time, why string) error
	// Dead gives a delivery up.
	Dead(ctx context.Context, id int64, why string) error
}

// Outbox keeps the notices on disk until they have arrived.
type Outbox interface {
	Queue
	Book
}

// Reply is a text that a receiver wants sent to whom an incoming one came from.
type Reply struct {
	Incoming string // the incoming text's id
	Text     string
}

// Replies sends replies; it returns when one is on disk.
type Replies interface {
	Reply(ctx context.Context, r Reply) error
}
