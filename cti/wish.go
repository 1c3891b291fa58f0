package cti

import "context"

// Kinds of [Wish].
const (
	WishHold     = "hold"     // the party put the call on hold
	WishRetrieve = "retrieve" // and took it back
	WishTransfer = "transfer" // somebody else is to have the other party
)

// Wish is what a party asks for at its own telephone: by the hold key, the
// transfer key. It is not answered by sound, so whoever serves the call answers
// on Reply, which has room, once.
type Wish struct {
	Kind  string
	To    string // WishTransfer: whom, as dialled
	With  string // WishTransfer: or the id of the same telephone's leg in another call, whose parties are to be joined
	Reply chan<- error
}

// Wisher is a leg whose party can wish for something.
type Wisher interface {
	// Wishes is never closed.
	Wishes() <-chan Wish
}

// Progresser is an incoming leg that can hear before it is answered (183, early
// media).
type Progresser interface {
	// Progress lets sound flow; Answer may follow. Twice is no error.
	Progress(ctx context.Context) error
}

// Holder is a leg whose party may be on hold at the far side, and then sends
// nothing without being lost.
type Holder interface {
	// OnHold says that the party is not expected to be heard now.
	OnHold() bool
}

// Faxing is a leg that notices a fax machine.
type Faxing interface {
	// Fax gives "cng" or "ced", once each; nil where nobody listens for it.
	Fax() <-chan string
}
