package acd

import (
	"context"
	"fmt"

	"callbox/cti"
)

var _ cti.Desks = (*Floor)(nil)

// Find says what a word names: an agent by id or extension, a queue by id;
// false for neither. Part of [cti.Desks].
func (f *Floor) Find(word string) (cti.Target, bool) {
	return cti.Target{}, false
}

// Lend takes a desk for a part in a call that runs. Part of [cti.Desks].
func (f *Floor) Lend(ctx context.Context, t cti.Target, call string) (cti.Desk, error) {
	return nil, fmt.Errorf("lend a desk: %w", cti.ErrNotServed)
}

// Seat is where a user who is to listen in is rung. Part of [cti.Desks].
func (f *Floor) Seat(ctx context.Context, user string) (cti.Ref, cti.Device, error) {
	return cti.Ref{}, "", fmt.Errorf("seat: %w", cti.ErrNotServed)
}
