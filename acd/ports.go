package acd

import (
	"context"

	"callbox/cti"
)

// Phones tells whether there is a phone that can be rung: a telephone by its
// extension, a page by its agent's id.
type Phones interface {
	Reachable(address string) bool
}

// Journal takes the floor's events. Note never waits for the disk; Amend may,
// the floor calls it in a goroutine that Run waits for.
type Journal interface {
	Note(ctx context.Context, e cti.Event) error
	Amend(ctx context.Context, call string, a cti.Amendment) error
}

// Desks keeps what of the desks survives a restart. SaveDesk does not wait for
// the disk.
type Desks interface {
	LoadDesks(ctx context.Context) ([]DeskRow, error)
	SaveDesk(row DeskRow)
}

// Announcer plays what a waiting caller hears (music, announcements) until ctx
// ends; it must end at once then. The queue is zero for who waits for one agent.
// Paired by app.
type Announcer interface {
	Wait(ctx context.Context, call *cti.Call, queue Queue) error
}
